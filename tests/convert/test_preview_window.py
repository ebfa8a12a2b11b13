"""The preview's window, drawn: what it has room for."""

from pathlib import Path

import numpy as np
import pytest

from facewright.convert.background import BackgroundConversion
from facewright.convert.preview import ConversionPreview, PreviewFrame
from facewright.convert.preview_drawing import draw, lay_out
from facewright.convert.preview_session import PreviewSession
from facewright.convert.settings import SettingsByFrame
from facewright.core.options import show
from facewright.ui.text import wrap


@pytest.mark.parametrize("screen", [(1280, 800), (1024, 600)])
def test_all_that_a_control_says_is_seen(screen):
    """Its unit, which comes last, and what the chosen one of several choices means."""
    preview = ConversionPreview([PreviewFrame(Path("1.png"), ())], {})
    session = PreviewSession(preview, SettingsByFrame(("1.png",)), lambda _: None, BackgroundConversion(lambda _: None))
    layout = lay_out(screen, session.controls)
    (height, width), blank = layout.frame, np.zeros((90, 160, 3), np.uint8)
    assert all(top + layout.row <= layout.clip + 1 for top in layout.places.values())
    for at, spec in enumerate(session.controls):
        session.selected = at
        for value in spec.choices or [show(spec.default)]:
            session.change(spec.name, value)
            below = draw(session, layout, blank)[height : layout.clip, :width]
            inked = np.flatnonzero((below != below[0, 0]).any(axis=(1, 2)))
            said = f"{spec.name}: {spec.help}" + (f" {value}: {spec.choices[value]}." if spec.choices else "")
            lines = len(wrap(said, width - 28, 0.4))
            assert np.count_nonzero(np.diff(inked) > 2) >= lines - 1 and inked[-1] < len(below) - 1, (spec.name, value)
