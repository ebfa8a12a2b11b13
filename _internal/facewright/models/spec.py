"""What a model declares that can be read without keras."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ConverterDefaults:
    """What conversion adds to the user's numbers, and what it starts from.

    Attributes:
        erode: Added to the erode modifier, in percent.
        blur: Added to the blur modifier, in percent.
        masked_hist_match: Whether histogram matching looks inside the mask only.
        border: Share of the side that is faded out at the border of the aligned image; 0 for none.
        within_hull: Whether only the hull of dst's own landmarks is replaced, however far the mask reaches.
    """

    erode: int
    blur: int
    masked_hist_match: bool = True
    border: float = 0.0
    within_hull: bool = False
