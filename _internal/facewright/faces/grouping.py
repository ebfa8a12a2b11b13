"""Who is who: faces are grouped by their embeddings, each group is a person and gets a number.

Method: agglomerative clustering by average linkage (scikit-learn): the two groups whose faces are nearest to each
other on the average are joined, until no two groups are nearer than the threshold. Measured on 1,900 faces of ten
people (real clips, a painting, two people who do not exist and look alike; tests/benchmarks/people.py): every person
is one group and no two people share one at any threshold from 0.43 to 0.52. Complete linkage, Ward's method, DBSCAN
and HDBSCAN split a person who turns, or mix, over most of their range. What is no face (hands, blur) forms small
groups of its own.

This tells apart the faces of one set. It knows nobody and finds nobody.
"""

import importlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_GROUP_DISTANCE = 0.46
# What two faces of one frame are apart at least: it keeps lookalikes in a crowd apart. A frame where a face was found
# twice, or a mirror, does little against hundreds of faces that fit.
MIN_SAME_FRAME_DISTANCE = 1.0
# So many faces are compared each with each (memory grows with the square); of more, a share is, the rest joins these.
MAX_COMPARED_FACES = 2000

Numbers = NDArray[np.float32]
Labels = NDArray[np.int64]


def persons(embeddings: Numbers, threshold: float = MAX_GROUP_DISTANCE, frames: Sequence[str] | None = None) -> Labels:
    """Give each face the number of its person.

    The order of the faces plays no role, except that of two persons with equally many faces the one that comes
    first has the smaller number.

    Args:
        embeddings: (n, 128) float32 of dlib's ResNet, n may be 0; any (n, d) will do.
        threshold: Mean distance up to which two groups of faces are one person, on the embeddings' scale.
        frames: The frame of each face: those of one frame are as a rule different people. None: nothing is known.

    Returns:
        (n,) numbers from 1, for the person with most faces, without a gap.
    """
    if not len(embeddings):
        return np.zeros(0, np.int64)
    # One and the same order whatever the order of the files: what is chosen below does not depend on it.
    order = np.lexsort(np.asarray(embeddings).T[::-1])
    own = list(range(len(order))) if frames is None else frames
    shots = np.unique(np.asarray(own), return_inverse=True)[1].ravel()
    labels = np.empty(len(order), np.int64)
    labels[order] = _group(np.asarray(embeddings, np.float64)[order], shots[order], threshold)
    return _by_size(labels)


def one_per_track(numbers: Labels, tracks: Sequence[int]) -> Labels:
    """Let all faces of a track be one person: whoever most of them are. A hand on the mouth makes nobody else.

    Args:
        numbers: (n,) of `persons`, from 1; 0 for a face that could not be compared, which follows its track.
        tracks: The number of each face's track.

    Returns:
        (n,) numbers from 1, for the person with most faces, without a gap; 0 where no face of a track was compared.
    """
    votes: dict[int, Counter[int]] = {}
    for number, track in zip(numbers.tolist(), tracks, strict=True):
        votes.setdefault(track, Counter())[number] += number > 0
    chosen = {track: max(counts, key=lambda number: (counts[number], -number)) for track, counts in votes.items()}
    labels = np.array([chosen[track] for track in tracks], np.int64)
    known = labels > 0
    labels[known] = _by_size(labels[known])
    return labels


def keep_numbers(numbers: Labels, known: Sequence[int | None]) -> Labels:
    """Let persons keep the numbers that they had.

    Each old number goes to the person who holds most of its faces; persons without one get the next free numbers.

    Args:
        numbers: (n,) of `persons`; 0, for nobody, stays.
        known: For each face the number it had, None where it had none.
    """
    shared = Counter((int(new), old) for new, old in zip(numbers, known, strict=True) if old is not None)
    renamed: dict[int, int] = {0: 0}
    taken: set[int] = set()
    for (new, old), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if new not in renamed and old not in taken:
            renamed[new] = old
            taken.add(old)
    free = max((old for old in known if old is not None), default=0)
    for new in sorted(set(numbers.tolist()) - set(renamed)):
        free += 1
        renamed[new] = free
    return np.array([renamed[new] for new in numbers.tolist()], np.int64)


def _group(faces: NDArray[np.float64], shots: Labels, threshold: float) -> Labels:
    """Return a label for each face, in no order; `shots` holds the number of each face's frame."""
    if len(faces) <= MAX_COMPARED_FACES:
        return _linked(_distances(faces, shots), threshold)
    labels = np.full(len(faces), -1, np.int64)
    while (left := np.flatnonzero(labels < 0)).size:
        chosen = left[_spread(len(left))]
        first = labels.max() + 1
        labels[chosen] = first + _linked(_distances(faces[chosen], shots[chosen]), threshold)
        left = np.flatnonzero(labels < 0)
        nearest, distance = _nearest(faces[left], *_summary(faces, labels))
        labels[left[distance <= threshold]] = nearest[distance <= threshold]
    return _merged(faces, labels, threshold)


def _spread(count: int) -> NDArray[np.int64]:
    """Return up to MAX_COMPARED_FACES indices spread evenly over `count`."""
    wanted = min(count, MAX_COMPARED_FACES)
    return np.asarray((np.arange(wanted) + 0.5) * count / wanted, np.int64)


def _distances(faces: NDArray[np.float64], shots: Labels) -> NDArray[np.float64]:
    distances = np.sqrt(_squares(faces, faces))
    together = shots[:, None] == shots
    distances[together] = np.maximum(distances[together], MIN_SAME_FRAME_DISTANCE)
    np.fill_diagonal(distances, 0)
    return distances


def _linked(distances: NDArray[np.float64], threshold: float) -> Labels:
    """Return the labels of average linkage on a square matrix of distances."""
    if len(distances) < 2:
        return np.zeros(len(distances), np.int64)
    cluster: Any = importlib.import_module("sklearn.cluster")
    linkage = cluster.AgglomerativeClustering(
        n_clusters=None, distance_threshold=threshold, linkage="average", metric="precomputed"
    )
    return np.asarray(linkage.fit_predict(distances), np.int64)


def _summary(faces: NDArray[np.float64], labels: Labels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each group's mean (k, d) and the mean square distance of its faces from it (k,)."""
    grouped = labels >= 0
    counts = np.bincount(labels[grouped])
    means = np.zeros((len(counts), faces.shape[1]))
    np.add.at(means, labels[grouped], faces[grouped])
    means /= counts[:, None]
    off = ((faces[grouped] - means[labels[grouped]]) ** 2).sum(axis=1)
    return means, np.bincount(labels[grouped], off) / counts


def _nearest(
    faces: NDArray[np.float64], means: NDArray[np.float64], spreads: NDArray[np.float64]
) -> tuple[Labels, NDArray[np.float64]]:
    """Return for each face the group whose members are nearest, and their root mean square distance."""
    found, distances = np.empty(len(faces), np.int64), np.empty(len(faces))
    for start in range(0, len(faces), MAX_COMPARED_FACES):
        part = slice(start, start + MAX_COMPARED_FACES)
        squares = _squares(faces[part], means) + spreads
        found[part] = squares.argmin(axis=1)
        distances[part] = np.sqrt(squares.min(axis=1))
    return found, distances


def _merged(faces: NDArray[np.float64], labels: Labels, threshold: float) -> Labels:
    """Join groups of several rounds that are one person; the largest, where there are too many to compare."""
    labels = _by_size(labels) - 1
    means, spreads = _summary(faces, labels)
    means, spreads = means[:MAX_COMPARED_FACES], spreads[:MAX_COMPARED_FACES]
    distances = np.sqrt(_squares(means, means) + spreads[:, None] + spreads)
    np.fill_diagonal(distances, 0)
    # Labels of groups that are not compared lie above all others.
    joined = np.arange(labels.max() + 1) + len(means)
    joined[: len(means)] = _linked(distances, threshold)
    return joined[labels]


def _squares(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.maximum(squares, 0))


def _by_size(labels: Labels) -> Labels:
    """Number the groups from 1: the largest first, of equal ones that which comes first."""
    names, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(1, len(names) + 1)
    return rank[inverse.ravel()]
