import threading
import time

import numpy as np
import pytest

from facewright.train.prefetch import DEPTH, Feed


class Counting:
    def __init__(self, fail_at=None):
        self.made = 0
        self.fail_at = fail_at

    def batch(self, size):
        if self.made == self.fail_at:
            raise OSError("the disk went away")
        self.made += 1
        return {"size": np.array(size), "number": np.array(self.made)}

    def state(self):
        return {"made": self.made}


def test_batches_come_in_order_with_their_state():
    source = Counting()
    with Feed(source, 4) as feed:
        for number in range(1, 20):
            assert feed.get() == {"size": 4, "number": number}
            assert feed.state == {"made": number}


def test_it_runs_ahead_no_further_than_its_depth():
    source = Counting()
    with Feed(source, 1):
        time.sleep(0.2)
        assert source.made <= DEPTH + 1


def test_errors_of_the_thread_come_out():
    with Feed(Counting(fail_at=2), 1) as feed:
        feed.get()
        feed.get()
        with pytest.raises(OSError, match="went away"):
            feed.get()


def test_the_thread_ends():
    with Feed(Counting(), 1) as feed:
        feed.get()
    assert not any(t.name == "facewright-feed" and t.is_alive() for t in threading.enumerate())
