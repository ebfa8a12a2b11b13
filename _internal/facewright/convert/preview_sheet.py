"""A sheet of twelve frames with six values of one control each: a row per value, to be compared at a glance."""

from collections.abc import Callable
from dataclasses import replace

from facewright.convert.preview import ConversionPreview
from facewright.convert.settings import SettingsByFrame
from facewright.core.images import Image
from facewright.core.options import Option, Value, show
from facewright.ui.contact_sheet import contact_sheet, evenly

FRAMES = 12
VALUES = 6
CELL = 190  # px


def sheet_values(spec: Option, now: Value) -> list[Value]:
    """Return up to six values of a control: its choices, or numbers spread over its range; the present one is there."""
    if spec.choices:
        names: list[Value] = list(spec.choices)
        if len(names) <= VALUES:
            return names
        start = min(max(names.index(now) - VALUES // 2, 0), len(names) - VALUES)
        return names[start : start + VALUES]
    low, high, value = spec.low or 0.0, spec.high or 0.0, float(now)
    spread = [low + (high - low) * share / (VALUES - 1) for share in range(VALUES)]
    nearest = min(range(VALUES), key=lambda at: abs(spread[at] - value))
    spread[nearest] = value
    return [spec.kind(round(one) if spec.kind is int else one) for one in spread]


def draw_sheet(
    preview: ConversionPreview,
    settings: SettingsByFrame,
    spec: Option,
    values: list[Value],
    on_progress: Callable[[int, int], None] | None = None,
) -> Image:
    """Draw the sheet.

    Args:
        preview: Makes the images.
        settings: Of the frames; only the one control differs from them.
        spec: The control.
        values: Of each row.
        on_progress: Called with the numbers of images done and to do.

    Returns:
        (h, w, 3) uint8 BGR; of a clip without a face its frames as they are.

    Raises:
        UserError: A frame cannot be read, or the prediction is no image.
    """
    with_face = [at for at, frame in enumerate(preview.frames) if frame.faces] or list(range(len(preview.frames)))
    shown = [with_face[index] for index in evenly(len(with_face), FRAMES)]
    cells: dict[tuple[int, int], tuple[str, Image]] = {}
    for column, at in enumerate(shown):  # by frame, so that what the network predicts is made once
        for row, value in enumerate(values):
            options = replace(settings.options(at), **{spec.name: value})  # type: ignore[arg-type]
            label = show(value) if column == 0 else settings.names[at] if row == 0 else ""
            cells[row, column] = label, preview.render(at, options, close_up=True, side=CELL)
            if on_progress:
                on_progress(len(cells), len(shown) * len(values))
    return contact_sheet([cells[place] for place in sorted(cells)], len(shown), CELL)
