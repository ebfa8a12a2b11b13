"""The options of a conversion, and the parameters of a frame that they and the model's defaults come to."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from facewright.convert.blend import Mode
from facewright.convert.controls import DST_HULL, FULL, LEAVE, OF_MASK_MODEL, Controls
from facewright.convert.detail import SharpenKind
from facewright.convert.engine_choices import (
    DEVICES,
    DFM_FACES,
    ENGINES,
    PRECISIONS,
    Engine,
    names_dfm,
    needs_onnx,
    runs_keras,
)
from facewright.convert.masks import KeepZone, LearnedMask, MaskKind
from facewright.convert.selection import parse_cast, parse_ranges
from facewright.core.options import option, output_values, port_option
from facewright.faces.color_transfer import ColorTransfer
from facewright.models.spec import ConverterDefaults

FORMAT_CHOICES = {"png": "lossless", "jpg": "smaller, with slight loss"}

LEARNED = frozenset(LearnedMask)
# The masks that ask no network.
WHATEVER_IS_SEEN = {
    DST_HULL: MaskKind.HULL,
    MaskKind.RECT.value: MaskKind.RECT,
    MaskKind.HULL_RECT.value: MaskKind.HULL_RECT,
    FULL: MaskKind.MODEL,
}


@dataclass(frozen=True)
class BlendOptions(Controls):
    """Which model replaces the faces."""

    model: str = option(
        "",
        "Which trained model; without it the one that was saved last. Of one that learned more people than src, with "
        "who is put in: quick:anna.",
    )
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
    precision: str = option(
        "float32",
        "Precision of keras' sums; with bfloat16 pixels of a face differ by a level of 255, a few by two or three.",
        choices=PRECISIONS,
        applies_when=runs_keras,
    )
    provider: str = option(
        "auto",
        "On what onnxruntime computes. It is named at the start, and never replaced in silence.",
        choices=DEVICES,
        applies_when=needs_onnx,
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
        "How much of src is in the result, in percent, where the model or the .dfm file can be morphed (AMP).",
        low=0,
        high=100,
    )
    super_resolution: str = option(
        "",
        "An ONNX file of your own that enlarges images: what the model predicts goes through it before it is blended "
        "in. Factor and range are found out.",
        remember=False,
    )
    saved_settings: bool = option(
        True,
        "Use what the preview has saved: settings of all frames, of shots, of single frames. A swap does for the "
        "video whose frames lie in data_dst.",
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
    port: int = port_option()


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
        hist_threshold: 0..255, see `facewright.faces.color.matching_curve`.
        erode_sides: Erode modifiers of forehead, chin, left and right, in percent.
        average_color: 0..100, percent, see `facewright.convert.blend.average_moved`.
        offset: Of the new face to the right and down, in percent of the aligned side.
        sharpen_kind: See `facewright.convert.detail.sharpened`.
        motion_blur: 0..100, percent of a face's way from frame to frame.
        denoise: 0..500, hundredths of a pass.
        bicubic_degrade: 0..100, percent, see `facewright.convert.detail.coarser`.
        color_degrade: 0..100, percent, see `facewright.convert.detail.fewer_colours`.
        leave_covers: Whether what the record says lies before a face stays dst's.
        super_resolution_power: 0..100, percent, see `facewright.convert.detail.less_enlarged`.
        enlarged_from: See `facewright.models.spec.ConverterDefaults`.
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
    hist_threshold: int = 255
    erode_sides: tuple[int, int, int, int] = (0, 0, 0, 0)
    average_color: int = 0
    offset: tuple[int, int] = (0, 0)
    sharpen_kind: SharpenKind = SharpenKind.GAUSSIAN
    motion_blur: int = 0
    denoise: int = 0
    bicubic_degrade: int = 0
    color_degrade: int = 0
    leave_covers: bool = True
    super_resolution_power: int = 100
    enlarged_from: int = 0

    @property
    def uses_covers(self) -> bool:
        """Whether masks of what lies before a face count."""
        return self.leave_covers and self.mode.blends

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
    if not mode.blends:
        return Parameters(mode=mode, learned=LearnedMask.NONE, opacity=options.opacity if mode is Mode.RAW_RGB else 100)
    masked = {"yes": True, "no": False}.get(options.masked_hist_match, defaults.masked_hist_match)
    masks, learned = _limits(options.mask, within_hull=defaults.within_hull or mode.within)
    light = (defaults.light_erode, defaults.light_blur)
    erode, blur = light if mode.within else (defaults.erode, defaults.blur)
    return Parameters(
        mode=mode,
        erode=erode + options.erode,
        blur=blur + options.blur,
        masked_hist_match=masked and mode.matches_first,
        border=defaults.border,
        masks=masks,
        color_transfer=ColorTransfer(options.color_transfer),
        face_scale=options.face_scale,
        sharpen=options.sharpen,
        opacity=options.opacity,
        keep=tuple(zone for zone in KeepZone if zone in options.keep.split("+")),
        learned=learned,
        hist_threshold=options.hist_threshold if mode.matches else 255,
        erode_sides=(options.erode_forehead, options.erode_chin, options.erode_left, options.erode_right),
        average_color=options.average_color if mode.shows_colours else 0,
        offset=(options.face_offset_x, options.face_offset_y),
        sharpen_kind=SharpenKind(options.sharpen_kind) if options.sharpen else SharpenKind.GAUSSIAN,
        motion_blur=options.motion_blur,
        denoise=options.denoise,
        bicubic_degrade=options.bicubic_degrade,
        color_degrade=options.color_degrade,
        leave_covers=options.occlusion == LEAVE,
        super_resolution_power=options.super_resolution_power if defaults.enlarged_from else 100,
        enlarged_from=defaults.enlarged_from,
    )


def _limits(mask: str, *, within_hull: bool) -> tuple[tuple[MaskKind, ...], LearnedMask]:
    """Return what of dst limits the replaced area, in order of preference, and which learned mask counts inside.

    Args:
        mask: A key of `controls.MASK_CHOICES`.
        within_hull: Whether the usual limit is the hull. Where src's face is the wider one, the rest of the model's
            mask lies on the background, whose colour would bleed into the cheeks.
    """
    usual = MaskKind.HULL if within_hull else MaskKind.MODEL
    if mask in LEARNED:
        return (MaskKind.MODEL,), LearnedMask(mask)
    if mask in WHATEVER_IS_SEEN:
        return (WHATEVER_IS_SEEN[mask],), LearnedMask.NONE
    if mask == MaskKind.HULL:
        return (usual,), LearnedMask.PRD
    return (MaskKind.PREDICTED if mask == OF_MASK_MODEL else MaskKind(mask), usual), LearnedMask.PRD
