"""Reading and writing of images: BGR, uint8 or uint16, any path the system can name."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.exif import UPRIGHT, orientation
from facewright.core.files import IMAGE_EXTENSIONS as IMAGE_EXTENSIONS
from facewright.core.files import JPEG_EXTENSIONS, write_bytes
from facewright.core.jpeg import START as JPEG_START
from facewright.core.jpeg import jpeg_end, jpeg_size
from facewright.core.png import SIGNATURE as PNG_SIGNATURE
from facewright.core.png import png_end, png_size
from facewright.core.png_pixels import decode_png, encode_png
from facewright.core.safe_files import read_regular

Image = NDArray[np.uint8]
MAX_PIXELS = 1 << 28  # of an image: no camera and no video has more
PNG_DEPTH_AT = 24  # the byte with the bits of a channel
DEEPER = 257  # times as much is white in 16 bits
TURNED_SIDEWAYS = range(5, 9)  # orientations by which width and height change places


def format_of(data: bytes) -> str:
    """Return ".png" or ".jpg" by what the first bytes say, whatever the file is called; "" for any other image."""
    if data.startswith(JPEG_START):
        return ".jpg"
    return ".png" if data.startswith(PNG_SIGNATURE) else ""


def encoded_size(data: bytes) -> tuple[int, int]:
    """Return (h, w) in pixels of a PNG or JPEG as it is shown, turned as its EXIF data ask; it is not decoded.

    Raises:
        ValueError: It is neither, or damaged.
    """
    height, width = jpeg_size(data) if format_of(data) == ".jpg" else png_size(data)
    return (width, height) if orientation(data) in TURNED_SIDEWAYS else (height, width)


def picture_of(data: bytes, extension: str) -> bytes | None:
    """Return the image in a file as it can be used without decoding; None where it has to be made anew.

    Args:
        data: The file.
        extension: The wanted format. A JPEG that is called .png, or one that is to be turned, has to be made anew.

    Returns:
        The file without what some programs append to it.

    Raises:
        ValueError: The file is damaged or cut off.
    """
    found = format_of(data)
    if not found:
        return None
    end = jpeg_end(data) if found == ".jpg" else png_end(data)
    wanted = ".jpg" if extension.lower() in JPEG_EXTENSIONS else extension.lower()
    return data[:end] if found == wanted and orientation(data) == UPRIGHT else None


def decode(data: bytes, name: str, *, most: int = MAX_PIXELS, deep: bool = False, alpha: bool = False) -> Image:
    """Decode an image to (h, w, 3) uint8 BGR.

    Args:
        data: The file's bytes.
        name: The file's name, for the message.
        most: Most pixels that it may have. Its header is looked at before anything is decoded. Below `MAX_PIXELS`
            only PNG and JPEG are read: the headers of other formats are known to OpenCV alone.
        deep: Return uint16 where the file has 16 bits a channel, instead of rounding them to 8.
        alpha: Return (h, w, 4), of a PNG that has alpha and is not turned.

    Raises:
        UserError: The bytes are not an image that OpenCV reads, or one of too many pixels.
    """
    _check_pixels(data, name, most)
    picture: Any = None if alpha else decode_png(data)
    if data and picture is None:
        try:
            flags = cv2.IMREAD_COLOR | (cv2.IMREAD_ANYDEPTH if has_16_bits(data) else 0)
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED if alpha else flags)
        except cv2.error as error:
            if "pixels" in str(error):
                raise _too_large(name, f"more than {most / 1e6:.0f} million pixels") from error
    if picture is None:
        raise UserError(
            f"{name} is not an image that can be read (empty, cut off or of another format).",
            f"an image: {', '.join(IMAGE_EXTENSIONS)}.",
            "delete this file, or make it again with the step that wrote it.",
        )
    image: Image = np.asarray(picture)
    return image if deep else in_bytes(image)


def has_16_bits(head: bytes) -> bool:
    """Whether an image, of which the first bytes are given, is a PNG of 16 bits a channel."""
    return head.startswith(PNG_SIGNATURE) and head[PNG_DEPTH_AT : PNG_DEPTH_AT + 1] == b"\x10"


def in_bytes(image: Image) -> Image:
    """Return an image of 16 bits a channel rounded to 8, any other as it is.

    All who look at deep frames in 8 bits take this one way, so that they see the same from a file and from a video.
    """
    return image if image.dtype == np.uint8 else np.asarray(cv2.convertScaleAbs(image, alpha=1 / DEEPER), np.uint8)


def in_16_bits(image: Image) -> Image:
    """Return an image of 8 bits a channel with 16, any other as it is."""
    return np.asarray(image.astype(np.uint16) * DEEPER) if image.dtype == np.uint8 else image  # type: ignore[return-value]


def _check_pixels(data: bytes, name: str, most: int) -> None:
    try:
        height, width = encoded_size(data)
    except ValueError:
        if most < MAX_PIXELS:
            raise UserError(f"{name} is neither PNG nor JPEG.", "one of these.", "make it again.") from None
        return  # another format, or damaged: OpenCV looks at it
    if height * width > most:
        raise _too_large(name, f"{width} x {height} pixels")


def _too_large(name: str, size: str) -> UserError:
    return UserError(
        f"{name} says that it has {size}; it is not decoded, for that would fill the memory.",
        f"an image of at most {MAX_PIXELS / 1e6:.0f} million pixels.",
        "make the image smaller, or delete it.",
    )


def read_image(path: Path, *, deep: bool = False) -> Image:
    """Read an image as (h, w, 3) uint8 BGR; Unicode paths work on every system. `deep` as for `decode`.

    Raises:
        UserError: The file is absent or not an image.
    """
    return decode(read_encoded(path), str(path), deep=deep)


def read_encoded(path: Path) -> bytes:
    """Return the bytes of an image's file.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return read_regular(path, links=True)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}.",
            "an image at that place.",
            "run the step that makes it again.",
        ) from error


def encode(image: Image, extension: str = ".png", *, quality: int = 95) -> bytes:
    """Encode a (h, w, 3) or (h, w) uint8 BGR image; a PNG also holds uint16 and alpha.

    Args:
        image: What is encoded.
        extension: Format by its suffix.
        quality: For JPEG and WebP, 0..100.
    """
    flags: list[int] = []
    if extension.lower() == ".png":
        return encode_png(image)
    if extension.lower() in JPEG_EXTENSIONS:
        extension = ".jpg"
        flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    elif extension.lower() == ".webp":
        flags = [cv2.IMWRITE_WEBP_QUALITY, quality]
    done, data = cv2.imencode(extension, image, flags)
    if not done:
        raise ValueError(f"OpenCV could not encode a {image.shape} {image.dtype} image as {extension}")
    return data.tobytes()


def write_image(path: Path, image: Image, *, quality: int = 95) -> None:
    """Write an image atomically; the format follows the suffix."""
    write_bytes(path, encode(image, path.suffix, quality=quality))


@contextlib.contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """Keep OpenCV to the thread that calls it, for the whole process; its number of threads comes back at the end.

    For work that occupies all cores itself: OpenCV's own threads would only get in its way.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
