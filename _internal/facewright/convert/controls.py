"""The controls of a conversion: what may differ from frame to frame. Each is declared once.

Flag, question, key and slider of the preview, row of the documents and cache key derive from its declaration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facewright.convert.blend import Mode
from facewright.convert.detail import SharpenKind
from facewright.convert.masks import LearnedMask, MaskKind
from facewright.core.options import Value, option
from facewright.faces.color_transfer import ColorTransfer

# Names of masks that are neither the network's nor one of dst's alone, see `facewright.convert.parameters`.
DST_HULL, FULL = "dst-hull", "full"
OF_MASK_MODEL = "model"
MODES = {
    Mode.HIST_MATCH.value: "per-channel histogram matching",
    Mode.HIST_MATCH_BW.value: "the same, from a greyscale face",
    Mode.SEAMLESS.value: "Poisson blending",
    Mode.SEAMLESS_HIST_MATCH.value: "Poisson blending, then per-channel histogram matching",
    Mode.OVERLAY.value: "the face exactly as the model predicts it",
    Mode.LIGHT.value: "features of src, light, contrast and grain of dst (default)",
    Mode.MULTIBAND.value: "light and shade blended widely, pores and hair narrowly (Burt and Adelson)",
    Mode.RAW_RGB.value: "the whole predicted square, without mask and edge",
    Mode.RAW_PREDICT.value: "the prediction alone, upright on black",
    Mode.ORIGINAL.value: "dst's frame, untouched",
}
MASKED_CHOICES = {
    "model": "as the model advises",
    "yes": "only the face itself is measured",
    "no": "the whole square around it is measured",
}
MASK_CHOICES = {
    MaskKind.HULL.value: "learned-prd, in light and for some models inside the hull of dst's landmarks (default)",
    MaskKind.RECORD.value: "learned-prd, inside the mask that dst's face carries; faces without one as hull",
    OF_MASK_MODEL: "learned-prd, inside what a trained mask model saw of dst's face; faces without that as hull",
    LearnedMask.PRD.value: "the model's mask of the face that it draws (src's decoder)",
    LearnedMask.DST.value: "the model's mask of dst's own face (dst's decoder; takes longer)",
    LearnedMask.PRODUCT.value: "where both of these see a face",
    LearnedMask.SUM.value: "where either of these sees a face",
    MaskKind.OCCLUSION.value: "learned-prd inside the hull, without what covers the face; faces without one as hull",
    DST_HULL: "the hull of dst's landmarks, whatever the model sees",
    MaskKind.RECT.value: "the square from dst's brows to its chin, whatever the model sees",
    MaskKind.HULL_RECT.value: "what lies in both of these",
    FULL: "the whole square that the model predicts",
}
TRANSFER_CHOICES = {
    ColorTransfer.NONE.value: "the colours of the prediction (default)",
    ColorTransfer.RCT.value: "mean and deviation in Lab (Reinhard)",
    ColorTransfer.LCT.value: "mean and covariance of the whole square, by their roots",
    ColorTransfer.MKL.value: "mean and covariance of the whole square, moved least (Monge-Kantorovich)",
    ColorTransfer.MKL_M.value: "the same, of the face alone",
    ColorTransfer.IDT.value: "the whole distribution of the square (iterative distribution transfer)",
    ColorTransfer.IDT_M.value: "the same, of the face alone",
    ColorTransfer.SOT_M.value: "the whole distribution of the face, by small steps (sliced optimal transport)",
    ColorTransfer.MIX_M.value: "lightness as lct, colour as sot-m",
}
LEAVE = "leave"
COVER_CHOICES = {
    LEAVE: "they stay as they are in dst, with every mask (default)",
    "paint": "they are painted over; for faces whose masks are wrong",
}
KEEP_ZONES = {
    "none": "all of the face is replaced (default)",
    "eyes": "dst's eyes stay",
    "mouth": "the inside of dst's mouth stays, with its teeth",
    "eyes+mouth": "both",
    "teeth": "dst's teeth stay, where the mouth is open",
    "eyes+teeth": "dst's eyes and teeth stay",
}
SHARPEN_CHOICES = {
    SharpenKind.GAUSSIAN.value: "by a Gaussian (default)",
    SharpenKind.BOX.value: "by a box, which is harder",
    SharpenKind.UNSHARP.value: "edges only: leaves grain as it is; blurs by medians, which keep edges",
}
SIDE, AS_ERODE = "Draws the edge in (more than 0) or out (less) at the", "percent as for erode, to which it is added."
# The headings of the preview's controls, in this order.
GROUPS = BLEND, EDGE, COLOUR, DETAIL, GEOMETRY = "Blend", "Mask edge", "Colour", "Detail", "Geometry"
# Keys of the preview; those of the controls are declared with them, all where DeepFaceLab has them.
MODE_KEYS = {
    "`": Mode.ORIGINAL.value,
    "1": Mode.OVERLAY.value,
    "2": Mode.HIST_MATCH.value,
    "3": Mode.SEAMLESS.value,
    "4": Mode.SEAMLESS_HIST_MATCH.value,
    "5": Mode.RAW_RGB.value,
    "6": Mode.RAW_PREDICT.value,
    "7": Mode.LIGHT.value,
    "8": Mode.HIST_MATCH_BW.value,
    "!": Mode.MULTIBAND.value,
}


def _blends(values: Mapping[str, Any]) -> bool:
    return Mode(values["mode"]).blends


def _control(default: Value, help: str, group: str, **more: Any) -> Any:
    """Declare a control of the blended face: one that plays no part in the modes that show something raw."""
    return option(default, help, group=group, **{"affects_output": True, "applies_when": _blends, **more})


def _percent(help: str, group: str, low: int = 0, high: int = 100, **more: Any) -> Any:
    return _control(0, help, group, low=low, high=high, **more)


@dataclass(frozen=True)
class Controls:
    """How the faces are blended in."""

    mode: str = option(
        str(Mode.LIGHT),
        "How the face is blended into the frame.",
        ask="Mode",
        choices=MODES,
        affects_output=True,
        group=BLEND,
        keys=MODE_KEYS,
    )
    masked_hist_match: str = _control(
        "model",
        "Where hist-match and hist-match-bw measure the colours. The other modes do not ask.",
        COLOUR,
        ask="Masked histogram match",
        choices=MASKED_CHOICES,
        keys={"z": ">"},
        applies_when=lambda values: Mode(values["mode"]).matches_first,
    )
    hist_threshold: int = _control(
        255,
        "How bright dst's colours may be that a histogram matching takes: 255 all of them; less keeps its highlights "
        "away and makes the face darker. DeepFaceLab's scale, 0 to 255.",
        COLOUR,
        low=0,
        high=255,
        keys={"q": "+", "a": "-"},
        applies_when=lambda values: Mode(values["mode"]).matches,
    )
    erode: int = _percent(
        "Draws the edge of the face in (more than 0) or out (less), in percent of about an eighth of the face's size. "
        "If the result does not please, try 50.",
        EDGE,
        -100,
        ask="Erode mask modifier",
        keys={"w": "+", "s": "-"},
    )
    blur: int = _percent(
        "Makes the edge of the face softer (more than 0) or harder (less), in percent of a tenth of the face's size. "
        "If the result does not please, try 70.",
        EDGE,
        -100,
        200,
        ask="Blur mask modifier",
        keys={"e": "+", "d": "-"},
    )
    erode_forehead: int = _percent(f"{SIDE} forehead; {AS_ERODE}", EDGE, -100)
    erode_chin: int = _percent(f"{SIDE} chin; {AS_ERODE}", EDGE, -100)
    erode_left: int = _percent(f"{SIDE} left, as the image shows the upright face; {AS_ERODE}", EDGE, -100)
    erode_right: int = _percent(f"{SIDE} right, as the image shows the upright face; {AS_ERODE}", EDGE, -100)
    mask: str = _control(
        str(MaskKind.HULL),
        "Which part of dst's face is replaced. record: where the mask of the face in aligned/ (of the mask model, or "
        "painted in another program and imported with it) is white. model: likewise, of the mask model alone. "
        "occlusion: not where the face's occlusion mask is white, so that hair or a hand before the face is left out.",
        EDGE,
        choices=MASK_CHOICES,
        keys={"x": ">"},
    )
    occlusion: str = _control(
        LEAVE,
        "What becomes of the hands before dst's face, of which the extraction has put masks into the faces.",
        EDGE,
        choices=COVER_CHOICES,
    )
    keep: str = _control("none", "Parts of dst's face that are not replaced.", EDGE, choices=KEEP_ZONES)
    color_transfer: str = _control(
        str(ColorTransfer.NONE),
        "Colours of dst's face for the predicted one, before it is blended.",
        COLOUR,
        choices=TRANSFER_CHOICES,
        keys={"c": ">"},
    )
    average_color: int = _percent(
        "Moves the mean colour of the new face towards that of dst's, in percent of the way. light and the Poisson "
        "modes have dst's anyway.",
        COLOUR,
        applies_when=lambda values: Mode(values["mode"]).shows_colours,
    )
    face_scale: int = _percent(
        "Makes the new face larger or smaller, in percent of its size.", GEOMETRY, -50, 50, keys={"u": "+", "j": "-"}
    )
    face_offset_x: int = _percent(
        "Moves the new face to the right (more than 0) or left, as it looks upright, in percent of the aligned square.",
        GEOMETRY,
        -25,
        25,
    )
    face_offset_y: int = _percent(
        "Moves the new face towards the chin (more than 0) or the forehead, in percent of the aligned square.",
        GEOMETRY,
        -25,
        25,
    )
    sharpen: int = _percent(
        "Sharpens the new face (more than 0) or blurs it (less), in percent: 100 adds twice its detail, -100 blurs by "
        "3 % of its size.",
        DETAIL,
        -100,
        keys={"y": "+", "b": "-"},
    )
    sharpen_kind: str = _control(
        str(SharpenKind.GAUSSIAN),
        "By what sharpen sharpens and blurs.",
        DETAIL,
        choices=SHARPEN_CHOICES,
        keys={"n": ">"},
        applies_when=lambda values: _blends(values) and values["sharpen"] != 0,
    )
    super_resolution_power: int = _control(
        100,
        "How much is seen of what --super-resolution adds to the prediction, in percent; 0 enlarges it plainly.",
        DETAIL,
        low=0,
        high=100,
        keys={"t": "+", "g": "-"},
        applies_when=lambda values: _blends(values) and bool(values.get("super_resolution")),
    )
    motion_blur: int = _percent(
        "Blurs the new face along its own movement, in percent of the way from one frame to the next; a film camera's "
        "shutter is open for about 50.",
        DETAIL,
        keys={"r": "+", "f": "-"},
    )
    denoise: int = _percent(
        "Takes noise and blotches from the new face and keeps its edges: every 100 is one pass of a median over 5 px.",
        DETAIL,
        0,
        500,
        keys={"i": "+", "k": "-"},
    )
    bicubic_degrade: int = _percent(
        "Takes resolution from the new face, as if it had been enlarged: percent that are lost.",
        DETAIL,
        keys={"o": "+", "l": "-"},
    )
    color_degrade: int = _percent(
        "Takes colours from the new face: how much is seen of it in 256 colours (a palette of its own), in percent.",
        COLOUR,
        keys={"p": "+", ";": "-"},
    )
    opacity: int = option(
        100,
        "How much of the new face is seen, in percent; 0 leaves dst's own.",
        low=0,
        high=100,
        affects_output=True,
        group=BLEND,
        applies_when=lambda values: Mode(values["mode"]) not in (Mode.RAW_PREDICT, Mode.ORIGINAL),
    )
