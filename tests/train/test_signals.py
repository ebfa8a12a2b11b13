import os
import signal
import sys

import pytest

from facewright.train.signals import Signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_is_a_request_and_the_handler_is_restored(name):
    before = signal.getsignal(getattr(signal, name))
    with Signals() as signals:
        os.kill(os.getpid(), getattr(signal, name))
        assert signals.received == name
    assert signal.getsignal(getattr(signal, name)) is before


def test_the_second_ctrl_c_stops_at_once():
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not signals.received
    finally:
        signal.signal(signal.SIGHUP, before)
