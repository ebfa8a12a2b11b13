"""What a model makes of faces that it was never trained on, measured from time to time while it trains.

The errors are those of `faces.fidelity`, in percent. The round trip is src as dst, laid over src as a conversion would,
and as src again (cycle consistency: Zhu et al., "Unpaired image-to-image translation using cycle-consistent
adversarial networks", ICCV 2017). The same number of faces that were trained on is measured beside: where those get
better and the others worse, the model learns by heart.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.workspace import SIDES
from facewright.data.sampler import Sampler
from facewright.faces.align import transform_points
from facewright.faces.dfl_crop import face_matrix
from facewright.faces.fidelity import FaceParts, Fidelity, face_parts, fidelity, grey
from facewright.models.base import FaceModel
from facewright.train.batch_size import is_out_of_memory
from facewright.train.callbacks import Callback, TrainingRun
from facewright.ui.contact_sheet import evenly

MOST_FACES = 16  # of a side that are measured, and as many that were trained on
LEAST_STEPS = 10  # between two measurements: averaged weights follow every so many (nn/ema.py)
BATCH = 4  # faces at a time: what the preview takes, so nothing is compiled for it alone
MAX_TIME_SHARE = 0.03  # of the training that measuring may take
SECONDS_BETWEEN = 20.0  # two measurements, at least; more when it has trained for long
LONGEST_BETWEEN = 300.0
SHARE_BETWEEN = 1 / 30  # of the time trained so far

Array = NDArray[np.float32]
Values = Mapping[str, float]


class HeldOutFaces:
    """The faces that are measured.

    Args:
        trained: "src" and "dst" -> the samplers of the training.
        held: The same of the faces that were held out, `BATCH` of each side at least.

    Attributes:
        count: How many of each are measured.
    """

    def __init__(self, trained: Mapping[str, Sampler], held: Mapping[str, Sampler]) -> None:
        fewest = min(len(samplers[side]) for samplers in (trained, held) for side in SIDES)
        self.count = min(MOST_FACES, fewest) // BATCH * BATCH
        self._samplers = {"held": held, "trained": trained}
        self._chosen = {
            (group, side): evenly(len(samplers[side]), self.count)
            for group, samplers in self._samplers.items()
            for side in SIDES
        }
        self._parts: dict[tuple[str, str, int, int], FaceParts] = {}

    def measure(self, model: FaceModel) -> dict[str, float]:
        """Return the measures of a model by name, see `MEASURES`."""
        held = [self._made(model, "held", start, trip=True) for start in range(0, self.count, BATCH)]
        trained = [self._made(model, "trained", start) for start in range(0, self.count, BATCH)]
        found: dict[str, float] = {}
        for side in SIDES:
            rows = [row for batch in held for row in batch[side]]
            found |= {side: _mean(rows, "face"), f"{side} eyes": _mean(rows, "eyes")}
            found |= {f"{side} mouth": _mean(rows, "mouth"), f"{side} sharp": _mean(rows, "detail")}
            found[f"{side} trained"] = _mean([row for batch in trained for row in batch[side]], "face")
        found["trip"] = _mean([row for batch in held for row in batch["trip"]], "face")
        columns = {name: np.concatenate([batch["images"][name] for batch in held]) for name in held[0]["images"]}
        inside = np.logical_and.reduce([self._part("held", "dst", row).face for row in range(self.count)])
        return {**found, "variety": variety(columns), "like src": like_src(columns, inside)}

    def _made(self, model: FaceModel, group: str, start: int, *, trip: bool = False) -> dict[str, Any]:
        """Return the fidelity of some faces by side, and with `trip` that of the round trip and the images."""
        rows = range(start, start + BATCH)
        chosen = {side: [self._chosen[group, side][row] for row in rows] for side in SIDES}
        batches = {side: self._samplers[group][side].untouched(chosen[side]) for side in SIDES}
        columns = model.preview(batches)
        made: dict[str, Any] = {
            side: [
                fidelity(columns[f"{side} rebuilt"][place], columns[side][place], self._part(group, side, row))
                for place, row in enumerate(rows)
            ]
            for side in SIDES
        }
        if trip:
            back = _round_trip(model, columns["src"])
            parts = [self._part(group, "src", row) for row in rows]
            made["trip"] = [fidelity(*one) for one in zip(back, columns["src"], parts, strict=True)]
            made["images"] = columns
        return made

    def _part(self, group: str, side: str, row: int) -> FaceParts:
        sampler = self._samplers[group][side]
        target = next(sample for sample in sampler.samples if sample.name == "target")
        key = group, side, row, target.size
        if key not in self._parts:
            face = sampler.face(self._chosen[group, side][row])
            matrix = face_matrix(face.landmarks, target.face_type, target.size)
            self._parts[key] = face_parts(transform_points(face.landmarks, matrix), target.size)
        return self._parts[key]


class MeasureHeldOut(Callback):
    """Measures the faces held out when it is due, and when the training ends.

    Args:
        faces: Which are measured.
        log: Called with the iteration and the measures: TensorBoard's log, say.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        faces: HeldOutFaces,
        log: Callable[[int, Values], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._faces = faces
        self._log = log
        self._clock = clock
        self._due = 0.0
        self._warm = self._broken = False

    def on_start(self, run: TrainingRun) -> None:
        """Plan the first measurement."""
        self._due = self._clock() + SECONDS_BETWEEN

    def between_steps(self, run: TrainingRun) -> None:
        """Measure when it is due."""
        if self._clock() >= self._due and run.session.iteration >= run.session.measured_at + LEAST_STEPS:
            self._measure(run)

    def can_leave(self, run: TrainingRun) -> bool:
        """Measure before the last save, which holds it."""
        self._measure(run)
        return True

    def on_stop(self, run: TrainingRun) -> None:
        """Measure the final weights; a signal is not kept waiting."""
        if not run.signals.received:
            self._measure(run)

    def _measure(self, run: TrainingRun) -> None:
        session, model = run.session, run.session.model
        if self._broken or not isinstance(model, FaceModel) or session.measured_at == session.iteration:
            return
        began = self._clock()
        try:
            found = self._faces.measure(model)
        except Exception as error:
            if not isinstance(error, UserError) and not is_out_of_memory(error):
                raise
            self._broken = True  # the training is worth more than its curve
            reason = error if isinstance(error, UserError) else "The memory does not hold it."
            run.say(f"The faces held out are measured no longer; training continues. {reason}", attention=True)
            return
        session.record_measures(found)
        if self._log:
            self._log(session.iteration, found)
        now = self._clock()
        cost = now - began if self._warm else 0.0  # the first one compiled
        self._warm = True
        usual = min(max(SECONDS_BETWEEN, SHARE_BETWEEN * session.seconds), LONGEST_BETWEEN)
        self._due = now + max(usual, cost / MAX_TIME_SHARE)


def variety(columns: Mapping[str, Array]) -> float:
    """Return how much the rebuilt faces of a person differ from one another, over how much the faces themselves do.

    1 is as much, 0 all alike. The lower one of both people counts.

    Args:
        columns: As `FaceModel.preview` gives them.
    """
    ratios = []
    for side in SIDES:
        made, own = (float(columns[name].std(axis=0).mean()) for name in (f"{side} rebuilt", side))
        ratios.append(made / own if own else float("nan"))
    return min(ratios)


def like_src(columns: Mapping[str, Array], inside: NDArray[np.bool_]) -> float:
    """Return how far the mean swap lies on the way from the mean dst to the mean src: 0 is dst, 1 src.

    The means leave out expression, and each is brought to one lightness and contrast, which leaves out most of the
    light: what remains is who it is. All are means of rebuilt faces, so that a model that blurs is held against itself.

    Args:
        columns: As `FaceModel.preview` gives them.
        inside: (S, S) pixels that are inside all faces of dst.
    """
    if not inside.any():
        return float("nan")
    src, dst, swap = (
        _flat(np.mean([grey(image) for image in columns[name]], axis=0)[inside])
        for name in ("src rebuilt", "dst rebuilt", "dst as src")
    )
    way = src - dst
    length = float(way @ way)
    return float((swap - dst) @ way / length) if length else float("nan")


def _flat(values: Array) -> NDArray[np.float64]:
    centred = values.astype(np.float64) - values.mean()
    return np.asarray(centred / max(float(centred.std()), 1e-6))


def _round_trip(model: FaceModel, src: Array) -> Array:
    """Return src's faces (n, S, S, 3) after the way over dst."""
    swapped, mask = model.predict(src, backwards=True)
    back, _ = model.predict(swapped * mask + src * (1 - mask))
    return back


def _mean(rows: Sequence[Fidelity], name: str) -> float:
    known = [value for value in (getattr(row, name) for row in rows) if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
