"""Faces that are covered although no record says so: found by the network in training, before it learns them by heart.

A network fits what is regular before it fits wrong labels, in the end those too (Arpit et al., "A Closer Look at
Memorization in Deep Networks", ICML 2017). So from time to time it judges the faces that were taken for uncovered;
those that look covered to it are no longer learned from. It judges them again later, not having seen them since.
"""

import numpy as np

from facewright.core.console import counted
from facewright.data.mask_sampler import MaskSampler
from facewright.models.mask import FaceMask
from facewright.train.callbacks import Callback, TrainingRun

FIRST, EVERY = 800, 200  # iterations
AT_ONCE = 400  # faces that are judged each time, 2 to 3 s of a minute's training
BATCH = 16
DOUBTED, TRUSTED = 0.03, 0.01  # share of the hull that looks covered: from the first on, and again below the second
MOST = 0.4  # of the faces: more are not doubted, but the network is


class DoubtCovered(Callback):
    """Lets the sampler leave out faces that look covered.

    Args:
        sampler: Draws the faces of the mask model in training.
    """

    def __init__(self, sampler: MaskSampler) -> None:
        self._sampler = sampler
        self._order = np.random.default_rng(0).permutation(sampler.groups.plain).astype(int).tolist()
        self._next = 0
        self._judged_at = -1

    def between_steps(self, run: TrainingRun) -> None:
        """Judge faces where it is due."""
        iteration = run.session.iteration
        if iteration < FIRST or iteration % EVERY or iteration == self._judged_at or not self._order:
            return
        self._judged_at = iteration
        before = len(self._sampler.doubted)
        assert isinstance(run.session.model, FaceMask)
        self.judge(run.session.model)
        count = len(self._sampler.doubted)
        if count != before:
            run.say(
                f"{counted(count, 'face')} without a label {'looks' if count == 1 else 'look'} covered: not learned "
                "from as uncovered."
            )

    def judge(self, model: FaceMask) -> None:
        """Judge the next faces; the sampler knows which are doubted then."""
        count = min(AT_ONCE, len(self._order))
        turn = [self._order[(self._next + step) % len(self._order)] for step in range(count)]
        self._next = (self._next + count) % len(self._order)
        shares: dict[int, float] = {}
        for start in range(0, count, BATCH):
            indices = turn[start : start + BATCH]
            batch = self._sampler.plain(indices)
            known = batch["known"][..., 0]
            covered = (model.predict(batch["warped"]) < 0.5) * known
            found = covered.sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)
            shares.update(zip(indices, found.tolist(), strict=True))
        before = self._sampler.doubted
        kept = {index for index in before if shares.get(index, 1.0) > TRUSTED}
        fresh = sorted(
            (i for i, share in shares.items() if share > DOUBTED and i not in kept), key=lambda i: -shares[i]
        )
        room = max(0, int(MOST * len(self._order)) - len(kept))
        self._sampler.doubt([*kept, *fresh[:room]])
