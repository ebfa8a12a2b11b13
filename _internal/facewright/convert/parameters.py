"""The options of a conversion, and the parameters of a frame that they and the model's defaults come to."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from facewright.convert.blend import Mode
from facewright.convert.engine_choices import DEVICES, DFM_FACES, ENGINES, Engine, names_dfm
from facewright.convert.masks import KeepZone, LearnedMask, MaskKind
from facewright.convert.selection import parse_cast, parse_ranges
from facewright.core.options import option, output_values
from facewright.faces.color_transfer import ColorTransfer
from facewright.models.spec import ConverterDefaults

MODES = {
    Mode.HIST_MATCH.value: "per-channel histogram matching",
    Mode.HIST_MATCH_BW.value: "the same, from a greyscale face",
    Mode.SEAMLESS.value: "Poisson blending",
    Mode.SEAMLESS_HIST_MATCH.value: "Poisson blending, then per-channel histogram matching",
    Mode.OVERLAY.value: "the face exactly as the model predicts it",
    Mode.LIGHT.value: "features of src, light, contrast and grain of dst (default)",
}
LEARNED = frozenset(LearnedMask)
MASKED_CHOICES = {
    "model": "as the model advises",
    "yes": "only the face itself is measured",
    "no": "the whole square around it is measured",
}
MASK_CHOICES = {
    MaskKind.HULL.value: "learned-prd, in light and for some models inside the hull of dst's landmarks (default)",
    MaskKind.RECORD.value: "learned-prd, inside the mask that dst's face carries; faces without one as hull",
    LearnedMask.PRD.value: "the model's mask of the face that it draws (src's decoder)",
    LearnedMask.DST.value: "the model's mask of dst's own face (dst's decoder; takes longer)",
    LearnedMask.PRODUCT.value: "where both of these see a face",
    LearnedMask.SUM.value: "where either of these sees a face",
}
# Base of erode and blur where dst's light leaves no step to hide, whatever the model: just inside the cheek's outline.
LIGHT_EDGE = (70, 80)
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
KEEP_ZONES = {
    "none": "all of the face is replaced (default)",
    "eyes": "dst's eyes stay",
    "mouth": "the inside of dst's mouth stays, with its teeth",
    "eyes+mouth": "both",
}
# The headings of the preview's controls, in this order.
GROUPS = BLEND, EDGE, COLOUR, DETAIL, GEOMETRY = "Blend", "Mask edge", "Colour", "Detail", "Geometry"
# Keys of the preview; those of the controls are declared with them, all where DeepFaceLab has them.
MODE_KEYS = {
    "1": Mode.OVERLAY.value,
    "2": Mode.HIST_MATCH.value,
    "3": Mode.SEAMLESS.value,
    "4": Mode.SEAMLESS_HIST_MATCH.value,
    "7": Mode.LIGHT.value,
    "8": Mode.HIST_MATCH_BW.value,
}
FORMAT_CHOICES = {"png": "lossless", "jpg": "smaller, with slight loss"}


@dataclass(frozen=True)
class BlendOptions:
    """Which model replaces the faces, and how they are blended in."""

    mode: str = option(
        str(Mode.LIGHT),
        "How the face is blended into the frame.",
        ask="Mode",
        choices=MODES,
        affects_output=True,
        group=BLEND,
        keys=MODE_KEYS,
    )
    masked_hist_match: str = option(
        "model",
        "Where hist-match and hist-match-bw measure the colours. The other modes do not ask.",
        ask="Masked histogram match",
        choices=MASKED_CHOICES,
        affects_output=True,
        group=COLOUR,
        keys={"z": ">"},
        applies_when=lambda values: Mode(values["mode"]).matches_first,
    )
    erode: int = option(
        0,
        "Draws the edge of the face in (more than 0) or out (less). If the result does not please, try 50.",
        ask="Erode mask modifier",
        low=-100,
        high=100,
        affects_output=True,
        group=EDGE,
        keys={"w": "+", "s": "-"},
    )
    blur: int = option(
        0,
        "Makes the edge of the face softer (more than 0) or harder (less). If the result does not please, try 70.",
        ask="Blur mask modifier",
        low=-100,
        high=200,
        affects_output=True,
        group=EDGE,
        keys={"e": "+", "d": "-"},
    )
    mask: str = option(
        str(MaskKind.HULL),
        "Which part of dst's face is replaced. record: where the mask of the face in aligned/ (painted or learned in "
        "another program, and imported with it) is white; hair or a hand before the face can so be left out.",
        choices=MASK_CHOICES,
        affects_output=True,
        group=EDGE,
        keys={"x": ">"},
    )
    color_transfer: str = option(
        str(ColorTransfer.NONE),
        "Colours of dst's face for the predicted one, before it is blended.",
        choices=TRANSFER_CHOICES,
        affects_output=True,
        group=COLOUR,
        keys={"c": ">"},
    )
    face_scale: int = option(
        0,
        "Makes the new face larger or smaller, in percent of its size.",
        low=-50,
        high=50,
        affects_output=True,
        group=GEOMETRY,
        keys={"u": "+", "j": "-"},
    )
    sharpen: int = option(
        0,
        "Sharpens the new face (more than 0, unsharp mask) or blurs it (less), in percent.",
        low=-100,
        high=100,
        affects_output=True,
        group=DETAIL,
        keys={"y": "+", "b": "-"},
    )
    opacity: int = option(
        100,
        "How much of the new face is seen, in percent; 0 leaves dst's own.",
        low=0,
        high=100,
        affects_output=True,
        group=BLEND,
    )
    keep: str = option(
        "none", "Parts of dst's face that are not replaced.", choices=KEEP_ZONES, affects_output=True, group=EDGE
    )
    model: str = option("", "Which trained model; without it the one that was saved last.")
    swap_model: bool = option(
        False,
        "The other way round: puts dst's face over the faces that are given, which are then to be src's.",
        remember=False,
    )
    cast: str = option(
        "",
        "Who is replaced by which model, in one pass: 1=quick,2=df has person 1 replaced by the model quick, person 2 "
        "by the model df, and leaves all others as they are. The numbers are those that the extraction gave.",
        check=parse_cast,
        remember=False,
    )
    engine: str = option(str(Engine.KERAS), "What runs the network; both give the same images.", choices=ENGINES)
    provider: str = option(
        "auto",
        "On what onnxruntime computes. It is named at the start, and never replaced in silence.",
        choices=DEVICES,
    )
    dfm: str = option(
        "",
        "A .dfm file, as DeepFaceLab and DeepFaceLive have them, in place of a trained model; it runs on onnxruntime. "
        "One that lies in model/ can also be named like a model, in a cast too.",
        remember=False,
    )
    face_type: str = option(
        "file",
        "What the faces of the .dfm file show: what it was trained with.",
        ask="Face type of the .dfm file",
        choices=DFM_FACES,
        remember=False,
        applies_when=names_dfm,
    )
    morph: int = option(
        100,
        "How much of src is in the result, in percent, where the .dfm file can be morphed (AMP).",
        low=0,
        high=100,
        applies_when=names_dfm,
    )
    super_resolution: str = option(
        "",
        "An ONNX file of your own that enlarges images: what the model predicts goes through it before it is blended "
        "in. Factor and range are found out.",
        remember=False,
    )


@dataclass(frozen=True)
class ConvertOptions(BlendOptions):
    """What the user decides."""

    every_face: bool = option(
        False,
        "Searches the frames for faces itself and replaces every one that it finds, whatever lies in aligned/.",
        remember=False,
    )
    frame_ranges: str = option(
        "",
        "Which frames are converted, by the numbers of their names: 10-20,35. The others are copied as they are.",
        check=parse_ranges,
        remember=False,
    )
    every: int = option(
        1,
        "Converts every nth frame only, for a quick look; the others are copied as they are.",
        low=1,
        high=100_000,
        remember=False,
    )
    discard_frames: bool = option(
        False,
        "Leaves out of merged/ what --frame-ranges and --every do not choose, instead of copying it.",
        remember=False,
    )
    alpha: bool = option(
        False,
        "Writes RGBA PNG: the converted frame with the replaced area as its alpha channel, also of frames without a "
        "face.",
        affects_output=True,
        remember=False,
    )
    mask_only: bool = option(
        False,
        "Writes the replaced area alone, white on black, of every frame, to data_dst/merged_mask.",
        affects_output=True,
        remember=False,
    )
    format: str = option("png", "Format of the converted frames.", choices=FORMAT_CHOICES, affects_output=True)
    saved_settings: bool = option(
        True, "Use what the preview has saved: settings of all frames, of shots, of single frames.", remember=False
    )
    preview: bool = option(
        False,
        "Look first: every control, and what it does to any frame, in a window or, without a screen, on a page.",
        remember=False,
    )
    serve: bool = option(
        False,
        "The preview on a page in a browser instead of a window; from another machine through ssh -L.",
        remember=False,
    )
    port: int = option(0, "Port of that page on 127.0.0.1; 0 takes a free one.", low=0, high=65_535)


@dataclass(frozen=True)
class Parameters:
    """How the faces of one frame are blended in; all of it is part of the frame's cache key.

    Attributes:
        mode: How the face is blended.
        erode: Erode modifier in percent, the base of the model or of the mode plus the user's number.
        blur: Blur modifier in percent, likewise.
        masked_hist_match: Whether histogram matching measures inside the mask only.
        border: Share of the aligned side that is faded out along its edges; 0 for none.
        masks: What limits the replaced area, in order of preference.
        color_transfer: Colours of dst's face for the predicted one.
        face_scale: Growth of the new face in percent of its size, about the centre of the aligned square.
        sharpen: -100..100, see `facewright.convert.detail.sharpened`.
        opacity: 0..100, percent.
        keep: Parts of dst's face that stay.
        learned: Which of the network's own masks counts, inside `masks`.
    """

    mode: Mode = Mode.LIGHT
    erode: int = 0
    blur: int = 0
    masked_hist_match: bool = True
    border: float = 0.0
    masks: tuple[MaskKind, ...] = (MaskKind.MODEL,)
    color_transfer: ColorTransfer = ColorTransfer.NONE
    face_scale: int = 0
    sharpen: int = 0
    opacity: int = 100
    keep: tuple[KeepZone, ...] = ()
    learned: LearnedMask = LearnedMask.PRD

    @property
    def needs_dst_mask(self) -> bool:
        """Whether dst's decoder is to be asked for its mask."""
        return self.learned not in (LearnedMask.PRD, LearnedMask.NONE)


# What the key of a frame held from the start, whatever its value. A field or an option that came later is part of it
# only where it differs from its default: so nobody's frames are made again when a control is added.
KEYED_FROM_THE_START = frozenset(
    {
        "mode",
        "masked_hist_match",
        "erode",
        "blur",
        "mask",
        "masks",
        "border",
        "color_transfer",
        "face_scale",
        "sharpen",
        "opacity",
        "keep",
        "format",
    }
)


def keyed_options(options: ConvertOptions) -> dict[str, Any]:
    """Return the options that a frame's key holds: name -> value."""
    differ = output_values(options, omit_defaults=True)
    return {
        name: value for name, value in output_values(options).items() if name in KEYED_FROM_THE_START or name in differ
    }


def keyed_parameters(parameters: Parameters) -> dict[str, Any]:
    """Return the parameters that a frame's key holds: name -> value."""
    defaults = {field.name: field.default for field in dataclasses.fields(Parameters)}
    return {
        name: value
        for name, value in dataclasses.asdict(parameters).items()
        if name in KEYED_FROM_THE_START or value != defaults[name]
    }


def resolve_parameters(options: ConvertOptions, defaults: ConverterDefaults) -> Parameters:
    """Add the user's numbers to the model's.

    What plays no part in the mode keeps one value, so that it changes no cache key.
    """
    mode = Mode(options.mode)
    masked = {"yes": True, "no": False}.get(options.masked_hist_match, defaults.masked_hist_match)
    # Where src's face is the wider one, the rest of the model's mask lies on the background, whose colour would bleed
    # into the cheeks: such models are kept inside the hull.
    usual = MaskKind.HULL if defaults.within_hull or mode is Mode.LIGHT else MaskKind.MODEL
    erode, blur = LIGHT_EDGE if mode is Mode.LIGHT else (defaults.erode, defaults.blur)
    return Parameters(
        mode=mode,
        erode=erode + options.erode,
        blur=blur + options.blur,
        masked_hist_match=masked and mode.matches_first,
        border=defaults.border,
        masks=_limits(options.mask, usual),
        color_transfer=ColorTransfer(options.color_transfer),
        face_scale=options.face_scale,
        sharpen=options.sharpen,
        opacity=options.opacity,
        keep=tuple(zone for zone in KeepZone if zone in options.keep.split("+")),
        learned=LearnedMask(options.mask) if options.mask in LEARNED else LearnedMask.PRD,
    )


def _limits(mask: str, usual: MaskKind) -> tuple[MaskKind, ...]:
    """Return what of dst limits the replaced area, in order of preference; see `MASK_CHOICES`."""
    if mask in LEARNED:
        return (MaskKind.MODEL,)
    return (usual,) if mask == MaskKind.HULL else (MaskKind(mask), usual)
