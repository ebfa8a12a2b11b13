"""What can be chosen for the extraction, which of it belongs to the journal's settings, and what does not go together.

The options come in groups, one dataclass each; `steps/extract_faces.py` puts the groups together. A further
group is a dataclass of its own file that is named there among the bases of `Options`.

Settings: the journal notes with what the faces were made, and a run with other settings asks to begin anew. An
option belongs to them when it changes what the aligned folder holds for a frame that was searched: how faces are
found and cut, and which of them are kept. Faces kept by two rules in one folder would mislead whoever looks at
it. An option that says which frames are searched now (`every`, `skip_existing`), what is drawn (`debug`) or
where the same frames come from (`from_video`) does not belong to them: more frames can be searched later, and
nothing is searched twice. Nor does `rotate`: it concerns only frames without a face, and each frame's line notes
how it was turned, so that a later run with other angles searches those frames alone. Which video the frames
came straight from is noted beside the settings; another video asks to begin anew as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from facewright.core.errors import UserError
from facewright.core.options import option, several, show
from facewright.extract.detectors.base import BY_HAND, FIRST, offers
from facewright.extract.log import Settings
from facewright.extract.rotation import parse_turns

ALWAYS = ("detector", "face_type", "size")
# Noted only where they differ from their default, so that an older journal, which knows nothing of them, stays good.
# The name of every further option that belongs to the settings goes here.
WHEN_CHOSEN: tuple[str, ...] = (
    "min_face",
    "max_faces",
    "false_face_filter",
    "blur_threshold",
    "align_eyes",
    "second_pass",
    "person",
    "not_person",
    "threshold",
)


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
        choices={offer.name: offer.summary for offer in offers()} | BY_HAND,
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
class FrameOptions:
    """Which frames are searched, and how often."""

    from_video: bool = option(
        False,
        "Take the frames straight from data_src.*, without picture files between; for src only.",
        remember=False,
    )
    fps: float = option(
        0.0,
        "With --from-video: frames per second to take; 0 takes every frame.",
        low=0,
        high=1000,
        remember=False,
    )
    every: int = option(1, "Search every so-many-th frame; a later run can search the others.", low=1, high=100_000)
    skip_existing: bool = option(
        False,
        "Leave out each frame of which a face lies in aligned, whoever put it there; other settings are no hindrance.",
        remember=False,
    )
    rotate: str = option(
        "",
        'Turn frames without a face by these angles (degrees, clockwise) and search again: 90,270 or "on" for all '
        "quarter turns. Each turn takes as long as the search itself.",
        check=parse_turns,
    )


@dataclass(frozen=True)
class FaceOptions:
    """Which faces are kept, and how they lie."""

    min_face: int = option(
        0,
        "Leave out faces whose box has no side of so many pixels; 0 keeps all. From 40 px on that saves time too.",
        low=0,
        high=10_000,
    )
    max_faces: int = option(0, "Keep so many faces of a frame, the largest; 0 keeps all.", low=0, high=1000)
    false_face_filter: bool = option(
        True, "Leave out what is no face: its landmarks spread over more than four times the detector's box."
    )
    blur_threshold: float = option(
        0.0,
        "Put faces less sharp than this into the folder blurry, beside aligned. The measure is that of a full face of "
        "128 px, whatever its size in the frame; 0 keeps all.",
        low=0,
        high=100_000,
    )
    align_eyes: bool = option(
        False,
        "Turn the saved picture so that the eyes are level. The models place faces by all landmarks whatever is "
        "chosen here.",
    )
    second_pass: bool = option(
        False,
        "Look at the landmarks a second time: they depend less on how a face lies in its frame, for two to three times "
        "the time of the landmarks. Of trembling, --smooth takes more away.",
    )


@dataclass(frozen=True)
class RunOptions:
    """What is done beside."""

    debug: bool = option(False, "Also save each frame with box, landmarks and aligned square drawn in.", remember=False)
    redo: bool = option(
        False, "Begin anew: move the faces of an earlier run to the trash folder first.", remember=False
    )


# Groups further down come first in the list of flags and in the questions.
@dataclass(frozen=True)
class ExtractOptions(RunOptions, FaceOptions, FrameOptions, BasicOptions):
    """All of this file."""


def settings_of(options: BasicOptions) -> Settings:
    """Return what the journal notes of the options."""
    defaults = {field.name: field.default for field in fields(options)}
    chosen = [name for name in WHEN_CHOSEN if getattr(options, name) != defaults[name]]
    return {name: getattr(options, name) for name in (*ALWAYS, *chosen)}


def words(settings: Settings, video: str = "") -> str:
    """Say settings in a few words."""
    extra = [
        f"{name.replace('_', '-')} {', '.join(several(show(settings[name])))}"
        for name in WHEN_CHOSEN
        if name in settings
    ]
    base = [str(settings.get("detector")), str(settings.get("face_type")), f"{settings.get('size')} px"]
    return f"with {', '.join([*base, *extra])}" + (f", straight from {video}" if video else "")


def contradiction(options: ExtractOptions) -> UserError | None:
    """Say which of the options do not go together, None when all do."""
    return next((problem for wrong, problem in _rules(options) if wrong), None)


def _rules(options: ExtractOptions) -> Iterator[tuple[bool, UserError]]:
    """Yield (whether it is broken, what to say then)."""
    yield (
        options.redo and options.skip_existing,
        UserError(
            "--redo and --skip-existing do not go together: one moves all faces away, the other keeps them.",
            "one of the two.",
            "leave out --redo to add faces to those that are there.",
        ),
    )
    yield (
        options.from_video and options.side == "dst",
        UserError(
            "--from-video is for src only: the conversion needs the frames of dst on disk.",
            "--side src, or frames of dst as files.",
            "run 3_extract_png_from_dst, then 5_dst_extract_faces without --from-video.",
        ),
    )
    yield (
        options.fps > 0 and not options.from_video,
        UserError(
            "--fps counts only with --from-video; the frames on disk have their rate already.",
            "--from-video, or --every to take fewer of the frames on disk.",
            "add --from-video, or use --every.",
        ),
    )
    yield (
        options.align_eyes and options.face_type in ("avatar", "mark_only"),
        UserError(
            f"--align-eyes turns the picture, but {options.face_type} is never turned.",
            "half, full or head with --align-eyes.",
            "leave out --align-eyes, or choose another --face-type.",
        ),
    )
