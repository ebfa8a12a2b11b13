"""The sorts that choose: doubles, coverage, enlarged faces, what dst needs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facesets.test_looks import opened
from facewright import cli
from facewright.core.workspace import Workspace
from facewright.faces.faceset import FaceFile
from facewright.faces.occlusion import occlusion_text
from facewright.faces.record import FaceRecord, load_record, update_record
from facewright.facesets.sort_base import FaceToSort, Sorted, methods
from facewright.facesets.sort_doubles import Alike
from facewright.facesets.sort_final import Keep

SIDE = 64


class Drawn(FaceToSort):
    """A face whose picture is in memory."""

    def __init__(self, image: np.ndarray, record: FaceRecord) -> None:
        super().__init__(FaceFile(Path("x.png"), record))
        self.image = np.asarray(np.clip(image, 0, 255), np.uint8)


def face(
    image: np.ndarray | None = None, eyes: float = 0.3, pose: tuple[float, float] = (0, 0), **record: Any
) -> Drawn:
    known = opened(eyes, 0.02).record
    points = np.float32(known.frame_landmarks * SIDE / 220)
    whole = replace(known, landmarks=points, pose=(*pose, 0.0), **record)
    return Drawn(np.full((SIDE, SIDE, 3), 128.0) if image is None else image, whole)


def noise(seed: int) -> np.ndarray:
    """A picture of patches, unlike those of other seeds."""
    patches = np.random.default_rng(seed).uniform(40, 200, (8, 8, 3))
    return cv2.resize(patches, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)


def arrange(name: str, faces: list[Drawn], settings: Any = None, others: list[FaceFile] | None = None) -> Sorted:
    method = methods()[name]
    return method.arrange(np.array([method.measure(one) for one in faces]), settings, others or [])


def test_of_doubles_the_sharpest_stays() -> None:
    one, other = noise(0), noise(1)
    blurred = [cv2.GaussianBlur(one, (0, 0), sigma) for sigma in (0.8, 0.6)]
    found = arrange("dedup", [face(blurred[0]), face(one), face(other), face(blurred[1])], Alike(6.0))
    assert (list(found.order), list(found.rejected)) == ([1, 2], [0, 3])


def test_a_blink_is_no_double_and_light_neither() -> None:
    one = noise(0)
    found = arrange("dedup", [face(one), face(one, eyes=0.1), face(one + 12), face(one)])
    assert list(found.rejected) == [3] and list(found.order) == [0, 1, 2]


def test_the_first_of_coverage_cover_pose_and_light() -> None:
    plain = [face(pose=(float(k % 3), 0)) for k in range(30)]
    lit = np.full((SIDE, SIDE, 3), 128.0)
    lit[:, : SIDE // 2] = 20
    odd = [face(pose=(60, 0)), face(pose=(-60, 0)), face(pose=(0, 45)), face(np.full((SIDE, SIDE, 3), 30)), face(lit)]
    order = list(arrange("coverage", plain + odd).order)
    assert order[0] < 30, "it begins in the middle"
    assert set(order[1:6]) == set(range(30, 35)) and sorted(order) == list(range(35))


def test_faces_of_few_pixels_come_last() -> None:
    enlarged = [face(matrix=np.array([[scale, 0, 5], [0, scale, 9]])) for scale in (2.0, 0.5, 8.0)]
    turned = face(matrix=np.array([[0, -4.0, 5], [4.0, 0, 9]]))
    assert list(arrange("upscale-factor", [*enlarged, turned]).order) == [1, 0, 3, 2]


@pytest.mark.parametrize("name", ["final", "final-fast"])
def test_covered_faces_are_kept_last(name: str) -> None:
    hand = np.zeros((SIDE, SIDE), np.float32)
    hand[SIDE // 2 :] = 1
    sharp = [face(noise(k), size=SIDE, occlusion=occlusion_text(hand), rect=(0, 0, 90, 90)) for k in range(8)]
    soft = [face(cv2.GaussianBlur(noise(k), (0, 0), 3), size=SIDE, rect=(0, 0, 50, 50)) for k in range(8, 13)]
    found = arrange(name, sharp + soft, Keep(7))
    assert sorted(found.order[:5]) == list(range(8, 13)), "the soft ones that show all of the face"
    assert len(found.order) == 7 and set(found.order[5:]) < set(range(8))
    assert set(arrange(name, sharp + soft, Keep(3)).order) < set(range(8, 13))


def test_what_dst_needs_comes_first() -> None:
    src = [face(pose=(0.0, 0)) for _ in range(20)] + [face(pose=(40, 0)), face(pose=(-70, 0))]
    dst = [FaceFile(Path("d.png"), replace(src[0].record, pose=(yaw, 0.0, 0.0))) for yaw in [0.0] * 10 + [40.0] * 5]
    order = list(arrange("match-dst", src, others=dst).order)
    assert order[0] == 20, "alone with a pose that a third of dst shows"
    assert order[-1] == 21, "dst never looks there"
    assert list(arrange("match-dst", src).order) == list(range(22)), "without dst they stay as they are"


@pytest.mark.parametrize(("side", "words"), [("dst", "sorts the other side"), ("src", "data_dst")])
def test_match_dst_needs_faces_of_both_sides(
    workspace: Workspace,
    save_drawn_face: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    side: str,
    words: str,
) -> None:
    path = save_drawn_face(workspace.side(side).aligned_dir / "7.png")
    flags = ["--workspace", str(workspace.root), "--yes", "--side", side, "--by", "match-dst"]
    assert cli.main(["sort", *flags]) == 1 and path.exists()
    assert words in capsys.readouterr().err


def test_dst_is_read_from_its_folder(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    for number, yaw in enumerate((0.0, 0.0, 50.0)):
        save_drawn_face(workspace.src.aligned_dir / f"{number}.png", seed=number, frame=f"{number}.png", yaw=yaw)
    path = save_drawn_face(workspace.dst.aligned_dir / "1.png", yaw=48.0)
    assert cli.main(["sort", "--workspace", str(workspace.root), "--yes", "--by", "match-dst"]) == 0
    assert [load_record(face).frame for face in workspace.src.aligned()] == ["2.png", "0.png", "1.png"]
    update_record(path, replace(load_record(path), pose=(0.0, 0.0, 0.0)))
    assert cli.main(["sort", "--workspace", str(workspace.root), "--yes", "--by", "match-dst"]) == 0
    assert [load_record(face).frame for face in workspace.src.aligned()] == ["0.png", "1.png", "2.png"]
