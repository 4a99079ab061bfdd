"""What is told of a transaction once it is committed: rolled back, it would not have been true."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec

P = ParamSpec("P")

_LATER: ContextVar[list[Callable[[], object]] | None] = ContextVar("later", default=None)


def after_commit(tell: Callable[P, object]) -> Callable[P, None]:
    """``tell``, which waits for the end of the transaction that is being written in this thread:
    a line in the log, a count. Called where there is none, it tells at once."""

    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        if (later := _LATER.get()) is None:
            tell(*args, **kwargs)
        else:
            later.append(partial(tell, *args, **kwargs))

    return told


@contextmanager
def undoable() -> Iterator[None]:
    """Around a part of a transaction that is undone by itself if it fails: nothing is told of that
    part then."""
    later = _LATER.get()
    before = len(later) if later is not None else 0
    try:
        yield
    except BaseException:
        if later is not None:
            del later[before:]
        raise


@contextmanager
def telling() -> Iterator[None]:
    """Around a transaction: at its end tell what waits, or nothing if it was rolled back."""
    later: list[Callable[[], object]] = []
    token = _LATER.set(later)
    try:
        yield
    finally:
        _LATER.reset(token)
    for tell in later:
        tell()
