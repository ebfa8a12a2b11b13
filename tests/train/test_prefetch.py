import threading
import time

import numpy as np
import pytest

from facewright.train.prefetch import MAX_BATCHES, MAX_BYTES, Prefetcher


class Counting:
    """A source of numbered batches.

    Args:
        fail_at: Number of batches after which it fails.
        nbytes: Size of a batch.
    """

    def __init__(self, fail_at=None, nbytes=8):
        self.made, self.fail_at, self.nbytes = 0, fail_at, nbytes

    def batch(self, size):
        if self.made == self.fail_at:
            raise OSError("the disk went away")
        self.made += 1
        large = np.broadcast_to(np.zeros(1, np.uint8), (self.nbytes,))  # takes no memory
        return {"size": np.array(size), "number": np.array(self.made), "large": large}

    def state(self):
        return {"made": self.made}


@pytest.mark.parametrize("names", [("src", "dst"), ("faces",), ("a", "b", "c")])
def test_batches_of_all_streams_come_in_order_with_their_states(names):
    with Prefetcher({name: Counting() for name in names}, 4) as batches:
        for number in range(1, 20):
            got = batches.get()
            assert list(got) == list(names)
            assert all((batch["size"], batch["number"]) == (4, number) for batch in got.values())
            assert batches.states == {name: {"made": number} for name in names}


def test_batches_are_sent_by_the_thread_that_made_them_and_no_more_than_may_wait():
    sent = []

    def send(batch):
        sent.append(threading.current_thread())
        return {name: array + 1 for name, array in batch.items()}

    with Prefetcher({"src": Counting()}, 4, send) as batches:
        assert [batches.get()["src"]["number"] for _ in range(3)] == [2, 3, 4]
        assert threading.main_thread() not in sent and len(sent) <= 3 + MAX_BATCHES + 1


def test_before_the_first_batch_the_states_are_those_of_the_sources():
    assert Prefetcher({"src": Counting()}, 4).states == {"src": {"made": 0}}


@pytest.mark.parametrize(("nbytes", "most"), [(8, MAX_BATCHES + 1), (MAX_BYTES, 2)])
def test_it_prepares_no_more_than_it_may(nbytes, most):
    source = Counting(nbytes=nbytes)
    with Prefetcher({"src": source}, 1):
        time.sleep(0.2)
        assert source.made <= most


def test_errors_of_a_stream_come_out():
    with Prefetcher({"src": Counting(), "dst": Counting(fail_at=2)}, 1) as batches:
        batches.get()
        batches.get()
        with pytest.raises(OSError, match="went away"):
            batches.get()


def test_its_threads_end():
    before = threading.active_count()
    with Prefetcher({"src": Counting(), "dst": Counting()}, 1) as batches:
        batches.get()
        assert threading.active_count() == before + 2
    assert threading.active_count() == before
