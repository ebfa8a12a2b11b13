"""How well measures of sharpness order faces that were blurred by a known amount.

    python tests/benchmarks/sharpness.py workspace/data_src/aligned other/aligned

Each face gets three blurs of random strength beside itself: Gaussian, a straight smear, Gaussian under noise of a
strength of the face's own. Printed for each measure: Spearman's rank correlation over all pictures, and the share of
pairs of one face that are in the right order (an even choice of up to --faces faces per folder).
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_internal"))

from facewright.core.images import read_image
from facewright.faces.faceset import load_faceset
from facewright.faces.mask import hull_mask
from facewright.ui.contact_sheet import evenly

Measure = Callable[[np.ndarray, np.ndarray], float]
KINDS = ("Gaussian", "smeared", "noisy")


def main() -> None:
    """Measure all folders and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="folders of aligned faces, sharp ones if possible")
    parser.add_argument("--faces", type=int, default=100)
    given = parser.parse_args()
    measures = all_measures()
    found: dict[str, dict[str, list[tuple[float, float]]]] = {name: {kind: [] for kind in KINDS} for name in measures}
    random = np.random.default_rng(0)
    for folder in given.folders:
        files = load_faceset(folder).faces
        chosen = [files[index] for index in evenly(len(files), given.faces)]
        for kind in KINDS:
            pictures = [blurred(read_image(f.path), kind, random) for f in chosen]
            for name, measure in measures.items():
                masks = [
                    hull_mask(f.record.landmarks, p[0][1].shape[:2]) > 0.5
                    for f, p in zip(chosen, pictures, strict=True)
                ]
                values = np.array(
                    [[measure(grey, mask) for _, grey in copies] for copies, mask in zip(pictures, masks, strict=True)]
                )
                blurs = np.array([[strength for strength, _ in copies] for copies in pictures])
                found[name][kind].append((spearman(values, -blurs), pairs_right(values)))
    print(f"{'':<28}" + "".join(f"{kind + ': rank, pairs':<26}" for kind in KINDS))
    for name, by_kind in found.items():
        means = [np.mean(by_kind[kind], axis=0) for kind in KINDS]
        print(f"{name:<28}" + "".join(f"{rank:6.2f} {pairs:6.2f}{'':<13}" for rank, pairs in means))


def all_measures() -> dict[str, Measure]:
    """The measures by name; each takes a grey picture and the face's mask."""
    found: dict[str, Measure] = {"Laplacian 3 taps, whole": lambda grey, mask: laplacian(grey, np.ones_like(mask), 1)}
    for taps in (1, 5, 7, 11):
        found[f"Laplacian {max(taps, 3)} taps, face"] = lambda grey, mask, taps=taps: laplacian(grey, mask, taps)
    found["CPBD, whole"] = lambda grey, mask: cpbd(grey, np.ones_like(mask))
    found["CPBD, face"] = cpbd
    return found


def laplacian(grey: np.ndarray, mask: np.ndarray, aperture: int) -> float:
    """Variance of the Laplacian; OpenCV's aperture 1 has 3 taps."""
    return float(cv2.Laplacian(grey, cv2.CV_64F, ksize=aperture)[mask].var())


def cpbd(grey: np.ndarray, mask: np.ndarray, block: int = 64) -> float:
    """Share of the edges whose blur nobody sees.

    Narvekar, Karam, "A no-reference image blur metric based on the cumulative probability of blur detection (CPBD)",
    IEEE Transactions on Image Processing 20, 2011: blocks with more than 0.2 % of edges; a width of 5 px is just
    noticed below a contrast of 50, one of 3 px above; exponent 3.6.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.4)
    across, down = (cv2.Sobel(smooth, cv2.CV_16S, *which) for which in ((1, 0), (0, 1)))
    strong = float(np.percentile(np.abs(across.astype(int)) + np.abs(down), 80))
    edges = (cv2.Canny(across, down, 0.4 * strong, strong) > 0) & mask
    upright = edges & (np.abs(across) > np.abs(down))
    widths = edge_widths(grey)
    chances = []
    for top in range(0, grey.shape[0] - block + 1, block):
        for left in range(0, grey.shape[1] - block + 1, block):
            part = np.s_[top : top + block, left : left + block]
            if np.count_nonzero(edges[part]) > 0.002 * block * block:
                noticed = 5 if np.ptp(grey[part]) <= 50 else 3
                width = widths[part][upright[part]]
                chances.append(1 - np.exp(-((width[width > 0] / noticed) ** 3.6)))
    everything = np.concatenate(chances) if chances else np.zeros(0)
    return float((everything <= 0.63).mean()) if len(everything) else 0.0


def edge_widths(grey: np.ndarray) -> np.ndarray:
    """Pixels from the darkest to the brightest end of the slope that each pixel lies on, along its row."""
    steps = np.diff(grey.astype(int), axis=1)
    slopes = cv2.Sobel(grey.astype(np.float64), cv2.CV_64F, 1, 0)
    rising, falling = _run_lengths(steps > 0), _run_lengths(steps < 0)
    return np.where(slopes > 0, rising, falling)


def _run_lengths(flags: np.ndarray) -> np.ndarray:
    height, width = flags.shape
    left, right = np.zeros((height, width + 1), int), np.zeros((height, width + 1), int)
    for x in range(width):
        left[:, x + 1] = np.where(flags[:, x], left[:, x] + 1, 0)
        right[:, width - 1 - x] = np.where(flags[:, width - 1 - x], right[:, width - x] + 1, 0)
    return left + right


def blurred(image: np.ndarray, kind: str, random: np.random.Generator) -> list[tuple[float, np.ndarray]]:
    """Return (strength, grey picture) of the face itself and of three blurs, from sharp to blurred."""
    strengths = [0.0, *np.sort(random.uniform(0.3, 4, 3))]
    noise = random.uniform(0, 6) if kind == "noisy" else 0.0
    copies = []
    for strength in strengths:
        copy = image
        if strength:
            copy = smeared(image, strength, random) if kind == "smeared" else cv2.GaussianBlur(image, (0, 0), strength)
        copy = np.clip(copy + random.normal(0, noise, copy.shape), 0, 255).astype(np.uint8) if noise else copy
        copies.append((float(strength), cv2.cvtColor(copy, cv2.COLOR_BGR2GRAY)))
    return copies


def smeared(image: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """Move the picture along a line of 1 + 5 strength pixels, in any direction."""
    angle = random.uniform(0, np.pi)
    reach = (1 + 5 * strength) / 2 * np.array([np.cos(angle), np.sin(angle)])
    kernel = np.zeros((31, 31), np.float32)
    cv2.line(kernel, tuple(map(round, 15 - reach)), tuple(map(round, 15 + reach)), 1, 1)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def spearman(values: np.ndarray, wanted: np.ndarray) -> float:
    """Rank correlation."""
    ranks = [np.argsort(np.argsort(v.ravel(), kind="stable"), kind="stable") for v in (values, wanted)]
    return float(np.corrcoef(*ranks)[0, 1])


def pairs_right(values: np.ndarray) -> float:
    """Share of the pairs within rows that fall from left to right; equal ones count half."""
    pairs = [(row[i] > row[j]) + (row[i] == row[j]) / 2 for row in values for i in range(4) for j in range(i + 1, 4)]
    return float(np.mean(pairs))


if __name__ == "__main__":
    main()
