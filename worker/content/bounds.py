"""What is worked on at the moment, told to whoever bounds it: a template can be without an end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TELL: ContextVar[Callable[[str], None] | None] = ContextVar("tell", default=None)


def begin(name: str) -> None:
    """The template ``name`` is compiled or rendered from here on."""
    if (tell := _TELL.get()) is not None:
        tell(name)


@contextmanager
def told(tell: Callable[[str], None]) -> Iterator[None]:
    """Have each ``begin`` told to ``tell``."""
    token = _TELL.set(tell)
    try:
        yield
    finally:
        _TELL.reset(token)
