"""Measures on embeddings, landmarks and time: arrays in, numbers out. Those on pixels are in `pixels.py`.

A measure that compares the result with dst says so, and names its ideal value: the one that a perfect result has, and
that dst itself has against itself. NaN comes back where there is nothing to measure; the means here pass over it.

Points are (68, 2), (x, y) in pixels of the frame, in iBUG-68 order. Embeddings are rows of any length d.
"""

import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import MEAN_FACE, Points, similarity, transform_points
from facewright.faces.expression import eye_distance
from facewright.faces.landmarks import IBUG68
from facewright.faces.smoothing import second_differences

Numbers = NDArray[np.float64]  # (n,)
Vectors = NDArray[np.floating]  # (n, d)

FEWEST_FOR_CORRELATION = 3
FLAT = 1e-4  # values that differ less than this say nothing


def mean_distances(found: Vectors, reference: Vectors) -> Numbers:
    """Return the mean Euclidean distance of each embedding to all of a set, (n,); 0 only for one single reference.

    For dlib's ResNet two faces of one person are less than 0.6 apart (King 2017, "High quality face recognition with
    deep metric learning"); two images of one person lie 0.2 to 0.45 apart, so that is the least to be expected.

    Args:
        found: (n, d), of the result.
        reference: (m, d), of src or dst; m may be 0.
    """
    one, other = np.asarray(found, np.float64), np.asarray(reference, np.float64)
    if not len(other):
        return np.full(len(one), np.nan)
    squares = (one**2).sum(1)[:, None] - 2 * one @ other.T + (other**2).sum(1)[None]
    return np.asarray(np.sqrt(np.maximum(squares, 0)).mean(1))


def distances_to_mean(found: Vectors, reference: Vectors) -> Numbers:
    """Return the Euclidean distance of each embedding to the mean of a set, (n,); ideal 0.

    Args:
        found, reference: As in `mean_distances`.
    """
    one, other = np.asarray(found, np.float64), np.asarray(reference, np.float64)
    if not len(other):
        return np.full(len(one), np.nan)
    return np.asarray(np.linalg.norm(one - other.mean(0), axis=1))


def identity_margins(to_src: Numbers, to_dst: Numbers) -> Numbers:
    """Return how much nearer to src than to dst each face is, (n,); above 0 it is nearer to src, more is better.

    Args:
        to_src, to_dst: (n,) distances, both from one of the functions above.
    """
    return np.asarray(to_dst, np.float64) - np.asarray(to_src, np.float64)


def share_nearer(margins: Numbers) -> float:
    """Return the share of faces that are nearer to src, 0..1; ideal 1. Of all src faces: identity retrieval.

    FaceShifter (Li et al., CVPR 2020) calls the same question, asked among many people, ID retrieval.
    """
    known = np.asarray(margins)[np.isfinite(margins)]
    return float((known > 0).mean()) if len(known) else float("nan")


def similarity_of_neighbours(embeddings: Vectors, times: NDArray[np.int_]) -> Numbers:
    """Return the cosine similarity of each face with the one of the frame before, (n,); NaN without one.

    Args:
        embeddings: (n, d), in order of time.
        times: (n,) numbers of the frames, rising.
    """
    units = unit_vectors(embeddings)
    found = np.full(len(units), np.nan)
    if len(units) > 1:
        follows = np.diff(times) == 1
        found[1:][follows] = (units[1:] * units[:-1]).sum(1)[follows]
    return found


def tl_id(result: Vectors, dst: Vectors, times: NDArray[np.int_]) -> float:
    """Return TL-ID: how alike neighbouring frames are, of the result over dst; ideal 1.

    Tzaban et al., "Stitch it in Time: GAN-based facial editing of real videos" (STIT), SIGGRAPH Asia 2022: the mean
    similarity of the embeddings of neighbouring frames, over that of the original video. Below 1 who is seen wavers
    from frame to frame.

    Args:
        result, dst: (n, d) embeddings of the same frames in the result and in dst.
        times: (n,) numbers of the frames, rising.
    """
    return ratio(similarity_of_neighbours(result, times), similarity_of_neighbours(dst, times))


def tg_id(result: Vectors, dst: Vectors) -> float:
    """Return TG-ID: how alike any two frames are, of the result over dst; ideal 1.

    As `tl_id`, over all pairs of frames: below 1 who is seen drifts over the video.

    Args:
        result, dst: (n, d) embeddings of the same frames in the result and in dst.
    """
    return ratio(similarity_to_others(result), similarity_to_others(dst))


def similarity_to_others(embeddings: Vectors) -> Numbers:
    """Return the mean cosine similarity of each face with all others, (n,); their mean is that of all pairs.

    Args:
        embeddings: (n, d); NaN comes back for n = 1.
    """
    units = unit_vectors(embeddings)
    if len(units) < 2:
        return np.full(len(units), np.nan)
    # A sum holds all others and the face itself: no table of n x n numbers is needed.
    return np.asarray((units @ units.sum(0) - (units**2).sum(1)) / (len(units) - 1))


def unit_vectors(embeddings: Vectors) -> NDArray[np.float64]:
    """Return the rows at a length of 1, (n, d)."""
    rows = np.asarray(embeddings, np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def pose_error(pose: tuple[float, float, float], wanted: tuple[float, float, float]) -> float:
    """Return the Euclidean distance of two head poses in degrees; ideal 0.

    As FaceShifter (Li et al., CVPR 2020) measures pose: the L2 distance of (yaw, pitch, roll).

    Args:
        pose, wanted: (yaw, pitch, roll) in degrees, of the result and of dst.
    """
    apart = (np.asarray(pose, float) - np.asarray(wanted, float) + 180) % 360 - 180
    return float(np.linalg.norm(apart))


def landmark_error(points: Points, wanted: Points) -> float:
    """Return the mean distance of the landmarks, jaw left out, over the distance of the outer eye corners; ideal 0.

    The normalised mean error of the 300-W challenge (Sagonas et al., "300 Faces in-the-wild challenge", 2016).

    Args:
        points: Of the result.
        wanted: Of dst.
    """
    one, other = (np.asarray(p, np.float64)[IBUG68.inner :] for p in (points, wanted))
    return float(np.linalg.norm(one - other, axis=1).mean() / eye_distance(wanted))


def correlation(values: Numbers, wanted: Numbers) -> float:
    """Return Pearson's correlation, -1..1; ideal 1. NaN where there are fewer than three pairs, or one never changes.

    Args:
        values, wanted: (n,), of the result and of dst.
    """
    one, other = _both_known(values, wanted)
    if len(one) < FEWEST_FOR_CORRELATION or min(np.ptp(one), np.ptp(other)) < FLAT:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def mean_error(values: Numbers, wanted: Numbers) -> float:
    """Return the mean absolute difference, in the unit of the values; ideal 0.

    Args:
        values, wanted: (n,), of the result and of dst.
    """
    one, other = _both_known(values, wanted)
    return float(np.abs(one - other).mean()) if len(one) else float("nan")


def ratio(values: Numbers, wanted: Numbers) -> float:
    """Return the mean of one over the mean of the other, ideal 1; where only one is known, a pair does not count.

    The ratio of the means, not the mean of the ratios: a frame in which dst has next to nothing does not decide it.

    Args:
        values, wanted: (n,), of the result and of dst.
    """
    one, other = _both_known(values, wanted)
    return float(one.mean() / other.mean()) if len(one) and other.mean() != 0 else float("nan")


def _both_known(values: Numbers, wanted: Numbers) -> tuple[Numbers, Numbers]:
    one, other = np.asarray(values, np.float64), np.asarray(wanted, np.float64)
    known = np.isfinite(one) & np.isfinite(other)
    return one[known], other[known]


def jitter(points: NDArray[np.floating], dst_points: NDArray[np.floating], times: NDArray[np.int_]) -> Numbers:
    """Return how much the landmarks tremble on the face, (n,), per cent of the eyes' distance; NaN at gaps.

    The second difference over time, jaw left out, after dst's own motion was removed: the similarity that carries
    dst's landmarks onto the mean face is applied to the points of the result. What is left is expression and
    trembling; dst's own are measured by `jitter(dst_points, dst_points, times)`, the ratio of both has the ideal 1.

    Args:
        points: (n, 68, 2) in the result, in order of time.
        dst_points: (n, 68, 2) of the same frames in dst.
        times: (n,) numbers of the frames, rising.
    """
    found = np.full(len(points), np.nan)
    if len(points) < 3:
        return found
    upright = np.array([on_mean_face(p, d) for p, d in zip(points, dst_points, strict=True)])
    eyes = float(np.linalg.norm(MEAN_FACE[36 - IBUG68.inner] - MEAN_FACE[45 - IBUG68.inner])) / 100
    trembling = second_differences(upright[:, IBUG68.inner :] / eyes)
    whole = (np.diff(times)[1:] == 1) & (np.diff(times)[:-1] == 1)
    found[1:-1][whole] = trembling[whole]
    return found


def on_mean_face(points: Points, dst_points: Points) -> NDArray[np.float64]:
    """Return points of the result where dst's face lies on the mean face, (68, 2), in sides of its square.

    Args:
        points: (68, 2) in the result.
        dst_points: (68, 2) in dst.
    """
    return transform_points(points, similarity(np.asarray(dst_points)[IBUG68.inner :], MEAN_FACE))
