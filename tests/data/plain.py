"""Samples in the plain order of 2018, one picture after another: warp, transform, mirror, cut, each looked up anew."""

import dataclasses

import cv2
import numpy as np

from facewright.data.augment import remap_grid
from facewright.data.sample import before_cut
from facewright.faces.align import align_matrix
from facewright.faces.mask import mirror_landmarks


def plain_sample(face, samples, numbers):
    """Return the outputs as `make_sample` does, in 0..255 steps at every stage."""
    side, results = face.side, []
    transform = before_cut(dataclasses.replace(numbers, flip=False), side)
    landmarks = mirror_landmarks(face.landmarks, side) if numbers.flip else face.landmarks
    picture = np.dstack([face.image, face.masks["mask"]])  # the mask as a fourth channel
    for sample in samples:
        made = picture if sample.kind == "image" else picture[..., 3]
        if sample.warp:
            made = cv2.remap(made, *remap_grid(np.eye(2, 3), numbers.control_points, side, side), cv2.INTER_LANCZOS4)
        made = cv2.warpAffine(made, transform, (side, side), flags=cv2.INTER_LANCZOS4)
        if numbers.flip:
            made = np.ascontiguousarray(made[:, ::-1])
        matrix = align_matrix(landmarks, sample.face_type, sample.size)
        made = cv2.warpAffine(made, matrix, (sample.size, sample.size), flags=cv2.INTER_LANCZOS4)
        made = made.reshape(sample.size, sample.size, -1)[..., : sample.channels]
        results.append(made.astype(np.float32) / 255)
    return results
