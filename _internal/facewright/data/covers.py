"""Things before a face, drawn: what the mask model learns from while nobody has labelled anything.

Each cover is a colour and a share of it for every pixel; so the label of what it covers is exact. Shadows, blur and
noise follow for the whole image, so that no edge tells a drawn thing from a real one. Images are (S, S, 3) float32
BGR in 0..1, masks (S, S) float32 in 0..1. All random numbers come from the generator that is handed in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import decode, encode
from facewright.faces.mask import Mask

Picture = NDArray[np.float32]
Pixels = NDArray[np.float64]
FINE = 4  # bits of a pixel's fraction, as OpenCV takes coordinates
DARK = (0.05, 0.05, 0.05)


@dataclass(frozen=True)
class Scene:
    """A face before it is covered.

    Attributes:
        image: The face.
        hull: Its hull.
        skin: (h, w, 3) skin of the same person, from this or another image: what hands are made of.
        other: Another image of any content, (S, S, 3): clothes, background.
    """

    image: Picture
    hull: Mask
    skin: Picture
    other: Picture

    @property
    def side(self) -> int:
        """Side of the image in pixels."""
        return self.image.shape[0]


@dataclass(frozen=True)
class Cover:
    """A thing before the face.

    Attributes:
        colour: (S, S, 3).
        alpha: (S, S): how much of it is seen.
        shadow: How dark it makes what is behind it, 0..1.
    """

    colour: Picture
    alpha: Mask
    shadow: float = 0.0


def draw_hand(scene: Scene, rng: np.random.Generator) -> Cover:
    """Palm, wrist and one to five fingers in the person's skin, round by their shading."""
    side = scene.side
    aim = _point_inside(scene.hull, rng)
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.3 else rng.uniform(0.1, 0.9) * np.pi  # mostly from below
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    unit = side * rng.uniform(0.75, 1.25) * 0.045  # a centimetre, where a face fills the image
    palm = aim + along * unit * rng.uniform(1, 9)
    colour = _skin_texture(scene, rng)
    cover = _Layers(side)
    cover.capsule(palm + along * 2 * unit, palm + along * 16 * unit, unit * rng.uniform(2.2, 3.2))
    cover.polygon(
        [palm + across * x * unit + along * y * unit for x, y in ((-3.8, -3), (3.8, -3), (3, 4.5), (-3, 4.5))]
    )
    spread, bend = rng.uniform(-0.1, 0.3), rng.uniform(-0.5, 0.5)
    for finger in range(5):
        if rng.random() < 0.25:
            continue  # bent away
        place = (finger - 1.7) * 1.9 * unit
        root = palm + across * place - along * 2.2 * unit
        turn = (finger - 1.7) * spread + rng.normal(0, 0.08) + (rng.uniform(0.5, 1.1) if finger == 4 else 0.0)
        thick, length = unit * rng.uniform(0.75, 1.05), unit * rng.uniform(2.2, 4.2)
        joint = root - _turned(along, turn) * length
        tip = joint - _turned(along, turn + bend + rng.normal(0, 0.15)) * length
        cover.finger((root, joint, tip), thick)
    light = rng.uniform(0, 2 * np.pi)
    return Cover(np.clip(colour * cover.shading(light)[..., None], 0, 1), cover.alpha, rng.uniform(0, 0.6))


def draw_blob(scene: Scene, rng: np.random.Generator) -> Cover:
    """A round shape of any texture: a ball, a sleeve, a scarf."""
    side = scene.side
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.full(48, 1.0)
    for wave in range(1, 6):
        radius += rng.normal(0, 0.35 / wave) * np.cos(wave * angles + rng.uniform(0, 6.3))
    size = side * rng.uniform(0.06, 0.32)
    stretch = np.exp(rng.normal(0, 0.4))
    shape = np.stack([np.cos(angles) * stretch, np.sin(angles) / stretch], axis=1) * np.abs(radius)[:, None] * size
    cover = _Layers(side)
    cover.polygon(_point_inside(scene.hull, rng, reach=0.15) + _rotated(shape, rng))
    shading = cover.shading(rng.uniform(0, 6.3)) if rng.random() < 0.5 else np.ones((side, side), np.float32)
    return Cover(np.clip(_texture(scene, rng) * shading[..., None], 0, 1), cover.alpha, rng.uniform(0, 0.6))


def draw_card(scene: Scene, rng: np.random.Generator) -> Cover:
    """A thing with straight edges: a phone, a sheet, a hat's brim from above."""
    side = scene.side
    wide, high = side * rng.uniform(0.1, 0.35), side * rng.uniform(0.15, 0.6)
    shape = np.array([(-wide, -high), (wide, -high), (wide, high), (-wide, high)])
    cover = _Layers(side)
    away = _rotated(np.array([[0.0, high + side * rng.uniform(-0.1, 0.25)]]), rng)[0]
    cover.polygon(np.array([side / 2, side / 2]) + away + _rotated(shape, rng))
    return Cover(_texture(scene, rng), cover.alpha, rng.uniform(0, 0.6))


def draw_microphone(scene: Scene, rng: np.random.Generator) -> Cover:
    """A dark head on a stick, from below or the side towards the mouth."""
    side = scene.side
    aim = np.array([side * rng.uniform(0.35, 0.65), side * rng.uniform(0.55, 0.85)])
    away = _turned(np.array([0.0, 1.0]), rng.uniform(-1.2, 1.2))
    cover = _Layers(side)
    thick = side * rng.uniform(0.04, 0.09)
    cover.capsule(aim, aim + away * side, thick * rng.uniform(0.3, 0.7))
    cover.capsule(aim, aim + away * thick * rng.uniform(0, 1.2), thick)
    tone = np.float32(rng.uniform(0.03, 0.4) + rng.normal(0, 0.03, 3))
    grain = rng.normal(0, 0.06, (side, side, 1)).astype(np.float32)
    colour = (tone + grain) * cover.shading(rng.uniform(0, 6.3))[..., None]
    return Cover(np.clip(colour, 0, 1).astype(np.float32), cover.alpha, rng.uniform(0, 0.4))


def draw_glasses(scene: Scene, rng: np.random.Generator) -> Cover:
    """Frames around the eyes, dark glasses in a third of the draws."""
    side = scene.side
    inside = np.argwhere(scene.hull > 0.5)
    top, left = inside.min(axis=0)
    bottom, right = inside.max(axis=0)
    middle = np.array([(left + right) / 2, top + (bottom - top) * rng.uniform(0.15, 0.25)])
    apart, wide = (right - left) * rng.uniform(0.2, 0.25), (right - left) * rng.uniform(0.13, 0.19)
    high, thick = wide * rng.uniform(0.6, 1.0), max(1, round(side * rng.uniform(0.006, 0.025)))
    drawn = np.zeros((side, side), np.uint8)
    dark = rng.random() < 0.35
    for sign in (-1, 1):
        centre = middle + np.array([sign * apart, 0.0])
        cv2.ellipse(
            drawn, _fixed(centre), _fixed((wide, high)), 0, 0, 360, 255, -1 if dark else thick, cv2.LINE_AA, FINE
        )
        ends = (middle[0] + sign * (apart - wide), middle[1]), (middle[0], middle[1] - high * 0.2)
        _line(drawn, *ends, thick)
        _line(drawn, (middle[0] + sign * (apart + wide), middle[1]), (middle[0] + sign * side, middle[1]), thick)
    tone = rng.uniform(0, 0.5, 3) if rng.random() < 0.4 else np.array(DARK)
    alpha = drawn.astype(np.float32) / np.float32(255)
    return Cover(np.full((side, side, 3), tone, np.float32), alpha, rng.uniform(0, 0.3))


def draw_hair(scene: Scene, rng: np.random.Generator) -> Cover:
    """Strands from above, thin and in bundles, in a colour of hair."""
    side = scene.side
    drawn = np.zeros((side, side), np.uint8)
    tones = np.zeros((side, side, 3), np.float32)
    base = np.array([0.1, 0.16, 0.25]) * rng.uniform(0.1, 3.0)
    start = np.array([rng.uniform(0.1, 0.9) * side, rng.uniform(-0.1, 0.25) * side])
    end = start + side * np.array([rng.normal(0, 0.3), rng.uniform(0.2, 0.9)])
    sweep = rng.normal(0, 0.2) * side
    share = np.linspace(0, 1, 12)[:, None]
    for _ in range(rng.integers(3, 40)):
        a, b = start + rng.normal(0, 0.05, 2) * side, end + rng.normal(0, 0.08, 2) * side
        bent = (a + b) / 2 + np.array([sweep, 0.0])
        curve = (1 - share) ** 2 * a + 2 * share * (1 - share) * bent + share**2 * b
        points = np.rint(curve * (1 << FINE)).astype(np.int32)[None]
        thick = int(rng.integers(1, 3))
        cv2.polylines(drawn, points, False, 255, thick, cv2.LINE_AA, FINE)
        tone = np.clip(base * rng.uniform(0.6, 1.5), 0, 1)
        cv2.polylines(tones, points, False, tone.tolist(), thick + 2, cv2.LINE_8, FINE)
    alpha = drawn.astype(np.float32) / np.float32(255) * np.float32(rng.uniform(0.6, 1.0))
    return Cover(tones, alpha, rng.uniform(0, 0.2))


COVERS: Mapping[str, Callable[[Scene, np.random.Generator], Cover]] = MappingProxyType(
    {
        "hand": draw_hand,
        "blob": draw_blob,
        "card": draw_card,
        "microphone": draw_microphone,
        "glasses": draw_glasses,
        "hair": draw_hair,
    }
)
WEIGHTS = (0.55, 0.15, 0.1, 0.07, 0.05, 0.08)  # how often each is drawn; what is asked for most are hands


def draw_cover(scene: Scene, rng: np.random.Generator) -> Cover:
    """Draw one of the covers, by `WEIGHTS`; its edge is soft by a random amount."""
    name = list(COVERS)[int(rng.choice(len(COVERS), p=WEIGHTS))]
    cover = COVERS[name](scene, rng)
    return Cover(cover.colour, _softened(cover.alpha, rng), cover.shadow)


def put_before(image: Picture, label: Mask, cover: Cover) -> tuple[Picture, Mask]:
    """Put a cover before a face, and its shadow onto it.

    Args:
        image: The face.
        label: What of it is seen.
        cover: The thing.

    Returns:
        Image and label; the label's part that the cover hides is gone exactly as far as its colour is seen.
    """
    side = len(image)
    shade = np.asarray(cv2.GaussianBlur(cover.alpha, (0, 0), side / 40), np.float32) * np.float32(cover.shadow)
    alpha = cover.alpha[..., None]
    behind = image * (1 - shade[..., None])
    return behind * (1 - alpha) + cover.colour * alpha, label * (1 - cover.alpha)


def photograph(image: Picture, rng: np.random.Generator) -> Picture:
    """Change light, colour, sharpness and noise of a whole image, and let soft shadows fall over it."""
    side = len(image)
    made: NDArray[Any] = image
    if rng.random() < 0.4:
        coarse = rng.uniform(1 - rng.uniform(0, 0.6), 1.0, (int(rng.integers(2, 5)),) * 2).astype(np.float32)
        made = made * cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)[..., None]
    gain = rng.uniform(0.7, 1.3) * rng.normal(1, 0.06, 3)
    made = np.clip(made * gain.astype(np.float32) + np.float32(rng.normal(0, 0.03)), 0, 1)
    made = made ** np.float32(np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.4:
        made = cv2.GaussianBlur(made, (0, 0), rng.uniform(0.3, 1.6))
    if rng.random() < 0.25:
        small = int(side * rng.uniform(0.3, 0.8))
        made = cv2.resize(cv2.resize(made, (small, small), interpolation=cv2.INTER_AREA), (side, side))
    if rng.random() < 0.5:
        made = made + rng.normal(0, rng.uniform(0.005, 0.04), made.shape).astype(np.float32)
    if rng.random() < 0.25:
        packed = encode(np.clip(made * 255, 0, 255).astype(np.uint8), ".jpg", quality=int(rng.integers(25, 90)))
        made = decode(packed, "sample").astype(np.float32) / np.float32(255)
    return np.asarray(np.clip(made, 0, 1), np.float32)


class _Layers:
    """Parts of a thing, each before the last one, with the height of its surface."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._drawn = np.zeros((side, side), np.uint8)
        self._height = np.zeros((side, side), np.float32)
        self._edge = np.ones((side, side), np.float32)

    @property
    def alpha(self) -> Mask:
        return self._drawn.astype(np.float32) / np.float32(255)

    def capsule(self, a: Pixels, b: Pixels, radius: float) -> None:
        part = np.zeros_like(self._drawn)
        _line(part, a, b, max(1, round(2 * radius)))
        self._add(part)

    def finger(self, points: tuple[Pixels, Pixels, Pixels], radius: float) -> None:
        part = np.zeros_like(self._drawn)
        for a, b in pairwise(points):
            _line(part, a, b, max(1, round(2 * radius)))
        self._add(part)

    def polygon(self, points: "list[Pixels] | Pixels") -> None:
        part = np.zeros_like(self._drawn)
        cv2.fillPoly(part, [np.rint(np.asarray(points) * (1 << FINE)).astype(np.int32)], 255, cv2.LINE_AA, FINE)
        self._add(part)

    def _add(self, part: NDArray[np.uint8]) -> None:
        """Put a part before the others; a dark line lies around it where it crosses them."""
        depth = cv2.distanceTransform((part > 127).astype(np.uint8), cv2.DIST_L2, 3)
        share = part.astype(np.float32) / np.float32(255)
        around = cv2.GaussianBlur(share, (0, 0), max(0.6, self._side / 100))
        self._edge = np.where(part > 127, 1, self._edge * (1 - 0.35 * around)).astype(np.float32)
        self._height = np.where(part > 127, depth, self._height).astype(np.float32)
        self._drawn = np.maximum(self._drawn, part)

    def shading(self, light: float) -> NDArray[np.float32]:
        """Return a factor for the colour: rounded parts lit from a side."""
        round_ = np.sqrt(np.minimum(self._height / (self._side * 0.04), 1.0))
        smooth = cv2.GaussianBlur(round_, (0, 0), max(0.6, self._side / 90))
        slope = np.cos(light) * cv2.Sobel(smooth, cv2.CV_32F, 1, 0) + np.sin(light) * cv2.Sobel(
            smooth, cv2.CV_32F, 0, 1
        )
        return np.asarray((0.8 + 0.22 * smooth + 0.25 * np.clip(slope, -1, 1)) * self._edge, np.float32)


def _skin_texture(scene: Scene, rng: np.random.Generator) -> Picture:
    """Return skin all over: patches of the person's own, stretched, a little lighter, darker or redder."""
    patch, side = scene.skin, scene.side
    if rng.random() < 0.5 or min(patch.shape[:2]) < 4:
        middle = np.median(patch.reshape(-1, 3), axis=0) if patch.size else np.array([0.45, 0.55, 0.7])
        noise = (rng.normal(0, 0.05, (8, 8, 1)) + rng.normal(0, 0.012, (8, 8, 3))).astype(np.float32)
        texture = middle.astype(np.float32) + cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    else:
        texture = np.asarray(cv2.resize(patch, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
    tint = rng.uniform(0.75, 1.2) * np.array([rng.normal(1, 0.05), rng.normal(1, 0.03), 1.0])
    return np.asarray(np.clip(texture * tint.astype(np.float32), 0, 1), np.float32)


def _texture(scene: Scene, rng: np.random.Generator) -> Picture:
    """Return any texture: a part of another image, a flat tone, coarse noise, stripes."""
    side, draw = scene.side, rng.random()
    if draw < 0.4:
        part = int(rng.integers(side // 4, side))
        y, x = rng.integers(0, side - part + 1, 2)
        turned = np.rot90(scene.other[y : y + part, x : x + part], int(rng.integers(4)))
        return np.asarray(cv2.resize(np.ascontiguousarray(turned), (side, side)), np.float32)
    tone = rng.uniform(0, 1, 3).astype(np.float32)
    if draw < 0.6:
        return np.full((side, side, 3), tone, np.float32)
    if draw < 0.85:
        noise = rng.normal(0, rng.uniform(0.05, 0.3), (*(int(rng.integers(3, 40)),) * 2, 3)).astype(np.float32)
        return np.asarray(
            np.clip(tone + cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC), 0, 1), np.float32
        )
    y, x = np.mgrid[:side, :side]
    wave = np.sin((x * np.cos(tone[0] * 6.3) + y * np.sin(tone[0] * 6.3)) * rng.uniform(0.15, 1.2))
    return np.asarray(np.clip(tone + 0.3 * wave[..., None] * rng.normal(0, 1, 3), 0, 1), np.float32)


def _softened(alpha: Mask, rng: np.random.Generator) -> Mask:
    """Blur an edge: a little, or as the motion of a hand does."""
    soft: NDArray[Any] = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.3, 1.3))
    if rng.random() < 0.25:
        reach = int(rng.integers(3, max(4, len(soft) // 10)))
        kernel = np.zeros((reach, reach), np.float32)
        _line(
            kernel,
            (reach / 2, reach / 2),
            np.array([reach / 2] * 2) + _turned(np.array([reach, 0.0]), rng.uniform(0, 6.3)),
            1,
        )
        soft = cv2.filter2D(soft, -1, kernel / kernel.sum())
    return np.asarray(np.clip(soft, 0, 1), np.float32)


def _point_inside(hull: Mask, rng: np.random.Generator, reach: float = 0.0) -> Pixels:
    """Return a random point (x, y) of the hull, or up to a share of the side beside it."""
    inside = np.argwhere(hull > 0.5)
    if not len(inside):
        return np.asarray(rng.uniform(0.3, 0.7, 2) * len(hull))
    y, x = inside[int(rng.integers(len(inside)))]
    return np.array([x, y], float) + rng.uniform(-reach, reach, 2) * len(hull)


def _turned(vector: Pixels, angle: float) -> Pixels:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]])


def _rotated(points: Pixels, rng: np.random.Generator) -> Pixels:
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[c, s], [-s, c]]))


def _fixed(point: "Pixels | tuple[float, float]") -> tuple[int, int]:
    x, y = np.rint(np.asarray(point, float) * (1 << FINE)).astype(int).tolist()
    return x, y


def _line(
    image: NDArray[Any], a: "Pixels | tuple[float, float]", b: "Pixels | tuple[float, float]", thick: int
) -> None:
    cv2.line(image, _fixed(a), _fixed(b), 255 if image.dtype == np.uint8 else 1.0, thick, cv2.LINE_AA, FINE)
