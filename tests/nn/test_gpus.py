import os

import pytest

from facewright.core.errors import UserError
from facewright.nn import gpus
from facewright.nn.gpus import Gpu, GpuRequest, choose

SMALL, BIG, TWIN = Gpu(0, "GTX 1060", 6.0), Gpu(1, "RTX 3090", 24.0), Gpu(2, "RTX 3090", 24.0)
ALL = (SMALL, BIG, TWIN)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (GpuRequest(), (BIG,)),  # most memory, the first of equals
        (GpuRequest(worst=True), (SMALL,)),
        (GpuRequest(best=2), (TWIN,)),
        (GpuRequest(best=0, worst=True), (SMALL,)),
        (GpuRequest(same_model=True), (BIG, TWIN)),
        (GpuRequest(best=0, same_model=True), (SMALL,)),
        (GpuRequest("all"), ALL),
        (GpuRequest("2,0"), (TWIN, SMALL)),
        (GpuRequest("2, 2"), (TWIN,)),
        (GpuRequest("0", best=1, same_model=True), (SMALL,)),  # the final word
    ],
)
def test_rules(wish, expected):
    assert choose(ALL, wish) == expected


def test_without_gpus_the_processor_is_used_unless_one_is_asked_for():
    assert choose((), GpuRequest()) == choose((), GpuRequest(worst=True, same_model=True)) == ()
    for wish in (GpuRequest("0"), GpuRequest("all"), GpuRequest(best=3)):
        with pytest.raises(UserError, match="no GPU"):
            choose((), wish)
    with pytest.raises(UserError, match="no GPU 7") as caught:
        choose(ALL, GpuRequest("1,7"))
    assert "1: RTX 3090, 24.0 GiB" in caught.value.expected


@pytest.mark.parametrize("text", ["x", "0;1", "-1", "0,,1", "alle", "1.5"])
def test_numbers_that_are_none(text):
    with pytest.raises(UserError, match="does not name GPUs"):
        gpus.check_gpus(text)


def test_lines_of_the_drivers_tool():
    text = "0, NVIDIA H200, 143771\n1, Odd, name, 8192\nNo devices were found\n2, NVIDIA GB10, [N/A]\n"
    assert gpus.parse_nvidia_smi(text.splitlines()) == (Gpu(0, "NVIDIA H200", 143771 / 1024), Gpu(1, "Odd, name", 8.0))


def test_a_variable_that_hides_gpus_counts():
    assert gpus.visible_gpus(ALL, None) == ALL
    assert gpus.visible_gpus(ALL, "2,0") == (SMALL, TWIN)
    assert gpus.visible_gpus(ALL, "") == ()
    assert gpus.visible_gpus(ALL, "GPU-12ab") == ALL


@pytest.mark.parametrize("before", [None, "1,2"])
def test_the_backend_sees_the_chosen_gpus_only_and_what_comes_after_it_all(monkeypatch, before):
    monkeypatch.delenv(gpus.ORDER, raising=False)
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    if before:
        monkeypatch.setenv(gpus.VISIBLE, before)
    with gpus.environment_restored():
        gpus.use((TWIN,))
        assert os.environ[gpus.VISIBLE] == "2" and os.environ[gpus.ORDER] == "PCI_BUS_ID"
        gpus.use((BIG, TWIN))
        assert os.environ[gpus.VISIBLE] == "1,2"
    assert os.environ.get(gpus.VISIBLE) == before and gpus.ORDER not in os.environ


def test_several_gpus_are_for_the_backends_that_share_a_batch():
    gpus.check_several((BIG,), "tensorflow")
    for backend in ("torch", "jax"):
        gpus.check_several((BIG, TWIN), backend)
    with pytest.raises(UserError) as caught:
        gpus.check_several((BIG, TWIN), "tensorflow")
    assert "KERAS_BACKEND=jax" in caught.value.fix


def test_no_tool_no_gpus(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.list_gpus() == ()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, Test 4000, 4096'\n")
    tool.chmod(0o755)
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    assert [gpu.describe() for gpu in gpus.list_gpus()] == ["0: Test 4000, 4.0 GiB"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert gpus.list_gpus() == ()
