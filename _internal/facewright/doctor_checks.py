"""Is the installation complete, and does it work? Each check of `doctor` yields findings and never ends the program.

A check imports what it checks by itself: where that fails, it is a finding, and the other checks go on.
"""

import difflib
import hashlib
import importlib.metadata
import importlib.util
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from facewright.core import machine
from facewright.core.command import CommandPackage
from facewright.core.errors import UserError
from facewright.core.json_data import parse_json
from facewright.core.options import show
from facewright.core.user_defaults import defaults_file, read_defaults
from facewright.core.workspace import Workspace
from facewright.ui.window import has_screen

INTERNAL = Path(__file__).resolve().parents[1]
REMAKE = f"rename or delete {INTERNAL / 'env'} and start any numbered script: it makes the environment anew."
# Files that the detectors and the landmarks need: package, pattern below it, bytes that the file has at least.
WEIGHTS = (
    ("mtcnn", "**/pnet*", 20_000),
    ("mtcnn", "**/rnet*", 300_000),
    ("mtcnn", "**/onet*", 1_000_000),
    ("face_recognition_models", "models/shape_predictor_68_face_landmarks.dat", 99_000_000),
    ("face_recognition_models", "models/mmod_human_face_detector.dat", 700_000),
)
NO_TK = (
    "for the window: install Tk for this Python; for the system's own on Debian and Ubuntu that is "
    "sudo apt install python3-tk, on Fedora sudo dnf install python3-tkinter, with Homebrew brew install python-tk."
)
SMALLEST_MEMORY, SMALLEST_DISK = 4e9, 2e9


@dataclass(frozen=True)
class CheckResult:
    """A line of the doctor's report.

    Attributes:
        what: One or two words.
        right: Whether all is well.
        text: What was found.
        advice: How to fix or improve it; may be empty.
    """

    what: str
    right: bool
    text: str
    advice: str = ""


def all_checks(workspace: Workspace) -> Iterator[CheckResult]:
    """Run every check, the quick ones first; one that fails in an unexpected way is a finding too."""
    checks: list[tuple[str, Callable[[], Iterator[CheckResult]]]] = [
        ("system", system),
        ("packages", packages),
        ("weights", weights),
        ("networks", networks),
        ("ffmpeg", ffmpeg),
        ("windows", windows),
        ("defaults", lambda: defaults(workspace)),
        ("disk space", lambda: disk_space(workspace)),
        ("device", device),
    ]
    for name, check in checks:
        try:
            yield from check()
        except UserError as problem:
            yield CheckResult(name, False, f"{problem.happened} Expected: {problem.expected}", problem.fix)
        except (ImportError, OSError, RuntimeError, ValueError) as problem:
            yield CheckResult(name, False, f"{type(problem).__name__}: {problem}", REMAKE)


def system() -> Iterator[CheckResult]:
    """Version of Python and of the system."""
    right = (3, 11) <= sys.version_info[:2] <= (3, 13)
    text = f"{platform.python_version()}, {sys.executable}"
    yield CheckResult("Python", right, text, "" if right else "use Python 3.11 to 3.13: FACEWRIGHT_PYTHON=/path/to/it")
    yield CheckResult("system", True, f"{platform.platform()}, {machine.cores()} cores")


def pinned() -> dict[str, str]:
    """Return the direct requirements that apply to every system: package -> version."""
    kept = INTERNAL / "env" / "requirements.txt"  # as the bootstrap adapted them to this machine
    text = (kept if kept.exists() else INTERNAL / "requirements.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([\w-]+)(?:\[[\w-]+\])?==([^\s;]+)\s*$", text))


def packages() -> Iterator[CheckResult]:
    """Installed versions against the pins."""
    differing = []
    versions = {}
    for name, wanted in pinned().items():
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "missing"
        if versions[name] != wanted:
            differing.append(f"{name} {versions[name]}, should be {wanted}")
    if differing:
        yield CheckResult("packages", False, "; ".join(differing), REMAKE)
    else:
        shown = ", ".join(f"{n} {versions[n]}" for n in ("keras", "numpy", "mtcnn", "dlib-bin") if n in versions)
        yield CheckResult("packages", True, f"{shown} and {max(0, len(versions) - 4)} more, all of the pinned versions")


def weights() -> Iterator[CheckResult]:
    """The files that came with the packages of the detectors and the landmarks."""
    missing = []
    for package, pattern, smallest in WEIGHTS:
        spec = importlib.util.find_spec(package)
        folder = Path(spec.origin).parent if spec and spec.origin else None
        found = list(folder.glob(pattern)) if folder else []
        if not any(path.is_file() and path.stat().st_size >= smallest for path in found):
            missing.append(f"{package}/{pattern.rsplit('/', 1)[-1]}")
    if missing:
        yield CheckResult("weights", False, f"missing or too small: {', '.join(missing)}", REMAKE)
    else:
        yield CheckResult("weights", True, "of MTCNN, dlib's CNN and the 68 landmarks")


def networks(folder: Path = INTERNAL / "env" / "mediapipe") -> Iterator[CheckResult]:
    """MediaPipe's networks, which the set-up takes out of packages: those of weights.json, by their SHA-256."""
    packages = parse_json((INTERNAL / "weights.json").read_bytes())["packages"]
    listed = {name: sha256 for package in packages for name, (_, sha256) in package["members"].items()}
    wrong = [name for name, sha256 in listed.items() if _sha256(folder / name) != sha256]
    if wrong:
        fix = f'with a network connection, run: "{sys.executable}" "{INTERNAL / "bootstrap.py"}" --weights'
        yield CheckResult("networks", False, f"missing or damaged in {folder}: {', '.join(wrong)}", fix)
    else:
        yield CheckResult("networks", True, "of MediaPipe: BlazeFace, the face mesh, palms and hands")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def ffmpeg() -> Iterator[CheckResult]:
    """The ffmpeg program that does the video steps."""
    from facewright.video import ffmpeg  # only now: a damaged package costs this finding, not the whole report

    yield CheckResult("ffmpeg", True, f"{ffmpeg.ffmpeg_version()}, {ffmpeg.ffmpeg_exe()}")


def windows() -> Iterator[CheckResult]:
    """Screen, OpenCV's windows (preview of the training) and Tk's (manual annotation); none of them is needed."""
    import cv2  # only now: see `ffmpeg`

    screen = has_screen()
    headless = re.search(r"GUI:\s+NONE", cv2.getBuildInformation()) is not None
    if headless:
        advice = f"for windows: install libgl1 and libglib2.0-0, then {REMAKE}" if screen else ""
        yield CheckResult(
            "windows", True, f"OpenCV {cv2.__version__} without windows: previews go to PNG files", advice
        )
    elif screen:
        yield CheckResult("windows", True, f"a screen, and OpenCV {cv2.__version__} with windows")
    else:
        text = "no screen (DISPLAY is not set): previews go to PNG files, keys to the terminal"
        yield CheckResult("windows", True, text, "training and annotation have pages instead of windows: --serve")
    if importlib.util.find_spec("_tkinter"):
        yield CheckResult("Tk", True, "there, for the window of manual annotation")
    else:
        text = "not part of this Python: manual annotation uses a page (--serve), not a window"
        yield CheckResult("Tk", True, text, NO_TK if screen else "")


def defaults(workspace: Workspace) -> Iterator[CheckResult]:
    """The user's own file of defaults, with all its values checked."""
    path, tables, commands = defaults_file(), read_defaults(), CommandPackage()
    if not tables:
        yield CheckResult("defaults", True, f"those of the program; yours would be in {path}")
        return
    found = []
    for name in tables:
        if name not in commands.modules:
            near = difflib.get_close_matches(name, commands.modules, 1)
            yield CheckResult(
                "defaults", False, f"{path}: no command {name}", f"write [{near[0] if near else 'train'}]."
            )
            return
        own = commands.load(name).own_defaults(workspace)
        found += [f"{name} {key.replace('_', '-')} {show(value)}" for key, value in own.items()]
    yield CheckResult("defaults", True, f"{', '.join(found)}; from {path}")


def disk_space(workspace: Workspace) -> Iterator[CheckResult]:
    """Memory, free disk and the right to write."""
    memory = machine.memory()
    right = memory.total >= SMALLEST_MEMORY
    text = f"{memory.total / 1e9:.1f} GB, {memory.available / 1e9:.1f} GB of it free"
    yield CheckResult("memory", right, text, "" if right else "training asks for 4 GB: use a machine with more.")
    root = next(path for path in (workspace.root, *workspace.root.parents) if path.is_dir())
    space = shutil.disk_usage(root).free
    right = space >= SMALLEST_DISK
    text = f"{space / 1e9:.1f} GB free at {root}"
    yield CheckResult(
        "disk", right, text, "" if right else "free some space: a minute of 1080p frames takes about 1 GB."
    )
    try:
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as problem:
        yield CheckResult("workspace", False, f"{root}: {problem.strerror}", "name a folder of yours: --workspace DIR")


def device() -> Iterator[CheckResult]:
    """The device that the networks will run on, proved with a convolution."""
    from facewright.nn import device_check, devices, engine_table, gpus  # only now: see `ffmpeg`

    there = gpus.list_gpus()
    for gpu in there:
        best = ", used unless --gpus says otherwise" if (gpu,) == gpus.choose(there, gpus.GpuRequest()) else ""
        yield CheckResult("GPU", True, f"{gpu.describe()}{best}")
    found = devices.find()
    for engine in engine_table.installed_engines():
        yield CheckResult("engine", True, f"{engine.name} {engine.version}")
    for row in engine_table.times_of(devices.place(), devices.usable_engines()):
        yield CheckResult("timed", True, row.describe() + (", in use" if row.engine == found.backend else ""))
    yield CheckResult("device", True, found.describe())
    if found.unused_gpu:
        idle = f"{found.unused_gpu.name}: {found.backend} cannot use it"
        yield CheckResult("GPU", False, idle, f"{found.way} Where that is there already, update the GPU's driver.")
    result = device_check.run_self_test()
    place = f" on {result.place}" if result.place else ""
    text = f"{result.gflops:.0f} GFLOP/s in a 5x5 convolution of 128 channels{place}"
    if not result.right:
        text += ", but its result is WRONG"
    yield CheckResult("speed", result.right, text, "" if result.right else REMAKE)
    tried = "in hardware: a new model tries whether it is faster"
    fast = tried if found.bfloat16 else "not in hardware: training uses float32"
    yield CheckResult("bfloat16", True, fast)
