"""Losses for TensorBoard: an event file, written without TensorBoard.

The format is TensorFlow's: records of length, checksum, content, checksum (core/lib/io/record_writer), each content
a protocol buffer `Event` (core/util/event.proto). Only two kinds of events are written: the version of the file and
scalar values.
"""

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from facewright.core.files import disk_errors, make_folder

POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), reflected
EVERY = 10  # iterations that one value is the mean of
FLUSH_SECONDS = 10.0


def crc_table() -> tuple[int, ...]:
    """Return the 256 remainders that `crc32c` looks up."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc32c(data: bytes, table: tuple[int, ...]) -> int:
    """Return the CRC-32C of some bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(value: int) -> bytes:
    """Return a number of zero or more in the base-128 form of protocol buffers."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def field(number: int, data: bytes) -> bytes:
    """Return a field of bytes (text, or a message) of a protocol buffer."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def scalars_event(step: int, seconds: float, values: Mapping[str, float]) -> bytes:
    """Return an `Event` with scalar values by tag."""
    summary = b"".join(
        field(1, field(1, tag.encode()) + b"\x15" + struct.pack("<f", value)) for tag, value in values.items()
    )
    return b"\x09" + struct.pack("<d", seconds) + b"\x10" + varint(step) + field(5, summary)


class EventFile:
    """Writes the mean losses of every few iterations; a full disk ends it, not the training.

    Args:
        folder: Folder of the event files; made when absent. Each run writes a file of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._table = crc_table()
        self._path = (
            make_folder(folder) / f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        )
        self._waiting: list[Mapping[str, float]] = []
        self._flushed = 0.0
        self._data = bytearray(self._record(b"\x09" + struct.pack("<d", time.time()) + field(3, b"brain.Event:2")))
        self.problem = ""
        self.flush()

    def add(self, iteration: int, losses: Mapping[str, float]) -> None:
        """Note the losses of an iteration."""
        self._waiting.append(losses)
        if len(self._waiting) < EVERY:
            return
        means = {f"loss/{name}": sum(w[name] for w in self._waiting) / EVERY for name in losses}
        self._waiting.clear()
        self._data += self._record(scalars_event(iteration, time.time(), means))
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Append what is waiting to the file."""
        self._flushed = time.monotonic()
        if self.problem:
            return
        try:
            with disk_errors(self._path), open(self._path, "ab") as file:
                file.write(self._data)
        except Exception as error:  # whatever it is, days of training must not end over a log
            self.problem = str(error).splitlines()[0]
        self._data.clear()

    def _record(self, content: bytes) -> bytes:
        length = struct.pack("<Q", len(content))
        return length + self._checksum(length) + content + self._checksum(content)

    def _checksum(self, data: bytes) -> bytes:
        crc = crc32c(data, self._table)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
