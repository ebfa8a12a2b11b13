"""A conversion written down step by step, for the tests: plain numpy after the published descriptions.

Nothing of `facewright.convert` is used. OpenCV only warps, resizes and blurs, and it works on the whole frame.
Images are (h, w, 3) float, BGR, 0..1; masks (h, w).
"""

from itertools import pairwise

import cv2
import numpy as np

from facewright.faces.align import align_matrix, cut, transform_points
from facewright.faces.color_transfer import ColorTransfer, transfer
from facewright.faces.mask import eyes_mask, hull_mask, mouth_opening_mask

f32 = np.float32


def warp(image, matrix, size, *, extend=False):
    """Steps 3, 10, 12: from the aligned image back into the frame."""
    border = cv2.BORDER_REPLICATE if extend else cv2.BORDER_CONSTANT
    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    return np.clip(cv2.warpAffine(f32(image), matrix, size[::-1], flags=flags, borderMode=border), 0, 1)


def box(area):
    """Left, top, right, bottom of what is True, the ends exclusive."""
    ys, xs = np.nonzero(area)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


def ellipse(size):
    """The points of an ellipse of that odd diameter around (0, 0)."""
    r = size // 2
    if r == 0:
        yield 0, 0
        return
    for dy in range(-r, r + 1):
        half = round(r * np.sqrt((r * r - dy * dy) / (r * r)))
        for dx in range(-half, half + 1):
            yield dx, dy


def moved(mask, dx, dy, outside):
    """The value that stands (dx, dy) further."""
    reach = max(abs(dx), abs(dy))
    h, w = mask.shape
    padded = np.pad(mask, reach, constant_values=outside)
    return padded[reach + dy : reach + dy + h, reach + dx : reach + dx + w]


def least(mask, points, outside=np.inf):
    return np.minimum.reduce([moved(mask, dx, dy, outside) for dx, dy in points])


def most(mask, points):
    return np.maximum.reduce([moved(mask, dx, dy, -np.inf) for dx, dy in points])


def erode(mask, diameter):
    """Step 6: by an ellipse; a negative diameter dilates. The frame's border does not erode."""
    if abs(diameter) < 2:
        return mask
    points = list(ellipse(abs(diameter) | 1))
    return least(mask, points) if diameter > 0 else most(mask, points)


def box_blur(mask, side):
    return cv2.blur(f32(mask), (side | 1, side | 1)) if side > 0 else mask


def sizes(length, erode_percent, blur_percent):
    """Step 6: 2018's formulas, with the factor kept at its peak for larger faces."""
    near = min(length, 0.126 / (2 * 0.00004551365))
    return (
        int(near * (0.126 - 0.00004551365 * near) * erode_percent / 100),
        int(length * 0.10 * blur_percent / 100),
    )


def quantiles(values):
    distinct, counts = np.unique(f32(values), return_counts=True)
    ends = np.cumsum(counts)
    return distinct, (ends - counts / 2) / ends[-1]


def matched(image, mine, theirs, threshold):
    """Step 9: classic quantile mapping of each channel; beyond the measured values with the end's shift."""
    result = np.empty_like(image)
    for c in range(3):
        at, q = quantiles(mine[:, c])
        values, places = quantiles(theirs[:, c])
        to = f32(np.interp(q * threshold / 255, places, values))
        v = image[..., c]
        result[..., c] = np.interp(v, at, to) + np.maximum(v - at[-1], 0) + np.minimum(v - at[0], 0)
    return np.clip(result, 0, 1)


def convenient(first, last, limit):
    """A side of the box is as long, less one, as a product of primes up to 11; it grows to both ends for that."""

    def rough(n):
        for prime in (2, 3, 5, 7, 11):
            while n % prime == 0:
                n //= prime
        return n > 1

    length = last - first
    while rough(length - 1):
        length += 1
    if length > limit:
        return first, last
    start = min(max(first - (length - last + first) // 2, 0), limit - length)
    return start, start + length


def poisson(source, under, inside):
    """Step 11, Perez et al. 2003: the gradients of `source` inside, those of `under` around, its values at the rim.

    The region is the box of `inside`, whose outer 3 px keep the old gradients (OpenCV's choice). On a box the sine
    transform makes the Laplacian diagonal.
    """
    left, top, right, bottom = box(inside)
    (top, bottom), (left, right) = (
        convenient(*ends) for ends in ((top, bottom, len(under)), (left, right, under.shape[1]))
    )
    part = np.s_[top:bottom, left:right]
    core = least(inside[part].astype(float), [(x, y) for x in range(-3, 4) for y in range(-3, 4)], 0.0)[..., None]
    new, old = source[part].astype(float), under[part].astype(float)
    field = []
    for axis in (1, 0):
        gradients = [np.diff(one, axis=axis, append=np.take(one, [-1], axis)) for one in (new, old)]
        field.append(gradients[0] * core + gradients[1] * (1 - core))
    divergence = sum(np.diff(g, axis=a, prepend=0) for g, a in zip(field, (1, 0), strict=True))
    h, w = old.shape[:2]
    result = old.copy()
    rim = old.copy()
    rim[1:-1, 1:-1] = 0
    wanted = divergence[1:-1, 1:-1] - (rim[:-2, 1:-1] + rim[2:, 1:-1] + rim[1:-1, :-2] + rim[1:-1, 2:])
    sines = [np.sin(np.pi * np.outer(np.arange(1, n + 1), np.arange(1, n + 1)) / (n + 1)) for n in (h - 2, w - 2)]
    factors = [2 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1)) - 2 for n in (h - 2, w - 2)]
    for c in range(3):
        spectrum = sines[0] @ wanted[..., c] @ sines[1] / (factors[0][:, None] + factors[1])
        result[1:-1, 1:-1, c] = sines[0] @ spectrum @ sines[1] * 4 / ((h - 1) * (w - 1))
    done = under.copy()
    done[part] = np.clip(result, 0, 1)
    return done


def to_lab(image):
    """CIE Lab of sRGB, D65."""
    linear = np.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)[..., ::-1]
    xyz = linear @ RGB_TO_XYZ.T / WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def from_lab(lab):
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * WHITE
    linear = np.clip(xyz @ np.linalg.inv(RGB_TO_XYZ).T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)[..., ::-1]


RGB_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
WHITE = RGB_TO_XYZ.sum(axis=1)


def shade(image, inside, sigma):
    """The weighted Gaussian mean, measured where its sigma is 4 px."""
    h, w = inside.shape
    factor = max(sigma / 4, 1)
    small = (max(round(w / factor), 1), max(round(h / factor), 1))
    both = cv2.resize(f32(np.dstack([image * inside[..., None], inside])), small, interpolation=cv2.INTER_AREA)
    both = cv2.GaussianBlur(both, (0, 0), sigma / factor, borderType=cv2.BORDER_CONSTANT)
    mean = both[..., :3] / np.maximum(both[..., 3:], 1e-6)
    return cv2.resize(mean, (w, h), interpolation=cv2.INTER_LINEAR)


def lit(over, under, mask):
    """light: dst's shade, the prediction's detail with 85 % of dst's contrast, and the grain that it lacks."""
    inside = mask > 0.5
    sigma = 0.14 * np.sqrt(inside.sum())
    new, old = to_lab(over), to_lab(under)
    old_shade = shade(old, inside.astype(f32), sigma)
    detail = new - shade(new, inside.astype(f32), sigma)
    wanted = (old - old_shade)[..., 0]
    step = max(inside.sum() // 8192, 1)
    at, to = (np.quantile(v[inside][::step], np.linspace(0.01, 0.99, 65)) for v in (detail[..., 0], wanted))
    span, own = to[-1] - to[0], detail[..., 0]
    ends = np.minimum(own - at[0], 0) + np.maximum(own - at[-1], 0)
    ends = np.clip(ends * span / max(at[-1] - at[0], 1e-3), -span, span)
    detail[..., 0] = 0.85 * (np.interp(own, at, to) + ends) + 0.15 * own
    done = from_lab(old_shade + detail)
    fine, own = (one - cv2.GaussianBlur(f32(one), (0, 0), 1.0) for one in (under, done))
    there, has = (1.4826 * np.median(np.abs(one[inside])) for one in (fine, own))
    rest = np.maximum(6 * there - np.abs(fine), 0)
    grain = np.where(np.abs(fine) <= 3 * there, fine, np.sign(fine) * rest)
    return np.clip(done + np.sqrt(max(there**2 - has**2, 0)) / max(there, 1e-9) * grain, 0, 1)


def bands(under, over, mask, count):
    """Burt and Adelson 1983: Laplacian pyramids of both images, a Gaussian pyramid of the mask, mixed and collapsed."""
    pyramids = []
    for image in (under, over):
        gauss = [f32(image)]
        for _ in range(count):
            gauss.append(cv2.pyrDown(gauss[-1]))
        laplace = [a - cv2.pyrUp(b, dstsize=a.shape[1::-1]) for a, b in pairwise(gauss)]
        pyramids.append([*laplace, gauss[-1]])
    weights = [f32(mask)]
    for _ in range(count):
        weights.append(cv2.pyrDown(weights[-1]))
    mixed = [a * (1 - m[..., None]) + b * m[..., None] for a, b, m in zip(*pyramids, weights, strict=True)]
    result = mixed.pop()
    while mixed:
        finer = mixed.pop()
        result = cv2.pyrUp(result, dstsize=finer.shape[1::-1]) + finer
    return np.clip(result, 0, 1)


def sharpened(image, percent, size, kind):
    """Unsharp masking: the image and twice what a blur takes from it."""
    if percent == 0:
        return image
    sigma = max(0.012 * size, 0.5) if percent > 0 else 0.03 * size * -percent / 100
    if kind == "unsharp" and percent < 0:
        return medians(image, sigma)
    side = round(sigma * np.sqrt(12)) | 1
    soft = cv2.blur(f32(image), (side, side)) if kind == "box" else cv2.GaussianBlur(f32(image), (0, 0), sigma)
    if percent < 0:
        return soft
    gain = image - soft
    if kind == "unsharp":
        gain = np.where(np.abs(gain) > 0.02, gain - 0.02 * np.sign(gain), 0)
    return np.clip(image + 2 * percent / 100 * gain, 0, 1)


def medians(image, passes):
    """Medians of 5 x 5, the last one in part."""
    while passes > 0:
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(0, 1))
        share = min(passes, 1)
        image = image * (1 - share) + np.median(windows, axis=(-2, -1)) * share
        passes -= 1
    return image


def blurred_along(image, x, y):
    """The mean along a line, read between the pixels."""
    length = np.hypot(x, y)
    if length < 0.5:
        return image
    x, y = np.array([x, y]) * min(1, 50 / length)
    steps = np.linspace(-0.5, 0.5, 4 * int(np.ceil(np.hypot(x, y))) + 1)
    h, w = image.shape[:2]
    rows, columns = np.mgrid[:h, :w]
    total = np.zeros_like(image)
    for t in steps:
        dx, dy = -t * x, -t * y
        fx, fy = np.floor(dx), np.floor(dy)
        for ox, sx in ((fx, 1 - dx + fx), (fx + 1, dx - fx)):
            for oy, sy in ((fy, 1 - dy + fy), (fy + 1, dy - fy)):
                at = np.clip(rows + int(oy), 0, h - 1), np.clip(columns + int(ox), 0, w - 1)
                total += sx * sy * image[at]
    return total / len(steps)


def poorer(image, bicubic, colours):
    if bicubic:
        h, w = image.shape[:2]
        share = 1 - bicubic / 101
        small = cv2.resize(f32(image), (int(w * share), int(h * share)), interpolation=cv2.INTER_CUBIC)
        image = np.clip(cv2.resize(small, (w, h), interpolation=cv2.INTER_CUBIC), 0, 1)
    return image * (1 - colours / 100) + (palette(image) if colours else 0) * colours / 100


def palette(image):
    """Heckbert's median cut, pixel by pixel: boxes of colours in 32 steps, each cut where half of its pixels are."""
    pixels = image.reshape(-1, 3)
    steps = np.rint(pixels * 31).astype(int)
    order = np.lexsort(steps.T[::-1])
    boxes, done = [order], []
    while boxes and len(boxes) + len(done) < 256:
        box = boxes.pop(max(range(len(boxes)), key=lambda n: (len(boxes[n]), -n)))
        channel = np.argmax(np.ptp(steps[box], axis=0))
        if np.ptp(steps[box], axis=0).max() == 0:
            done.append(box)
            continue
        box = box[np.argsort(steps[box, channel], kind="stable")]
        # Pixels of one step stay together.
        ends = np.flatnonzero(np.any(np.diff(steps[box], axis=0, append=-1), axis=1)) + 1
        at = min(np.searchsorted(ends, len(box) / 2), len(ends) - 2)
        boxes += [box[: ends[at]], box[ends[at] :]]
    result = np.empty_like(pixels)
    for box in boxes + done:
        result[box] = pixels[box].mean(axis=0)
    return result.reshape(image.shape)


def placed(image, scale, x, y):
    """Scaled about the middle of the square and moved, its edge going on."""
    if not (scale or x or y):
        return image
    side, factor = len(image), 1 + scale / 100
    middle = (side - 1) / 2
    matrix = np.array([[factor, 0, middle - factor * middle + x * side / 100],
                       [0, factor, middle - factor * middle + y * side / 100]])  # fmt: skip
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.clip(
        cv2.warpAffine(f32(image), matrix, (side, side), flags=method, borderMode=cv2.BORDER_REPLICATE), 0, 1
    )


class Reference:
    """One face in one frame.

    Args:
        frame: (h, w, 3) uint8.
        points: (68, 2) landmarks.
        predict: Faces -> image, mask, dst's mask.
        side, face_type: Of the model.
        base: Its converter defaults, by name: erode, blur, border, masked, within_hull.
        motion: (x, y) px of the frame per frame.
        covered, own: The record's masks in the aligned image of the model, or None.
    """

    def __init__(self, frame, points, predict, side, face_type, base, motion=(0, 0), covered=None, own=None):
        self.frame, self.points, self.side, self.base, self.motion = frame, points, side, base, motion
        self.covered, self.own, self.face_type = covered, own, face_type
        self.matrix = align_matrix(points, face_type, side)
        # Steps 1 and 2.
        self.face = np.clip(cut(frame.astype(f32), self.matrix, side) / f32(255), 0, 1)
        self.image, self.prd, self.dst = (np.clip(one[0], 0, 1) for one in predict(self.face[None]))
        ones = np.ones((side, side), f32)
        corners = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
        there = transform_points(corners, np.vstack([cv2.invertAffineTransform(self.matrix)]))
        h, w = frame.shape[:2]
        self.visible = ((there >= 0) & (there <= (w - 1, h - 1))).all(axis=1).reshape(ones.shape)

    def masks(self, kind, light):
        """The learned mask, and inside of what it counts."""
        size = (self.side, self.side)
        points = transform_points(self.points, self.matrix)
        hull = most(hull_mask(points, size), list(ellipse(2 * round(self.side / 128) + 1)))
        pad = {"full": 12 / 64, "half": 0}[self.face_type] * self.side
        rect = np.zeros(size)
        rect[round(pad) : round(self.side - pad), round(pad) : round(self.side - pad)] = 1
        everywhere, prd, dst = np.ones(size), self.prd[..., 0], self.dst[..., 0]
        usual = hull if light or self.base["within_hull"] else everywhere
        return {
            "hull": (prd, usual),
            "record": (prd, usual if self.own is None else self.own),
            "occlusion": (prd, usual if self.covered is None else hull * (1 - self.covered)),
            "learned-prd": (prd, everywhere),
            "learned-dst": (dst, everywhere),
            "product": (prd * dst, everywhere),
            "sum": (np.clip(prd + dst, 0, 1), everywhere),
            "dst-hull": (everywhere, hull),
            "rect": (everywhere, rect),
            "hull+rect": (everywhere, hull * rect),
            "full": (everywhere, everywhere),
            "model": (prd, usual),  # the face carries nothing of a mask model
        }[kind]

    def upright_mask(self, get, within):
        """What of the aligned image is pasted: masks, brows, sides."""
        learned, allowed = self.masks(get("mask"), within)
        mask = placed(learned, get("face_scale"), get("face_offset_x"), get("face_offset_y")) * allowed
        mask = np.where(mask < 0.001, 0, mask)
        x0, y0, x1, y1 = box(mask > 0.9)
        percent = 70 + get("erode")
        if within:
            rows = round(min(x1 - x0, y1 - y0) * (0.05 + 0.126 * max(percent, 0) / 200))
            mask = np.maximum(mask, moved(mask, 0, rows, 0))
            x0, y0, x1, y1 = box(mask > 0.9)
        for name, (dx, dy) in (("forehead", (0, -1)), ("chin", (0, 1)), ("left", (-1, 0)), ("right", (1, 0))):
            reach = round(min(x1 - x0, y1 - y0) * 0.126 * abs(get(f"erode_{name}")) / 200)
            if get(f"erode_{name}") > 0:
                mask = least(mask, [(dx * n, dy * n) for n in range(reach + 1)], 0)
            else:
                mask = most(mask, [(-dx * n, -dy * n) for n in range(reach + 1)])
        return mask

    def coloured(self, get, mask):
        """Steps 8 and 9, before them the colour transfer, after them the average colour."""
        mode = get("mode")
        inside = (self.visible * mask * (1 - self.cover(get))) > 0.5
        image, own = self.image, self.base["enlarged_from"]
        if own:  # what the prediction has beyond a plain enlargement, as far as it is wanted
            small = cv2.resize(f32(image), (own, own), interpolation=cv2.INTER_AREA)
            plain = cv2.resize(small, (self.side, self.side), interpolation=cv2.INTER_CUBIC)
            image = plain + (image - plain) * get("super_resolution_power") / 100
        image = placed(image, get("face_scale"), get("face_offset_x"), get("face_offset_y"))
        image = transfer(ColorTransfer(get("color_transfer")), f32(image), self.face, f32(inside), f32(inside))
        if mode in ("hist-match", "hist-match-bw"):
            if mode == "hist-match-bw":
                image = np.repeat((image @ f32([0.114, 0.587, 0.299]))[..., None], 3, axis=2)
            masked = {"yes": True, "no": False, "model": self.base["masked"]}[get("masked_hist_match")]
            measured = inside if masked else self.visible
            image = matched(image, image[measured], self.face[measured], get("hist_threshold"))
        if mode in ("hist-match", "hist-match-bw", "overlay", "multiband"):
            shift = self.face[inside].mean(axis=0) - image[inside].mean(axis=0)
            image = np.clip(image + shift * get("average_color") / 100, 0, 1)
        return image

    def kept(self, zones):
        """What stays of dst, softened by about a 64th of the side."""
        points, size = transform_points(self.points, self.matrix), (self.side, self.side)
        opening = mouth_opening_mask(points, size)
        darkest = self.face.min(axis=2)
        skin = np.median(darkest[hull_mask(points, size) > 0.5])
        known = {
            "eyes": eyes_mask(points, size),
            "mouth": opening,
            "teeth": opening * np.clip((darkest - 0.6 * skin) / (0.3 * skin), 0, 1),
        }
        mask = np.maximum.reduce([np.zeros(size), *(known[zone] for zone in zones if zone in known)])
        return box_blur(mask, round(self.side / 64))

    def cover(self, get):
        """What lies before the face and stays."""
        leaves = self.covered is not None and get("occlusion") == "leave"
        return self.covered if leaves else np.zeros((self.side, self.side))

    def detail(self, get, over, under, mask):
        """Movement, sharpness, noise, resolution, colours."""
        if get("motion_blur") or get("denoise") or get("bicubic_degrade"):
            over = under + (over - under) * mask[..., None]
            over = blurred_along(over, *(get("motion_blur") / 100 * part for part in self.motion))
        over = sharpened(over, get("sharpen"), np.sqrt((mask > 0.9).sum()), get("sharpen_kind"))
        over = medians(over, get("denoise") / 100)
        return poorer(over, get("bicubic_degrade"), get("color_degrade"))

    def border(self):
        """Steps 7 and 12."""
        width = int(self.side * self.base["border"])
        mask = np.zeros((self.side, self.side), f32)
        mask[width : self.side - width, width : self.side - width] = 1
        if width:
            mask = cv2.blur(mask, (width | 1, width | 1), borderType=cv2.BORDER_REPLICATE)
        return warp(mask, self.matrix, self.frame.shape[:2])

    def convert(self, get):
        """The frame; `get` gives the value of a control."""
        mode, size = get("mode"), self.frame.shape[:2]
        if mode == "original":
            return self.frame
        if mode == "raw-predict":
            result = np.zeros_like(self.frame)
            top, left = ((n - self.side) // 2 for n in size)
            result[top : top + self.side, left : left + self.side] = np.rint(self.image * 255)
            return result
        under = self.frame / f32(255)
        if mode == "raw-rgb":
            mask = warp(np.ones((self.side, self.side)), self.matrix, size)[..., None]
            mask = np.where(mask <= 0.1, 0, mask) * get("opacity") / 100
            return self.bytes(under * (1 - mask) + warp(self.image, self.matrix, size, extend=True) * mask)
        return self.bytes(self.blended(get, under, mode, size))

    @staticmethod
    def bytes(image):
        """Step 15, rounded."""
        return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)

    def blended(self, get, under, mode, size):
        within = mode in ("light", "multiband")
        upright = self.upright_mask(get, within)
        m = warp(upright, self.matrix, size)
        m = np.where(m <= 0.1, 0, m)  # step 3
        x0, y0, x1, y1 = box(m > 0.9)  # steps 4 and 5
        length = min(x1 - x0, y1 - y0)
        more = (70, 80) if within else (self.base["erode"], self.base["blur"])
        eroded, blurred = sizes(length, more[0] + get("erode"), more[1] + get("blur"))
        over = warp(self.coloured(get, upright), self.matrix, size, extend=True)  # step 10
        reach = max(-eroded, 0) // 2 + max(blurred, 0) // 2 + 3
        uncovered = 1 - warp(self.cover(get), self.matrix, size, extend=True)
        whole = mode == "seamless-hist-match"
        part = np.s_[:, :] if whole else self.grown(box(m > 0), reach)
        if mode == "light":
            over[part] = lit(over[part], under[part], (m * uncovered)[part])
        if mode.startswith("seamless"):  # step 11
            mixed = under + (over - under) * m[..., None]
            over = poisson(mixed, under, erode(m, max(eroded, 0)) > 0.9)
        over[part] = self.detail(get, over[part], under[part], m[part])
        soft = np.clip(box_blur(erode(m, eroded), blurred), 0, 1)
        free = self.border() if self.base["border"] else np.ones(size)
        over = under + (over - under) * free[..., None]  # step 12
        free = free * uncovered * (1 - warp(self.kept(get("keep").split("+")), self.matrix, size))
        soft = soft * free
        if mode == "multiband":
            count = min(max(round(np.log2(length / 16)), 1), 6)
            over[part] = bands(under[part], over[part], soft[part], count)
            soft = np.maximum(soft, m * free)
        soft = soft[..., None] * get("opacity") / 100
        result = under + (over - under) * soft  # step 13
        if mode == "seamless-hist-match":  # step 14
            again = np.clip(cut(f32(result), self.matrix, self.side), 0, 1)
            changed = matched(result, again[self.visible], self.face[self.visible], get("hist_threshold"))
            result = under + (changed - under) * soft
        return result

    def grown(self, area, reach):
        h, w = self.frame.shape[:2]
        left, top, right, bottom = area
        return np.s_[max(top - reach, 0) : min(bottom + reach, h), max(left - reach, 0) : min(right + reach, w)]
