"""Mutation check: change the program in one place, see whether a test notices, and name the changes that none does.

    python tests/mutants.py                        200 changes of the modules of MODULES, chosen by --seed
    python tests/mutants.py --only convert/edge    all changes of one module, or of a package
    python tests/mutants.py --at faces/mask.py:47  the changes of one line

Each changed module is compiled in a fork of this process, which has the large libraries in memory already, and the
tests of its package run there until one fails. Nothing is written to the working tree.
A survivor is no proof of a missing test: some changes make no difference (`<` for `<=` between floats). Needs os.fork.
"""

import argparse
import ast
import contextlib
import copy
import difflib
import importlib
import importlib.abc
import importlib.machinery
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[1]
TESTS, PACKAGE = REPOSITORY / "tests", REPOSITORY / "_internal" / "facewright"
MODULES = ("faces", "convert", "data", "nn/losses.py")
LARGE_LIBRARIES = (
    "numpy",
    "cv2",
    "pytest",
    "hypothesis",
    "scipy.ndimage",
    "sklearn.cluster",
    "av",
    "tensorflow",
    "keras",
)
MAX_CPU_SECONDS = 120  # a change may loop for ever; counted in the fork's own time, whatever else the machine does
MAX_SECONDS = 600.0  # or wait for ever
ENOUGH_OF_A_TABLE = 4  # constants of one statement that are changed; MEAN_FACE has a hundred

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
TWINS = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "floor": "ceil", "ceil": "floor"}
TWINS |= {"any": "all", "all": "any", "erode": "dilate", "dilate": "erode", "ones": "zeros", "zeros": "ones"}
# Calls whose first argument is about what they return: without them nothing that a test could see changes.
CONVERSIONS = {"asarray", "array", "ascontiguousarray", "float", "int", "str", "list", "tuple", "dict", "set", "sorted"}
CONVERSIONS |= {"iter", "astype", "frozenset", "Path", "bool", "bytes", "open", "next", "len", "print", "copy"}
# Parts of a module that only people or type checkers read.
UNSEEN = (ast.Raise, ast.JoinedStr, ast.Assert)


@dataclass(frozen=True)
class Mutant:
    """One change: the place in a module's tree, and the new text of the node there."""

    path: Path
    line: int
    number: int  # of the node in `places`
    variant: int
    statement: int  # line of the statement around it

    @property
    def where(self) -> str:
        return f"{self.path.relative_to(PACKAGE).as_posix()}:{self.line}"


def places(tree: ast.Module) -> Iterator[tuple[ast.AST, int]]:
    """Yield every node that runs, with the line of its statement; annotations, messages and docstrings are left out."""

    def walk(node: ast.AST, statement: int) -> Iterator[tuple[ast.AST, int]]:
        statement = node.lineno if isinstance(node, ast.stmt) else statement
        yield node, statement
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                is_text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
                if isinstance(child, ast.AST) and not isinstance(child, UNSEEN) and not is_text:
                    yield from walk(child, statement)

    return walk(tree, 1)


def variants(node: ast.AST) -> list[ast.AST]:
    """Return what a node may be changed into."""
    match node:
        case ast.Compare():
            return [with_operator(node, at, other) for at, op in enumerate(node.ops) for other in COMPARISONS[type(op)]]
        case ast.BinOp() | ast.AugAssign() if type(node.op) in OPERATORS:
            changed = copy.deepcopy(node)
            changed.op = OPERATORS[type(node.op)]()
            return [changed]
        case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert()):
            return [node.operand]
        case ast.BoolOp():
            return [ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)]
        case ast.Constant():
            return constants(node.value)
        case ast.If() | ast.While() | ast.IfExp():
            changed = copy.deepcopy(node)
            changed.test = ast.UnaryOp(ast.Not(), node.test)
            return [changed]
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            return [ast.Return(ast.Constant(None))]
        case ast.Call():
            return calls(node)
    return []


def with_operator(node: ast.Compare, at: int, other: type[ast.cmpop]) -> ast.AST:
    changed = copy.deepcopy(node)
    changed.ops[at] = other()
    return changed


def constants(value: object) -> list[ast.AST]:
    if isinstance(value, bool):
        return [ast.Constant(not value)]
    if isinstance(value, int):
        return [ast.Constant(value + 1)]
    if isinstance(value, float):
        return [ast.Constant(value * 1.5 if value else 1.0)]
    return []


def calls(node: ast.Call) -> list[ast.AST]:
    """A call becomes its twin (min, max), and its own first argument: what it does is left out."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    found: list[ast.AST] = []
    if name in TWINS:
        changed = copy.deepcopy(node)
        setattr(changed.func, "attr" if isinstance(node.func, ast.Attribute) else "id", TWINS[name])
        found.append(changed)
    if node.args and name not in CONVERSIONS and name[:1].islower() and not isinstance(node.args[0], ast.Starred):
        found.append(node.args[0])
    return found


def replaced(tree: ast.Module, number: int, variant: int) -> ast.Module:
    """Return a copy of a tree with one node changed."""
    tree = copy.deepcopy(tree)
    target = next(node for at, (node, _) in enumerate(places(tree)) if at == number)
    new = variants(target)[variant]

    class Change(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return ast.copy_location(new, node) if node is target else self.generic_visit(node)

    return ast.fix_missing_locations(Change().visit(tree))


def mutants_of(path: Path, rng: random.Random) -> list[Mutant]:
    """Return every change of a module; of a table of constants a few."""
    found, tables = [], defaultdict(list)
    for number, (node, statement) in enumerate(places(ast.parse(path.read_text(encoding="utf-8")))):
        for variant in range(len(variants(node))):
            mutant = Mutant(path, getattr(node, "lineno", statement), number, variant, statement)
            (tables[statement] if isinstance(node, ast.Constant) else found).append(mutant)
    for group in tables.values():
        found += group if len(group) <= ENOUGH_OF_A_TABLE else rng.sample(group, ENOUGH_OF_A_TABLE)
    return sorted(found, key=lambda mutant: (mutant.line, mutant.number, mutant.variant))


def difference(mutant: Mutant) -> str:
    """Return the change as a diff of the statement around it."""
    tree = ast.parse(mutant.path.read_text(encoding="utf-8"))
    before, after = (ast.unparse(t).splitlines() for t in (tree, replaced(tree, mutant.number, mutant.variant)))
    lines = difflib.unified_diff(before, after, lineterm="", n=0)
    return "\n".join(f"    {line}" for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def tests_of(path: Path) -> list[str]:
    """Return the test files of a module's package, its own first, then those of the command of that name.

    Where none of them imports the module, those that do are added.
    """
    package, name = path.relative_to(PACKAGE).parts[0], path.stem
    imports = (f"facewright.{package}.{name} ", f"facewright.{package}.{name}\n")
    files = sorted(TESTS.rglob("test_*.py"))
    texts = {file: file.read_text(encoding="utf-8") for file in files}

    def is_imported(file: Path) -> bool:
        lines = (line for line in texts[file].splitlines(keepends=True) if line.startswith(("from ", "import ")))
        together = f"from facewright.{package} import "
        return any(
            any(text in line for text in imports) or (line.startswith(together) and name in line) for line in lines
        )

    own = [file for file in files if file.parent == TESTS / package and (package != "nn" or is_imported(file))]
    own.sort(key=lambda file: (file.stem != f"test_{name}", not is_imported(file)))
    own += [file for file in files if file.parent.name == "commands" and file.stem.startswith(f"test_{package}")]
    elsewhere = [] if any(map(is_imported, own)) else filter(is_imported, files)
    return [str(file) for file in (*own, *elsewhere)]


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed tree."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """Find the changed module only."""
        if name != self.name:
            return None
        spec = importlib.machinery.ModuleSpec(name, self, origin=str(self.path))
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed tree."""
        exec(compile(self.tree, str(self.path), "exec"), vars(module))


def in_a_fork(work: Callable[[], int]) -> int | None:
    """Run work in a fork and return its exit code; None when it took too long."""
    child = os.fork()
    if child == 0:
        code = 70
        with contextlib.suppress(BaseException):
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            code = work()
        os._exit(code)
    end = time.monotonic() + MAX_SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return None if code in (-signal.SIGKILL, -signal.SIGXCPU) else code
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def run_tests(files: Sequence[str], change: Changed | None) -> int:
    """Run tests in this process until one fails; 0 when none does."""
    import pytest

    if change:
        sys.meta_path.insert(0, change)
    folder = tempfile.mkdtemp(prefix="mutant")
    os.environ.pop("CI", None)
    plain = ["-x", "-p", "no:cacheprovider", "-p", "no:timeout", "--hypothesis-seed=0", f"--basetemp={folder}/tests"]
    try:
        return int(pytest.main([*plain, *files]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def outcome_of(mutant: Mutant) -> str:
    """Return "survives" when all tests of the module pass with the change, "noticed", or "too slow"."""
    name = ".".join(("facewright", *mutant.path.relative_to(PACKAGE).with_suffix("").parts))
    tree = replaced(ast.parse(mutant.path.read_text(encoding="utf-8")), mutant.number, mutant.variant)
    change = Changed(name, mutant.path, tree)
    code = in_a_fork(lambda: run_tests(tests_of(mutant.path), change))
    return "too slow" if code is None else "noticed" if code else "survives"


def chosen_files(only: Sequence[str]) -> list[Path]:
    """Return the modules to change: those of MODULES, or those that were named."""
    found: list[Path] = []
    for name in only or MODULES:
        place = PACKAGE / name
        place = place if place.exists() else place.with_suffix(".py")
        found += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    return [path for path in found if path.name != "__init__.py"]


def chosen_mutants(given: argparse.Namespace) -> list[Mutant]:
    """Return the changes to try, in the order of the files."""
    rng = random.Random(given.seed)
    if given.at:
        name, _, line = given.at.rpartition(":")
        return [m for m in mutants_of(chosen_files([name])[0], rng) if m.line == int(line)]
    every = [mutant for path in chosen_files(given.only) for mutant in mutants_of(path, rng)]
    count = given.count or (len(every) if given.only else 200)
    return [every[at] for at in sorted(rng.sample(range(len(every)), min(count, len(every))))]


def main() -> int:
    """Try the changes; 1 when fewer than --least of a hundred are noticed, or the tests fail unchanged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="module or package below facewright/; repeatable")
    parser.add_argument("--at", default="", help="FILE:LINE, the changes of one line")
    parser.add_argument("--count", type=int, default=0, help="how many changes; 0: all of --only, else 200")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--least", type=float, default=0.0, help="percent that must be noticed")
    given = parser.parse_args()
    sys.path[:0] = [str(PACKAGE.parent), str(TESTS)]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    mutants = chosen_mutants(given)
    for library in LARGE_LIBRARIES:
        importlib.import_module(library)
    tried: set[frozenset[str]] = set()
    for path in sorted({mutant.path for mutant in mutants}):
        files = tests_of(path)
        if frozenset(files) in tried:
            continue
        tried.add(frozenset(files))
        if not files or in_a_fork(lambda files=files: run_tests(files, None)) != 0:
            print(f"{path.relative_to(PACKAGE)}: its tests fail unchanged, or there are none: {files}")
            return 1
    return report(mutants, given.least)


def report(mutants: Sequence[Mutant], least: float) -> int:
    """Try the changes, print each survivor when it is found and the share of each module in the end.

    A change that makes the tests too slow counts as noticed, for a person would see it.
    """
    counts: dict[Path, list[int]] = defaultdict(lambda: [0, 0])
    began = time.monotonic()
    for mutant in mutants:
        outcome = outcome_of(mutant)
        counts[mutant.path][0] += outcome != "survives"
        counts[mutant.path][1] += 1
        if outcome != "noticed":
            print(f"{mutant.where} {outcome}\n{difference(mutant)}", flush=True)
    print(f"\n{'module':<28}{'noticed':>8}{'of':>6}")
    for path, (noticed, tried) in counts.items():
        print(f"{path.relative_to(PACKAGE).as_posix():<28}{noticed:>8}{tried:>6}{100 * noticed / tried:>8.1f} %")
    noticed, tried = (sum(count[at] for count in counts.values()) for at in (0, 1))
    share = 100 * noticed / max(tried, 1)
    print(f"{'together':<28}{noticed:>8}{tried:>6}{share:>8.1f} %  in {time.monotonic() - began:.0f} s")
    return int(share < least)


if __name__ == "__main__":
    sys.exit(main())
