"""The last word of the steps on faces: which frames need a look, and why. Each step says it until it is done."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from facewright.core import console
from facewright.core.files import natural
from facewright.core.workspace import Side
from facewright.extract.log import ExtractionLog, finished_manually
from facewright.extract.open_frames import OpenFrame, open_frames
from facewright.faces.faceset import FaceIndex

SHOWN = 6  # frames that are named
FEWEST, DOUBTED_SHARE = 4, 0.25  # of a person's faces, from which on all of them may be better left out


def say_verdict(side: Side, faces: FaceIndex, log: ExtractionLog | None = None, *, fine: bool = False) -> None:
    """Say which frames need a look, where there was an extraction.

    Args:
        side: Whose.
        faces: All of the side.
        log: Of its extraction; None reads it.
        fine: Whether to say so too when none does.
    """
    log = ExtractionLog.read(side) if log is None else log
    if log.settings is None:
        return
    found = open_frames(side, log, faces)
    if filled := _filled(faces, log):
        what = "frame has a face that was" if len(filled) == 1 else "frames have a face that was"
        console.say(
            f"{len(filled):,} {what} filled in from the frames around ({console.listed(filled)}). To see them:"
            f"{side.hint('fix')}"
        )
    if found:
        console.say(f"{verdict(found, len(log.entries))}:{side.hint('fix')}")
        if line := _doubted_people(side, found, faces):
            console.say(line)
    elif fine and faces.faces and not filled:
        console.say("No frame needs a look.")


def open_by_name(side: Side, faces: FaceIndex) -> dict[str, OpenFrame] | None:
    """Return the frames that need a look, by name; None where there was no extraction."""
    log = ExtractionLog.read(side)
    return None if log.settings is None else {one.name: one for one in open_frames(side, log, faces)}


def _filled(faces: FaceIndex, log: ExtractionLog) -> list[str]:
    """Return the frames with a face that was not found but filled in, and that nobody has finished since."""
    names = {face.record.frame for face in faces.faces if face.record.origin == "filled"}
    return sorted((name for name in names if not finished_manually(log.entries.get(name, {}))), key=natural)


def _doubted_people(side: Side, found: Sequence[OpenFrame], faces: FaceIndex) -> str:
    """Return how to do without people of whom many faces need a look; whoever has most faces is meant to stay.

    A small face that is lost now and then flickers less where it is left as it is. Who is doubted in every face, as
    things that were taken for faces are, is left out with them.
    """
    person = {face.path.name: face.record.person for face in faces.faces}
    all_of = Counter(number for number in person.values() if number is not None)
    doubted = Counter(person.get(name) for one in found for name in one.faces)
    others = sorted(all_of, key=lambda number: (-all_of[number], number))[1:]
    many = [number for number in others if doubted[number] >= max(FEWEST, DOUBTED_SHARE * all_of[number])]
    if not many:
        return ""
    parts = [f"{doubted[number]} of {console.counted(all_of[number], 'face')} of person {number}" for number in many]
    whom = "this person" if len(many) == 1 else "these people"
    gone = {*many, *(number for number in others if doubted[number] == all_of[number])}
    stay = ",".join(str(number) for number in sorted(all_of) if number not in gone)
    return f"{console.listed(parts)} are among them. To do without {whom}:{side.hint('keep', '--person', stay)}"


def verdict(found: Sequence[OpenFrame], frames: int) -> str:
    """Return the verdict as a sentence without its end: "3 of 41 frames need a look: 00029, 00030 no face".

    Args:
        found: The frames, the worst first.
        frames: How many there are in all.
    """
    shown: dict[str, list[str]] = {}
    for one in found[:SHOWN]:
        shown.setdefault(one.reasons[0], []).append(Path(one.name).stem)
    named = [f"{', '.join(sorted(names, key=natural))} {reason}" for reason, names in shown.items()]
    more = f", and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    total = max(frames, len(found))
    what = f"{'frame' if total == 1 else 'frames'} {'needs' if len(found) == 1 else 'need'}"
    return f"{len(found):,} of {total:,} {what} a look: {', '.join(named)}{more}"
