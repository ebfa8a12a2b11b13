"""The bundled ffmpeg program: where it is, how it is started, what its complaints mean.

Only the modules of this package import ffmpeg-python, imageio_ffmpeg and PyAV. ffmpeg always talks to us
through pipes: when this process dies, even by kill -9, ffmpeg finds its pipe closed and ends too, so that
no orphan writes into the folder of the next run.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from types import TracebackType
from typing import IO, Any, TypeVar

import ffmpeg
import imageio_ffmpeg

from facewright.core.errors import UserError

Packet = TypeVar("Packet")

KEPT_LINES = 40
SHOWN_LINES = 3
# What ffmpeg says after the reason, when it winds up.
CONSEQUENCE = re.compile(
    "Task finished with error code|Terminating thread|Nothing was written|Error sending frames|Error while filtering|"
    "before EOF|Conversion failed|maybe incorrect parameters|Last message repeated"
)
# What a filter graph that is not built anew says of a frame that has another size, or format, than the first.
RESIZED = re.compile(r"filter context - (w: \d+ h: \d+) .* incoming frame - (w: (\d+) h: (\d+)) ")


@cache
def ffmpeg_exe() -> str:
    """Return the path of the ffmpeg program that comes with the environment.

    Raises:
        UserError: The package was installed without its program.
    """
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise UserError(
            "The bundled ffmpeg program is missing.",
            "the package imageio-ffmpeg as a wheel for this system.",
            "remove the folder _internal/env and start quickstart or run_tests again.",
        ) from error


@cache
def ffmpeg_version() -> str:
    """Return the version of the bundled ffmpeg, for example "9.0.2"."""
    done = subprocess.run([ffmpeg_exe(), "-version"], capture_output=True, text=True, errors="replace", check=False)
    found = re.match(r"ffmpeg version n?(\S+)", done.stdout)
    if done.returncode or not found:
        raise UserError(
            f"The bundled ffmpeg does not run: {ffmpeg_exe()} ({(done.stderr or done.stdout).strip()[:200]}).",
            "a program that this system can start.",
            "remove the folder _internal/env and start quickstart or run_tests again.",
        )
    return found[1].split("-")[0]


def has_filters(*names: str) -> bool:
    """Whether the bundled ffmpeg knows all these filters."""
    return _listed("filters").issuperset(names)


def has_encoder(name: str) -> bool:
    """Whether the bundled ffmpeg was built with this encoder; it may not work here all the same."""
    return name in _listed("encoders")


@cache
def _listed(what: str) -> frozenset[str]:
    """Return the names in one of ffmpeg's lists: "filters" or "encoders"."""
    done = subprocess.run([ffmpeg_exe(), "-hide_banner", f"-{what}"], capture_output=True, text=True, check=False)
    return frozenset(line.split()[1] for line in done.stdout.splitlines() if len(line.split()) > 2)


def command(output: Any, *first: str) -> list[str]:
    """Turn an ffmpeg-python output node into a command line with quiet, machine-readable messages.

    Args:
        output: What `ffmpeg.output(...)` returned.
        first: Global arguments to put before the inputs.
    """
    arguments = ffmpeg.compile(output, cmd=ffmpeg_exe())
    quiet = ["-hide_banner", "-nostats", "-loglevel", "repeat+level+warning"]
    return [arguments[0], *quiet, *first, *arguments[1:]]


class FfmpegRun:
    """One running ffmpeg whose result is read from `stdout`.

    As a context manager it also holds back Ctrl-C until `checked` comes to its next packet: PyAV swallows an
    exception that is raised while it reads from a pipe, and what it was reading would be lost without a word.
    ffmpeg itself runs in a group of its own, where the terminal's Ctrl-C does not reach it.

    Args:
        arguments: From `command`.
        feed: Blocks of bytes for its standard input, written by a thread; None leaves the input closed. An
            exception raised while they are made reaches the caller of `finish`.

    Attributes:
        error_count: How often it complained.
        sizes: (h, w) of decoded frames that had another size than the first.
    """

    def __init__(self, arguments: list[str], feed: Iterable[bytes] | None = None) -> None:
        self.error_count = 0
        self.sizes: set[tuple[int, int]] = set()
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._feed_error: BaseException | None = None
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._interrupted = False
        self._handler: Any = None
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        if feed is not None:
            self._threads.append(threading.Thread(target=self._write, args=(feed,), daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe that carries the result, unbuffered."""
        assert self._process.stdout is not None
        return self._process.stdout

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in iter(lambda: self._readline(), b""):
            text = line.decode("utf-8", "replace").strip()
            change = RESIZED.search(text)
            if change and change[1] != change[2]:
                self.sizes.add((int(change[4]), int(change[3])))
            if "[error]" in text or "[fatal]" in text:
                self.error_count += 1
                self._lines.append(re.sub(r"\[[^\]]* @ 0x[0-9a-f]+\] |\[(error|fatal|warning)\] ", "", text))

    def _readline(self) -> bytes:
        assert self._process.stderr is not None
        return self._process.stderr.readline()

    def _write(self, feed: Iterable[bytes]) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            for block in feed:
                view = memoryview(block)
                while view:
                    view = view[pipe.write(view) :]
        except (BrokenPipeError, ConnectionError):
            pass  # ffmpeg ended first: its exit code and its messages say why
        except BaseException as error:  # handed to the thread that waits
            self._feed_error = error
        finally:
            with contextlib.suppress(OSError):
                pipe.close()

    def checked(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Yield packets read from `stdout`; between two of them a Ctrl-C takes effect.

        Raises:
            KeyboardInterrupt: The user pressed Ctrl-C since the last packet.
        """
        for packet in packets:
            if self._interrupted:
                raise KeyboardInterrupt
            yield packet

    def _note_interrupt(self, number: int, frame: Any) -> None:
        self._interrupted = True

    def stop(self) -> None:
        """End the program now; harmless when it has ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def finish(self, doing: str) -> None:
        """Wait for a good end after the whole of `stdout` was read.

        Args:
            doing: What failed, for the message, for example "data_dst.mp4 could not be decoded".

        Raises:
            UserError: ffmpeg ended with an error code.
        """
        code = self._process.wait()
        for thread in self._threads:
            thread.join()
        if self._feed_error is not None:
            raise self._feed_error
        if code:
            raise self.failure(doing)

    def failure(self, doing: str) -> UserError:
        """Return the mistake to raise when the result is no good."""
        lines = [line for line in self._lines if not CONSEQUENCE.search(line)] or list(self._lines)
        last = "; ".join(list(dict.fromkeys(lines))[-SHOWN_LINES:]) or f"exit code {self._process.poll()}"
        full = any("No space left" in line for line in self._lines)
        return UserError(
            f"{doing}: ffmpeg says: {last}.",
            "some free space on the disk." if full else "a video that ffmpeg can read, and settings that it takes.",
            "free some space and run the step again."
            if full
            else "check that the file plays in a video player; if it does, convert it to mp4 and try again.",
        )

    def __enter__(self) -> "FfmpegRun":
        """Hold back Ctrl-C; return itself."""
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGINT, self._note_interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the program, whatever happened; a Ctrl-C that was held back takes effect now."""
        self.stop()
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            if self._interrupted and not isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt
