"""Every path of the workspace convention, remembered answers and locks.

workspace/
  data_src.<ext>  data_dst.<ext>      videos
  data_src/00001.png ...              frames
  data_src/aligned/00001_0.png ...    faces, metadata inside
  data_dst/merged/00001.png ...       results
  model/                              networks
  result.mp4
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import (
    IMAGE_EXTENSIONS,
    PHONE_EXTENSIONS,
    STILL_EXTENSIONS,
    list_files,
    make_folder,
    read_json,
    write_json,
)
from facewright.core.hints import hint
from facewright.core.json_data import anything, dict_of
from facewright.core.links import check_links
from facewright.core.locks import held
from facewright.core.names import MAX_FRAME_NAME
from facewright.core.safe_files import remove_leftovers

SIDES = ("src", "dst")
MASKS_FOLDER = "merged_mask"
# What the option `side` offers, by what a command works on.
FRAMES_OF_SIDES = {"src": "data_src, the face that is put in", "dst": "data_dst, the video that is changed"}
FACES_OF_SIDES = {side: f"faces of data_{side}" for side in SIDES}
# A file data_dst.* with any other ending may be the video: ffmpeg goes by its content.
NOT_VIDEO = ("", *STILL_EXTENSIONS, *PHONE_EXTENSIONS, ".txt", ".json", ".srt", ".md", ".tmp")
# By these a video that has another name is known.
VIDEO_EXTENSIONS = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".vob"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".mxf", ".dv", ".y4m", ".gif"),
)
MADE_VIDEOS = ("result", "timelapse")  # the beginning of the names of those that steps write
# What is written under a lock, besides files in the workspace itself and the trash.
WRITTEN = {
    "data_src": ("data_src",),
    "data_dst": ("data_dst",),
    "model": ("model",),
    "export": ("model",),
    "result": (".make_video",),
}


@dataclass(frozen=True)
class Side:
    """The paths of data_src or data_dst."""

    root: Path
    name: str

    @property
    def short(self) -> str:
        """The side as it is named in flags: src or dst."""
        return self.name.removeprefix("data_")

    @property
    def other(self) -> "Side":
        """The other side of the same project."""
        return Side(self.root, "data_dst" if self.short == "src" else "data_src")

    def hint(self, command: str, *words: str) -> str:
        """Return the line that runs a subcommand for this side; see `facewright.core.hints.hint`."""
        name, _, flags = command.partition(" ")
        return hint(f"{name} --side {self.short} {flags}", *words)

    @property
    def frames_dir(self) -> Path:
        """Folder of the frames."""
        return self.root / self.name

    @property
    def aligned_dir(self) -> Path:
        """Folder of the cut faces."""
        return self.frames_dir / "aligned"

    @property
    def debug_dir(self) -> Path:
        """Folder of the annotated frames of `extract --debug`."""
        return self.frames_dir / "aligned_debug"

    @property
    def blurry_dir(self) -> Path:
        """Folder of the faces that `extract --blur-threshold` set aside."""
        return self.frames_dir / "blurry"

    @property
    def merged_dir(self) -> Path:
        """Folder of the converted frames (dst only)."""
        return self.frames_dir / "merged"

    @property
    def masks_dir(self) -> Path:
        """Folder of the masks that `convert --mask-only` writes (dst only)."""
        return self.frames_dir / MASKS_FOLDER

    @property
    def found_dir(self) -> Path:
        """Folder of the faces that `convert --every-face` found."""
        return self.frames_dir / "every_face"

    @property
    def labelled_dir(self) -> Path:
        """Folder of the copies of labelled faces that `mask --action fetch` makes."""
        return self.frames_dir / "labelled"

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """The folders of steps among the frames."""
        return (
            *(self.aligned_dir, self.debug_dir, self.blurry_dir, self.merged_dir),
            *(self.masks_dir, self.found_dir, self.labelled_dir),
        )

    @property
    def masks_journal(self) -> Path:
        """JSONL: of which frames masks were written, and with what."""
        return self.frames_dir / "converted_mask.jsonl"

    @property
    def timing_file(self) -> Path:
        """JSON with every decoded frame's time, written with the frames."""
        return self.frames_dir / "frames.json"

    @property
    def extract_journal(self) -> Path:
        """JSONL: which frames were searched for faces, and how."""
        return self.frames_dir / "extracted.jsonl"

    @property
    def convert_journal(self) -> Path:
        """JSONL: which frames were converted, and with what."""
        return self.frames_dir / "converted.jsonl"

    @property
    def predicted_journal(self) -> Path:
        """JSONL: which faces got their mask from which mask model."""
        return self.frames_dir / "predicted_masks.jsonl"

    @property
    def review_journal(self) -> Path:
        """JSONL: what was measured on the converted frames."""
        return self.frames_dir / "reviewed.jsonl"

    def frames(self) -> list[Path]:
        """Return the frames, in natural order of their names."""
        return list_files(self.frames_dir, IMAGE_EXTENSIONS, longest=MAX_FRAME_NAME)

    def distinct_frames(self, otherwise: str = "") -> list[Path]:
        """Return the frames, one per name without its ending: faces and results are named so.

        Args:
            otherwise: The line of a run that needs no frames, for the message; see `facewright.core.hints`.

        Raises:
            UserError: There are none.
        """
        chosen: dict[str, Path] = {}
        for path in self.frames():
            if (kept := chosen.setdefault(path.stem, path)) != path:
                console.warn(f"{path.name} is skipped: {kept.name} has the same name but for its ending.")
        if not chosen:
            raise UserError(
                f"There are no frames in {self.frames_dir}.",
                "images such as 00001.png.",
                "take the frames out of the video first"
                + (", or extract straight from it (second line):" if otherwise else ":")
                + self.hint("extract-frames")
                + otherwise,
            )
        return list(chosen.values())

    def aligned(self) -> list[Path]:
        """Return the PNG files of the aligned folder, in natural order of their names."""
        return list_files(self.aligned_dir, (".png",))

    def videos(self) -> list[Path]:
        """Return all files that may be the video of this side.

        Where none is called so exactly, those do that differ by case, or have their ending twice because a file
        manager hides it: DATA_DST.MP4, data_dst.mp4.mp4.
        """
        files = [path for path in list_files(self.root) if path.suffix.lower() not in NOT_VIDEO]
        exact = [path for path in files if path.stem == self.name]
        return exact or [path for path in files if _plain_stem(path.name.lower()) == self.name]

    def other_videos(self) -> list[Path]:
        """Return the videos in the workspace whose names say nothing: not those of a side, none that a step wrote."""
        sides = [f"data_{side}" for side in SIDES]
        files = [path for path in list_files(self.root) if path.suffix.lower() in VIDEO_EXTENSIONS]
        files = [path for path in files if not path.name.lower().startswith(MADE_VIDEOS)]
        return [path for path in files if _plain_stem(path.name.lower()) not in sides]

    def video(self) -> Path:
        """Return the one video of this side.

        Raises:
            UserError: There is none, or more than one.
        """
        found = self.videos()
        if not found:
            raise self._no_video()
        if len(found) > 1:
            raise UserError(
                f"There are {len(found)} candidates: {', '.join(p.name for p in found)}.",
                f"exactly one file {self.name}.* in {self.root}.",
                "move the others out of that folder.",
            )
        return found[0]

    def _no_video(self) -> UserError:
        expected = f"one video, for example {self.name}.mp4."
        if self.frames_dir.is_file():
            named = self.frames_dir.with_suffix(".mp4")
            return UserError(
                f"{self.frames_dir} is a file without an ending, where the folder of the frames belongs.",
                expected,
                f"if it is the video, give it its ending: {_renaming(self.frames_dir, named)}",
            )
        happened = f"There is no video {self.name}.* in {self.root}"
        others = self.other_videos()
        if not others:
            return UserError(
                f"{happened}.", expected, f"copy your video there and name it {self.name} with its own ending."
            )
        first = others[0]
        line = _renaming(first, first.with_name(f"{self.name}{first.suffix.lower()}"))
        return UserError(
            f"{happened}, only {', '.join(path.name for path in others)}.",
            expected,
            f"if {first.name} is the one, rename it: {line}",
        )


def _plain_stem(name: str) -> str:
    """Return a file's name without its ending, also where that stands twice."""
    ending = Path(name).suffix
    return name.removesuffix(ending).removesuffix(ending)


def _renaming(path: Path, target: Path) -> str:
    """Return the line that renames a file in this system's terminal."""
    if os.name == "nt":
        return f'ren "{path}" "{target.name}"'
    return f"mv {shlex.quote(str(path))} {shlex.quote(str(target))}"


@dataclass(frozen=True)
class Workspace:
    """One project folder; copying it is a full backup."""

    root: Path

    @property
    def src(self) -> Side:
        """The identity that is put in."""
        return Side(self.root, "data_src")

    @property
    def dst(self) -> Side:
        """The video that is changed."""
        return Side(self.root, "data_dst")

    def side(self, name: str) -> Side:
        """Return `src` or `dst` by name."""
        return {"src": self.src, "dst": self.dst}[name]

    @property
    def model_dir(self) -> Path:
        """Folder of the trained model."""
        return self.root / "model"

    @property
    def trash(self) -> Path:
        """Where replaced files go; nothing is deleted."""
        return self.root / "trash"

    @property
    def result(self) -> Path:
        """The finished video."""
        return self.root / "result.mp4"

    @property
    def _answers(self) -> Path:
        return self.root / "answers.json"

    def answers(self, step: str) -> dict[str, Any]:
        """Return the remembered answers of a step; a damaged file remembers nothing."""
        return self._kept_answers().get(step, {})

    def remember(self, step: str, answers: Mapping[str, Any]) -> None:
        """Keep the answers of a step as the next run's defaults."""
        kept = self._kept_answers()
        if kept.get(step) != dict(answers):
            write_json(self._answers, {**kept, step: dict(answers)})

    def _kept_answers(self) -> dict[str, dict[str, Any]]:
        try:
            kept: dict[str, dict[str, Any]] = read_json(self._answers, {}, schema=dict_of(dict_of(anything)))
        except UserError:
            return {}
        return kept

    @contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """Hold a lock for a folder that two runs must not write at once.

        The system lets go of it when its owner ends, however that happens; a copy of the workspace has locks of its
        own. Before anything is done in the folder, the user is asked about links in it, and what killed runs left
        half written is removed.

        Args:
            what: Short name, for example "data_dst" or "model".

        Raises:
            UserError: Another living process holds it, the folder cannot be written, or there is a link to another
                folder that the user does not want to be followed.
        """
        with held(make_folder(self.root) / f".lock_{what}", what):
            written = [self.root / name for name in WRITTEN.get(what, ())]
            check_links(written, alone=[self.trash])  # what was moved to the trash may be a link
            remove_leftovers(self.root)
            for folder in (*written, self.trash):
                remove_leftovers(folder, below=True)
            yield
