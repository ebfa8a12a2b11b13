"""The audio tracks of a video: which can be read, which one is wanted, how it fits into another file."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from facewright.core.errors import UserError
from facewright.core.hints import again, hint

# Audio that common players take inside an mp4; other kinds become AAC.
COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus")
MIN_MP3_RATE = 16_000  # below it an mp4 has no place for MP3
# Layouts that the AAC encoder refuses though they have no more than eight channels, by ffmpeg's names.
NOT_AAC = ("3.1.2", "5.1.2", "cube")
AAC_CHANNELS = 8


@dataclass(frozen=True)
class AudioStream:
    """An audio track.

    Attributes:
        index: Stream index in the file.
        codec: Name, for example "aac"; empty where ffmpeg knows no decoder.
        start: Time of the first sample in seconds, on the same clock as the frames.
        track: Its number among the audio tracks, from 1.
        layout: Its channels by ffmpeg's name: "stereo", "5.1"; "10 channels" where the file does not say which.
        channels: The name of each channel: "FL", "LFE"; "NONE" where the file does not say.
        rate: Samples per second.
        language: For example "eng"; empty where the file does not say.
    """

    index: int
    codec: str
    start: Fraction
    track: int = 1
    layout: str = "stereo"
    channels: tuple[str, ...] = ("FL", "FR")
    rate: int = 48_000
    language: str = ""

    @property
    def readable(self) -> bool:
        """Whether ffmpeg can decode it; a track without samples has no rate."""
        return bool(self.codec) and self.rate > 0

    def __str__(self) -> str:
        """Return for example "2 (aac, stereo, eng)"."""
        layout = "1 channel" if self.layout == "1 channels" else self.layout
        what = (
            (self.codec, layout if self.rate else "empty", self.language)
            if self.codec
            else ("unknown codec", self.language)
        )
        return f"{self.track} ({', '.join(word for word in what if word)})"


def audio_tracks(container: Any) -> tuple[AudioStream, ...]:
    """Return all audio tracks of a file that PyAV has opened, in the file's order."""
    return tuple(_track(number, stream) for number, stream in enumerate(container.streams.audio, 1))


def _track(number: int, stream: Any) -> AudioStream:
    start = Fraction(stream.start_time or 0) * Fraction(stream.time_base)
    language = "" if stream.language in (None, "und") else str(stream.language)
    context = stream.codec_context
    if context is None:
        return AudioStream(stream.index, "", start, number, "", (), 0, language)
    # The decoder's own name may be another: "mp3float" reads MP3.
    codec = context.codec.canonical_name
    channels = tuple(channel.name for channel in context.layout.channels)
    return AudioStream(stream.index, codec, start, number, context.layout.name, channels, context.sample_rate, language)


def main_track(tracks: Sequence[AudioStream], best: int | None) -> AudioStream | None:
    """Return the track that a player would take, as far as it can be read.

    Args:
        tracks: All.
        best: Stream index of the one that ffmpeg prefers.
    """
    readable = [track for track in tracks if track.readable]
    return next((track for track in readable if track.index == best), next(iter(readable), None))


def chosen_track(path: Path, tracks: Sequence[AudioStream], number: int) -> AudioStream:
    """Return the track with a number.

    Raises:
        UserError: There is none, or it cannot be read.
    """
    found = next((track for track in tracks if track.track == number), None)
    if found is not None and found.readable:
        return found
    usable = next((track.track for track in tracks if track.readable), 0)
    there = f"its audio tracks are {', '.join(map(str, tracks))}" if tracks else "it has no audio"
    problem = "has no audio track" if found is None else "cannot be read by ffmpeg in its audio track"
    raise UserError(
        f"{path.name} {problem} {number}; {there}.",
        "the number of a track that can be read.",
        f"choose one that can be read, or none:{hint(f'make-video --audio-track {usable}') if usable else ''}"
        f"{again('--no-audio')}",
    )


def audio_is_copied(audio: AudioStream, container: str) -> bool:
    """Whether the audio goes into the result bit by bit."""
    rare = audio.codec == "mp3" and audio.rate < MIN_MP3_RATE
    return (
        container != "avi" and audio.codec in COPIED and not rare and not (container == "mov" and audio.codec == "opus")
    )


def fits_aac(audio: AudioStream) -> bool:
    """Whether AAC has a place for its channels; else they are mixed down to two."""
    return len(audio.channels) <= AAC_CHANNELS and audio.layout not in NOT_AAC


def mixed_down_note(audio: AudioStream) -> str:
    """Say that its channels are mixed down."""
    return f"AAC has no place for the {len(audio.channels)} channels of the audio: all are mixed down to stereo."


def for_aac(node: Any, audio: AudioStream) -> Any:
    """Mix down what AAC has no place for, so quietly that nothing clips.

    ffmpeg's own mix drops the channels that it knows no place for. Here every one is heard: those of a side on it,
    the others on both, and channels without a name left and right by turns.
    """
    if fits_aac(audio):
        return node
    sides = [_sides(number, name) for number, name in enumerate(audio.channels)]
    left, right = ("+".join(f"c{n}" for n, side in enumerate(sides) if which in side) for which in "LR")
    return node.filter("pan", f"stereo|FL<{left}|FR<{right}")


def _sides(number: int, name: str) -> str:
    if name == "NONE":
        return "LR"[number % 2]
    side = name.removesuffix("C")[-1]  # FLC lies left of the middle
    return side if side in "LR" else "LR"
