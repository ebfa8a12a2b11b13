"""Each method puts faces with a known answer into the right order; none stumbles over odd records."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.extract.detectors.base import make_detector
from facewright.extract.landmarkers.base import make_landmarker
from facewright.faces.align import FaceType, align_matrix, cut, transform_points
from facewright.faces.faceset import FaceFile
from facewright.faces.occlusion import occlusion_text
from facewright.faces.pose import head_pose
from facewright.faces.record import FaceRecord
from facewright.facesets.sort_base import FaceToSort, Sorted, methods
from facewright.facesets.sort_final import YAW_BINS, YAW_RANGE, Keep, shares
from facewright.facesets.sort_images import Follow
from sample import sample_frames

SIDE = 128


class Seen(FaceToSort):
    """A face whose picture is in memory."""

    def __init__(self, image: np.ndarray, record: FaceRecord) -> None:
        super().__init__(FaceFile(Path("x.png"), record))
        self.image = np.asarray(image, np.uint8)

    def but(self, image: np.ndarray | None = None, **changes: Any) -> "Seen":
        return Seen(self.image if image is None else image, replace(self.record, **changes))


def face(frame: np.ndarray, points: np.ndarray, name: str = "00001.png") -> Seen:
    matrix = align_matrix(points, FaceType.FULL, SIDE)
    aligned = transform_points(points, matrix).astype(np.float32)
    rect = (*points.min(0).tolist(), *points.max(0).tolist())
    pose = head_pose(points)
    record = FaceRecord(FaceType.FULL, SIDE, aligned, points.astype(np.float32), name, "seen", 1, rect, matrix, pose)
    return Seen(cut(frame, matrix, SIDE), record)


@pytest.fixture(scope="module")
def faces() -> list[Seen]:
    """Eight faces of the sample clip, turned this way and that."""
    detector, landmarker = make_detector("dlib-hog"), make_landmarker()
    found = []
    for number, frame in enumerate(sample_frames("src", range(0, 160, 20), size=(240, 320))):
        for box in detector.detect([frame])[0][:1]:
            points = landmarker.find(frame, detector.face_square(box))
            found.append(face(frame, points, f"{number:05d}.png"))
    assert len(found) >= 6
    return found


def arrange(name: str, faces: list[Seen], settings: Any = None) -> Sorted:
    method = methods()[name]
    return method.arrange(np.array([method.measure(face) for face in faces]), settings)


def shuffled(count: int) -> list[int]:
    return np.random.default_rng(count).permutation(count).tolist()


def answer(name: str, wanted: list[Seen], settings: Any = None) -> list[int]:
    """Shuffle faces that are given in the wanted order, sort them; return where each one of the result was wanted."""
    places = shuffled(len(wanted))
    return [places[index] for index in arrange(name, [wanted[place] for place in places], settings).order]


@pytest.mark.parametrize("name", ["blur", "motion-blur"])
def test_ever_more_blurred_copies_come_in_order(faces: list[Seen], name: str) -> None:
    for one in faces[:3]:
        copies = [one] + [one.but(cv2.GaussianBlur(one.image, (0, 0), s)) for s in (0.5, 1, 1.5, 2, 3, 4)]
        assert answer(name, copies) == list(range(7))


@pytest.mark.parametrize("name", ["blur", "motion-blur"])
def test_the_ground_behind_a_blurred_face_may_be_sharp(faces: list[Seen], name: str) -> None:
    """The programs before ours measured the whole picture."""
    one = faces[0]
    soft = cv2.GaussianBlur(one.image, (0, 0), 2)
    noise = np.random.default_rng(0).integers(0, 256, one.image.shape).astype(np.uint8)
    soft[:8] = noise[:8]
    assert answer(name, [one, one.but(soft)]) == [0, 1]


def test_noise_is_no_detail(faces: list[Seen]) -> None:
    noise = np.random.default_rng(0).normal(0, 4, faces[0].image.shape)
    soft = np.clip(cv2.GaussianBlur(faces[0].image, (0, 0), 3) + noise, 0, 255)
    assert answer("blur", [faces[0], faces[0].but(soft)]) == [0, 1]


def test_brightness(faces: list[Seen]) -> None:
    darker = [faces[0].but(faces[0].image * share) for share in (1, 0.8, 0.5, 0.2)]
    assert answer("brightness", darker) == [0, 1, 2, 3]


def lit_face(points: np.ndarray, left: float = 0, top: float = 0) -> Seen:
    """A face in a frame that begins at (left, top) of another one; no pixel of the frame is black."""
    frame = np.random.default_rng(0).integers(60, 250, (240, 320, 3)).astype(np.uint8)
    return face(frame, points - (left, top))


@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_cut_off_faces_come_last(faces: list[Seen], degrees: float) -> None:
    points = transform_points(
        faces[0].record.frame_landmarks.astype(np.float64), cv2.getRotationMatrix2D((0, 0), degrees, 1)
    )
    points = (points - points.mean(0)) * 70 / np.ptp(points, axis=0).max() + (160, 120)
    sides = [lit_face(points, left, top) for left, top in ((0, 0), (-120, 0), (0, 85), (130, 0), (140, -100))]
    assert answer("black", sides) == [0, 1, 2, 3, 4]
    assert methods()["black"].measure(sides[0]) == 0


def test_black_things_in_the_picture_cut_nothing_off(faces: list[Seen]) -> None:
    image = np.maximum(faces[0].image, 1)
    collar, hat = image.copy(), image.copy()
    collar[-30:, 20:100] = 0
    hat[10:40] = 0
    for one in (collar, hat):
        assert methods()["black"].measure(faces[0].but(one)) == 0
    blue = np.zeros_like(image)
    blue[..., 0] = 255
    assert methods()["black"].measure(faces[0].but(blue)) == 0, "zeros of one channel are no black"


def test_hue_goes_round_the_circle(faces: list[Seen]) -> None:
    def painted(hue: int) -> Seen:
        colour = cv2.cvtColor(np.full((1, 1, 3), (hue, 200, 200), np.uint8), cv2.COLOR_HSV2BGR)[0, 0]
        return faces[0].but(np.broadcast_to(colour, faces[0].image.shape))

    # OpenCV counts 0..179: green, yellow, orange, red on both sides of the seam, violet, blue
    assert answer("hue", [painted(hue) for hue in (60, 30, 12, 2, 178, 170, 150, 120)]) == list(range(8))
    half = painted(2).image.copy()
    half[:, ::2] = painted(178).image[:, ::2]
    assert methods()["hue"].measure(faces[0].but(half)) == pytest.approx(0, abs=1), "not cyan, which is the plain mean"


def test_records(faces: list[Seen]) -> None:
    turned = [faces[0].but(pose=(yaw, -yaw, 0.0)) for yaw in (70.0, 20, 0, -5, -80)]
    assert answer("face-yaw", turned) == [0, 1, 2, 3, 4]
    assert answer("face-pitch", turned) == [4, 3, 2, 1, 0]
    sized = [faces[0].but(rect=(0.0, 0.0, size, 2 * size)) for size in (90.0, 50, 7)]
    assert answer("face-source-rect-size", sized) == [0, 1, 2]
    named = [faces[0].but(frame=name) for name in ("00001.png", "00002.png", "10.png", "Ä.png", "目.png")]
    assert answer("origname", named) == [0, 1, 2, 3, 4]


def test_frames_with_several_faces_go_whole(faces: list[Seen]) -> None:
    names = ["3.png", "1.png", "2.png", "3.png", "0.png", "3.png"]
    found = arrange("oneface", [faces[0].but(frame=name) for name in names])
    assert list(found.order) == [4, 1, 2]
    assert sorted(found.rejected) == [0, 3, 5]


def groups(faces: list[Seen], name: str, settings: Any = None) -> list[int]:
    """Mix three kinds of five faces that differ a little; return the kind of each face in the new order."""
    random = np.random.default_rng(4)
    mixed = []
    for place in shuffled(15):
        one = faces[place // 5]
        image = np.clip(one.image + random.normal(0, 2, one.image.shape), 0, 255)
        jitter = random.normal(0, 0.2, (68, 2)).astype(np.float32)
        mixed.append((place // 5, one.but(image, frame_landmarks=one.record.frame_landmarks + jitter)))
    return [mixed[index][0] for index in arrange(name, [one for _, one in mixed], settings).order]


@pytest.mark.parametrize("name", ["hist", "hist-blur", "face", "absdiff", "ssim"])
def test_like_comes_next_to_like(faces: list[Seen], name: str) -> None:
    light = [one.but(one.image * share) for one, share in zip(faces, (1, 0.7, 0.45), strict=False)]
    kinds = groups(light, name)
    assert sum(a != b for a, b in itertools.pairwise(kinds)) == 2, kinds


def test_ssim_looks_past_the_light(faces: list[Seen]) -> None:
    one, other = faces[0], faces[3]
    darker = one.but(np.clip(one.image * 0.8, 0, 255))
    assert list(arrange("ssim", [one, other, darker]).order) == [0, 2, 1]


def test_absdiff_farthest_goes_from_one_end_to_the_other(faces: list[Seen]) -> None:
    grey = [faces[0].but(np.full_like(faces[0].image, level)) for level in (0, 100, 120, 255)]
    assert list(arrange("absdiff", grey, Follow("farthest")).order) == [0, 3, 1, 2]
    assert list(arrange("absdiff", grey, Follow("nearest")).order) == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["hist-dissim", "face-dissim"])
def test_the_odd_one_out_comes_first_and_doubles_last(faces: list[Seen], name: str) -> None:
    odd = faces[5].but(faces[5].image // 3)
    assert answer(name, [odd, *[faces[0]] * 6])[0] == 0


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), st.integers(1, 300))
def test_shares_add_up_and_are_even(counts: list[int], wanted: int) -> None:
    given = shares(counts, wanted)
    assert sum(given) == min(wanted, sum(counts))
    assert all(0 <= some <= count for some, count in zip(given, counts, strict=True))
    # Who got less than another had no more.
    open_ = [some for some, count in zip(given, counts, strict=True) if some < count]
    assert not open_ or max(given) - min(open_) <= 1


@pytest.mark.parametrize("name", ["final", "final-fast"])
def test_final_keeps_good_faces_of_all_directions(faces: list[Seen], name: str) -> None:
    random = np.random.default_rng(1)
    made = []
    width = 2 * YAW_RANGE / YAW_BINS
    middles = [-YAW_RANGE + (bin + 0.5) * width for bin in range(3, YAW_BINS, 10)]
    for yaw in middles:
        for copy in range(30):
            good = copy in (4, 17)
            image = faces[0].image if good else cv2.GaussianBlur(faces[0].image, (0, 0), 2 + copy / 10)
            side = 100.0 if good else 50.0 + copy
            pose = (yaw + random.uniform(-0.4, 0.4) * width, random.uniform(-20, 20), 0.0)
            made.append(faces[0].but(image, pose=pose, rect=(0.0, 0.0, side, side)))
    method = methods()[name]
    measures = np.array([method.measure(one) for one in made])
    found = method.arrange(measures, Keep(13))
    yaws = [made[index].record.pose[0] for index in found.order]
    assert yaws == pytest.approx(middles[::-1], abs=width / 2), "one of each, from looking left to looking right"
    assert sorted([*found.order, *found.rejected]) == list(range(len(made)))
    few = method.arrange(measures[[0, 100]], Keep(13))
    assert sorted(few.order) == [0, 1] and not few.rejected
    # Where ten candidates for each one kept are not enough to hide them, the best are among those kept.
    best = method.arrange(measures[:30], Keep(1))
    assert measures[best.order[0], 2] >= np.sort(measures[:30, 2])[-10]


@pytest.mark.parametrize("name", ["final", "final-fast"])
def test_final_takes_covered_faces_only_where_the_others_do_not_suffice(faces: list[Seen], name: str) -> None:
    hand = np.zeros((SIDE, SIDE), np.float32)
    hand[SIDE // 2 :] = 1
    sharp = [one.but(occlusion=occlusion_text(hand)) for one in faces[:4]]  # as a face with a hand is: full of edges
    soft = [one.but(cv2.GaussianBlur(one.image, (0, 0), 3)) for one in faces[:4]]
    method = methods()[name]
    measures = np.array([method.measure(one) for one in (*sharp, *soft)])
    assert sorted(method.arrange(measures, Keep(4)).order) == [4, 5, 6, 7]
    more = method.arrange(measures, Keep(6))
    assert sorted(more.order[:4]) == [4, 5, 6, 7] and len(more.rejected) == 2 and set(more.order[4:]) < {0, 1, 2, 3}


def test_covered_faces_come_first_or_go(faces: list[Seen]) -> None:
    def face_with(share: float) -> Seen:
        hand = np.zeros((SIDE, SIDE), np.float32)
        hand[round((1 - share) * SIDE) :] = 1
        return faces[0].but(occlusion=occlusion_text(hand))

    several = [faces[0], face_with(0.3), face_with(0.6), faces[1].but(occlusion="no mask")]
    first, gone = (methods()[name] for name in ("covered", "uncovered"))
    measures = np.array([first.measure(one) for one in several])
    assert list(first.arrange(measures).order) == [2, 1, 0, 3]
    found = gone.arrange(measures)
    assert list(found.order) == [0, 3] and list(found.rejected) == [2, 1]


def odd_ones(one: Seen) -> dict[str, Seen]:
    points = one.record.landmarks
    return {
        "outside": one.but(landmarks=points + 5000, frame_landmarks=one.record.frame_landmarks - 9000),
        "half outside": one.but(landmarks=points - 60),
        "tiny": one.but(landmarks=points / 100),
        "black": one.but(np.zeros_like(one.image)),
        "whole frame": one.but(np.zeros((30, 50, 3)), face_type=FaceType.MARK_ONLY, size=0),
        "one pixel": one.but(np.full((1, 1, 3), 7)),
        "no box": one.but(rect=(5.0, 5.0, 5.0, 5.0)),
    }


@pytest.mark.parametrize("name", list(methods()))
def test_odd_records_are_sorted_too(faces: list[Seen], name: str) -> None:
    every = [*odd_ones(faces[0]).values(), *faces]
    method = methods()[name]
    measures = np.array([method.measure(one) for one in every])
    if measures.dtype.kind in "fiu":
        assert np.isfinite(measures).all()
    found = method.arrange(measures)
    assert sorted([*found.order, *found.rejected]) == list(range(len(every)))


@pytest.mark.parametrize("name", list(methods()))
def test_one_face_alone(faces: list[Seen], name: str) -> None:
    found = arrange(name, faces[:1])
    assert (list(found.order), list(found.rejected)) == ([0], [])
