"""Runs the program as a user does: a process of its own, with nothing but what is given."""

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.acceptance.warm import Wanted, Warm
from tests.patience import patient

ROOT = Path(__file__).parents[2]
_OURS = (
    "TWILIO_",
    "VONAGE_",
    "SENDGRID_",
    "SMTP_",
    "VIGENCIA_",
    "DATABASE_",
    "REDIS_URL",
    "COLUMNS",
)


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def told(self) -> str:
        """Everything a person would read."""
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Program:
    """The command line, in ``directory``, with ``env`` beside what every process has."""

    directory: Path
    env: Mapping[str, str]
    patience: float = 60

    def run(self, *arguments: str | Path, **env: str) -> Ran:
        """Run ``vigencia ARGUMENTS`` to its end, which comes within ``patience`` seconds
        (see ``tests.patience``)."""
        surroundings = self.environment(**env)
        if sys.platform != "linux" or _of_interpreter(surroundings) != _of_interpreter(os.environ):
            return self._run_cold(arguments, surroundings)
        wanted = Wanted("worker.cli", [*map(str, arguments)], str(self.directory), surroundings)
        with Path(os.devnull).open() as nothing, _written() as out, _written() as err:
            code = _warm().run(wanted, nothing, out, err, patient(self.patience))
            out.seek(0)
            err.seek(0)
            return Ran(code, out.read(), err.read())

    def _run_cold(self, arguments: tuple[str | Path, ...], env: Mapping[str, str]) -> Ran:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patient(self.patience),
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(
        self, *arguments: str | Path, before: Sequence[str] = (), **env: str
    ) -> subprocess.Popen[str]:
        """Start a command that runs on, by the command ``before``; the caller ends it."""
        return subprocess.Popen(
            [*before, *self.command(*arguments)],
            cwd=self.directory,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def command(*arguments: str | Path) -> list[str]:
        """The argument list for a command."""
        return [sys.executable, "-m", "worker.cli", *map(str, arguments)]

    def environment(self, **env: str) -> dict[str, str]:
        """What the process sees: no setting of the surroundings, no port that others use."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        ports = ("WEB__PORT", "METRICS__WORKER_PORT", "METRICS__SCHEDULER_PORT")
        return {**plain, **{f"VIGENCIA_{port}": "0" for port in ports}, **self.env, **env}


@functools.cache
def _warm() -> Warm:
    """One for this test process."""
    warm = Warm()
    atexit.register(warm.close)
    return warm


def _written() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8")


def _of_interpreter(env: Mapping[str, str]) -> dict[str, str]:
    """What Python itself reads as it starts."""
    return {k: v for k, v in env.items() if k.startswith(("PYTHON", "LC_", "LANG"))}
