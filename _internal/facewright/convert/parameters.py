"""The options of a conversion, and the parameters of a frame that they and the model's defaults come to."""

from dataclasses import dataclass

from facewright.convert.blend import Mode
from facewright.convert.masks import MaskKind
from facewright.core.options import option
from facewright.models.spec import ConverterDefaults

MODES = {
    Mode.HIST_MATCH.value: "per-channel histogram matching",
    Mode.HIST_MATCH_BW.value: "the same, from a greyscale face",
    Mode.SEAMLESS.value: "Poisson blending (default)",
    Mode.SEAMLESS_HIST_MATCH.value: "Poisson blending, then per-channel histogram matching",
    Mode.OVERLAY.value: "the face exactly as the model predicts it",
}
MASKED = {
    "model": "as the model advises",
    "yes": "only the face itself is measured",
    "no": "the whole square around it is measured",
}
MASKS = {
    MaskKind.HULL.value: "the model's mask, for some models inside the hull of dst's landmarks",
    MaskKind.RECORD.value: "the model's mask, inside the mask that dst's face carries; faces without one as hull",
}
FORMATS = {"png": "lossless", "jpg": "smaller, with slight loss"}


@dataclass(frozen=True)
class Options:
    """What the user decides."""

    mode: str = option(
        str(Mode.SEAMLESS), "How the face is blended into the frame.", ask="Mode", choices=MODES, affects_output=True
    )
    masked_hist_match: str = option(
        "model",
        "Where hist-match and hist-match-bw measure the colours. The other modes do not ask.",
        ask="Masked histogram match",
        choices=MASKED,
        affects_output=True,
        applies_when=lambda values: Mode(values["mode"]).matches_first,
    )
    erode: int = option(
        0,
        "Draws the edge of the face in (more than 0) or out (less). If the result does not please, try 50.",
        ask="Erode mask modifier",
        low=-100,
        high=100,
        affects_output=True,
    )
    blur: int = option(
        0,
        "Makes the edge of the face softer (more than 0) or harder (less). If the result does not please, try 70.",
        ask="Blur mask modifier",
        low=-100,
        high=200,
        affects_output=True,
    )
    mask: str = option(
        str(MaskKind.HULL),
        "Which part of dst's face is replaced. record: where the mask of the face in aligned/ (painted or learned in "
        "another program, and imported with it) is white; hair or a hand before the face can so be left out.",
        choices=MASKS,
        affects_output=True,
    )
    model: str = option("", "Which trained model; without it the one that was saved last.")
    format: str = option("png", "Format of the converted frames.", choices=FORMATS, affects_output=True)


@dataclass(frozen=True)
class Parameters:
    """How the faces of one frame are blended in; all of it is part of the frame's cache key.

    Attributes:
        mode: How the face is blended.
        erode: Erode modifier in percent, the model's base plus the user's number.
        blur: Blur modifier in percent, likewise.
        masked_hist_match: Whether histogram matching measures inside the mask only.
        border: Share of the aligned side that is faded out along its edges; 0 for none.
        masks: What limits the replaced area, in order of preference.
    """

    mode: Mode = Mode.SEAMLESS
    erode: int = 0
    blur: int = 0
    masked_hist_match: bool = True
    border: float = 0.0
    masks: tuple[MaskKind, ...] = (MaskKind.MODEL,)


def resolve_parameters(options: Options, defaults: ConverterDefaults) -> Parameters:
    """Add the user's numbers to the model's.

    What plays no part in the mode keeps one value, so that it changes no cache key.
    """
    mode = Mode(options.mode)
    masked = {"yes": True, "no": False}.get(options.masked_hist_match, defaults.masked_hist_match)
    # Where src's face is the wider one, the rest of the model's mask lies on the background, whose colour would bleed
    # into the cheeks: such models are kept inside the hull.
    usual = MaskKind.HULL if defaults.within_hull else MaskKind.MODEL
    return Parameters(
        mode=mode,
        erode=defaults.erode + options.erode,
        blur=defaults.blur + options.blur,
        masked_hist_match=masked and mode.matches_first,
        border=defaults.border,
        masks=(MaskKind.RECORD, usual) if options.mask == MaskKind.RECORD else (usual,),
    )
