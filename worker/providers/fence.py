"""The last gate before a call leaves: whoever has lost the right to make it must not.

A process can be stopped at any instruction (SIGSTOP, a frozen container, a paused machine) and
goes on minutes later as if nothing had been. Between the decision to call and the first byte lie
waiting for a connection and opening one, so the providers ask here once more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_MAY: Final[ContextVar[Callable[[], bool] | None]] = ContextVar("vigencia_may_call", default=None)


class TooLateError(Exception):
    """Nothing was handed over: the right to do so ended before the first byte."""


@contextmanager
def only_while(may: Callable[[], bool]) -> Iterator[None]:
    """Calls made inside leave only while ``may`` says so."""
    token = _MAY.set(may)
    try:
        yield
    finally:
        _MAY.reset(token)


def pass_or_raise() -> None:
    """Raise ``TooLateError`` if the call must not leave any more."""
    may = _MAY.get()
    if may is not None and not may():
        raise TooLateError
