"""The structural rules that a program can check: who imports whom, sizes, no hidden state."""

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from facewright.core.command import CommandPackage

REPOSITORY = Path(__file__).resolve().parents[1]
INTERNAL = REPOSITORY / "_internal"
PACKAGE = INTERNAL / "facewright"
# Package -> the packages it may import. Sideways where listed, never in a circle (a test of its own).
MAY_IMPORT = {
    "core": (),
    "ui": ("core",),
    "video": ("core",),
    "marking": ("core", "video"),
    "nn": ("core",),
    "faces": ("core",),
    "interop": ("core", "faces"),
    "data": ("core", "faces"),
    "convert": ("core", "faces", "video", "marking", "nn", "models", "ui"),
    "extract": ("core", "faces", "video", "ui"),
    "annotate": ("core", "faces", "extract", "ui"),
    "facesets": ("core", "faces", "extract", "interop", "ui"),
    "models": ("core", "faces", "interop", "data", "nn", "ui", "marking"),
    "train": ("core", "faces", "data", "nn", "models", "ui", "marking"),
    "masks": ("core", "faces", "data", "nn", "models", "train", "facesets", "ui"),
    "evaluate": ("core", "faces", "extract", "convert", "models", "nn", "video", "marking", "ui"),
    "review": ("core", "faces", "extract", "annotate", "convert", "marking", "evaluate", "ui"),
    "restore": ("core", "faces", "facesets", "nn"),
    "doctor_checks": ("core", "ui", "video", "nn"),
    "commands": (
        *("core", "ui", "video", "marking", "nn", "faces", "data", "convert", "extract", "annotate", "facesets"),
        *("models", "train", "evaluate", "review", "restore", "doctor_checks", "swap", "masks"),
    ),
    "swap": ("core", "faces", "video", "convert", "extract", "ui"),
    "library": ("core", "convert", "extract", "swap", "train", "video"),
    "launchers": ("core",),
    "doc_tables": (
        *("core", "ui", "convert", "extract", "annotate", "facesets", "models", "train", "evaluate", "review"),
        *("commands", "launchers"),
    ),
    "cli": ("core", "launchers", "doc_tables"),
}
# Library -> the packages or files that may import it. numpy and cv2 are open to all.
ALLOWED_IN = {
    "keras": ("nn/", "models/", "extract/"),
    "tensorflow": ("extract/", "nn/backends/"),
    "jax": ("nn/backends/",),
    "torch": ("nn/backends/",),
    "onnx": ("nn/",),
    "onnxruntime": ("nn/",),
    "mtcnn": ("extract/detectors/",),
    "joblib": ("extract/detectors/",),  # the format of the weights inside the mtcnn package, never of a user's file
    "dlib": ("extract/",),
    "ffmpeg": ("video/",),
    "imageio_ffmpeg": ("video/",),
    "av": ("video/",),
    "psutil": ("core/machine.py",),
    "filelock": ("core/locks.py",),
    "isal": ("core/png_pixels.py",),
    "platformdirs": ("core/user_defaults.py",),
    "tensorboardX": ("train/tensorboard.py",),
    "tqdm": ("core/console.py",),
    "colorama": ("core/console.py",),
    "sklearn": ("faces/grouping.py", "faces/like_poses.py", "facesets/"),
    "scipy": ("convert/poisson.py",),  # scikit-learn needs it too
    "click": ("cli.py",),
}
OPEN_TO_ALL = {"numpy", "cv2", "facewright", "msvcrt"}
OF_ONE_SYSTEM = {"msvcrt", "ctypes", "termios", "tty"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve"}
UNPICKLER = "interop/safe_pickle.py"  # its `find_class` imports nothing; anywhere else pickle runs what a file says
LONGEST_FILE, LONGEST_FUNCTION = 600, 60

FILES = sorted(PACKAGE.rglob("*.py"))
OURS = [*FILES, *sorted((REPOSITORY / "tests").rglob("*.py"))]


def offences(files: Iterable[Path], rule: Callable[[Path], Iterable[str]]) -> list[str]:
    """Return "file: what is wrong" for all that a rule finds, so that one run names every offender."""
    return [f"{path.relative_to(REPOSITORY).as_posix()}: {wrong}" for path in files for wrong in rule(path)]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def package_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports_of(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted names that a file imports, those behind importlib.import_module("...") too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            module = str(node.module)
            yield module
            if module == "facewright":
                yield from (f"facewright.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            yield from (str(name.value) for name in node.args[:1] if isinstance(name, ast.Constant))


def test_packages_import_what_they_may() -> None:
    wrong = []
    for path in FILES:
        package = package_of(path)
        for name in imports_of(tree_of(path)) if package != "__init__" else ():
            parts = name.split(".")
            if parts[0] != "facewright" or len(parts) == 1 or parts[1] in (package, "__version__"):
                continue
            if parts[1] not in MAY_IMPORT[package]:
                wrong.append(f"{path.relative_to(PACKAGE)} must not import {name}")
    assert not wrong


def test_the_table_of_packages_is_current() -> None:
    text = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `(\w+)` \| [^|]* \| ([^|]*)\|", text)
    assert {name: set(re.findall(r"\w+", others)) for name, others in rows} == {
        name: set(others) for name, others in MAY_IMPORT.items()
    }


def test_no_package_imports_in_a_circle() -> None:
    done: set[str] = set()
    while ready := {name for name, others in MAY_IMPORT.items() if name not in done and done.issuperset(others)}:
        done |= ready
    assert done == MAY_IMPORT.keys()


def wrong_libraries(path: Path) -> Iterator[str]:
    place = path.relative_to(PACKAGE).as_posix()
    for name in imports_of(tree_of(path)):
        library = name.split(".")[0]
        if library in FORBIDDEN_MODULES and place != UNPICKLER:
            yield f"{library} runs or hides code in data"
        elif library in sys.stdlib_module_names or library in OPEN_TO_ALL:
            continue
        elif library not in ALLOWED_IN:
            yield f"{library} may not be imported yet: add it to this test and to ARCHITECTURE.md"
        elif not place.startswith(ALLOWED_IN[library]):
            yield f"{library} may be imported in {ALLOWED_IN[library]} only"


def test_libraries_are_imported_where_they_may() -> None:
    assert not offences(FILES, wrong_libraries)


def too_long(path: Path) -> Iterator[str]:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines >= LONGEST_FILE:
        yield f"{lines} lines"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            lines = int(node.end_lineno or 0) - node.lineno + 1 - len(docstring.splitlines())
            if lines >= LONGEST_FUNCTION:
                yield f"{node.name} has {lines} lines"


def test_no_file_and_no_function_is_too_long() -> None:
    assert not offences(OURS, too_long)


def test_test_files_have_names_of_their_own() -> None:
    """Two of one name cannot be collected in one run."""
    names = [path.name for path in OURS if path.name.startswith("test_")]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


def hidden(path: Path) -> Iterator[str]:
    tree = tree_of(path)
    for node in ast.walk(tree):
        where = f"line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            yield f"{where}: star import"
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{where}: bare except"
        called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if called in ("eval", "exec", "compile"):
            yield f"{where}: {called}"
        if isinstance(node, ast.Global):
            yield f"{where}: global"
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if is_changeable(node.value) and not all(name.isupper() for name in names):
                yield f"line {node.lineno}: module state {names}"


def test_nothing_hidden() -> None:
    """No star import, no bare except, no eval or exec, no state that outlives a call."""
    assert not offences(FILES, hidden)


def unexplained_imports(path: Path) -> Iterator[str]:
    """Imports inside of functions where neither the line nor the one before says why."""
    lines = path.read_text(encoding="utf-8").splitlines()
    functions = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    late = {
        node for function in functions for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)
    }
    for node in late:
        module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        explained = any("#" in lines[at] for at in (node.lineno - 1, node.lineno - 2))
        if not explained and module not in OF_ONE_SYSTEM:
            yield f"line {node.lineno}: an import inside of a function says in a comment why it is late"


def test_late_imports_say_why() -> None:
    assert not offences(FILES, unexplained_imports)


DOOR = "core/safe_files.py"
# These open only what comes with the program, or with the system.
OPEN_THEIR_OWN = (
    *("launchers.py", "doc_tables.py", "doctor_checks.py", "commands/benchmark.py", "commands/quickstart.py"),
    *("core/command.py", "core/console.py", "core/machine.py", "core/user_defaults.py", "nn/devices.py"),
    *("nn/cards.py", "extract/detectors/mtcnn.py", "extract/embedding.py", "ui/page.py"),
)


def opened_beside_the_door(path: Path) -> Iterator[str]:
    if path.relative_to(PACKAGE).as_posix() in (DOOR, *OPEN_THEIR_OWN):
        return
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        new = any(isinstance(value, ast.Constant) and value.value == "xb" for value in node.args)
        of_replacing = any(isinstance(value, ast.Name) and value.id == "temporary" for value in ast.walk(node))
        direct = called in ("open", "os.open", "shutil.rmtree") or called.endswith(
            (".read_bytes", ".read_text", ".write_bytes")
        )
        if direct and not new and not of_replacing:
            yield f"line {node.lineno}: {called}(...): use core/safe_files.py"


def test_files_of_users_are_opened_through_one_door() -> None:
    """No link is written through, no pipe waited for, no folder behind a link removed."""
    assert not offences(FILES, opened_beside_the_door)


def is_changeable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        return getattr(value.func, "id", getattr(value.func, "attr", "")) in ("dict", "list", "set", "defaultdict")
    return isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)


def test_every_file_says_what_it_is_for() -> None:
    assert not [path for path in FILES if not ast.get_docstring(tree_of(path))]


COMMANDS = CommandPackage()


def test_every_command_keeps_the_contract() -> None:
    """Its options are declared with `option`, in a frozen dataclass, and it takes what it is called with."""
    for name, command in COMMANDS.load_all().items():
        assert command.name == name
        assert command.options.__dataclass_params__.frozen, name
        for field in dataclasses.fields(command.options):
            assert "option" in field.metadata, f"{name}: {field.name} is not made with option(...)"
            assert field.metadata["option"].help.endswith((".", "?", ")")), f"{name}: {field.name}"
        if command.more:
            assert command.more.by in {field.name for field in dataclasses.fields(command.options)}, name
        # Further parameters have defaults: they are for callers of the package. Else this raises a TypeError.
        inspect.signature(command.run).bind(*["workspace", "options", "more"][: 3 if command.more else 2])


def test_commands_are_light_to_import() -> None:
    """What takes seconds to import waits until a command has something to do."""
    heavy = "{'tensorflow', 'keras', 'mtcnn', 'dlib', 'jax', 'torch', 'sklearn', 'onnx', 'onnxruntime'}"
    answer = in_fresh_python(f"CommandPackage().load_all(); print({heavy} & set(sys.modules))")
    assert answer == "set()"


def in_fresh_python(code: str) -> str:
    """Return what the code prints; sys and CommandPackage are imported."""
    start = f"import sys; sys.path.insert(0, {str(INTERNAL)!r}); from facewright.core.command import CommandPackage; "
    answer = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def test_the_list_of_commands_is_light() -> None:
    """`main.py --help` imports neither a command nor a library that takes long."""
    code = "from facewright.cli import main; main(['--help']); print('\\n', {'cv2', 'numpy', 'av'} & set(sys.modules))"
    assert in_fresh_python(code).endswith("set()")


@pytest.mark.parametrize("name", ["bootstrap.py", "bootstrap_build.py", "bootstrap_pip.py", "bootstrap_weights.py"])
def test_bootstrap_needs_the_standard_library_only(name: str) -> None:
    for module in imports_of(tree_of(INTERNAL / name)):
        root = module.split(".")[0]
        assert root in sys.stdlib_module_names or root in ("bootstrap", "bootstrap_pip", "bootstrap_weights")


def test_json_has_one_reader() -> None:
    """`core/json_data.py` alone knows the limits of what strangers wrote."""

    def readers(path: Path) -> Iterator[str]:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("json.load", "json.loads", "json.JSONDecoder"):
                yield f"line {node.lineno}: {ast.unparse(node)}"

    assert not offences([path for path in FILES if path.name != "json_data.py"], readers)
