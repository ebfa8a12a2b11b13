"""Faces as DeepFaceLab and FaceSwap write them, made here from what is known of their formats."""

import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image, encode
from facewright.core.png import set_text
from facewright.faces.align import MEAN_FACE, cut, invert, similarity, transform_points

CHIN = [(-0.1 + 1.2 * k / 16, 0.3 + 0.9 * np.sin(np.pi * k / 16)) for k in range(17)]
FACE = np.vstack([np.array(CHIN), MEAN_FACE])
# DeepFaceLab at its end: padding of each face type, and the shift towards the forehead.
PADS = {"half_face": (0.0, 0), "midfull_face": (0.0675, 0), "full_face": (0.2109375, 0), "whole_face": (0.4, 0.07),
        "head": (0.7, 0.5)}  # fmt: skip


def landmarks(
    *, turn: float = 10.0, side: float = 120.0, at: tuple[float, float] = (160.0, 120.0)
) -> NDArray[np.float64]:
    """68 points of a face in a frame; `side` is that of the mean face's square."""
    c, s = side * np.cos(np.radians(turn)), side * np.sin(np.radians(turn))
    return (FACE - 0.5) @ np.array([[c, -s], [s, c]]).T + at


def frame(seed: int = 0, size: tuple[int, int] = (300, 400)) -> Image:
    """A smooth coloured frame that is different everywhere."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (size[0] // 10, size[1] // 10, 3), np.uint8)
    return np.asarray(cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def dfl_matrix(points: NDArray[np.float64], kind: str, side: int) -> NDArray[np.float64]:
    """Frame -> picture, from 33 of the points and with the square shifted, as since 2020."""
    chosen = [*range(17, 49), 54]
    back = invert(similarity(points[chosen], MEAN_FACE[np.array(chosen) - 17]))
    pad, shift = PADS[kind]
    pad *= np.sqrt(2)
    corners = np.array([(0, 0), (1, 0), (0, 1)]) * (1 + 2 * pad) - pad - [0, shift]
    picture = np.array([(0, 0), (side, 0), (0, side)], np.float32)
    return cv2.getAffineTransform(transform_points(corners, back).astype(np.float32), picture)


def dfl_2018(
    points: NDArray[np.float64], picture: Image, name: str, *, kind: str = "full_face", protocol: int = 3
) -> bytes:
    """A PNG with the chunk fcWp before its end; source landmarks are whole numbers."""
    whole = np.asarray(points, int)
    pads = {"half_face": 0, "full_face": 48, "head": 96}
    matrix = similarity(whole[17:], MEAN_FACE) * (256 - 2 * pads[kind])
    matrix[:, 2] += pads[kind]
    data = {
        "face_type": kind,
        "landmarks": transform_points(whole, matrix).tolist(),
        "yaw_value": 1.5,
        "pitch_value": -2.0,
        "source_filename": name,
        "source_rect": (10, 20, 110, 130),
        "source_landmarks": whole.tolist(),
    }
    return with_chunk(encode(np.asarray(cut(picture, matrix, 256), np.uint8)), pickle.dumps(data, protocol))


def with_chunk(png: bytes, body: bytes) -> bytes:
    """Put a chunk fcWp before the last one."""
    chunk = struct.pack(">I", len(body)) + b"fcWp" + body + struct.pack(">I", zlib.crc32(b"fcWp" + body))
    return png[:-12] + chunk + png[-12:]


def dfl_jpeg(
    points: NDArray[np.float64], picture: Image, name: str, *, kind: str = "whole_face", side: int = 256,
    protocol: int = 4, **more: Any,
) -> bytes:  # fmt: skip
    """A JPEG with APP15 behind its first segment; points as numpy arrays."""
    matrix = dfl_matrix(points, kind, side)
    data = {
        "face_type": kind,
        "landmarks": transform_points(points, matrix).astype(np.float32),
        "source_filename": name,
        "source_rect": np.array([10.0, 20, 110, 130]),
        "source_landmarks": points,
        "image_to_face_mat": matrix,
        "eyebrows_expand_mod": np.float64(1.0),
        **more,
    }
    return with_segment(encode(np.asarray(cut(picture, matrix, side), np.uint8), ".jpg"), pickle.dumps(data, protocol))


def with_segment(jpeg: bytes, body: bytes) -> bytes:
    """Put an APP15 behind APP0."""
    end = 4 + struct.unpack_from(">H", jpeg, 4)[0]
    return jpeg[:end] + b"\xff\xef" + struct.pack(">H", len(body) + 2) + body + jpeg[end:]


def faceswap_png(points: NDArray[np.float64], picture: Image, name: str, *, side: int = 512) -> bytes:
    """A head-centred PNG with the text form of a dictionary."""
    matrix = similarity(points[17:], MEAN_FACE) * side * 0.375
    middle = np.array([0.47, 0.2]) * side * 0.375  # the middle of the head, above and behind the face
    matrix[:, 2] += side / 2 - middle
    data = {
        "alignments": {
            "x": 100, "w": 120, "y": 60, "h": 125,
            "landmarks_xy": points.tolist(),
            "mask": {"components": {"mask": b"x\x9c\xed\x01\x00\\", "affine_matrix": [[1.0, 0.0], [0.0, 3e-05]]}},
            "identity": {},
        },
        "source": {"alignments_version": 2.4, "original_filename": "x_0.png", "face_index": 0, "source_filename": name,
                   "source_is_video": False, "source_frame_dims": (300, 400)},
    }  # fmt: skip
    return set_text(encode(np.asarray(cut(picture, matrix, side), np.uint8)), "faceswap", repr(data))


def pack(path: Path, files: list[bytes]) -> None:
    """A faceset.pak; its pickled list is never looked at."""
    listed = pickle.dumps([{"filename": f"{k}.jpg"} for k in range(len(files))])
    starts = np.cumsum([0, *map(len, files)]).tolist()[:-1]
    head = struct.pack("<QQ", 1, len(listed)) + listed
    whole = len(head) + 8 * (len(files) + 1) + sum(map(len, files))
    path.write_bytes(head + struct.pack(f"<{len(files) + 1}Q", *starts, whole) + b"".join(files))
