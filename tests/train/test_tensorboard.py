import signal
import sys

import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.nn import devices
from facewright.train.tensorboard import LossWriter


def test_tensorflow_reads_the_events(tmp_path):
    devices.prepare()
    tensorflow = pytest.importorskip("tensorflow")
    from tensorflow.core.util import event_pb2

    log = LossWriter(tmp_path / "log")
    for iteration in range(1, 26):
        log.add(iteration, {"src": iteration / 10, "dst": 0.25})
    log.add_measures(25, {"src": 3.5, "src eyes": 4.5})
    log.close()
    (path,) = (tmp_path / "log").iterdir()
    events = [event_pb2.Event.FromString(r.numpy()) for r in tensorflow.data.TFRecordDataset(str(path))]
    assert events[0].file_version == "brain.Event:2"
    assert [e.step for e in events[1:]] == [10, 20, 25]
    assert {v.tag: v.simple_value for v in events[3].summary.value} == {"held_out/src": 3.5, "held_out/src_eyes": 4.5}
    values = {v.tag: v.simple_value for v in events[2].summary.value}
    assert values["loss/src"] == pytest.approx(np.mean([k / 10 for k in range(11, 21)]))
    assert values["loss/dst"] == 0.25
    assert events[1].wall_time > 1.6e9


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_log_that_cannot_be_written_any_more_is_no_reason_to_stop(tmp_path):
    import resource

    log = LossWriter(tmp_path / "log")
    (path,) = (tmp_path / "log").iterdir()
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, limits[1]))  # the file may not grow
    try:
        for iteration in range(30):
            log.add(iteration, {"src": 1.0})
        log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert log.problem
    log.add(31, {"src": 1.0})


def test_a_folder_that_cannot_be_made_is_said_at_once(tmp_path):
    (tmp_path / "log").write_bytes(b"")
    with pytest.raises(UserError, match="log"):
        LossWriter(tmp_path / "log")
