"""Who is who in the extraction: an embedding for every face, people to keep or to leave out, numbers at the end."""

from dataclasses import dataclass

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.options import option, several
from facewright.core.workspace import Side, Workspace
from facewright.extract.detectors.base import FIRST, make_detector
from facewright.extract.embedding import Embedder
from facewright.extract.filters import Check
from facewright.extract.identity_filter import THRESHOLD, Recognizer, people_of_photos
from facewright.extract.landmarks import Landmarker
from facewright.extract.people import number_people, read_people, summary


@dataclass(frozen=True)
class PeopleOptions:
    """Who is kept."""

    person: str = option(
        "",
        "A photo of the person to keep, with one face, or a folder of photos; faces of others are not saved. May be "
        "given several times. An aligned face will do.",
        remember=False,
        many=True,
    )
    not_person: str = option(
        "",
        "A photo of a person to leave out, or a folder of photos; may be given several times.",
        remember=False,
        many=True,
    )
    threshold: float = option(
        THRESHOLD,
        "With --person and --not-person: how far a face may be from that on the photo. Lower where others are kept, "
        "higher where faces of the person are lost.",
        low=0.05,
        high=1.5,
        remember=False,
    )
    people: bool = option(
        True, "Compare the faces and give each person a number, for the people, keep and sort steps.", remember=False
    )


def contradiction(options: PeopleOptions) -> UserError | None:
    """Say what does not go together, None when all does."""
    if options.threshold != THRESHOLD and not options.person and not options.not_person:
        return UserError(
            "--threshold has nothing to compare with.",
            "--person PHOTO or --not-person PHOTO beside it.",
            "name a photo, or leave --threshold away.",
        )
    return None


def recognizer(options: PeopleOptions, side: Side) -> Check | None:
    """Return the check that compares each face; None where no comparing is wanted.

    Raises:
        UserError: A photo does not serve, or weights are missing.
    """
    wanted, unwanted = several(options.person), several(options.not_person)
    if not (wanted or unwanted or options.people):
        return None
    embedder = Embedder()
    if not (wanted or unwanted):
        return Recognizer(embedder)
    detector, landmarker = make_detector(FIRST), Landmarker()
    return Recognizer(
        embedder,
        people_of_photos(wanted, "--person", detector, landmarker, embedder),
        people_of_photos(unwanted, "--not-person", detector, landmarker, embedder),
        options.threshold,
        noted=options.people,
    )


def number(workspace: Workspace, side: Side, options: PeopleOptions) -> None:
    """Number the people once all frames were searched."""
    if not options.people or not side.aligned():
        return
    people = number_people(side)
    console.say(summary(people))
    if len(people.persons) > 1:
        script = {"data_src": "4.3_src_keep_person", "data_dst": "5.4_dst_keep_person"}[side.name]
        console.say(f"  {script} shows them and keeps whom you choose.")


def number_new(side: Side) -> None:
    """Number faces that came later, where the others have numbers."""
    if read_people(side).persons:
        number_people(side)
