"""What a conversion writes of each frame: the frame, with the replaced area as its alpha too, or that area alone."""

from enum import StrEnum
from pathlib import Path

import numpy as np

from facewright.convert.cast import Cast
from facewright.convert.parameters import ConvertOptions
from facewright.core.errors import UserError
from facewright.core.hints import again
from facewright.core.images import Image
from facewright.core.workspace import Side
from facewright.faces.mask import Mask


class Output(StrEnum):
    """What is written of a frame."""

    FRAME = "frame"
    ALPHA = "alpha"
    MASK = "mask"


def output_of(options: ConvertOptions) -> Output:
    """Return what the options ask for.

    Raises:
        UserError: They contradict each other.
    """
    if options.alpha and options.mask_only:
        raise UserError(
            "--alpha puts the replaced area into the frames, --mask-only writes it alone.",
            "one of the two.",
            f"leave out one of them, for example:{again('--no-alpha')}",
        )
    if (options.alpha or options.mask_only) and options.format != "png":
        raise UserError(
            f"A {options.format} has no alpha channel and blurs the edge of a mask.",
            "the format png.",
            f"take that format:{again('--format', 'png')}",
        )
    return Output.ALPHA if options.alpha else Output.MASK if options.mask_only else Output.FRAME


def check_output(output: Output, cast: Cast) -> None:
    """Check that the models make what is to be written.

    Raises:
        UserError: One makes portraits, which replace no area of a frame.
    """
    if cast.portrait and output is not Output.FRAME:
        raise UserError(
            f"The model {cast.states[0].name} makes portraits, which replace no area of a frame.",
            "a model that replaces faces in frames.",
            f"convert its portraits as they are:{again('--no-alpha', '--no-mask-only')}",
        )


def results_of(side: Side, output: Output) -> tuple[Path, Path]:
    """Return the folder of the results and the journal of what was made; masks lie beside the frames."""
    if output is Output.MASK:
        return side.masks_dir, side.masks_journal
    return side.merged_dir, side.convert_journal


def compose(output: Output, image: Image, coverage: Mask) -> Image:
    """Return what is written.

    Args:
        output: Not `FRAME`, which is written as it is.
        image: The converted frame, (h, w, 3) BGR.
        coverage: Which share of each pixel was replaced, (h, w), 0..1.

    Returns:
        With alpha (h, w, 4), else (h, w); of the image's type.
    """
    full = np.iinfo(image.dtype).max
    alpha = np.rint(coverage * full).astype(image.dtype)
    return np.dstack((image, alpha)) if output is Output.ALPHA else alpha
