import contextlib
import functools
import itertools
import os
import shutil

import numpy as np
import pytest

from disks import longest_file
from facewright.core.errors import UserError
from facewright.nn import backups, checkpoint


def save(folder, value):
    return checkpoint.save(folder, {"iteration": value}, {"weights": {"w": np.full(3, value, np.float32)}}, keep=2)


def names(paths):
    return [p.name[-2:] for p in paths]


def test_backups_stay_when_generations_go_and_have_a_rotation_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(backups, "MOST", 3)
    for number in range(1, 6):
        generation = save(tmp_path, number)
        assert backups.back_up(generation.folder).parent.name == "backups"
        backups.back_up(generation.folder)
    assert names(checkpoint.generations(tmp_path)) == ["05", "04"]
    assert names(backups.backups(tmp_path)) == ["05", "04", "03"]
    assert checkpoint.check(backups.backups(tmp_path)[-1]).state["iteration"] == 3
    assert not list(tmp_path.rglob(".saving*"))


def test_a_backup_is_a_copy_with_its_preview(tmp_path):
    preview = tmp_path / "preview.png"
    preview.write_bytes(b"picture")
    generation = save(tmp_path / "m", 1)
    made = backups.back_up(generation.folder, preview)
    assert (made / "preview.png").read_bytes() == b"picture"
    os.truncate(generation.folder / "weights.safetensors", 3)
    assert checkpoint.check(made).state["iteration"] == 1


def test_a_restored_backup_is_the_newest_and_nothing_is_lost(tmp_path):
    folder, trash = tmp_path / "m", tmp_path / "trash"
    first = save(folder, 1)
    backup = backups.back_up(first.folder)
    for number in (2, 3):
        save(folder, number)
    found = backups.restore_generation(backup, trash)
    assert found.fingerprint == first.fingerprint
    assert checkpoint.newest(folder).generation.state["iteration"] == 1
    (dated,) = trash.iterdir()
    assert sorted(p.name[-2:] for p in dated.glob("gen*")) == ["02", "03"]
    assert backup.exists()
    assert save(folder, 9).number == 2
    backups.back_up(folder / "generation_000002")
    backups.restore_generation(backup, trash)
    assert save(folder, 9).number == 3  # the backup has the 2


@pytest.mark.parametrize("same_number", [False, True])
def test_stopped_anywhere_there_is_the_state_of_before_or_the_restored_one(tmp_path, monkeypatch, same_number):
    """Else the next training would begin anew, under the same name."""
    folder, trash = tmp_path / "m", tmp_path / "trash"
    backup = backups.back_up(save(folder, 1).folder)
    shutil.rmtree(folder / "generation_000001")
    if same_number:  # the training began anew meanwhile
        shutil.copytree(save(tmp_path / "other", 5).folder, folder / "generation_000001")
    else:
        save(folder, 5)
    for stop in itertools.count(1):
        moves = itertools.count(1)

        def stopping(real, *arguments, moves=moves, stop=stop):
            if next(moves) == stop:
                raise KeyboardInterrupt
            real(*arguments)

        copy = tmp_path / f"copy {stop}"
        shutil.copytree(folder, copy)
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(os, "replace", functools.partial(stopping, os.replace))
            patch.setattr(os, "rename", functools.partial(stopping, os.rename))
            backups.restore_generation(copy / "backups" / backup.name, trash)
        assert checkpoint.newest(copy).generation.state["iteration"] in (1, 5)
        if next(moves) <= stop:
            break
    assert stop > 2 and checkpoint.newest(copy).generation.state["iteration"] == 1


def test_an_older_generation_can_be_restored(tmp_path):
    for number in (1, 2):
        save(tmp_path / "m", number)
    backups.restore_generation(tmp_path / "m" / "generation_000001", tmp_path / "trash")
    assert checkpoint.newest(tmp_path / "m").generation.state["iteration"] == 1
    assert checkpoint.check(next((tmp_path / "trash").glob("*/*2"))).state["iteration"] == 2


def test_a_damaged_backup_is_refused_and_nothing_changes(tmp_path):
    generation = save(tmp_path / "m", 1)
    backup = backups.back_up(generation.folder)
    save(tmp_path / "m", 2)
    os.truncate(backup / "weights.safetensors", 5)
    with pytest.raises(UserError, match=r"cut off \(5 of"):
        backups.restore_generation(backup, tmp_path / "trash")
    assert names(checkpoint.generations(tmp_path / "m")) == ["02", "01"]
    assert not (tmp_path / "trash").exists()


def test_a_full_disk_leaves_the_other_backups(tmp_path):
    backups.back_up(save(tmp_path, 1).folder)
    second = save(tmp_path, 2).folder
    with longest_file(30), pytest.raises(UserError):
        backups.back_up(second)
    assert names(backups.backups(tmp_path)) == ["01"]
    assert not list((tmp_path / "backups").glob(".*"))


def test_keep_says_how_many_generations_stay(tmp_path):
    for number in range(5):
        checkpoint.save(tmp_path, {}, {"weights": {"w": np.full(3, number, np.float32)}}, keep=4)
    assert len(checkpoint.generations(tmp_path)) == 4
