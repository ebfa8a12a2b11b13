"""The page of an evaluation: all in one file, nothing of a stranger's in its code, its images marked."""

import base64
import re
from dataclasses import replace

import numpy as np
import pytest

from evaluate.small_results import FRAMES, RED, Observers, fill, merge
from facewright.core.workspace import Workspace
from facewright.evaluate.extremes import extremes
from facewright.evaluate.figures import FIGURES
from facewright.evaluate.options import EvaluateOptions
from facewright.evaluate.page import evaluation_page
from facewright.evaluate.session import evaluate
from facewright.marking.provenance import SOURCE_TYPE


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A result that is good but for frame 20, which has dst's face."""
    root = tmp_path_factory.mktemp("page")
    workspace = Workspace(root)
    fill(workspace)
    merge(workspace.dst, root / "red", colour=RED)
    (root / "red" / "00020.png").replace(workspace.dst.merged_dir / "00020.png")
    return evaluate(workspace, EvaluateOptions(noise_floor=False), Observers())


def test_the_worst_face_is_named_with_its_fault(found):
    best, worst = extremes(found.result.table, 3)
    assert found.result.table.frames[worst[0].row] == "00020"
    assert "margin" in worst[0].reason
    assert "00020" not in {found.result.table.frames[one.row] for one in best}


def test_the_page_stands_alone_and_its_images_are_marked(found):
    text = evaluation_page(found)
    assert not re.findall(r'(?:src|href)="(?!data:)', text) and "<script" not in text
    images = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    assert images and all(SOURCE_TYPE.encode() in base64.b64decode(image) for image in images)
    assert all(figure.title in text for figure in FIGURES) and f"{FRAMES} faces" in text
    assert text.count("<polyline") >= 12


def test_names_of_strangers_are_text(found):
    evil = "<script>alert(1)</script>"
    strange = replace(found.result, name=evil, source=None)
    assert "<script" not in evaluation_page(replace(found, result=strange, judge=evil, limits=(evil,)))


def test_a_page_of_few_faces_is_a_page(found):
    table = found.result.table
    few = replace(table, frames=table.frames[:1], numbers=table.numbers[:1])
    few = replace(few, columns={name: np.full(1, np.nan) for name in table.columns})
    assert "</html>" in evaluation_page(replace(found, result=replace(found.result, table=few)))
