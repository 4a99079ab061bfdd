"""Imports go one way: entry -> use cases -> content, store, providers -> core."""

import ast
import sys
from pathlib import Path

import pytest

_WORKER = Path(__file__).parents[2] / "worker"
_LAYERS = {
    "core": 0,
    **dict.fromkeys(("content", "store", "providers"), 1),
    **dict.fromkeys(
        (
            *("answers", "checks", "consent", "delivery", "receipts", "cardbook", "life"),
            *("promise", "retention"),
        ),
        2,
    ),
}
_ENTRY = 3
# Words that every layer may use: errors for people, which files belong to the program, counts, and
# how time passes.
_SHARED = {"clock", "errors", "metrics", "paths"}
_MODULES = sorted(
    path for path in _WORKER.rglob("*.py") if "migrations" not in path.parts and path.stem != "data"
)


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def _layer(part: str) -> int:
    return _LAYERS.get(part, _ENTRY)


@pytest.mark.parametrize("path", _MODULES, ids=lambda p: str(p.relative_to(_WORKER)))
def test_a_module_imports_only_its_own_layer_and_those_below(path: Path) -> None:
    own = path.relative_to(_WORKER).with_suffix("").parts[0]
    ours = {name.split(".")[1] for name in _imports(path) if name.startswith("worker.")}
    above = {part for part in ours - _SHARED if _layer(part) > _layer(own)}
    assert not above


@pytest.mark.parametrize("path", sorted((_WORKER / "core").glob("*.py")), ids=lambda p: p.stem)
def test_the_core_needs_nothing_but_the_standard_library(path: Path) -> None:
    tops = {name.split(".")[0] for name in _imports(path)}
    assert tops <= {*sys.stdlib_module_names, "worker"}
    assert not {name for name in _imports(path) if name.startswith("worker.errors")}
