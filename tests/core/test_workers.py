"""The ordered map: order, bounded look-ahead, errors at their place, a worker that dies."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.hints import hint, hints_of


def double(value: int) -> int:
    return value * 2


def die(value: int) -> int:
    if value == 2:
        os._exit(9)
    return value


def refuse(value: int) -> int:
    raise UserError(f"{value} is bad.", "a good one.", f"take another:{hint('train')}")


def test_results_come_in_order_though_the_first_is_slowest() -> None:
    def work(value: int) -> int:
        time.sleep(0.02 * (5 - value))
        return value

    with workers.threads(5) as pool:
        assert list(workers.ordered_map(work, range(5), pool, ahead=5)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("ahead", [1, 3])
def test_items_are_taken_only_as_needed(ahead: int) -> None:
    taken = []

    def source() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    with workers.threads(2) as pool:
        results = workers.ordered_map(double, source(), pool, ahead=ahead)
        assert [next(results) for _ in range(4)] == [0, 2, 4, 6]
        assert len(taken) <= 4 + ahead
        results.close()


def test_an_exception_comes_out_at_its_place() -> None:
    def work(value: int) -> int:
        return 10 // (value - 2)

    seen: list[int] = []
    with workers.threads(2) as pool, pytest.raises(ZeroDivisionError):
        seen.extend(workers.ordered_map(work, range(5), pool, ahead=4))
    assert seen == [-5, -10]


def test_what_was_begun_is_handed_out_before_the_source_fails() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise RuntimeError("the disk is gone")

    seen: list[int] = []
    with workers.threads(1) as pool, pytest.raises(RuntimeError, match="disk"):
        seen.extend(workers.ordered_map(double, source(), pool, ahead=8))
    assert seen == [2, 4]


def test_leaving_early_drops_what_waits() -> None:
    done: list[int] = []
    gate = threading.Event()

    def work(value: int) -> int:
        if value:
            gate.wait(5)
        done.append(value)
        return value

    with workers.threads(1) as pool:
        results = workers.ordered_map(work, range(50), pool, ahead=50)
        assert next(results) == 0
        results.close()
        gate.set()
    assert len(done) <= 2


def test_processes_keep_the_three_lines_of_a_mistake() -> None:
    with hints_of(Path("elsewhere"), ()), workers.processes(1) as pool, pytest.raises(UserError) as caught:
        list(workers.ordered_map(refuse, [7], pool, ahead=2))
    assert caught.value.fix.startswith("take another:")
    assert "--workspace elsewhere" in caught.value.fix  # the process knows whose run it works for


def test_a_worker_that_dies_is_told_in_a_sentence() -> None:
    seen: list[int] = []
    with workers.processes(1) as pool, pytest.raises(UserError, match="worker process ended"):
        seen.extend(workers.ordered_map(die, range(6), pool, ahead=2))
    assert seen in ([0, 1], [0], [])  # the executor may withdraw what was under way


def test_tasks_come_in_the_order_of_their_submission_and_say_when_the_oldest_is_done() -> None:
    gate = threading.Event()

    def wait() -> str:
        gate.wait(5)
        return "slow"

    with workers.threads(2) as pool, workers.OrderedTasks[str](pool) as tasks:
        assert not tasks.ready() and len(tasks) == 0
        tasks.submit(wait)
        tasks.submit(str.upper, "fast")
        assert len(tasks) == 2 and not tasks.ready()
        gate.set()
        assert [tasks.next(), tasks.next()] == ["slow", "FAST"] and len(tasks) == 0
        with pytest.raises(IndexError):
            tasks.next()


def test_leaving_cancels_the_tasks_that_have_not_begun() -> None:
    done, gate = [], threading.Event()

    def work(number: int) -> None:
        gate.wait(5)
        done.append(number)

    with workers.threads(1) as pool:
        with workers.OrderedTasks[None](pool) as tasks:
            for number in range(20):
                tasks.submit(work, number)
        gate.set()
    assert len(done) <= 1


def test_a_task_of_a_worker_that_dies_is_told_in_a_sentence() -> None:
    with workers.processes(1) as pool, workers.OrderedTasks[int](pool) as tasks:
        tasks.submit(die, 2)
        with pytest.raises(UserError, match="worker process ended"):
            tasks.next()
