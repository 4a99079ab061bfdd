"""``{% kept a, b %} … {% endkept %}``: a part of a text that is rendered once for the same values.

What follows from the operators and the events alone, such as the ways to top up, is most of an
email and the same in thousands of them.
"""

from collections.abc import Callable
from itertools import count
from typing import Any, Final

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.meta import find_undeclared_variables
from jinja2.parser import Parser
from jinja2.runtime import Context

# Some 5 kB each: 5 MB at most. An hour's messages tell of few events and operators.
_MOST: Final = 1024
# What a template sees without being told of it.
_HIDDEN: Final = frozenset({"self", "super", "caller", "varargs", "kwargs"})
_ELSEWHERE: Final = (nodes.Block, nodes.Include, nodes.Import, nodes.FromImport)


class CachedParts:
    """The kept parts of one environment; forgets them all once there are too many."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], str] = {}

    def __call__(
        self, context: Context, part: int, values: tuple[Any, ...], caller: Callable[[], str]
    ) -> str:
        """The ``part`` of a template for ``values``, as ``caller`` makes it."""
        plain = tuple([tuple(value) if type(value) is list else value for value in values])
        # By type too: what is marked as HTML equals what is not.
        key = (context.name, part, plain, *map(type, plain))
        text = self._known.get(key)
        if text is None:
            text = caller()
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = text
        return text

    def __len__(self) -> int:
        return len(self._known)


class KeptTag(Extension):
    """The tag.

    A part may speak of nothing but the values it names, so that these and the template it stands
    in (by which filters know the language) are all that its text depends on.
    """

    tags: set[str] = {"kept"}  # noqa: RUF012 - as the base class has it

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._parts = count()
        self.texts = CachedParts()

    def parse(self, parser: Parser) -> nodes.Node:
        """Read one part; fails to if it speaks of more than it names."""
        line = next(parser.stream).lineno
        names = [parser.stream.expect("name").value]
        while parser.stream.skip_if("comma"):
            names.append(parser.stream.expect("name").value)
        body = parser.parse_statements(("name:endkept",), drop_needle=True)
        if more := sorted(self._seen_by(body) - set(names)):
            parser.fail(f"a kept part must name all that it sees: {', '.join(more)}", line)
        values = nodes.Tuple([nodes.Name(name, "load") for name in names], "load")
        arguments = [nodes.ContextReference(), nodes.Const(next(self._parts)), values]
        call = nodes.Call(self.attr("texts"), arguments, [], None, None)
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _seen_by(self, body: list[nodes.Node]) -> set[str]:
        part = nodes.Template(body, lineno=1)
        part.set_environment(self.environment)
        hidden = {node.name for node in part.find_all(nodes.Name)} & _HIDDEN
        others = {type(node).__name__.lower() for node in part.find_all(_ELSEWHERE)}
        return find_undeclared_variables(part) | hidden | others
