"""Names that templates define or import and nobody uses: words that have become stale."""

from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError, nodes

from worker.content.findings import Finding
from worker.content.sources import SHARED, Sources


def check_names(sources: Sources, syntax: Environment) -> list[Finding]:
    """Every import is used, and every word and macro of the shared files by some template."""
    trees = {name: tree for name, source in sources.items() if (tree := _parse(source, syntax))}
    used = {name: _used(tree) for name, tree in trees.items()}
    found: list[Finding] = []
    for name, tree in trees.items():
        if tree.find(nodes.Extends):
            continue  # what it imports is for the layout
        for node in tree.find_all(nodes.Import):
            if node.target not in used[name]:
                what = f"{node.target} is imported and never used"
                found.append(_finding(name, node.lineno, what))
    every = set().union(*used.values())
    for name, tree in trees.items():
        if name.startswith(f"{SHARED}/") and name.count("/") > 1:
            for defined, line in _defined(tree):
                if defined not in every:
                    found.append(_finding(name, line, f"{defined} is never used"))
    return found


def _finding(name: str, line: int, what: str) -> Finding:
    return Finding(name, line, "warning", "unused", " ".join(name.split("/")[:-1]), what)


def _parse(source: str, syntax: Environment) -> nodes.Template | None:
    try:
        return syntax.parse(source)
    except TemplateSyntaxError:
        return None


def _defined(tree: nodes.Template) -> Iterator[tuple[str, int]]:
    for node in tree.body:
        if isinstance(node, nodes.Macro):
            yield node.name, node.lineno
        elif isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name):
            yield node.target.name, node.lineno


def _used(tree: nodes.Template) -> set[str]:
    names = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
    return names | {node.attr for node in tree.find_all(nodes.Getattr)}
