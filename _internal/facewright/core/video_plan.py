"""Which frames the result is made of, and when each is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from facewright.core.errors import UserError
from facewright.core.files import list_files
from facewright.core.images import IMAGE_EXTENSIONS
from facewright.core.video_join import Clock, even_clock
from facewright.core.video_pictures import matrix_of, result_colour
from facewright.core.video_probe import Colour, VideoInfo, packet_times
from facewright.core.video_timing import Timing, frame_stem, rises

NAMED = 10
FINEST_TICK = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class ResultPlan:
    """What a result is made of.

    Attributes:
        frames: Its pictures in order.
        clock: When each is shown.
        colour: Tags of the result.
        matrix: The YUV matrix to encode with, by the scaler's name.
        filled: Names of frames that were not converted and are taken from the untouched ones.
        held: Names of frames that are nowhere any more; the frame before them stays on the screen.
        strangers: Files of the merged folder that belong to no frame.
    """

    frames: tuple[Path, ...]
    clock: Clock
    colour: Colour
    matrix: str
    filled: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()


def some(names: Sequence[str]) -> str:
    """Name a few of many."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def plan_from_timing(timing: Timing, frames_dir: Path, merged_dir: Path, *, fill_missing: bool) -> ResultPlan:
    """Plan a result by frames.json.

    Args:
        timing: Its content.
        frames_dir: The untouched frames.
        merged_dir: The converted frames.
        fill_missing: Take the untouched frame where there is no converted one.

    Raises:
        UserError: Nothing is converted, or converted frames are missing and may not be filled.
    """
    merged = _by_stem(merged_dir)
    if not merged:
        raise _nothing_merged(merged_dir)
    untouched = _by_stem(frames_dir)
    wanted = [frame_stem(n) for n in range(1, len(timing.pts) + 1)]
    missing = [s for s in wanted if s not in merged and s in untouched]
    if missing and not fill_missing:
        raise UserError(
            f"{len(missing)} of {len(wanted)} frames are missing in {merged_dir}: {some(missing)}.",
            "a converted frame for each frame of the video.",
            "run 7_convert again, or add --fill-missing to take the untouched frames in their place.",
        )
    chosen = [(i, merged.get(s) or untouched[s]) for i, s in enumerate(wanted) if s in merged or s in untouched]
    return ResultPlan(
        frames=tuple(path for _, path in chosen),
        clock=_clock(timing, [i for i, _ in chosen]),
        colour=timing.colour,
        matrix=timing.assumed_matrix,
        filled=tuple(missing),
        held=tuple(s for s in wanted if s not in merged and s not in untouched),
        strangers=tuple(sorted(p.name for s, p in merged.items() if s not in set(wanted))),
    )


def plan_from_video(info: VideoInfo, merged_dir: Path) -> ResultPlan:
    """Plan a result for frames that were brought from elsewhere: as many as the video has.

    Raises:
        UserError: Their number does not fit the video.
    """
    frames = tuple(sorted(_by_stem(merged_dir).values()))
    if not frames:
        raise _nothing_merged(merged_dir)
    times = packet_times(info)
    if len(frames) != len(times) or not rises(times):
        if len(frames) != info.frame_count:
            raise UserError(
                f"{merged_dir} holds {len(frames)} frames, but {info.path.name} has {len(times)}, "
                "and there is no frames.json that says when each one is shown.",
                "one frame for each frame of the video.",
                "run 3_extract_png_from_dst and convert its frames, or bring as many frames as the video has.",
            )
        clock = even_clock(len(frames), info.average_rate, info.start * info.time_base)
    else:
        end = times[-1] + max(1, round(1 / info.average_rate / info.time_base))
        clock = _uneven([t * info.time_base for t in times], end * info.time_base, info.average_rate, info.time_base)
    return ResultPlan(frames, clock, result_colour(info), matrix_of(info))


def _by_stem(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by name; of several endings the newest counts."""
    found: dict[str, Path] = {}
    for path in list_files(folder, IMAGE_EXTENSIONS):
        other = found.get(path.stem)
        if other is None or path.stat().st_mtime_ns > other.stat().st_mtime_ns:
            found[path.stem] = path
    return found


def _nothing_merged(merged_dir: Path) -> UserError:
    return UserError(f"There are no frames in {merged_dir}.", "the converted frames.", "run 7_convert first.")


def _clock(timing: Timing, kept: list[int]) -> Clock:
    """Return the clock of the frames with these indices."""
    if not timing.constant:
        seconds = timing.seconds
        return _uneven([seconds[i] for i in kept], timing.end * timing.time_base, timing.rate, timing.time_base)
    full = even_clock(len(timing.pts), timing.rate, timing.pts[0] * timing.time_base)
    return Clock(tuple(full.times[i] for i in kept), full.end, full.rate, full.tick)


def _uneven(seconds: list[Fraction], end: Fraction, rate: Fraction, tick: Fraction) -> Clock:
    return Clock(tuple(seconds), end, rate, max(tick, FINEST_TICK))
