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
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import IMAGE_EXTENSIONS, disk_errors, list_files, make_folder, read_json, write_json
from facewright.core.hints import hint
from facewright.core.json_data import anything, dict_of

SIDES = ("src", "dst")
# What the option `side` offers, by what a command works on.
FRAMES_OF_SIDES = {"src": "data_src, the face that is put in", "dst": "data_dst, the video that is changed"}
FACES_OF_SIDES = {side: f"faces of data_{side}" for side in SIDES}
# A file data_dst.* with any other ending may be the video: ffmpeg goes by its content.
NOT_VIDEO = ("", *IMAGE_EXTENSIONS, ".txt", ".json", ".srt", ".md", ".tmp")
# By these a video that has another name is known.
VIDEO_EXTENSIONS = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".vob"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".mxf", ".dv", ".y4m", ".gif"),
)
MADE_VIDEOS = ("result", "timelapse")  # the beginning of the names of those that steps write


@dataclass(frozen=True)
class Side:
    """The paths of data_src or data_dst."""

    root: Path
    name: str

    @property
    def short(self) -> str:
        """The side as it is named in flags: src or dst."""
        return self.name.removeprefix("data_")

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

    def frames(self) -> list[Path]:
        """Return the frames, in natural order of their names."""
        return list_files(self.frames_dir, IMAGE_EXTENSIONS)

    def distinct_frames(self) -> tuple[list[Path], dict[Path, Path]]:
        """Return the frames, one per name without its ending, and each other one with the frame that has its name.

        Faces and results are named by the frame without its ending.
        """
        chosen: dict[str, Path] = {}
        doubles: dict[Path, Path] = {}
        for path in self.frames():
            if chosen.setdefault(path.stem, path) != path:
                doubles[path] = chosen[path.stem]
        return list(chosen.values()), doubles

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
        named = (*MADE_VIDEOS, *(f"data_{side}" for side in SIDES))
        files = [path for path in list_files(self.root) if path.suffix.lower() in VIDEO_EXTENSIONS]
        return [path for path in files if not path.name.lower().startswith(named)]

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

        The file names its owner's process; a lock whose owner is gone is taken over.

        Args:
            what: Short name, for example "data_dst" or "model".

        Raises:
            UserError: Another living process holds it, or the folder cannot be written.
        """
        path = make_folder(self.root) / f".lock_{what}"
        with disk_errors(path):
            _take(path, what)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _take(path: Path, what: str) -> None:
    for _ in range(3):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            owner = _owner(path)
            if owner and owner != os.getpid() and _alive(owner):
                raise UserError(
                    f"{what} is in use by another facewright (process {owner}).",
                    "one run at a time on the same folder.",
                    f"wait for it or stop it; if no such run exists, delete {path}.",
                ) from None
            path.unlink(missing_ok=True)
            continue
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{os.getpid()} {_started(os.getpid())}")
        return
    raise UserError(
        f"The lock {path} could not be taken.", "a workspace folder that can be written.", f"delete {path}."
    )


def _owner(path: Path) -> int:
    """Return the pid in a lock file, 0 when it is unreadable or the pid now belongs to another program."""
    try:
        words = path.read_text().split()
        pid = int(words[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pid if len(words) < 2 or words[1] == _started(pid) else 0


def _started(pid: int) -> str:
    """Return the process's start time where the system tells it, so that a re-used pid is noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return "0"


def _alive(pid: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
