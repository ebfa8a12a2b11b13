"""Runs of the loop with the tiny model: commands at chosen polls, faults at chosen steps, a disk that fails."""

import math
from contextlib import contextmanager

import numpy as np

from facewright.core.workspace import SIDES
from facewright.data.sampler import Sampler
from facewright.train.goal import Goal
from facewright.train.loop import LoopSettings, train_session
from facewright.train.session import TrainingSession
from train.tiny import Tiny


class Commands:
    """Commands at given polls: `Commands(_3=TrainingCommand.SAVE)` saves after the third step."""

    def __init__(self, **at):
        self.at = {int(name[1:]): command for name, command in at.items()}
        self.polls = 0

    def poll(self):
        self.polls += 1
        return [self.at[self.polls]] if self.polls in self.at else []


class FaultyTiny(Tiny):
    """The tiny model with faults in its training step.

    Args:
        fault: Number of the step, from 1 -> None, "loss" (it is not finite, the step not applied), "weights" (they
            are not finite either), or an exception to raise.
    """

    def __init__(self, fault, *, seed=0):
        super().__init__(Tiny.Options(), seed=seed)
        self.fault, self.calls = fault, 0

    def train_on(self, batches):
        self.calls += 1
        fault = self.fault(self.calls)
        if isinstance(fault, Exception):
            raise fault
        if fault == "weights":
            break_weights(self)
        return {"src": math.nan, "dst": 0.5} if fault else super().train_on(batches)


def break_weights(model):
    """Make weights infinite, as a bit error would: without the step noticing."""
    variable = model.parts["encoder"].variables[0]
    variable.assign(np.full(variable.shape, np.inf))


@contextmanager
def file_in_the_way(path):
    """Put a file where a folder is needed: whoever writes there fails as on a full disk."""
    aside = path.with_name(f"{path.name} aside")
    there = path.exists()
    if there:
        path.rename(aside)
    path.write_bytes(b"")
    try:
        yield
    finally:
        path.unlink()
        if there:
            aside.rename(path)


def new_session(folder, faces, seed=0, model=None, session=TrainingSession):
    """Return a session in a folder, resumed where there is a saved state, and its samplers."""
    made = session("tiny", model or Tiny(Tiny.Options(), seed=seed), folder)
    sources = {
        side: Sampler(paths, made.model.samples(side), np.random.default_rng([seed, number]), flip=True)
        for number, (side, paths) in enumerate(zip(SIDES, faces, strict=True))
    }
    found = made.find()
    if found:
        made.resume(found.generation)
        for side, source in sources.items():
            source.set_state(made.samplers[side])
    else:
        made.save()
    return made, sources


def train(session, sources, *, target=0, goal=None, commands=None, preview=None, status=None, callbacks=(), **settings):
    """Train as step 6 does, with two faces per side."""
    return train_session(
        session,
        sources,
        LoopSettings(2, goal or Goal(target), **settings),
        commands=[commands] if commands else [],
        preview=preview,
        status=status,
        more_callbacks=callbacks,
    )


def weights(session):
    return [np.asarray(v) for part in session.model.parts.values() for v in part.variables]
