import struct

import numpy as np
import pytest

from facewright.nn import devices
from facewright.train.tensorboard import EventFile, crc32c, crc_table, varint


def test_checksum_of_the_standard():
    # RFC 3720, B.4: 32 bytes of zeroes, of ones, and counting up.
    table = crc_table()
    assert crc32c(bytes(32), table) == 0x8A9136AA
    assert crc32c(b"\xff" * 32, table) == 0x62A8AB43
    assert crc32c(bytes(range(32)), table) == 0x46DD794E


def test_numbers_in_base_128():
    assert [varint(n) for n in (0, 127, 128, 300)] == [b"\x00", b"\x7f", b"\x80\x01", b"\xac\x02"]


def test_tensorflow_reads_the_events(tmp_path):
    devices.prepare()
    tensorflow = pytest.importorskip("tensorflow")
    from tensorflow.core.util import event_pb2

    log = EventFile(tmp_path / "log")
    for iteration in range(1, 26):
        log.add(iteration, {"src": iteration / 10, "dst": 0.25})
    log.flush()
    (path,) = (tmp_path / "log").iterdir()
    events = [event_pb2.Event.FromString(r.numpy()) for r in tensorflow.data.TFRecordDataset(str(path))]
    assert events[0].file_version == "brain.Event:2"
    assert [e.step for e in events[1:]] == [10, 20]
    values = {v.tag: v.simple_value for v in events[2].summary.value}
    assert values["loss/src"] == pytest.approx(np.mean([k / 10 for k in range(11, 21)]))
    assert values["loss/dst"] == 0.25
    assert events[1].wall_time > 1.6e9


def test_a_log_that_cannot_be_written_is_no_reason_to_stop(tmp_path):
    log = EventFile(tmp_path / "log")
    (path,) = (tmp_path / "log").iterdir()
    path.unlink()
    path.mkdir()
    for iteration in range(30):
        log.add(iteration, {"src": 1.0})
    log.flush()
    assert log.problem
    assert struct.calcsize("<Q") == 8
