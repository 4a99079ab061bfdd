"""The storm's stage: database, queue, sandbox behind a network, and the program's processes."""

import os
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.stage.ports import free_port
from benchmarks.storm.clock import FastClock
from benchmarks.storm.database import Database, open_database
from benchmarks.storm.network import Network
from benchmarks.storm.processes import Company, StormProcess
from worker.demo.stage import use_environment
from worker.processes.embedded import EmbeddedServer
from worker.sandbox.process import SandboxProcess
from worker.setup.app import App
from worker.setup.build import build_ready

# A generation of two of each: when one is killed, the other is there.
_WORKERS, _SCHEDULERS, _WEBS = 3, 2, 1


@dataclass(frozen=True, slots=True)
class StormStage:
    """Everything the storm strikes at. ``sandbox_url`` goes round the network."""

    app: App
    clock: FastClock
    database: Database
    queue: EmbeddedServer
    queue_directory: Path
    network: Network
    company: Company
    sandbox_url: str

    def empty_queue(self) -> None:
        """SIGKILL the queue server, and delete what it had saved."""
        shutil.rmtree(self.queue_directory / "appendonlydir", ignore_errors=True)
        if self.queue.pid:
            os.kill(self.queue.pid, signal.SIGKILL)


@contextmanager
def stage(
    directory: Path, database: str, start: datetime, speed: float, seed: int, pace: float
) -> Iterator[StormStage]:
    """Set everything up in ``directory``; the processes start with ``company``. ``speed``: seconds
    of the clock in a real one; ``pace``: how much slower than usual the machine is."""
    directory.mkdir(parents=True, exist_ok=True)
    web_port = free_port()
    with ExitStack() as stack:
        clock = FastClock(directory / "clock", start, speed)
        base = stack.enter_context(open_database(database, directory))
        queue = stack.enter_context(EmbeddedServer(directory / "queue"))
        sandbox = stack.enter_context(
            SandboxProcess(
                clock_file=clock.path,
                seed=seed,
                events_url=f"http://127.0.0.1:{web_port}/webhooks/sendgrid/events",
                inbound_url=f"http://127.0.0.1:{web_port}/webhooks/twilio/inbound",
            )
        )
        network = stack.enter_context(Network(urlsplit(sandbox.url).port or 0))
        use_environment(
            {
                **_environment(directory, clock, base, queue, network, web_port),
                **_times(speed, pace),
            }
        )
        app = build_ready() if database == "sqlite" else _migrated()
        ahead = {"VIGENCIA_CLOCK_FILE": str(clock.ahead.resolve())}
        kept = [
            StormProcess(
                args, {**os.environ, **(ahead if wrong else {})}, directory / f"{args[0]}.log"
            )
            for args, wrong in _commands()
        ]
        yield StormStage(
            app, clock, base, queue, directory / "queue", network, Company(kept), sandbox.url
        )
        app.engine.dispose()


def _migrated() -> App:
    from worker.setup.build import build
    from worker.store.migrate import upgrade

    app = build()
    upgrade(app.engine)
    return app


def _commands() -> Iterator[tuple[list[str], bool]]:
    """The arguments of each process, and whether it has the clock that is ahead: one of the
    workers has, and no two clocks of machines are the same."""
    worker = ["worker", "--processes", "1", "--threads", "4"]
    yield from ((worker, number == 0) for number in range(_WORKERS))
    yield from ((["scheduler"], False) for _ in range(_SCHEDULERS))
    yield from ((["web"], False) for _ in range(_WEBS))


def _environment(
    directory: Path, clock: FastClock, base: Database, queue: EmbeddedServer, network: Network,
    web_port: int,
) -> Mapping[str, str]:  # fmt: skip
    return {
        "DATABASE_URL": base.url,
        "REDIS_URL": queue.url,
        "VIGENCIA_CLOCK_FILE": str(clock.path.resolve()),
        "VIGENCIA_SANDBOX__URL": f"http://127.0.0.1:{network.port}",
        "VIGENCIA_WEB__PORT": str(web_port),
        "VIGENCIA_WEB__PUBLIC_URL": f"http://127.0.0.1:{web_port}",
        "VIGENCIA_SCHEDULER__SEND_BATCH": "40",
        "VIGENCIA_SCHEDULER__CHECK_BATCH": "60",
        "VIGENCIA_RETRY__ATTEMPTS": "40",
        # Of an email whose end nobody knows the provider's events tell in the end. To send it again
        # before they come is the one thing that can double a notice, so here it is not allowed.
        "VIGENCIA_UNKNOWN__EMAIL": "hold",
        "VIGENCIA_LOG_FORMAT": "json",
        "dramatiq_worker_timeout": "50",
        "SECRET_KEY": secrets.token_hex(32),
    }


def _times(speed: float, pace: float) -> Mapping[str, str]:
    """Settings that are times: leases and pauses as the fast clock counts them, and what is waited
    for really."""

    def stretched(seconds: float) -> str:
        return str(max(30, int(seconds * pace * speed)))

    return {
        "VIGENCIA_DELIVERY__READ_TIMEOUT": str(min(60, 1.5 * pace)),
        "VIGENCIA_DELIVERY__LEASE_SECONDS": stretched(8),
        "VIGENCIA_SCHEDULER__TICK_SECONDS": "0.25",
        "VIGENCIA_SCHEDULER__CHECK_LEASE_SECONDS": stretched(5),
        "VIGENCIA_SCHEDULER__HINT_SECONDS": stretched(3),
        "VIGENCIA_RETRY__BASE_SECONDS": stretched(0.5),
        "VIGENCIA_RETRY__LONGEST_SECONDS": stretched(5),
        "VIGENCIA_RETRY__PARK_SECONDS": stretched(14),
        "VIGENCIA_RETRY__HOLD_SECONDS": stretched(1),
        "VIGENCIA_BREAKER__PROBE_SECONDS": stretched(1),
        "VIGENCIA_WORKER__SHUTDOWN_SECONDS": str(int(5 * pace)),
    }
