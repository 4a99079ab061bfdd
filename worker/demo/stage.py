"""The stage: a database, a queue, worker processes and a sandbox of the demo's own."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from worker.clock import set_file_clock
from worker.demo.patience import Patience
from worker.errors import UnreachableError
from worker.processes.actors import Hints
from worker.processes.embedded import EmbeddedServer
from worker.processes.supervise import Workers
from worker.providers.registry import PROVIDERS
from worker.sandbox.fault_rules import parse_rules
from worker.sandbox.process import SandboxProcess
from worker.setup.app import App
from worker.setup.broker import open_broker, require_queue
from worker.setup.build import build
from worker.store.migrate import require_current

# Together about a tenth of all calls fail. Email faults are those whose end is certain: a mail
# that may have left is never sent twice, and without the provider's events nobody can tell.
FAULTS = (
    {"channel": "sms", "kind": "rate_limit", "rate": 0.03, "retry_after": 2},
    {"channel": "sms", "kind": "error_before", "rate": 0.02},
    {"channel": "sms", "kind": "error_after", "rate": 0.02},
    {"channel": "sms", "kind": "reset_before", "rate": 0.01},
    {"channel": "sms", "kind": "reset_after", "rate": 0.02},
    {"channel": "email", "kind": "rate_limit", "rate": 0.10, "retry_after": 2},
)

# Nothing of the surroundings reaches the demo: no real credentials, no real database.
_STRIPPED = ("VIGENCIA_", *(provider.prefix for provider in PROVIDERS))
_PLAIN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "HEARTBEAT_URL", "PORT")


@dataclass(frozen=True, slots=True)
class Stage:
    """What a play needs: the app of the scheduler, its hints, how long to wait for the workers, and
    the clock to move. ``queue_url``: for a process that joins."""

    app: App
    hints: Hints
    patience: Patience
    sandbox_url: str
    clock: Path
    queue_url: str

    def set_time(self, now: datetime) -> None:
        """Move the clock of every process."""
        set_file_clock(self.clock, now)


@contextmanager
def stage(directory: Path, start: datetime, seed: int, redis_url: str | None) -> Iterator[Stage]:
    """Set everything up in ``directory`` at the time ``start``, and tear it down at the end.

    ``redis_url`` names a queue server to use instead of an embedded one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if (directory / "demo.db").exists():
        raise UnreachableError(
            f"{directory} already holds a demo.", "Name another directory, or remove that one."
        )
    clock = directory / "clock"
    set_file_clock(clock, start)
    rules = parse_rules(list(FAULTS))
    with (
        SandboxProcess(clock_file=clock, seed=seed, faults=rules) as sandbox,
        _queue(directory, redis_url) as queue,
    ):
        use_environment(_environment(directory, clock, sandbox.url))
        app = build()
        require_current(app.engine)  # makes the tables
        with _Workers(app, queue, threading.Event()) as workers:
            broker = open_broker(queue)
            patience = Patience(broker, lambda: workers.ends)
            yield Stage(app, Hints(broker, app), patience, sandbox.url, clock, queue)


class _Workers(Workers):
    """Counts how often the worker processes ended by themselves."""

    ends = 0

    def ended(self, exit_code: int) -> None:
        """It is the play that tells of it, if they do not come back."""
        self.ends += 1


@contextmanager
def _queue(directory: Path, redis_url: str | None) -> Iterator[str]:
    if redis_url is not None:
        yield require_queue(SecretStr(redis_url))
        return
    with EmbeddedServer(directory / "queue") as server:
        yield server.url


def use_environment(own: Mapping[str, str]) -> None:
    """This process and its children see the settings ``own`` and no others."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _PLAIN and not name.startswith(_STRIPPED)
    }
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update(own)


def _environment(directory: Path, clock: Path, sandbox_url: str) -> Mapping[str, str]:
    return {
        "DATABASE_URL": f"sqlite:///{directory.resolve() / 'demo.db'}",
        "VIGENCIA_CLOCK_FILE": str(clock.resolve()),
        "VIGENCIA_SANDBOX__URL": sandbox_url,
        # An idle worker asks the queue this often (milliseconds; dramatiq's default is a second,
        # which nobody notices in real life and everybody in 45 days a minute).
        "dramatiq_worker_timeout": "25",
        "VIGENCIA_LOG_LEVEL": "CRITICAL",
        "VIGENCIA_SCHEDULER__SEND_BATCH": "50",
        "VIGENCIA_WORKER__SHUTDOWN_SECONDS": "5",
        # Nobody reports back to the demo: it would only play three days of asking.
        "VIGENCIA_RECEIPTS__FETCH_AFTER_SECONDS": "0",
    }
