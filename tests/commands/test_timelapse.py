"""A training's previews become a video."""

import itertools

import av
import numpy as np
import pytest

from facewright import cli
from facewright.core.images import write_image
from facewright.marking.origin import read_origin
from facewright.nn import checkpoint


def run(workspace, *words):
    return cli.main(["timelapse", "--workspace", str(workspace.root), "--yes", *words])


@pytest.fixture
def trained(workspace):
    checkpoint.save(workspace.model_dir / "hero", {"model": "h64"}, {"weights": {"w": np.ones(2, np.float32)}})
    folder = workspace.model_dir / "hero" / "history"
    folder.mkdir()
    for number in range(60):
        picture = np.full((35, 50, 3), 4 * number, np.uint8)  # odd height: padded
        write_image(folder / f"{10 * number:06d}.jpg", picture)
    write_image(folder / "1000000.jpg", np.full((35, 50, 3), 250, np.uint8))  # after 999990
    write_image(folder / "000005.jpg", np.full((20, 20, 3), 2, np.uint8))  # before the networks grew
    return workspace


def frames(path):
    with av.open(str(path)) as container:
        return [float(f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)]


def test_all_previews_in_order(trained, capsys):
    assert run(trained) == 0
    target = trained.model_dir / "hero" / "timelapse.mp4"
    levels = frames(target)
    assert len(levels) == 62 and levels[-1] == pytest.approx(238, abs=8)
    assert all(b > a - 3 for a, b in itertools.pairwise(levels))
    assert "62 of 62 previews" in capsys.readouterr().out
    assert not list(target.parent.glob(".*"))
    origin = read_origin(target)
    assert origin is not None and origin.made_with_network and "neural network" in origin.comment


def test_many_previews_are_thinned_and_the_last_one_stays(trained):
    assert run(trained, "--seconds", "1", "--fps", "10") == 0
    levels = frames(trained.model_dir / "hero" / "timelapse.mp4")
    assert len(levels) == 10 and levels[-1] > 230


def test_no_previews(workspace, capsys):
    assert run(workspace) == 1
    assert "--write-preview-history" in capsys.readouterr().err
    assert run(workspace, "--name", "nobody") == 1
