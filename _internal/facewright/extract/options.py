"""What can be chosen for the extraction, what the journal notes of it, and what does not go together.

Settings: the journal notes with what the faces were made, and a run with other settings asks to begin anew. They are
the options that say `affects_output`: those that change what the aligned folder holds for a frame that was searched,
that is how faces are found and cut, and which of them are kept. Faces kept by two rules in one folder would mislead
whoever looks at it. An option that says which frames are searched now (`every`, `skip_existing`), what is drawn
(`debug`) or where the same frames come from (`from_video`) is no setting: more frames can be searched later, and
nothing is searched twice. Nor is `rotate`: it concerns only frames without a face, and each frame's line notes the
angles, so that a later run with other angles searches those frames alone. Which video the frames came straight from
is noted beside the settings; another video asks to begin anew as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from facewright.core import console
from facewright.core.command import typed_answers
from facewright.core.errors import UserError
from facewright.core.files import PHOTO_EXTENSIONS, list_files, typed_path
from facewright.core.hints import hint
from facewright.core.options import PromptPlan, declared, option, output_values, several, show
from facewright.core.safe_files import read_regular
from facewright.core.workspace import FRAMES_OF_SIDES, Workspace
from facewright.extract.detectors.base import (
    COMMERCIAL_DETECTOR,
    DEFAULT_DETECTOR,
    MANUAL_CHOICE,
    default_detector,
    detector_spec,
    detector_specs,
)
from facewright.extract.landmarkers.base import (
    COMMERCIAL_LANDMARKER,
    DEFAULT_LANDMARKER,
    default_landmarker,
    landmarker_spec,
    landmarker_specs,
)
from facewright.extract.licences import commercial_answer, remember_commercial
from facewright.extract.log import ExtractionLog, LoggedSettings
from facewright.extract.rotation import parse_angles

# Of 4,900 faces of ten people a single photo keeps 99.9 % of the person's own and 0.3 % of the others' (three photos:
# 100 % and 0.4 %); at dlib's 0.6 it is 100 % and 1.7 %, people who look alike (tests/benchmarks/people.py).
MAX_PHOTO_DISTANCE = 0.5
QUESTION = "Is this for commercial work? Some of the usual parts may not be used for pay then."
QUESTION_HELP = (
    "The weights of MTCNN and of dlib's 68 landmarks come with terms against commercial use; MediaPipe's, which take "
    "their place, are Apache-2.0 (README.md has a table). It is asked once per workspace; --commercial and "
    "--no-commercial change it."
)
PHOTOS = "photos"  # beside the settings: what was on them


def _for_no_pay() -> set[str]:
    """Return the detectors that a commercial workspace may not use."""
    return {spec.name for spec in detector_specs() if not spec.licence.commercial}


@dataclass(frozen=True)
class BasicOptions:
    """Whose faces, and how they are found and cut."""

    side: str = option(
        "src",
        "Whose frames are searched.",
        choices=FRAMES_OF_SIDES,
        remember=False,
    )
    detector: str = option(
        DEFAULT_DETECTOR,
        "How faces are found. Try another one where many faces are missed or much else is taken for a face.",
        choices={spec.name: spec.summary for spec in detector_specs()} | MANUAL_CHOICE,
        ask="Detector",
        unasked=lambda answers: _for_no_pay() if answers.get("commercial") else (),
        affects_output=True,
    )
    face_type: str = option(
        "full",
        "How much of the head an aligned image shows. A larger one can be used where a smaller one is asked for.",
        choices={
            "half": "from the brows to the chin",
            "full": "the whole face with some of its surroundings; what the models expect",
            "head": "the whole head",
            "avatar": "head and neck, always upright",
            "mark_only": "the whole frame, uncut, with the landmarks",
        },
        affects_output=True,
    )
    size: int = option(256, "Side of an aligned image in pixels.", low=64, high=1024, affects_output=True)


@dataclass(frozen=True)
class FrameOptions:
    """Which frames are searched, and how often."""

    from_video: bool = option(
        False,
        "Take the frames straight from data_src.*, without image files between; for src only.",
        remember=False,
    )
    fps: float = option(
        0.0,
        "With --from-video: frames per second to take; 0 takes every frame.",
        low=0,
        high=1000,
        remember=False,
    )
    every: int = option(1, "Search every Nth frame; a later run can search the others.", low=1, high=100_000)
    skip_existing: bool = option(
        False,
        "Leave out each frame of which a face lies in aligned, whoever put it there; other settings are no hindrance.",
        remember=False,
    )
    rotate: str = option(
        "",
        'Turn frames without a face by these angles (degrees, clockwise) and search again: 90,270 or "on" for all '
        "quarter turns. Each turn takes as long as the search itself.",
        check=parse_angles,
    )


@dataclass(frozen=True)
class FaceOptions:
    """Which faces are kept, and how they lie."""

    min_face: int = option(
        0,
        "Leave out faces whose box has no side of so many pixels; 0 keeps all. From 40 px on that saves time too.",
        low=0,
        high=10_000,
        affects_output=True,
    )
    max_faces: int = option(
        0, "Keep so many faces of a frame, the largest; 0 keeps all.", low=0, high=1000, affects_output=True
    )
    false_face_filter: bool = option(
        True,
        "Leave out what is not a face: its landmarks spread over more than four times the detector's box, or neither "
        "MediaPipe's mesh nor BlazeFace takes it for one.",
        affects_output=True,
    )
    blur_threshold: float = option(
        0.0,
        "Put faces less sharp than this into the folder blurry, beside aligned. The measure is that of a full face of "
        "128 px, whatever its size in the frame; 0 keeps all.",
        low=0,
        high=100_000,
        affects_output=True,
    )
    align_eyes: bool = option(
        False,
        "Rotate the saved image so that the eyes are level. The models place faces by all landmarks whatever is "
        "chosen here.",
        affects_output=True,
    )
    landmarker: str = option(
        DEFAULT_LANDMARKER,
        "How the landmarks of a face are found. The faces of src and dst should have the same.",
        choices={spec.name: spec.summary for spec in landmarker_specs()},
        affects_output=True,
    )
    second_pass: bool = option(
        False,
        "Find the landmarks in a second pass: they depend less on how a face lies in its frame, for two to three times "
        "the time of the landmarks. Of the jitter, --smooth takes more away.",
        affects_output=True,
    )


@dataclass(frozen=True)
class LicenceOptions:
    """What the parts may be used for."""

    commercial: bool = option(
        False,
        "This workspace is for commercial work: from now on every command uses only parts whose licences allow it. "
        "--no-commercial takes that back.",
        remember=False,
    )


@dataclass(frozen=True)
class RunOptions:
    """What is done beside."""

    debug: bool = option(False, "Also save each frame with box, landmarks and aligned square drawn in.", remember=False)
    redo: bool = option(
        False, "Begin anew: move the faces of an earlier run to the trash folder first.", remember=False
    )


@dataclass(frozen=True)
class PeopleOptions:
    """Whose faces are kept."""

    person: str = option(
        "",
        "A photo of the person to keep, with one face, or a folder of photos; faces of others are not saved. May be "
        "given several times. An aligned face will do.",
        remember=False,
        many=True,
        affects_output=True,
    )
    not_person: str = option(
        "",
        "A photo of a person to leave out, or a folder of photos; may be given several times.",
        remember=False,
        many=True,
        affects_output=True,
    )
    threshold: float = option(
        MAX_PHOTO_DISTANCE,
        "With --person and --not-person: how far a face may be from that on the photo. Lower where others are kept, "
        "higher where faces of the person are lost.",
        low=0.05,
        high=1.5,
        remember=False,
        affects_output=True,
    )
    people: bool = option(
        True, "Compare the faces and give each person a number, for the people, keep and sort steps.", remember=False
    )


@dataclass(frozen=True)
class SmoothOptions:
    """Over all faces, once they are found."""

    smooth: str = option(
        "auto",
        "Smooth the landmarks over time, against their jitter from frame to frame. Faces at rest come to rest, nothing "
        "lags, blinks and speech stay. Can be changed at any time without a new search.",
        choices={
            "auto": "as the last time for this side; at first medium for dst, off for src",
            "off": "landmarks as they were found",
            "low": "over 9 frames at most",
            "medium": "over 25 frames at most, where the face is at rest",
            "high": "the same, and slow movements are evened out too",
        },
        remember=False,
    )


@dataclass(frozen=True)
class MendOptions:
    """What is made from the frames around."""

    max_gap: int = option(
        12,
        "In a video of dst, fill in a face that is missing in up to so many frames between others of its track, where "
        "a search nearby finds none; landmarks that do not fit the frames around are repaired. Never over a cut, and "
        "what you delete stays deleted. 0 leaves all as it was found.",
        low=0,
        high=100,
    )


@dataclass(frozen=True)
class CoverOptions:
    """What lies in front of the faces."""

    occlusion: str = option(
        "hands",
        "Look for what lies in front of the faces, so that it stays as it is: the conversion leaves it to dst, the "
        "training learns nothing from it. Faces that are there already are looked at without a new search.",
        choices={"hands": "hands", "off": "nothing is looked for; masks that are there stay"},
    )


# Groups further down come first in the list of flags and in the questions.
@dataclass(frozen=True)
class ExtractOptions(
    CoverOptions,
    MendOptions,
    SmoothOptions,
    PeopleOptions,
    RunOptions,
    LicenceOptions,
    FaceOptions,
    FrameOptions,
    BasicOptions,
):
    """All of this file."""


def settings_of(options: ExtractOptions) -> LoggedSettings:
    """Return what the journal notes of the options.

    The basic ones are always noted, the others where they differ from their default: an older journal, which knows
    nothing of them, stays valid. Photos stand with a checksum of their content too, under PHOTOS.

    Raises:
        OSError: A photo cannot be read.
    """
    values = {**output_values(options, group=BasicOptions), **output_values(options, omit_defaults=True)}
    paths = [typed_path(text) for text in several(f"{options.person}\n{options.not_person}")]
    photos = [photo for path in paths for photo in (list_files(path, PHOTO_EXTENSIONS) if path.is_dir() else [path])]
    if photos:
        values[PHOTOS] = sha256(
            b"".join(sha256(read_regular(photo, links=True)).digest() for photo in photos)
        ).hexdigest()[:8]
    return values


def describe_settings(settings: LoggedSettings, video: str = "") -> str:
    """Say settings in a few words."""
    basic = {spec.name for spec in declared(BasicOptions)}
    extra = [
        f"{spec.name.replace('_', '-')} {', '.join(several(show(settings[spec.name])))}"
        for spec in declared(ExtractOptions)
        if spec.affects_output and spec.name not in basic and spec.name in settings
    ]
    extra += [f"{PHOTOS} {settings[PHOTOS]}"] if PHOTOS in settings else []
    base = [str(settings.get("detector")), str(settings.get("face_type")), f"{settings.get('size')} px"]
    return f"with {', '.join([*base, *extra])}" + (f", straight from {video}" if video else "")


def search_options(**chosen: Any) -> ExtractOptions:
    """Return the options of a search that nobody chose the parts of; in a commercial workspace they are others."""
    return ExtractOptions(detector=default_detector(), landmarker=default_landmarker(), **chosen)


def commercial_plan(workspace: Workspace, flags: Mapping[str, Any]) -> PromptPlan:
    """Ask once per workspace whether it is for commercial work; then the parts of the last run must be fit for it.

    Detector and landmarker of the faces that are there are the usual ones from then on.
    """
    commercial = flags.get("commercial")
    if commercial is None:
        commercial = commercial_answer(workspace)
    if commercial is None and console.interactive():
        commercial = console.confirm(QUESTION, default=False, help=QUESTION_HELP)
        remember_commercial(workspace, commercial)
    used = _parts_used(workspace, str(flags.get("side") or "src"))
    if not commercial:
        return PromptPlan(flags={"commercial": False}, remembered=used)
    last = {**typed_answers(workspace, "extract", ExtractOptions), **used}
    fit_detectors = {*MANUAL_CHOICE, *(spec.name for spec in detector_specs() if spec.licence.commercial)}
    fit_landmarkers = {spec.name for spec in landmarker_specs() if spec.licence.commercial}
    fit = {
        **({} if last.get("detector") in fit_detectors else {"detector": COMMERCIAL_DETECTOR}),
        **({} if last.get("landmarker") in fit_landmarkers else {"landmarker": COMMERCIAL_LANDMARKER}),
    }
    return PromptPlan(flags={"commercial": True}, remembered={**used, **fit})


def _parts_used(workspace: Workspace, side: str) -> dict[str, Any]:
    """Return detector and landmarker of the faces that are there: of this side, or else of the other one."""
    for one in (workspace.side(side), workspace.side(side).other):
        settings = ExtractionLog.read(one).settings
        if settings and (one.short == side or settings.get("detector") not in MANUAL_CHOICE):
            return {
                "detector": settings.get("detector", DEFAULT_DETECTOR),
                "landmarker": settings.get("landmarker", DEFAULT_LANDMARKER),
            }
    return {}


def apply_commercial(workspace: Workspace, options: ExtractOptions) -> None:
    """Keep the choice, and say what is not available then.

    Raises:
        UserError: A part was chosen that may not be used.
    """
    if options.commercial or commercial_answer(workspace) is not None:
        remember_commercial(workspace, options.commercial)
    if options.commercial:
        licences = [*(spec.licence for spec in detector_specs()), *(spec.licence for spec in landmarker_specs())]
        unfit = [licence.part for licence in licences if not licence.commercial and licence.part]
        if options.detector not in MANUAL_CHOICE:
            detector_spec(options.detector)
        landmarker_spec(options.landmarker)
        console.say(f"Commercial work: without {' and '.join(unfit)}. README.md says which licence each part has.")


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
            "take the frames out, then extract without --from-video:"
            f"{hint('extract-frames --side dst')}{hint('extract --side dst')}",
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
            f"--align-eyes rotates the image, but {options.face_type} is never rotated.",
            "half, full or head with --align-eyes.",
            "leave out --align-eyes, or choose another --face-type.",
        ),
    )
    yield (
        options.threshold != MAX_PHOTO_DISTANCE and not options.person and not options.not_person,
        UserError(
            "--threshold has nothing to compare with.",
            "--person PHOTO or --not-person PHOTO beside it.",
            "name a photo, or leave --threshold away.",
        ),
    )
