"""An open hand and a face, drawn: what their masks must be is known."""

import cv2
import numpy as np

from facewright.faces.align import MEAN_FACE
from facewright.faces.hand_mask import BONES, PALM

# An open right hand, seen from the palm: width of the palm 1, the wrist at (0, 0), y up, points as MediaPipe has them.
OPEN_HAND = np.array(
    [
        *((0, 0), (-0.45, 0.35), (-0.8, 0.75), (-1.05, 1.05), (-1.25, 1.3)),
        *((-0.42, 1.3), (-0.5, 1.8), (-0.53, 2.1), (-0.55, 2.4), (-0.08, 1.4), (-0.09, 1.95), (-0.09, 2.3)),
        *((-0.09, 2.6), (0.22, 1.32), (0.26, 1.8), (0.28, 2.12), (0.3, 2.4)),
        *((0.5, 1.15), (0.6, 1.5), (0.66, 1.75), (0.7, 1.98)),
    ]
)
SKIN = (150, 170, 215)  # BGR
FACE = (120, 140, 190)


def hand_points(wrist, palm=40.0, turn=0.0):
    """Return (21, 2) points of the open hand; `palm` px wide, turned clockwise by `turn` degrees."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return (OPEN_HAND * (1, -1)) @ np.array([[c, s], [-s, c]]) * palm + wrist


def draw_hand(image, points, skin=SKIN):
    """Draw a hand with its forearm into an image, (h, w, 3) uint8, in place."""
    palm = np.linalg.norm(points[5] - points[17])
    fixed = np.rint(points * 16).astype(np.int32)
    for width, colour in ((0.34, tuple(0.55 * part for part in skin)), (0.27, skin)):  # an outline, then the skin
        for start, end in BONES:
            cv2.line(image, fixed[start].tolist(), fixed[end].tolist(), colour, round(width * palm), cv2.LINE_AA, 4)
        cv2.fillPoly(image, [fixed[list(PALM)]], colour, cv2.LINE_AA, 4)
    arm = points[0] + (points[0] - points[9]) / np.linalg.norm(points[0] - points[9]) * 1.5 * palm
    cv2.line(image, fixed[0].tolist(), np.rint(arm * 16).astype(int).tolist(), skin, round(0.75 * palm), cv2.LINE_AA, 4)


def face_points(middle=(100.0, 100.0), side=80.0):
    """Return (68, 2) landmarks: the mean face with a jaw."""
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.49 + 0.62 * np.cos(angle), 0.25 + 0.95 * np.sin(angle)], axis=1)
    return np.float32((np.vstack([jaw, MEAN_FACE]) - (0.49, 0.5)) * side + middle)


def draw_face(image, points, seed=0):
    """Draw a head with brows, eyes, nose and mouth at some landmarks, with a little noise over the whole image."""
    side = np.ptp(points[:17, 0])
    middle = np.rint(points.mean(axis=0)).astype(int).tolist()
    cv2.ellipse(image, middle, (round(0.62 * side), round(0.8 * side)), 0, 0, 360, FACE, -1, cv2.LINE_AA)
    parts = ((17, 22, False), (22, 27, False), (27, 31, False), (36, 42, True), (42, 48, True), (48, 60, True))
    for start, end, closed in parts:
        line = np.rint(points[start:end]).astype(np.int32)
        cv2.polylines(image, [line], closed, (50, 60, 90), max(1, round(side / 40)), cv2.LINE_AA)
    noise = np.random.default_rng(seed).normal(0, 3, image.shape)
    image[...] = np.clip(image + noise, 0, 255).astype(np.uint8)
