"""The benchmark step lists and runs the programs of tests/benchmarks/."""

from pathlib import Path

import pytest

from facewright import cli
from facewright.commands import benchmark


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(benchmark, "FOLDER", tmp_path)
    (tmp_path / "quick.py").write_text('"""Measures nothing."""\nimport sys\nimport facewright\nprint(sys.argv[1:])\n')
    (tmp_path / "broken.py").write_text('"""Ends badly."""\nraise SystemExit(3)\n')
    (tmp_path / "_helper.py").write_text("")
    return tmp_path


def test_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["benchmark"]) == 0
    told = capsys.readouterr().out
    assert "Measures nothing." in told and "Ends badly." in told and "_helper" not in told


def test_run_with_arguments(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["benchmark", "--name", "quick", "--arguments", "--frames 5"]) == 0
    assert "['--frames', '5']" in capfd.readouterr().out


@pytest.mark.parametrize("name", ["broken", "absent", "../quick"])
def test_wrong_names_and_failures(folder: Path, name: str) -> None:
    assert cli.main(["benchmark", "--name", name]) == 1


def test_every_benchmark_says_what_it_measures() -> None:
    for name, text in benchmark.benchmarks().items():
        assert text.endswith((".", ":")), name
