"""How soon the preview of a conversion answers: a new frame, and a kept one with every value of each control.

    main.py benchmark --name preview
    main.py benchmark --name preview --arguments '--face 500 --predict 30'

Made-up frames of 720p with a face, H64 with random weights (or a stand-in that takes --predict ms), the page's own way
from a request to a JPEG. Printed are milliseconds by the clock and of processor time (all threads), the median of
--times; the second says what a machine without other work would take at most.
"""

import argparse
import itertools
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from conversion import OneModel, fill, network, stand_in  # noqa: E402

from facewright.convert.background import BackgroundConversion  # noqa: E402
from facewright.convert.launch import open_preview  # noqa: E402
from facewright.convert.page import PreviewPage  # noqa: E402
from facewright.convert.parameters import ConvertOptions  # noqa: E402
from facewright.convert.preview_session import PreviewSession  # noqa: E402
from facewright.convert.settings import controls  # noqa: E402
from facewright.core.options import show  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.ui.page import PageRequest  # noqa: E402

FRAMES = 12
NUMBERS = itertools.count()
KEPT_MS, NEW_MS = 100, 500  # what is wanted on two cores


def main() -> None:
    """Measure and print, the slowest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=[720, 1280], metavar=("H", "W"))
    parser.add_argument("--face", type=int, default=280, help="width of the half face in pixels")
    parser.add_argument("--predict", type=float, help="a stand-in for the model: milliseconds per face")
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    model = network() if given.predict is None else stand_in(given.predict)
    model.predict(np.zeros((1, model.resolution, model.resolution, 3), np.float32))  # tracing
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        fill(workspace, FRAMES, tuple(given.size), given.face)
        opened = open_preview(workspace, ConvertOptions(), OneModel(model))
        new = [measure(page_of(opened), at) for at in range(FRAMES)]
        kept = {words: kept_frame(opened, options, given.times) for words, options in variants()}
    print(f"{given.size[1]}x{given.size[0]}, face {given.face} px, {opened.title}; ms by the clock, of the processor")
    told("new frame", *np.median(new, axis=0), NEW_MS)
    for words, (clock, processor) in sorted(kept.items(), key=lambda item: -item[1][1]):
        told(words, clock, processor, KEPT_MS)


def variants():
    """Yield each choice of each control, and the bounds and a middle of each number, in the mode that they need."""
    usual = ConvertOptions()
    for spec in controls():
        values = list(spec.choices) or sorted(
            {spec.low, spec.high, spec.kind((spec.low + spec.high) / 2), spec.default}
        )
        for value in values:
            options = replace(usual, **{spec.name: value})
            for mode in ("", "hist-match", "seamless"):  # a mode in which it plays a part
                if spec.applies(vars(options)):
                    break
                options = replace(options, mode=mode or usual.mode)
            yield f"{spec.name} {show(value)}", options


def page_of(opened):
    session = PreviewSession(opened.preview, opened.settings, lambda _: None, BackgroundConversion(lambda _: None))
    return PreviewPage(session, opened.title)


def measure(page, at):
    """Go to a frame and get its image: milliseconds by the clock, of the processor."""
    page.answer(PageRequest("POST", "do", body=b'{"go": %d}' % at))
    clock, processor = time.perf_counter(), time.process_time()
    answer = page.answer(PageRequest("GET", "frame.jpg"))
    assert answer.status == 200, answer.body
    return 1000 * (time.perf_counter() - clock), 1000 * (time.process_time() - processor)


def kept_frame(opened, options, times):
    """The median of some requests for a frame whose prediction is kept, each with settings that were not shown yet."""
    found = []
    for _ in range(times + 1):
        settings = replace(opened.settings, base=replace(options, port=next(NUMBERS)))  # nothing that was drawn before
        found.append(measure(page_of(replace(opened, settings=settings)), 3))
    return np.median(found[1:], axis=0)


def told(words, clock, processor, wanted):
    print(f"{words:<34}{clock:8.0f}{processor:8.0f}{'' if processor <= wanted else f'   over {wanted}'}", flush=True)


if __name__ == "__main__":
    main()
