"""Who is replaced by which trained model, in one pass over the frames: person 1 by one, person 2 by another.

The persons are those of the face records, as the extraction numbers them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from facewright.convert.pipeline import ModelInput
from facewright.convert.selection import parse_cast
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.options import Option, question
from facewright.core.workspace import Side
from facewright.faces.faceset import FaceFile
from facewright.models.spec import ConverterDefaults

MAX_LISTED = 12


@dataclass(frozen=True)
class TrainedState:
    """A trained model as far as the plan depends on it.

    Attributes:
        name: What the user calls it.
        fingerprint: Changes with every saved generation.
        wanted: What the network takes.
        defaults: Its converter defaults.
        portrait: Whether its image is the result, instead of being blended into dst's frame.
    """

    name: str
    fingerprint: str
    wanted: ModelInput
    defaults: ConverterDefaults
    portrait: bool = False


@dataclass(frozen=True)
class Cast:
    """Which trained model replaces whom.

    Attributes:
        everyone: The model of all who are not among `persons`; None leaves them as they are.
        persons: Number of a person -> its model.
    """

    everyone: TrainedState | None = None
    persons: Mapping[int, TrainedState] = field(default_factory=dict)

    def of(self, face: FaceFile) -> TrainedState | None:
        """Return the model that replaces a face; None leaves the face as it is."""
        return self.persons.get(face.record.person or 0, self.everyone)

    @property
    def states(self) -> list[TrainedState]:
        """The models, each once."""
        everyone = [self.everyone] if self.everyone else []
        return list({state.name: state for state in (*everyone, *self.persons.values())}.values())

    @property
    def portrait(self) -> bool:
        """Whether the result is portraits; those are of one model alone."""
        return any(state.portrait for state in self.states)

    def with_states(self, changed: Iterable[tuple[TrainedState, TrainedState]]) -> "Cast":
        """Return the cast with other states of its models.

        Args:
            changed: Pairs of a state in the cast and the one that takes its place.
        """
        new = {old.name: state for old, state in changed}
        everyone = self.everyone and new.get(self.everyone.name, self.everyone)
        return Cast(everyone, {person: new.get(state.name, state) for person, state in self.persons.items()})


def check_persons(roles: Mapping[int, str], faces: Iterable[FaceFile], side: Side) -> None:
    """Check that everyone who is cast has faces.

    Args:
        roles: Number of a person -> name of a model.
        faces: Those of the side's frames.
        side: For the hint.

    Raises:
        UserError: A person is not there.
    """
    counts = count_persons(faces)
    missing = [str(person) for person in roles if person not in counts]
    if missing:
        there = [f"{person} ({console.counted(count, 'face')})" for person, count in counts.items()]
        raise UserError(
            f"There is no person {console.listed(missing)} among the faces of {side.name}.",
            f"one of {console.listed(there, MAX_LISTED)}."
            if there
            else "faces with the numbers of their persons; none of them has one yet.",
            f"number the people and see who is who, then give their numbers:{side.hint('people')}",
        )


def count_persons(faces: Iterable[FaceFile]) -> dict[int, int]:
    """Return number of a person -> number of faces, by the number of the person."""
    counts = Counter(face.record.person for face in faces if face.record.person)
    return dict(sorted(counts.items()))


def check_models(roles: Mapping[int, str], there: Sequence[str]) -> None:
    """Check that the models of a cast are there.

    Args:
        roles: Number of a person -> name of a model.
        there: Names of the trained models.

    Raises:
        UserError: One is not there.
    """
    missing = sorted({name for name in roles.values() if name not in there})
    if missing:
        raise UserError(
            f"There is no trained model {console.listed(missing)}.",
            f"one of {console.listed(there, MAX_LISTED)}." if there else "a trained model.",
            f"give the name of one that is there, or train it first:{hint('train --name', missing[0])}",
        )


def check_blended(cast: Cast) -> None:
    """Check that no model of a cast makes portraits.

    Raises:
        UserError: One does: a portrait is a whole image, in which nobody else can be replaced.
    """
    portraits = [state.name for state in cast.states if state.portrait]
    if portraits and cast.persons:
        raise UserError(
            f"The model {portraits[0]} makes portraits, which take the whole frame.",
            "models that replace faces in frames.",
            f"give that person another model, or make its portraits alone:{hint('convert --model', portraits[0])}",
        )


def ask_cast(faces: Iterable[FaceFile], models: Sequence[str], side: Side) -> str:
    """Ask who is replaced by which model, where there is a choice; "" where one model replaces everyone.

    Args:
        faces: Those of the side.
        models: Names of the trained models, the one saved last first.
        side: For messages.
    """
    faces = list(faces)
    counts = count_persons(faces)
    if len(models) < 2 or len(counts) < 2:
        return ""

    def check(text: str) -> None:
        roles = parse_cast(text)
        check_persons(roles, faces, side)
        check_models(roles, models)

    persons = ", ".join(f"{person} ({console.counted(count, 'face')})" for person, count in counts.items())
    console.say(f"There are several people, {persons}, and several models: {', '.join(models)}.", needed=True)
    first, second = list(counts)[:2]
    example = f"{first}={models[0]},{second}={models[1]}"
    words = f"For example {example}. Who is not named stays as he or she is. Enter: {models[0]} replaces everyone."
    spec = Option("cast", str, "", words, f"Who by which model, as in {example}", check=check)
    return str(question(spec, ""))
