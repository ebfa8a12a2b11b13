"""Samples made inside the training step are those that the sampler makes, and a training on them resumes as exactly."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from commands.train_runs import run
from convert.drawn_faces import landmarks, scene
from facewright.core import machine
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.data.colour import LINEAR_TRANSFERS, TRANSFERS
from facewright.data.draws import Draws
from facewright.data.sample import PreparedFace, Sample
from facewright.data.sampler import Sampler
from facewright.faces.align import FaceType
from facewright.models import registry
from facewright.models.base import to_numpy
from facewright.nn import checkpoint
from facewright.nn.devices import Device
from facewright.nn.sample_maker import SampleMaker, make_once
from facewright.train.device_sampling import outputs_of, start_sampling
from facewright.train.session import TrainingSession
from train import tiny
from train.loop_runs import new_session, train

pytestmark = pytest.mark.usefixtures("full_precision")
SAMPLES = (
    Sample("warped", "image", 40, FaceType.FULL, warp=True, interpolation="cubic"),
    Sample("target", "image", 40, FaceType.FULL),
    Sample("grey", "image", 24, FaceType.HALF, colour="grey"),
    Sample("mask", "mask", 40, FaceType.FULL),
    Sample("focus", "focus", 24, FaceType.HALF),
)
CPU = Device("tensorflow", "cpu", "", 1, False)
ALL = 1e9  # bytes: all faces fit


class Faces:
    """Smooth faces of several sides, some of them in two sizes."""

    def __init__(self, sides=(64, 90, 120)):
        self._faces = [self.drawn(side) for side in sides]

    def drawn(self, side, small=True):
        points = landmarks((side / 2, side / 2), side * 0.55, 4).astype(np.float32)
        image = cv2.GaussianBlur(scene(side, side, side), (0, 0), side / 40)
        mask = np.zeros((side, side), np.uint8)
        cv2.circle(mask, (side // 2, side // 2), side // 3, 255, -1)
        smaller = (self.drawn(side // 2, small=False),) if small and side > 80 else ()
        return PreparedFace(image, {"mask": mask, "focus": mask}, points, smaller)

    def face(self, index):
        return self._faces[index]

    def __len__(self):
        return len(self._faces)


class Tinted(Faces):
    """The same in warm colours."""

    def drawn(self, side, small=True):
        face = super().drawn(side, small)
        return replace(face, image=np.uint8(np.clip(face.image * (0.5, 0.7, 0.9) + (10, 20, 40), 0, 255)))


def recoloured(**given):
    """Return outputs whose colours change."""
    warped, target = (replace(sample, **given) for sample in SAMPLES[:2])
    return (replace(warped, light=0.5), replace(target, hsv=0.0), SAMPLES[3])


def sampler(seed=0, samples=SAMPLES, faces=None, like=None):
    return Sampler(faces or Faces(), samples, np.random.default_rng(seed), flip=True, like=like)


def made_by(draws, count):
    maker = SampleMaker()
    maker.prepare(outputs_of(draws.samples), draws.table)
    return {name: to_numpy(image) for name, image in maker(draws.batch(count)).items()}


@pytest.mark.parametrize("room", [ALL, 0], ids=["all faces there", "faces of each batch"])
def test_the_same_numbers_make_the_same_images(room):
    host, draws = sampler(), Draws(sampler(), room)
    assert (draws.table is None) == (room == 0)
    wanted, found = host.batch(12), made_by(draws, 12)
    assert list(found) == list(wanted)
    for name, image in wanted.items():
        assert found[name].shape == image.shape and found[name].dtype == np.float32
        difference = np.abs(found[name] - image)
        # Half a step of rounding; more at the edges of the image, where OpenCV's thirty-seconds of a pixel count.
        assert difference.mean() < 0.002 and np.quantile(difference, 0.99) < 0.02, name
    assert draws.state() == host.state()


COLOURS = [
    *({"transfer": name} for name in LINEAR_TRANSFERS),
    {"hsv": 0.4},
    {"hsv": 0.3, "transfer": "rct"},
]


@pytest.mark.parametrize(("given", "room"), [*((given, ALL) for given in COLOURS), (COLOURS[0], 0)], ids=str)
def test_the_same_numbers_make_the_same_colours(given, room):
    samples = recoloured(**given)
    host, found = sampler(6, samples, like=Tinted()), made_by(Draws(sampler(6, samples, like=Tinted()), room), 8)
    for name, image in host.batch(8).items():
        difference = np.abs(found[name] - image)
        assert difference.mean() < 0.003 and np.quantile(difference, 0.99) < 0.03, name
    plain = sampler(6, SAMPLES, like=Tinted()).batch(8)
    assert np.abs(found["warped"] - plain["warped"]).mean() > 0.02  # they did change


@pytest.mark.parametrize("given", COLOURS[::4], ids=str)
def test_other_draws_have_the_same_distribution_of_colours(given):
    """Mean of each channel, and its spread over the pixels and from sample to sample."""
    samples, faces, like = recoloured(**given), Faces((64,)), Tinted((64,))
    wanted = sampler(1, samples, faces, like).batch(150)["warped"]
    found = made_by(Draws(sampler(2, samples, faces, like), ALL), 150)["warped"]

    def facts(images):
        means = images.mean(axis=(1, 2))
        return np.concatenate([means.mean(0), means.std(0), images.std((0, 1, 2))])

    np.testing.assert_allclose(facts(found), facts(wanted), rtol=0.25, atol=0.004)


@pytest.mark.parametrize("transfer", sorted(set(TRANSFERS) - {"none", *LINEAR_TRANSFERS}))
def test_colours_that_the_device_cannot_change_are_the_processors_and_it_says_so(tmp_path, transfer):
    session = TrainingSession("tiny", tiny.Tiny(tiny.Tiny.Options()), tmp_path)
    sources = {"src": sampler(samples=recoloured(transfer=transfer), faces=Faces((64,)))}
    found = start_sampling(session, sources, asked="device", device=CPU)
    assert found.sources is sources and transfer in found.reason


def test_each_face_is_read_once():
    class Counted(Faces):
        asked = 0

        def face(self, index):
            self.asked += 1
            return super().face(index)

    for room in (ALL, 0):
        faces = Counted()
        draws = Draws(sampler(faces=faces), room)
        assert faces.asked == len(faces) and (draws.table is not None) == draws.whole == (room == ALL)
    again = Draws(sampler(), ALL, there=True)
    assert again.table is None and again.whole  # the table of before is in use


def test_other_draws_have_the_same_distribution():
    """Mean and spread of the pixels, what of an image is black because it lies outside, how far the warp moves."""
    faces = Faces((64,))
    wanted, found = sampler(1, faces=faces).batch(150), made_by(Draws(sampler(2, faces=faces), ALL), 150)

    def facts(batch):
        image, warped, mask = batch["target"], batch["warped"], batch["mask"]
        outside = (image.max(axis=-1) == 0).mean()
        return [image.mean(), image.std(axis=0).mean(), outside, np.abs(warped - image).mean(), mask.std(axis=0).mean()]

    for one, other in zip(facts(wanted), facts(found), strict=True):
        assert other == pytest.approx(one, rel=0.12, abs=0.003)


@pytest.mark.parametrize("name", registry.model_names())
def test_every_model_takes_its_samples_from_the_device(name):
    """What each declares becomes the same images; the networks themselves are not needed for that."""
    kind = registry.model_class(name)
    model = kind.__new__(kind)
    options = kind.settle(kind.Options())
    view = kind.view(options)
    model.options, model.resolution, model.face_type, model.scale = options, view.resolution, view.face_type, 1.0
    for side in ("src", "dst"):
        samples = model.samples(side)
        made = sampler(3, samples, Faces((96,)))
        draws = Draws(sampler(3, samples, Faces((96,))), ALL)
        found = made_by(draws, 1)
        for output, image in made.batch(1).items():
            assert np.abs(found[output] - image).mean() < 0.003, (side, output)


@pytest.mark.slow
def test_a_training_on_the_device_goes_on_exactly_where_it_was_saved(tmp_path, faces):
    session, samplers = new_session(tmp_path, faces)
    sampling = start_sampling(session, samplers, asked="device", device=CPU)
    assert "all faces lie" in sampling.reason
    train(session, sampling.sources, target=3)
    saved, found = checkpoint.newest(tmp_path / "tiny").generation, []
    for place in "ab":
        session.resume(saved)
        _, again = new_session(tmp_path / place, faces, seed=5)
        for side, of_side in again.items():
            of_side.set_state(session.samplers[side])
        train(session, {side: Draws(of_side, ALL) for side, of_side in again.items()}, target=6)
        found.append((session.history.values.tolist(), session.samplers))
    assert found[0] == found[1] and len(found[0][0]) == 6


@pytest.mark.slow
def test_every_third_iteration_of_quick96_has_no_warp_on_the_device_either(tmp_path, faces):
    """Its losses are those of the images of the processor, iteration by iteration."""
    kind, found = registry.model_class("quick96"), []
    for where in ("host", "device"):
        model = kind(kind.Options(), seed=1, scale=1 / 16)
        session, samplers = new_session(tmp_path / where, faces, model=model)
        sampling = start_sampling(session, samplers, asked=where, device=CPU)
        found.append([model.train_on({n: s.batch(2) for n, s in sampling.sources.items()}) for _ in range(3)])
    for one, other in zip(*found, strict=True):
        assert one == pytest.approx(other, rel=0.01)


@pytest.mark.slow
def test_step_6_makes_its_samples_on_the_device_when_asked(tmp_path, monkeypatch, capsys):
    tiny.use_tiny(monkeypatch.setattr)
    states = {}
    for where in ("device", "host"):
        workspace = Workspace(tmp_path / where)
        tiny.fill(workspace)
        run(workspace, target_iter=2, batch_size=2, sampling=where)
        states[where] = checkpoint.newest(workspace.model_dir / "h64").generation.state["samplers"]
        assert ("made on the device" in capsys.readouterr().out) == (where == "device")
    assert states["device"] == states["host"]


def test_a_device_that_makes_other_images_is_not_used(tmp_path, capsys):
    session = TrainingSession("tiny", tiny.Tiny(tiny.Tiny.Options()), tmp_path)
    samples = session.model.samples()
    sources = {"src": sampler(samples=samples, faces=Faces((64,)))}
    for asked in ("auto", "host"):
        assert start_sampling(session, sources, asked=asked, device=CPU).sources is sources

    class Shifted(Sampler):
        def make(self, drawn):
            return {name: np.roll(image, 3, axis=1) for name, image in super().make(drawn).items()}

    wrong = {"src": Shifted(Faces((64,)), samples, np.random.default_rng(0), flip=True)}
    gpu = Device("tensorflow", "gpu", "drawn", 1, False)
    assert start_sampling(session, wrong, asked="auto", device=gpu).sources is wrong
    assert "by the processor" in capsys.readouterr().out
    with pytest.raises(UserError, match="other images"):
        start_sampling(session, wrong, asked="device", device=gpu)


@pytest.mark.parametrize("first", ["full", "free"])
def test_samples_are_the_same_when_the_free_memory_changed_meanwhile(tmp_path, monkeypatch, first):
    session = TrainingSession("tiny", tiny.Tiny(tiny.Tiny.Options()), tmp_path)
    sources = {"src": sampler(samples=session.model.samples(), faces=Faces((64,)))}
    reasons = []
    for state in (first, "free" if first == "full" else "full"):
        room = {"full": 1, "free": 1 << 30}[state]
        monkeypatch.setattr(machine, "memory", lambda room=room: machine.Memory(1 << 30, room))
        reasons.append(start_sampling(session, sources, asked="device", device=CPU).reason)
    assert reasons[0] == reasons[1] and ("all faces lie" in reasons[0]) == (first == "free")


def test_numbers_are_compiled_as_a_step_is():
    draws = Draws(sampler(4), ALL)
    maker = SampleMaker()
    maker.prepare(outputs_of(SAMPLES), draws.table)
    drawn = sampler(5).draw(2)
    found, wanted = make_once(maker, draws.numbers(drawn)), sampler(5).make(drawn)
    assert np.abs(found["target"] - wanted["target"]).mean() < 0.002
