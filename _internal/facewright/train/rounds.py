"""The rounds of a training: where one ends because the memory is full, the next goes on with a batch that fits; where
the next stage of a recipe begins, with the options that it switches.

What ends a round is saved, or its last saved state is; the network is then built anew and goes on from there, as that
of another process would.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from facewright.core import console
from facewright.data.sampler import Sampler
from facewright.train.batch_size import is_out_of_memory, largest_fitting_batch, nothing_fits
from facewright.train.device_sampling import Sampling
from facewright.train.goal import RESTART
from facewright.train.loop import LoopSettings, TrainingResult, train_session
from facewright.train.options import TrainOptions
from facewright.train.session import TrainingSession
from facewright.train.setup import named_parts
from facewright.train.stages import FollowRecipe, Stages
from facewright.train.watch import Watchers


@dataclass
class Rounds:
    """Trains in rounds.

    Attributes:
        session: The model.
        samplers: Stream name -> its sampler; filled anew for a round, so that the preview has those in use.
        sampling: What its batches are drawn from: the samplers, or what a device makes of their numbers.
        settings: Of the loop; the batch becomes smaller where the memory is full.
        options: Of the run; a stage switches some.
        make_samplers: Makes them for the session as it is, with the options.
        start_sampling: Says anew where the samples are made.
        stages: The recipe that is followed, or None.
        multiple: What a batch size must be a multiple of: the number of GPUs that share it.
        make_held: Makes the samplers of the faces held out; None where none are.
        held: These, filled anew too, for the networks may have grown.
    """

    session: TrainingSession
    samplers: dict[str, Sampler]
    sampling: Sampling
    settings: LoopSettings
    options: TrainOptions
    make_samplers: Callable[[TrainOptions], dict[str, Sampler]]
    start_sampling: Callable[[dict[str, Sampler]], Sampling]
    stages: Stages | None = None
    multiple: int = 1
    make_held: Callable[[TrainOptions], dict[str, Sampler]] | None = None
    held: dict[str, Sampler] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Make the samplers of the faces held out."""
        self._renew_held()

    def train(self, watchers: Watchers) -> TrainingResult:
        """Train until the target or until somebody stops it.

        Raises:
            UserError: The memory holds no batch at all; or as `train_session`.
        """
        followed = [FollowRecipe(self.stages)] if self.stages else []
        first = self.session.iteration
        while True:
            began = self.session.iteration
            try:
                result = train_session(
                    self.session,
                    self.sampling.sources,
                    self.settings,
                    commands=watchers.commands,
                    preview=watchers.preview,
                    status=watchers.status,
                    more_callbacks=[*followed, *watchers.callbacks],
                )
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            else:
                if result.reason != RESTART:
                    return replace(result, steps=began - first + result.steps)
                self._begin_stage()
                continue
            # Not inside `except`: the error's traceback would hold what lies in the full memory.
            self._take_less(watchers)

    def _begin_stage(self) -> None:
        """Build the network anew with the options of the stage; what was trained is saved."""
        assert self.stages
        session, (of_run, of_model) = self.session, self.stages.values
        self.options = replace(self.options, **of_run)
        session.rebuild(session.model.switched(session.options, of_model), named_parts(self.options.frozen))
        session.save_growth()
        session.set_rate(self.options.learning_rate)
        session.notes = {**session.notes, "settings": {**session.notes.get("settings", {}), **of_run}}
        self._renew_samplers()

    def _take_less(self, watchers: Watchers) -> None:
        """Find the largest batch that the memory holds, and go on with it."""
        session, size, reached = self.session, self.settings.batch_size, self.session.iteration
        console.say("The memory is full. Looking for the largest batch that it holds …")
        session.rescue()
        session.rebuild(session.options, session.model.held)
        self._renew_samplers()
        fitting = largest_fitting_batch(session.model.train_on, self.sampling.sources, size, self.multiple)
        if not fitting:
            raise nothing_fits(size, session.options)
        session.go_back()  # the trial has trained on
        self._renew_samplers()
        self.settings = replace(self.settings, batch_size=fitting)
        session.notes = {
            **session.notes,
            "batch": fitting,
            "settings": {**session.notes.get("settings", {}), "batch_size": fitting},
        }
        lost = console.counted(reached - session.iteration, "iteration")
        watchers.say(
            f"The memory does not hold a batch of {size} + {console.counted(size, 'face')}: the training goes on with "
            f"{fitting} + {fitting}, from iteration {session.iteration}. "
            + (f"The {lost} since the last save are lost." if reached > session.iteration else "Nothing is lost.")
        )

    def _renew_samplers(self) -> None:
        self.samplers.update(self.make_samplers(self.options))
        self._renew_held()
        before, self.sampling = self.sampling.reason, self.start_sampling(self.samplers)
        if self.sampling.reason != before:
            console.say(f"The samples are now {self.sampling.reason}.")

    def _renew_held(self) -> None:
        if self.make_held:
            self.held.update(self.make_held(self.options))
