import pytest

from facewright.core.errors import UserError
from facewright.nn import gpus
from facewright.nn.gpus import Card, Wish, choose

SMALL, BIG, TWIN = Card(0, "GTX 1060", 6.0), Card(1, "RTX 3090", 24.0), Card(2, "RTX 3090", 24.0)
ALL = (SMALL, BIG, TWIN)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Wish(), (BIG,)),  # most memory, the first of equals
        (Wish(worst=True), (SMALL,)),
        (Wish(best=2), (TWIN,)),
        (Wish(best=0, worst=True), (SMALL,)),
        (Wish(alike=True), (BIG, TWIN)),
        (Wish(best=0, alike=True), (SMALL,)),
        (Wish("all"), ALL),
        (Wish("2,0"), (TWIN, SMALL)),
        (Wish("2, 2"), (TWIN,)),
        (Wish("0", best=1, alike=True), (SMALL,)),  # the final word
    ],
)
def test_rules(wish, expected):
    assert choose(ALL, wish) == expected


def test_without_cards_the_processor_is_used_unless_a_card_is_asked_for():
    assert choose((), Wish()) == choose((), Wish(worst=True, alike=True)) == ()
    for wish in (Wish("0"), Wish("all"), Wish(best=3)):
        with pytest.raises(UserError, match="no graphics card"):
            choose((), wish)
    with pytest.raises(UserError, match="no graphics card 7") as caught:
        choose(ALL, Wish("1,7"))
    assert "1: RTX 3090, 24.0 GiB" in caught.value.expected


@pytest.mark.parametrize("text", ["x", "0;1", "-1", "0,,1", "alle", "1.5"])
def test_numbers_that_are_none(text):
    with pytest.raises(UserError, match="does not name graphics cards"):
        gpus.check_gpus(text)


def test_lines_of_the_drivers_tool():
    text = "0, NVIDIA H200, 143771\n1, Odd, name, 8192\nNo devices were found\n2, NVIDIA GB10, [N/A]\n"
    assert gpus.parse(text.splitlines()) == (Card(0, "NVIDIA H200", 143771 / 1024), Card(1, "Odd, name", 8.0))


def test_a_variable_that_hides_cards_counts():
    assert gpus.allowed(ALL, None) == ALL
    assert gpus.allowed(ALL, "2,0") == (SMALL, TWIN)
    assert gpus.allowed(ALL, "") == ()
    assert gpus.allowed(ALL, "GPU-12ab") == ALL


def test_the_backend_sees_the_chosen_cards_only(monkeypatch):
    monkeypatch.setattr(gpus.os, "environ", {})
    gpus.use((TWIN,), "tensorflow")
    assert gpus.os.environ[gpus.VISIBLE] == "2" and gpus.os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    gpus.use((BIG, TWIN), "jax")
    assert gpus.os.environ[gpus.VISIBLE] == "1,2"
    with pytest.raises(UserError, match="With tensorflow a training runs on one graphics card, not on 2") as caught:
        gpus.use((BIG, TWIN), "tensorflow")
    assert "KERAS_BACKEND=jax" in caught.value.fix


def test_no_tool_no_cards(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.cards() == ()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, Test 4000, 4096'\n")
    tool.chmod(0o755)
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    assert [card.describe() for card in gpus.cards()] == ["0: Test 4000, 4.0 GiB"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert gpus.cards() == ()
