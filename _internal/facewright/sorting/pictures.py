"""Methods that look at the picture: sharpness, brightness, hue, cut-off faces."""

import cv2
import numpy as np

from facewright.sorting.base import Face, ascending, descending, sort_method


@sort_method("blur", "sharpest first: blurred faces gather at the end, to be deleted", descending)
def blur(face: Face) -> float:
    """Variance of the Laplacian of the grey picture."""
    grey = cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


@sort_method("brightness", "brightest first", descending)
def brightness(face: Face) -> float:
    """Mean of the largest channel (V of HSV), 0..255."""
    return float(face.image.max(axis=2).mean())


@sort_method("hue", "by the mean hue, largest first: puts apart shots in other light", descending)
def hue(face: Face) -> float:
    """Mean hue, 0..179."""
    return float(cv2.cvtColor(face.image, cv2.COLOR_BGR2HSV)[..., 0].mean())


@sort_method("black", "whole faces first: those cut off by the frame's edge gather at the end", ascending)
def black(face: Face) -> int:
    """Number of zero samples."""
    return int(face.image.size - np.count_nonzero(face.image))
