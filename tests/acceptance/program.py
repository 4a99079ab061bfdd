"""Runs the program as a user does: a process of its own, with nothing but what is given."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_OURS = ("TWILIO_", "SENDGRID_", "SMTP_", "VIGENCIA_", "DATABASE_URL", "REDIS_URL")


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
        """Run ``vigencia ARGUMENTS`` to its end, which comes within ``patience`` seconds."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.patience,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path, **env: str) -> subprocess.Popen[str]:
        """Start a command that runs on; the caller ends it."""
        return subprocess.Popen(
            self.command(*arguments),
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


def free_port() -> int:
    """A port on this machine where nothing listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
