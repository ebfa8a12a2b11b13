"""Runs of the loop with the tiny model, and keys pressed in them."""

import numpy as np

from facewright.data.sampler import Sampler
from facewright.train.loop import Loop, Plan
from facewright.train.session import Session
from train.tiny import Tiny


class Typing:
    """Keys pressed at given polls."""

    def __init__(self, **at):
        self.at = {int(n[1:]): command for n, command in at.items()}
        self.polls = 0

    def poll(self):
        self.polls += 1
        return [self.at[self.polls]] if self.polls in self.at else []


def new_session(folder, faces, seed=0):
    session = Session("tiny", Tiny(Tiny.Options(), seed=seed), folder)
    sources = tuple(
        Sampler(paths, session.model.samples(), np.random.default_rng([seed, number]), flip=True)
        for number, paths in enumerate(faces)
    )
    found = session.find()
    if found:
        session.resume(found.generation)
        for source, name in zip(sources, ("src", "dst"), strict=True):
            source.set_state(session.samplers[name])
    else:
        session.save()
    return session, sources


def train(session, sources, *, keys=None, view=None, **plan):
    return Loop(session, sources, Plan(2, **plan), [keys] if keys else [], view).run()


def weights(session):
    return [np.asarray(v) for part in session.model.parts.values() for v in part.variables]
