"""Marks of origin: written, read back, pixels untouched, other marks left in peace."""

import io

import cv2
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.images import decode, encode
from facewright.core.png import get_text, set_text
from facewright.marking import provenance
from facewright.marking.provenance import SOURCE_TYPE, mark_picture, read_mark, read_png_mark


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_marks_are_read_back_and_pixels_stay(image, extension):
    plain = encode(image, extension)
    marked = mark_picture(plain, extension)
    mark = read_mark(marked)
    assert read_mark(plain) is None
    assert mark.source_type == SOURCE_TYPE and mark.made_with_network
    assert "trained neural network by facewright" in mark.comment and SOURCE_TYPE in mark.comment
    assert (decode(marked, "x") == decode(plain, "x")).all()


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_marking_twice_is_marking_once(image, extension):
    once = mark_picture(encode(image, extension), extension)
    assert mark_picture(once, extension) == once


def test_other_chunks_survive(image):
    data = set_text(encode(image), "facewright", "record")
    assert get_text(provenance.mark_png(data), "facewright") == "record"


def test_exif_of_a_jpeg_survives_and_jfif_stays_first(image):
    data = encode(image, ".jpg")
    exif = provenance._segment(0xE1, b"Exif\0\0something")
    jfif_end = 2 + 2 + int.from_bytes(data[4:6], "big")
    marked = provenance.mark_jpeg(data[:jfif_end] + exif + data[jfif_end:])
    assert b"Exif\0\0something" in marked and marked[2:4] == b"\xff\xe0" and marked[6:10] == b"JFIF"
    assert decode(marked, "x").shape == (40, 60, 3)


def test_other_programs_see_the_mark(image):
    pillow = pytest.importorskip("PIL.Image")
    data = provenance.mark_png(encode(image))
    assert SOURCE_TYPE in pillow.open(io.BytesIO(data)).info["XML:com.adobe.xmp"]


def test_the_packet_is_well_formed_xml():
    import xml.etree.ElementTree as tree

    root = tree.fromstring(provenance._XMP.split("?>", 1)[1].rsplit("<?", 1)[0])
    found = root.iter("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert [element.text for element in found] == [SOURCE_TYPE]


def test_a_packet_rewritten_as_attribute_is_read(image):
    packet = f'<rdf:Description Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>'
    data = set_text(encode(image), provenance.PNG_XMP, packet)
    assert read_mark(data).made_with_network


def test_a_video_says_it_in_words_and_with_the_term():
    tags = provenance.container_tags()
    assert set(tags) == {"comment", "digitalSourceType"}
    assert tags["digitalSourceType"] == SOURCE_TYPE and SOURCE_TYPE in tags["comment"]


def test_a_mark_of_a_camera_is_not_ours():
    camera = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    assert not provenance.Mark("", camera).made_with_network


def test_reading_files(tmp_path, image):
    path = tmp_path / "größe.png"
    path.write_bytes(provenance.mark_png(encode(image)))
    assert read_png_mark(path).made_with_network
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(UserError, match="cut off"):
        read_png_mark(path)
    with pytest.raises(UserError):
        read_png_mark(tmp_path / "absent.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match="neither PNG nor JPEG"):
        read_png_mark(tmp_path / "text.png")


def test_formats_without_a_place_for_marks_are_refused(image):
    with pytest.raises(ValueError, match="webp"):
        mark_picture(encode(image, ".webp"), ".webp")


def test_opencv_reads_marked_files_without_complaint(image, capfd):
    for extension in (".png", ".jpg"):
        data = np.frombuffer(mark_picture(encode(image, extension), extension), np.uint8)
        assert cv2.imdecode(data, cv2.IMREAD_COLOR) is not None
    assert capfd.readouterr().err == ""
