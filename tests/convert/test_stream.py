"""Many frames: order, batches, bounded look-ahead, the same pixels as one frame at a time."""

import threading
from pathlib import Path

import numpy as np
import pytest

from convert.drawn_faces import constant, landmarks, scene
from facewright.convert import stream
from facewright.convert.blend import Mode
from facewright.convert.pipeline import FaceShape, Parameters, convert_frame
from facewright.convert.stream import Converter, Job, convert_stream
from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.images import encode, read_image, write_image
from facewright.faces.align import FaceType

SHAPE = FaceShape(32, FaceType.HALF)
PARAMETERS = Parameters(Mode.OVERLAY, 10, 10)


@pytest.fixture
def jobs(tmp_path):
    (tmp_path / "merged").mkdir()
    made = []
    for index in range(20):
        path = tmp_path / f"{index:05d}.png"
        write_image(path, scene(60, 80, index))
        faces = tuple(landmarks((20 + 20 * k, 30), 24) for k in range(index % 4))
        made.append(Job(path, tmp_path / "merged" / path.name, faces))
    return made


class Counted:
    """A predictor that notes the sizes of its batches."""

    def __init__(self, predict):
        self.predict, self.sizes, self.threads = predict, [], set()

    def __call__(self, faces):
        self.sizes.append(len(faces))
        self.threads.add(threading.current_thread())
        return self.predict(faces)


def converter(predict, **more):
    return Converter(predict, SHAPE, PARAMETERS, lambda data, suffix: data, **more)


def run(jobs, predict, count=3, **more):
    with workers.threads(count) as executor:
        return list(convert_stream(jobs, converter(predict, **more), executor))


def test_every_frame_is_written_in_order_as_if_done_alone(jobs):
    predict = Counted(constant((0.2, 0.5, 0.9)))
    done = run(jobs, predict)
    assert [result.job for result in done] == jobs
    assert [result.faces for result in done] == [len(job.landmarks) for job in jobs]
    for job in jobs:
        alone = convert_frame(read_image(job.frame), job.landmarks, predict.predict, SHAPE, PARAMETERS)
        assert (read_image(job.target) == alone).all()
    assert predict.threads == {threading.current_thread()}
    assert max(predict.sizes) <= stream.BATCH and len(predict.sizes) < sum(bool(job.landmarks) for job in jobs)


def test_a_crowd_is_predicted_in_several_goes(jobs):
    predict = Counted(constant((0.2, 0.5, 0.9)))
    crowd = Job(jobs[0].frame, jobs[0].target, tuple(landmarks((40, 30), 20 + k) for k in range(11)))
    assert run([crowd], predict, batch=4)[0].faces == 11
    assert predict.sizes == [4, 4, 3]


def test_a_frame_without_a_face_is_copied_byte_for_byte(jobs):
    run(jobs[:1], constant((0, 0, 1)))
    assert jobs[0].target.read_bytes() == jobs[0].frame.read_bytes()


def test_a_copy_into_another_format_keeps_the_pixels(tmp_path):
    frame = tmp_path / "00001.jpg"
    frame.write_bytes(encode(scene(40, 40), ".jpg"))
    run([Job(frame, tmp_path / "out.png", ())], constant((0, 0, 1)))
    assert (read_image(tmp_path / "out.png") == read_image(frame)).all()


def test_only_changed_frames_are_marked(jobs):
    marked = []

    def mark(data, suffix):
        marked.append(suffix)
        return data

    with workers.threads(2) as executor:
        list(convert_stream(jobs, Converter(constant((0, 0, 1)), SHAPE, PARAMETERS, mark), executor))
    assert marked == [".png"] * sum(bool(job.landmarks) for job in jobs)


def test_a_face_the_model_does_not_see_leaves_its_frame_as_it_is(jobs):
    def blind(faces):
        return faces, np.zeros((*faces.shape[:3], 1), np.float32)

    done = run(jobs, blind)
    assert not any(result.faces for result in done)
    assert all(job.target.read_bytes() == job.frame.read_bytes() for job in jobs)


def test_look_ahead_is_bounded(jobs, monkeypatch):
    taken, written = [], []

    def source():
        for index in range(200):
            taken.append(index)
            job = jobs[1 + index % 3]
            yield Job(job.frame, job.target.with_name(f"{index}.png"), job.landmarks)

    with workers.threads(2) as executor:
        for _ in convert_stream(source(), converter(constant((0, 0, 1))), executor):
            written.append(1)
            assert len(taken) - len(written) <= 3 * stream.BATCH
    assert len(written) == 200
    monkeypatch.setattr(stream, "MEMORY", 1)  # huge frames: two in the works
    taken.clear()
    written.clear()
    with workers.threads(2) as executor:
        for _ in convert_stream(source(), converter(constant((0, 0, 1))), executor):
            written.append(1)
            assert len(taken) - len(written) <= 2


def test_a_damaged_frame_is_named_and_nothing_hangs(jobs):
    jobs[5].frame.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"00005\.png"):
        run(jobs, constant((0, 0, 1)))


def test_a_full_disk_is_said(jobs, monkeypatch):
    def full(path: Path, data: bytes):
        raise UserError("The disk is full", "", "")

    monkeypatch.setattr(stream, "write_bytes", full)
    with pytest.raises(UserError, match="full"):
        run(jobs, constant((0, 0, 1)))


def test_no_jobs():
    assert run([], constant((0, 0, 1))) == []
