"""Defaults of a user's own: one file for all projects, between the remembered answers and the declared defaults."""

from collections.abc import Callable
from pathlib import Path

import pytest

from facewright import cli, run_command
from facewright.core.errors import UserError
from facewright.core.user_defaults import defaults_file
from facewright.core.workspace import Workspace
from facewright.doctor_checks import defaults


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write the user's file."""
    monkeypatch.setenv("FACEWRIGHT_DEFAULTS", str(tmp_path / "settings" / "defaults.toml"))

    def write(text: str) -> Path:
        path = defaults_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def faces(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> Workspace:
    for name, level in (("b", 0.2), ("a", 0.8), ("c", 0.5)):
        save_drawn_face(workspace.src.aligned_dir / f"{name}.png", level=level)
    return workspace


def sort(workspace: Workspace, *flags: str) -> int:
    return cli.main(["sort", "--dry-run", "--yes", "--workspace", str(workspace.root), *flags])


def test_order_of_precedence(
    faces: Workspace, own: Callable[[str], Path], capsys: pytest.CaptureFixture[str], typed: Callable[..., list[str]]
) -> None:
    own('[sort]\nby = "brightness"\nside = "src"\n')
    assert sort(faces) == 0
    assert "--by brightness" in capsys.readouterr().out
    assert sort(faces, "--by", "blur") == 0
    assert "--by blur" in capsys.readouterr().out
    faces.remember("sort", {"by": "hue"})
    assert sort(faces) == 0
    assert "--by hue" in capsys.readouterr().out


def test_programs_get_the_declared_defaults(faces: Workspace, own: Callable[[str], Path]) -> None:
    own('[extract-frames]\nside = "no such side"\n')
    with pytest.raises(UserError, match="no video"):
        run_command("extract-frames", faces)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("by = 3", "'by'"),
        ("[sort", "cannot be read"),
        ("[sort]\nbye = 1", "did you mean by?"),
        ('[sort]\nby = "brigthness"', "'brigthness' does not fit --by"),
        ("[sort]\ndry-run = 7", "does not fit --dry-run"),
        ("[sort]\n" + "a = " + "[" * 2000, "cannot be read"),
    ],
)
def test_a_wrong_file_is_named(
    text: str, told: str, faces: Workspace, own: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = own(text)
    assert sort(faces) == 1
    shown = capsys.readouterr().err
    assert told in shown and str(path) in shown and "Traceback" not in shown


def test_options_of_every_choice_are_known(faces: Workspace, own: Callable[[str], Path]) -> None:
    own('[sort]\nby = "blur"\nkeep = 2\n')  # keep belongs to another choice
    assert sort(faces) == 0


def test_the_doctor_shows_them(workspace: Workspace, own: Callable[[str], Path]) -> None:
    (none,) = defaults(workspace)
    assert none.right and str(defaults_file()) in none.text
    own('[train]\nsave-interval-min = 5\nmodel = "df"\n[convert]\nmode = "overlay"')
    (found,) = defaults(workspace)
    assert found.right and "train save-interval-min 5" in found.text and "convert mode overlay" in found.text
    own("[trian]\nkeep = 3")
    (wrong,) = defaults(workspace)
    assert not wrong.right and "[train]" in wrong.advice
