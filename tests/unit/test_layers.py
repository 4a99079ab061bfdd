"""Each room of the house may use the rooms below it that are named here, and no other."""

import ast
import sys
from collections.abc import Collection, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

_WORKER = Path(__file__).parents[2] / "worker"
# What every room may use: how time passes, child processes, errors for people, counts, which files
# belong to the program, and what the keys of a TOML file are.
_SHARED = ("children", "clock", "errors", "metrics", "paths", "tables")
# From the ground up: a room may use those in its row, and all of them stand above it in the table.
_ROOMS: dict[str, tuple[str, ...]] = {
    # What is owed, when, and what an outcome means: pure functions.
    "core": (),
    # Tools. None knows another, nor what it is used for.
    "content": ("core",),
    "providers": ("core",),
    "store": ("core",),
    "sandbox": ("core",),
    # The work on cards and messages: it reads and writes the ledger, renders, and calls providers;
    # and who may do it in the console (accounts).
    "pipeline": ("core", "content", "providers", "store"),
    # A spreadsheet in and out; what an import brings about (a renewal, a new number) is an event.
    "cardbook": ("core", "store", "pipeline"),
    # Composition: files and environment are read, and the pieces put together. It knows the keys
    # with which the sandbox is called, so that those and real ones never mix.
    "setup": ("core", "content", "providers", "store", "sandbox", "pipeline", "cardbook"),
    "monitoring": ("core", "providers", "store", "setup"),
    # A simulation decides and renders as the pipeline does, with the rules of this installation; of
    # a silent address it asks what its provider said.
    "simulation": ("core", "content", "providers", "store", "setup"),
    # Long work that somebody asked for is an import or a simulation.
    "processes": (
        *("core", "content", "providers", "store", "sandbox", "pipeline", "cardbook"),
        *("setup", "monitoring", "simulation"),
    ),
    # Doors: HTTP and the command line, and the demo that a command plays.
    "web": (
        *("core", "content", "providers", "store", "pipeline", "cardbook", "setup"),
        "monitoring",
    ),
    "demo": ("core", "providers", "store", "sandbox", "cardbook", "setup", "processes"),
    "cli": (
        *("core", "content", "store", "sandbox", "pipeline", "cardbook", "setup"),
        *("monitoring", "simulation", "processes", "web", "demo"),
    ),
}
_MODULES = sorted(
    path for path in _WORKER.rglob("*.py") if "migrations" not in path.parts and path.stem != "data"
)
# Conditions that do not hold for a module that is imported.
_NOT_AS_A_MODULE = ("TYPE_CHECKING", "__name__ == '__main__'")


def _name(path: Path) -> str:
    """As Python calls it."""
    inside = path.relative_to(_WORKER.parent).with_suffix("")
    return ".".join(inside.parts).removesuffix(".__init__")


def _room(path: Path) -> str:
    return path.relative_to(_WORKER).with_suffix("").parts[0]


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def _as_it_is_loaded(path: Path) -> Iterator[ast.AST]:
    """The nodes of a module outside its functions."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += [node.args, *getattr(node, "decorator_list", ())]
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) in _NOT_AS_A_MODULE):
            yield node
            waiting += ast.iter_child_nodes(node)


def _attributes(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute):
            yield ast.unparse(inner)


def _needed(path: Path, names: Collection[str]) -> set[str]:
    """The modules of ours, of those with ``names``, that are loaded before this one is."""
    found: set[str] = set()
    for node in _as_it_is_loaded(path):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = {f"{node.module}.{alias.name}" for alias in node.names} & {*names}
            found |= parts if len(parts) == len(node.names) else {*parts, node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & {*names}


def _rooms(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in _imports(path) if name.startswith("worker.")}
    return {name for name in names if not name.startswith("__")}


def test_every_folder_is_a_room_and_the_modules_beside_them_are_shared() -> None:
    found = {_room(path) for path in _MODULES} - {"__init__"}
    assert found == {*_ROOMS, *_SHARED}


def test_no_arrow_goes_upward() -> None:
    names = list(_ROOMS)
    for number, (room, used) in enumerate(_ROOMS.items()):
        assert set(used) <= set(names[:number]), f"{room} uses what stands above it"


def test_no_module_is_loaded_by_one_that_it_loads() -> None:
    """So in whatever order they are loaded, each finds what it imports. The tests of the program
    rely on it: a command of theirs finds the modules loaded already (``tests/acceptance/warm.py``).
    """
    names = {_name(path): path for path in _MODULES}
    TopologicalSorter({name: _needed(path, names) for name, path in names.items()}).prepare()


def test_no_module_reads_the_environment_as_it_is_loaded() -> None:
    """What it says is for the command that runs, not for the process that was there before it."""
    readers = [
        _name(path)
        for path in _MODULES
        for node in _as_it_is_loaded(path)
        if isinstance(node, ast.Call | ast.Subscript)
        and {"os.environ", "os.getenv", "sys.argv", "Path.cwd"} & {*_attributes(node)}
    ]
    assert readers == []


@pytest.mark.parametrize("path", _MODULES, ids=lambda p: str(p.relative_to(_WORKER)))
def test_a_module_imports_only_what_its_room_may_use(path: Path) -> None:
    own = _room(path)
    allowed = {own, *_SHARED, *_ROOMS.get(own, ())}
    if own in _SHARED:  # they stand under everything; what can be counted is named by the core
        allowed = {*_SHARED, "core"} if own == "metrics" else set(_SHARED)
    assert _rooms(path) <= allowed


@pytest.mark.parametrize("path", sorted((_WORKER / "core").glob("*.py")), ids=lambda p: p.stem)
def test_the_core_needs_nothing_but_the_standard_library(path: Path) -> None:
    tops = {name.split(".")[0] for name in _imports(path)}
    assert tops <= {*sys.stdlib_module_names, "worker"}
    assert _rooms(path) <= {"core"}
