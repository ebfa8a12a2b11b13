"""What this process may use of the machine."""

import os

import pytest

from facewright.core.machine import GIB, cores, memory, nvidia_smi


@pytest.fixture
def group(tmp_path):
    """A control group whose numbers the test chooses."""

    def write(limit, used=0, inactive=0, active=0):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
        stat = f"anon 5\nfile 7\ninactive_file {inactive}\nactive_file {active}\n"
        (tmp_path / "memory.stat").write_text(stat)
        return memory(tmp_path)

    return write


def test_this_process_may_use_some_cores_and_no_more_than_there_are():
    assert 1 <= cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that binds a process to cores")
def test_a_process_that_is_bound_to_one_core_counts_one():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_the_computer_has_some_memory(tmp_path):
    found = memory(tmp_path / "no-group")
    assert GIB / 2 < found.total < 1e5 * GIB and 0 < found.available <= found.total


@pytest.mark.parametrize(
    ("numbers", "left"),
    [
        ((1000, 400), 600),
        ((1000, 1000, 300, 200), 500),  # pages of files are dropped where the memory is needed
        ((1000, 1200), 1),
    ],
)
def test_a_control_group_bounds_both_numbers(group, numbers, left):
    found = group(*numbers)
    assert (found.total, found.available) == (1000, left)


@pytest.mark.parametrize("limit", ["max", 1 << 60])
def test_a_group_without_a_limit_or_with_a_large_one_leaves_what_the_computer_has(group, tmp_path, limit):
    computer = memory(tmp_path / "no-group")
    found = group(limit, 7)
    assert found.total == computer.total
    assert found.available == pytest.approx(computer.available, rel=0.3)


def test_a_group_that_does_not_say_what_is_used_still_bounds(tmp_path):
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory(tmp_path).total == memory(tmp_path).available == 1000


def test_nvidia_smi_answers_with_a_line_per_card(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nvidia_smi("name") == []
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\necho "$1"\necho "$2"\n')
    tool.chmod(0o755)
    assert nvidia_smi("index", "name") == ["--query-gpu=index,name", "--format=csv,noheader,nounits"]
    tool.write_text("#!/bin/sh\necho broken\nexit 9\n")
    assert nvidia_smi("name") == []
