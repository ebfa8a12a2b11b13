"""Many frames: order, batches, bounded look-ahead, the same pixels as one frame at a time."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from convert.drawn_faces import as_prediction, constant, convert_alone, dst_faces, landmarks, scene
from facewright.convert import stream
from facewright.convert.blend import Mode
from facewright.convert.cast import TrainedState
from facewright.convert.parameters import Parameters
from facewright.convert.pipeline import ModelInput
from facewright.convert.plan import Job, Share
from facewright.convert.stream import Converter, convert_stream
from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.images import encode, read_image, write_image
from facewright.faces.align import FaceType
from facewright.models.spec import ConverterDefaults
from facewright.video.frame_io import ImageFileSink

WANTED = ModelInput(32, FaceType.HALF)
PARAMETERS = Parameters(Mode.OVERLAY, 10, 10)
STATE = TrainedState("hero", "first", WANTED, ConverterDefaults(0, 0))


def share(*points, trained=STATE, parameters=PARAMETERS):
    return Share(dst_faces(*points), trained, parameters)


@pytest.fixture
def jobs(tmp_path):
    (tmp_path / "merged").mkdir()
    made = []
    for index in range(20):
        path = tmp_path / f"{index:05d}.png"
        write_image(path, scene(60, 80, index))
        points = [landmarks((20 + 20 * k, 30), 24) for k in range(index % 4)]
        shares = (share(*points),) if points else ()
        made.append(Job(index, path, tmp_path / "merged" / path.name, shares))
    return made


class Counted:
    """A predictor that notes the sizes of its batches."""

    def __init__(self, predict):
        self.predict, self.sizes, self.threads = predict, [], set()

    def __call__(self, faces):
        self.sizes.append(len(faces))
        self.threads.add(threading.current_thread())
        return self.predict(faces)


def unmarked(data, suffix):
    return data


def converter(predict, jobs, mark=unmarked, **more):
    sink = ImageFileSink({job.index: job.target for job in jobs}, mark)
    return Converter({STATE.name: as_prediction(predict)}, sink, **more)


def run(jobs, predict, count=3, **more):
    with workers.threads(count) as executor:
        return list(convert_stream(jobs, converter(predict, jobs, **more), executor))


def test_every_frame_is_written_in_order_as_if_done_alone(jobs):
    predict = Counted(constant((0.2, 0.5, 0.9)))
    done = run(jobs, predict)
    assert [result.job for result in done] == jobs
    assert [result.faces for result in done] == [len(job.faces) for job in jobs]
    for job in jobs:
        alone = convert_alone(read_image(job.frame), job.faces, predict.predict, WANTED, PARAMETERS)
        assert (read_image(job.target) == alone).all()
    assert predict.threads == {threading.current_thread()}
    assert max(predict.sizes) <= stream.BATCH and len(predict.sizes) < sum(bool(job.faces) for job in jobs)


def test_a_crowd_is_predicted_in_several_goes(jobs):
    predict = Counted(constant((0.2, 0.5, 0.9)))
    crowd = replace(jobs[0], shares=(share(*(landmarks((40, 30), 20 + k) for k in range(11))),))
    assert run([crowd], predict, batch=4)[0].faces == 11
    assert predict.sizes == [4, 4, 3]


def test_a_frame_without_a_face_is_copied_byte_for_byte(jobs):
    run(jobs[:1], constant((0, 0, 1)))
    assert jobs[0].target.read_bytes() == jobs[0].frame.read_bytes()


def test_a_copy_into_another_format_keeps_the_pixels(tmp_path):
    frame = tmp_path / "00001.jpg"
    frame.write_bytes(encode(scene(40, 40), ".jpg"))
    run([Job(1, frame, tmp_path / "out.png")], constant((0, 0, 1)))
    assert (read_image(tmp_path / "out.png") == read_image(frame)).all()


def test_only_changed_frames_are_marked(jobs):
    marked = []

    def mark(data, suffix):
        marked.append(suffix)
        return data

    with workers.threads(2) as executor:
        list(convert_stream(jobs, converter(constant((0, 0, 1)), jobs, mark), executor))
    assert marked == [".png"] * sum(bool(job.faces) for job in jobs)


def test_a_face_the_model_does_not_see_leaves_its_frame_as_it_is(jobs):
    def blind(faces):
        return faces, np.zeros((*faces.shape[:3], 1), np.float32)

    done = run(jobs, blind)
    assert not any(result.faces for result in done)
    assert all(job.target.read_bytes() == job.frame.read_bytes() for job in jobs)


@pytest.mark.parametrize(("max_bytes", "frames"), [(1 << 30, 3 * stream.BATCH), (1, 2)])
def test_the_frames_in_memory_are_bounded(jobs, max_bytes, frames):
    taken, written = [], []

    many = [replace(jobs[1 + i % 3], index=i, target=jobs[0].target.with_name(f"{i}.png")) for i in range(200)]

    def source():
        for job in many:
            taken.append(job)
            yield job

    with workers.threads(2) as executor:
        for _ in convert_stream(source(), converter(constant((0, 0, 1)), many), executor, max_bytes=max_bytes):
            written.append(1)
            assert len(taken) - len(written) <= frames
    assert len(written) == 200


def test_each_frame_has_its_own_parameters(jobs):
    shares = [replace(jobs[1].shares[0], parameters=Parameters(Mode.OVERLAY, erode)) for erode in (0, 100)]
    plain, eroded = (replace(jobs[1], shares=(one,)) for one in shares)
    eroded = replace(eroded, index=2, target=eroded.target.with_name("eroded.png"))
    run([plain, eroded], constant((0, 0, 1)))
    frame = read_image(plain.frame)
    counts = [np.count_nonzero((read_image(job.target) != frame).any(axis=2)) for job in (plain, eroded)]
    assert 0 < counts[1] < counts[0]


def test_each_share_of_a_frame_is_replaced_by_its_own_model(jobs):
    """Two models of different sizes and face types, in frames with one or both; the same pixels as one by one."""
    other = TrainedState("other", "first", ModelInput(48, FaceType.FULL), ConverterDefaults(0, 0))
    left, right = landmarks((20, 30), 24), landmarks((60, 30), 20)
    shares = [(share(left), share(right, trained=other)), (share(left),), (share(right, trained=other),)]
    made = [replace(job, shares=some) for job, some in zip(jobs[:3], shares, strict=True)]
    blue, red = Counted(constant((1, 0, 0))), Counted(constant((0, 0, 1)))
    sink = ImageFileSink({job.index: job.target for job in made}, unmarked)
    models = {STATE.name: as_prediction(blue), other.name: as_prediction(red)}
    with workers.threads(2) as executor:
        done = list(convert_stream(made, Converter(models, sink), executor))
    assert [result.faces for result in done] == [2, 1, 1]
    assert sum(blue.sizes) == sum(red.sizes) == 2  # each model saw its own faces alone
    for job in made:
        alone = read_image(job.frame)
        for one in job.shares:
            predict = (blue if one.trained is STATE else red).predict
            alone = convert_alone(alone, one.faces, predict, one.trained.wanted, PARAMETERS)
        assert (read_image(job.target) == alone).all()
    assert np.argmax(read_image(made[0].target)[30, 20]) == 0 and np.argmax(read_image(made[0].target)[30, 60]) == 2


def test_a_damaged_frame_is_named_and_nothing_hangs(jobs):
    jobs[5].frame.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"00005\.png"):
        run(jobs, constant((0, 0, 1)))


def test_an_error_while_a_frame_is_written_comes_out(jobs):
    def full(data, suffix):
        raise UserError("The disk is full.", "", "")

    with workers.threads(2) as executor, pytest.raises(UserError, match="full"):
        list(convert_stream(jobs, converter(constant((0, 0, 1)), jobs, full), executor))


def test_no_jobs():
    assert run([], constant((0, 0, 1))) == []
