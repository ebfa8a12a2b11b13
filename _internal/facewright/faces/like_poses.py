"""Whether a faceset has faces of a pose: one rule for the faceset's page, the sorts and the review of a result."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

POSE_FACES = 3  # of a set that should look about the same way: a single one may be a bad find
POSE_DEGREES = 12.0  # of yaw and pitch together: src's third nearest pose is nearer, or it does not cover this one
# The generic head of `pose.py` fits nobody exactly. Of two people who look into the same camera one seems to look
# higher by so much (GRID's speakers s26 and s31: pitch 6.7 and -0.8 in the middle); the yaw has no such error.
SHAPE_DEGREES = 7.5


def distance_to_poses(poses: Numbers, among: Numbers) -> Numbers:
    """Return how far the third nearest pose of a set is from each, (n,), degrees; 0 where nothing can be said.

    What the shape of two heads makes of the pitch is left out: see `on_this_head`.

    Args:
        poses: (n, 2) yaw and pitch of one person; NaN where not known.
        among: (m, 2) likewise, of the set; of fewer than three nothing can be said.
    """
    from sklearn.neighbors import KDTree  # takes long to load

    found, known = np.zeros(len(poses)), np.isfinite(poses).all(axis=1)
    if len(among) >= POSE_FACES and known.any():
        found[known] = KDTree(among).query(on_this_head(poses[known], among), k=POSE_FACES)[0][:, -1]
    return found


def on_this_head(poses: Numbers, among: Numbers) -> Numbers:
    """Return poses as the head of a set would show them: without what the shape of another one adds to the pitch.

    Args:
        poses: (n, 2) yaw and pitch of one person, n at least 1.
        among: (m, 2) likewise, of the set, m at least 1.
    """
    shift = np.clip(np.median(poses[:, 1]) - np.median(among[:, 1]), -SHAPE_DEGREES, SHAPE_DEGREES)
    return np.asarray(poses - (0.0, shift))
