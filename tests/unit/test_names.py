"""A class name stands for one thing, and what begins with an underscore is its module's own."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.project import ROOT

_PROGRAM = sorted(path for room in ("worker", "benchmarks") for path in (ROOT / room).rglob("*.py"))
_TESTS = sorted((ROOT / "tests").rglob("*.py"))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_a_class_name_stands_for_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in _PROGRAM:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _imported(tree: ast.Module) -> Iterator[ast.alias]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(
            ("worker", "benchmarks")
        ):
            yield from node.names


@pytest.mark.parametrize("path", _TESTS, ids=lambda p: str(p.relative_to(ROOT / "tests")))
def test_tests_ask_the_program_what_it_does_and_not_how(path: Path) -> None:
    tree = _tree(path)
    taken = [alias.name for alias in _imported(tree) if _private(alias.name)]
    own = {alias.asname or alias.name for alias in _imported(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _private(node.attr):
            taken += [node.attr for name in [ast.unparse(node.value)] if name in own]
    assert taken == []
