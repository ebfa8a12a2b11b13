"""What all tests share: a clean environment, an empty workspace, drawn faces."""

import io
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import needs
import virtual_screen
from facewright.core.workspace import Workspace
from facewright.faces.align import FaceType
from facewright.faces.record import FaceRecord, save_face

REPOSITORY = Path(__file__).resolve().parents[1]

# A busy machine is no reason to fail.
settings.register_profile("facewright", deadline=None)
settings.load_profile("facewright")

# A shell that starts the tests in the background has them ignore Ctrl-C, which some of them press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="Run the slow tests too, as CI does.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out of a developer's run, but for those that are asked for by a mark or by name."""
    asked = config.getoption("--all") or config.getoption("-m") or any("::" in argument for argument in config.args)
    if asked or needs.in_ci():
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    needs.check(item)


@pytest.fixture
def display() -> Iterator[str]:
    """Name of a virtual screen."""
    server, name = virtual_screen.start()
    yield name
    server.terminate()
    server.wait()


class Terminal(io.StringIO):
    """A person's terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_defaults_of_the_developer(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of a user's own defaults is a test's own."""
    monkeypatch.setenv("FACEWRIGHT_DEFAULTS", str(tmp_path_factory.getbasetemp() / "settings" / "defaults.toml"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace below a folder with a blank and an umlaut in its name."""
    root = tmp_path / "wörk space"
    root.mkdir()
    return Workspace(root)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Pretend that a person at a terminal types these lines, then ends the input; returns the questions shown."""

    def answer(*lines: str) -> list[str]:
        waiting, shown = list(lines), []

        def read(prompt: str = "") -> str:
            shown.append(prompt)
            if not waiting:
                raise EOFError
            return waiting.pop(0)

        monkeypatch.setattr("sys.stdin", Terminal())
        monkeypatch.setattr("builtins.input", read)
        return shown

    return answer


@pytest.fixture
def save_drawn_face() -> Callable[..., Path]:
    """Return a function that writes an aligned PNG with a record."""

    def save(path: Path, *, seed: int = 0, level: float = 0.5, frame: str = "00001.png", yaw: float = 0.0) -> Path:
        random = np.random.default_rng(seed)
        image = np.clip(random.normal(255 * level, 30, (64, 64, 3)), 0, 255).astype(np.uint8)
        points = random.uniform(5, 59, (68, 2)).astype(np.float32)
        record = FaceRecord(
            face_type=FaceType.FULL,
            size=64,
            landmarks=points,
            frame_landmarks=points + 100,
            frame=frame,
            detector="drawn",
            score=1.0,
            rect=(100.0, 100.0, 164.0 + seed, 164.0),
            matrix=np.array([[1.0, 0, -100], [0, 1.0, -100]]),
            pose=(yaw, 0.0, 0.0),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        save_face(path, image, record)
        return path

    return save
