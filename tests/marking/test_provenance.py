"""Marks of origin: written, read back, pixels untouched, other marks left in peace."""

import struct
import subprocess
import zlib

import cv2
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.images import decode, encode
from facewright.core.png import get_text, set_text
from facewright.marking import provenance
from facewright.marking.origin import Origin, origin_of_image, read_origin
from facewright.marking.provenance import SOURCE_TYPE, container_tags, mark_image
from facewright.video.ffmpeg import ffmpeg_exe


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_marks_are_read_back_and_pixels_stay(image, extension):
    plain = encode(image, extension)
    marked = mark_image(plain, extension)
    origin = origin_of_image(marked)
    assert origin_of_image(plain) is None
    assert origin.source_type == SOURCE_TYPE and origin.made_with_network
    assert "trained neural network by facewright" in origin.comment and SOURCE_TYPE in origin.comment
    assert (decode(marked, "x") == decode(plain, "x")).all()


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_marking_twice_is_marking_once(image, extension):
    once = mark_image(encode(image, extension), extension)
    assert mark_image(once, extension) == once


def test_other_chunks_survive(image):
    data = set_text(encode(image), "facewright", "record")
    assert get_text(provenance.mark_png(data), "facewright") == "record"


def test_exif_of_a_jpeg_survives_and_jfif_stays_first(image):
    data = encode(image, ".jpg")
    exif = b"\xff\xe1" + struct.pack(">H", 17) + b"Exif\0\0something"
    jfif_end = 2 + 2 + int.from_bytes(data[4:6], "big")
    marked = provenance.mark_jpeg(data[:jfif_end] + exif + data[jfif_end:])
    assert b"Exif\0\0something" in marked and marked[2:4] == b"\xff\xe0" and marked[6:10] == b"JFIF"
    assert decode(marked, "x").shape == (40, 60, 3)


def test_the_mark_is_where_the_specifications_put_it(image):
    """Read by the layout of PNG's iTXt chunk and of XMP part 3, with nothing of the program's own."""
    data, position, texts = provenance.mark_png(encode(image)), 8, {}
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        assert zlib.crc32(kind + body) == int.from_bytes(data[position + 8 + length : position + 12 + length], "big")
        if kind == b"iTXt":
            keyword, rest = body.split(b"\0", 1)
            texts[keyword.decode("latin-1")] = rest[2:].split(b"\0", 2)[2].decode("utf-8")
        position += 12 + length
    assert SOURCE_TYPE in texts["XML:com.adobe.xmp"] and "facewright" in texts["Comment"]


def test_the_packet_is_well_formed_xml():
    import xml.etree.ElementTree as tree

    root = tree.fromstring(provenance.XMP_PACKET.split("?>", 1)[1].rsplit("<?", 1)[0])
    found = root.iter("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert [element.text for element in found] == [SOURCE_TYPE]


def test_a_packet_rewritten_as_attribute_is_read(image):
    packet = f'<rdf:Description Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>'
    data = set_text(encode(image), provenance.PNG_XMP, packet)
    assert origin_of_image(data).made_with_network


def test_a_video_says_it_in_words_and_with_the_term():
    tags = provenance.container_tags()
    assert set(tags) == {"comment", "digitalSourceType"}
    assert tags["digitalSourceType"] == SOURCE_TYPE and SOURCE_TYPE in tags["comment"]


def test_a_mark_of_a_camera_is_not_ours():
    camera = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    assert not Origin("", camera).made_with_network


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_reading_an_image_file(tmp_path, image, extension):
    path = tmp_path / "größe.bin"  # the content decides, not the name
    path.write_bytes(encode(image, extension))
    assert read_origin(path) is None
    path.write_bytes(mark_image(encode(image, extension), extension))
    origin = read_origin(path)
    assert origin.made_with_network and "facewright" in origin.comment
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(UserError, match="cut off"):
        read_origin(path)


@pytest.mark.parametrize("kind", ["mp4", "avi"])
def test_reading_a_video(tmp_path, kind):
    """An AVI, and an MP4 copied by another program, keep the comment only: the term is found in it."""

    def ffmpeg(*arguments):
        subprocess.run([ffmpeg_exe(), "-v", "error", *map(str, arguments)], check=True)

    plain, marked, copy = (tmp_path / f"{name}.{kind}" for name in ("plain", "marked", "copy"))
    ffmpeg("-f", "lavfi", "-i", "color=s=32x32:r=25:d=0.2", plain)
    tags = [word for key, text in container_tags().items() for word in ("-metadata", f"{key}={text}")]
    whole = ["-movflags", "use_metadata_tags"] if kind == "mp4" else []
    ffmpeg("-i", plain, "-c", "copy", *tags, *whole, marked)
    ffmpeg("-i", marked, "-c", "copy", copy)
    assert read_origin(plain) is None
    for path in (marked, copy):
        origin = read_origin(path)
        assert origin.source_type == SOURCE_TYPE and origin.made_with_network and "facewright" in origin.comment


def test_files_without_an_origin_to_read(tmp_path):
    (tmp_path / "zeros.bin").write_bytes(bytes(99))
    for name in ("absent.png", "zeros.bin"):
        with pytest.raises(UserError, match=name):
            read_origin(tmp_path / name)


def test_formats_without_a_place_for_marks_are_refused(image):
    with pytest.raises(ValueError, match="webp"):
        mark_image(encode(image, ".webp"), ".webp")


def test_opencv_reads_marked_files_without_complaint(image, capfd):
    for extension in (".png", ".jpg"):
        data = np.frombuffer(mark_image(encode(image, extension), extension), np.uint8)
        assert cv2.imdecode(data, cv2.IMREAD_COLOR) is not None
    assert capfd.readouterr().err == ""
