"""Drawn faces, some of them covered or labelled."""

from dataclasses import replace

import cv2
import numpy as np

from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.mask import encode_mask
from facewright.faces.polygons import Polygon
from train.tiny import save_faces

LEFT_HALF = np.array([(-1, -1), (31.5, -1), (31.5, 65), (-1, 65)], np.float32)  # of an image of 64 px


def drawn_faces(folder, count, **given) -> list[FaceFile]:
    """Write faces of 64 px, frame and aligned image the same, whose records are changed by `given`."""
    paths = save_faces(folder, count)
    index = load_faceset(folder)
    for face in index.faces:
        index.write(FaceFile(face.path, replace(face.record, **given)))
    return [face for face in load_faceset(folder).faces if face.path in paths]


def left_covered(side=64) -> str:
    """Return the text of a mask that is white in the left half."""
    mask = np.zeros((side, side), np.float32)
    mask[:, : side // 2] = 1
    return encode_mask(mask)


def polygon(kind="exclude", points=LEFT_HALF) -> Polygon:
    return Polygon(kind, points)


def square_at(image, x, y, size=14):
    """Draw a square with a pattern that flow can follow; return its corners."""
    pattern = np.random.default_rng(5).integers(0, 255, (7, 7, 3)).astype(np.uint8)
    image[y : y + size, x : x + size] = cv2.resize(pattern, (size, size), interpolation=cv2.INTER_NEAREST)
    return np.array([(x, y), (x + size, y), (x + size, y + size), (x, y + size)], np.float32) - 0.5
