"""An older state of a model comes back, and what was newer is in the trash."""

import os

import numpy as np
import pytest

from facewright import cli
from facewright.core.errors import UserError
from facewright.nn import backups, checkpoint


def save(workspace, name, iteration):
    state = {"model": "h64", "iteration": iteration, "saved": f"2026-01-01T00:00:{iteration:02d}+0000"}
    arrays = {"weights": {"w": np.full(3, iteration, np.float32)}}
    return checkpoint.save(workspace.model_dir / name, state, arrays, keep=3)


def run(workspace, *words):
    return cli.main(["restore", "--workspace", str(workspace.root), "--yes", "--what", "model", *words])


def loaded(workspace, name="hero"):
    return checkpoint.newest(workspace.model_dir / name).generation.state["iteration"]


@pytest.fixture
def hero(workspace):
    backups.back_up(save(workspace, "hero", 1).folder)
    for iteration in (2, 3, 4, 5):
        save(workspace, "hero", iteration)
    save(workspace, "other", 9)
    return workspace


def test_lists_all_but_the_states_in_use(hero, capsys):
    assert run(hero, "--list") == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == [
        ["1", "hero/generation_000004"],
        ["2", "hero/generation_000003"],
        ["3", "hero/backups/generation_000001"],
    ]
    assert loaded(hero) == 5


@pytest.mark.parametrize(("which", "iteration"), [("", 4), ("2", 3), ("hero/backups/generation_000001", 1)])
def test_goes_back(hero, capsys, which, iteration):
    assert run(hero, *(["--which", which] if which else [])) == 0
    assert loaded(hero) == iteration
    said = capsys.readouterr().out
    assert f"The model hero is back at iteration {iteration}" in said and "6_train" in said
    newer = sorted(hero.trash.glob("*/generation_*"))
    assert [checkpoint.check(p).state["iteration"] for p in newer] == [i for i in (3, 4, 5) if i > iteration]
    assert loaded(hero, "other") == 9


def test_a_backup_helps_where_no_other_state_is_whole(hero):
    for path in checkpoint.generations(hero.model_dir / "hero"):
        (path / "weights.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="No saved state") as caught:
        loaded(hero)
    assert "--what model" in caught.value.fix
    assert run(hero, "--which", "hero/backups/generation_000001") == 0
    assert loaded(hero) == 1


def test_nothing_to_go_back_to(workspace, capsys):
    save(workspace, "hero", 1)
    assert run(workspace) == 1
    assert "no older saved state" in capsys.readouterr().err


def test_a_damaged_one_changes_nothing(hero, capsys):
    os.truncate(checkpoint.generations(hero.model_dir / "hero")[1] / "weights.safetensors", 20)
    assert run(hero) == 1
    assert "cut off (20 of" in capsys.readouterr().err
    assert loaded(hero) == 5 and not hero.trash.exists()
