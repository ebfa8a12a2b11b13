"""What can be chosen for the extraction, which of it belongs to the journal's settings, and what does not go together.

The options come in groups, one dataclass each; `steps/extract_faces.py` puts the groups together. A further
group is a dataclass of its own file that is named there among the bases of `Options`.

Settings: the journal notes with what the faces were made, and a run with other settings asks to begin anew. An
option belongs to them when it changes what the aligned folder holds for a frame that was searched: how faces are
found and cut, and which of them are kept. Faces kept by two rules in one folder would mislead whoever looks at
it. An option that says which frames are searched now (`every`, `skip_existing`), what is drawn (`debug`) or
where the same frames come from does not belong to them: more frames can be searched later, and nothing is
searched twice.
"""

from dataclasses import dataclass, fields

from facewright.core.options import option
from facewright.detect.base import FIRST, offers
from facewright.detect.searched import Settings

ALWAYS = ("detector", "face_type", "size")
# Noted only where they differ from their default, so that an older journal, which knows nothing of them, stays good.
# The name of every further option that belongs to the settings goes here.
WHEN_CHOSEN: tuple[str, ...] = ()


@dataclass(frozen=True)
class BasicOptions:
    """Whose faces, and how they are found and cut."""

    side: str = option(
        "src",
        "Whose frames are searched.",
        choices={"src": "data_src, the face that is put in", "dst": "data_dst, the video that is changed"},
        remember=False,
    )
    detector: str = option(
        FIRST,
        "How faces are found. Try another one where many faces are missed or much else is taken for a face.",
        choices={offer.name: offer.summary for offer in offers()},
        ask="Detector",
    )
    face_type: str = option(
        "full",
        "How much of the head an aligned picture shows. A larger one can be used where a smaller one is asked for.",
        choices={
            "half": "from the brows to the chin",
            "full": "the whole face with some of its surroundings; what the models expect",
            "head": "the whole head",
            "avatar": "head and neck, always upright",
            "mark_only": "the whole frame, uncut, with the landmarks",
        },
    )
    size: int = option(256, "Side of an aligned picture in pixels.", low=64, high=1024)


@dataclass(frozen=True)
class RunOptions:
    """What is done beside."""

    debug: bool = option(False, "Also save each frame with box, landmarks and aligned square drawn in.", remember=False)
    redo: bool = option(
        False, "Begin anew: move the faces of an earlier run to the trash folder first.", remember=False
    )


def settings_of(options: BasicOptions) -> Settings:
    """Return what the journal notes of the options."""
    defaults = {field.name: field.default for field in fields(options)}
    chosen = [name for name in WHEN_CHOSEN if getattr(options, name) != defaults[name]]
    return {name: getattr(options, name) for name in (*ALWAYS, *chosen)}
