"""Runs the designs side by side in one go, interleaved, and puts the truth before the figures."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.stage.providers import Providers
from benchmarks.throughput import load, tables
from benchmarks.throughput.designs import ROOT, baseline
from benchmarks.throughput.meter import cost
from benchmarks.throughput.ours import ours, settings
from benchmarks.throughput.servers import postgresql_for_many
from benchmarks.throughput.texts import payload
from worker.processes.embedded import EmbeddedServer
from worker.store.engine import open_engine
from worker.store.migrate import upgrade

_GIVE_UP_SECONDS = 90.0
_WARM_UP = 400
# These would take minutes for what takes the others seconds; their rate is the same all along.
_SLOW = ("a2", "celery")
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """One design in one round; ``lost`` and ``duplicates`` by the providers' own count."""

    design: str
    database: str
    cards: int
    due: int
    in_flight: int
    latency_ms: float
    seconds: float
    per_second: float
    cpu_us_per_send: float
    rss_mb: float
    lost: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured, in how many rounds."""

    cards: int = 100_000
    due: int = 5_000
    due_slow: int = 2_000
    due_wide: int = 20_000  # with 512 in flight, so that the run is long enough; 0: not measured
    rounds: int = 2
    baselines: tuple[str, ...] = ("a2", "a3", "celery")
    refused: tuple[str, ...] = ("postgresql", "sqlite")  # where one call in twenty is refused

    def run(self, progress: Progress) -> dict[str, Any]:
        """Everything; returns the JSON document."""
        with tempfile.TemporaryDirectory(prefix="vigencia-bench-") as folder:
            place = Place(Path(folder))
            with place.open() as here:
                return BenchSession(self, here, progress).run()


@dataclass(frozen=True, slots=True)
class Here:
    """The servers of one run."""

    directory: Path
    databases: dict[str, str]
    queue: str
    providers: Providers


@dataclass(frozen=True, slots=True)
class Place:
    """Where the servers of one run live."""

    directory: Path

    @contextmanager
    def open(self) -> Iterator[Here]:
        """Start them."""
        with (
            postgresql_for_many(self.directory) as postgres,
            EmbeddedServer(self.directory / "queue") as queue,
            Providers() as providers,
        ):
            databases = {
                "postgresql": postgres,
                "sqlite": f"sqlite:///{self.directory / 'bench.db'}",
            }
            yield Here(self.directory, databases, queue.url, providers)


class BenchSession:
    """One benchmark from the first card to the ratios."""

    def __init__(self, bench: Bench, here: Here, progress: Progress) -> None:
        self._bench, self._here, self._progress = bench, here, progress
        self._engines = {name: open_engine(url) for name, url in here.databases.items()}
        self.measured: list[Measured] = []

    def run(self) -> dict[str, Any]:
        """Fill, measure in rounds, compare."""
        bench = self._bench
        for name, engine in self._engines.items():
            self._progress(f"fill {name}")
            upgrade(engine)
            load.fill(engine, bench.cards, max(bench.due, bench.due_wide))
        tables.fill(self._engines["postgresql"], bench.cards, bench.due)
        for turn in range(bench.rounds):
            for name in self._engines:
                self._ours(name, 128, 0.1, f"round {turn + 1}")
            self._bare(128, 0.1, bench.due)
            for name in bench.baselines:
                self._baseline(name)
        self._fast()
        if bench.due_wide:
            self._wide()
        checks = self._checks()
        for engine in self._engines.values():
            engine.dispose()
        return {
            "measured": [asdict(one) for one in self.measured],
            "ratios": ratios(self.measured),
            **checks,
        }

    def _wide(self) -> None:
        """512 in flight."""
        for turn in range(self._bench.rounds):
            for name in self._engines:
                self._ours(name, 512, 0.1, f"512 in flight, round {turn + 1}")
            self._bare(512, 0.1, self._bench.due_wide)

    def _fast(self) -> None:
        """A provider without latency that refuses one call in twenty."""
        for name in self._bench.refused:
            self._ours(name, 128, 0.0, "no latency, 5% of the calls refused", errors=0.05)

    def _ours(
        self, database: str, in_flight: int, latency: float, told: str, errors: float = 0.0
    ) -> None:
        self._progress(f"ours on {database}: {told}")
        due = self._bench.due if in_flight == 128 else self._bench.due_wide
        env = settings(self._here.databases[database], self._here.queue, self._here.providers.url,
                       in_flight, self._here.directory / "clock")  # fmt: skip
        env["VIGENCIA_RETRY__BASE_SECONDS"] = "1"
        with ours(env) as line:
            self._measure(line, database, due, in_flight, latency, errors)

    def _baseline(self, name: str) -> None:
        self._progress(name)
        engine = self._engines["postgresql"]
        url = self._here.databases["postgresql"]
        due = self._bench.due_slow if name in _SLOW else self._bench.due
        with baseline(
            name, engine, url, _own_database(self._here.queue), self._here.providers.url
        ) as b:
            self._measure(b, "postgresql", due, 128, 0.1, 0.0)

    def _measure(
        self, line: Any, database: str, due: int, in_flight: int, latency: float, errors: float
    ) -> None:
        self._warm_up(line, due)
        self._here.providers.reset(latency, errors)
        before = cost(line.pids)
        began = time.monotonic()
        line.start(due)
        again = line.again if errors else None
        told = self._here.providers.wait_for(due, _GIVE_UP_SECONDS, again)
        after = cost(line.pids)
        self._keep(line.name, database, due, in_flight, latency, told, told["last"] - began,
                   after.cpu - before.cpu, after.peak_mb)  # fmt: skip

    def _warm_up(self, line: Any, due: int) -> None:
        """Every design has run before it is measured: imports, connections, compiled statements."""
        self._here.providers.reset(0.0)
        line.reset(_WARM_UP)
        line.start(_WARM_UP)
        self._here.providers.wait_for(_WARM_UP, 30)
        line.reset(due)

    def _bare(self, in_flight: int, latency: float, due: int) -> None:
        self._progress(f"bare client, {in_flight} in flight")
        file = self._here.directory / f"payloads-{due}.json"
        if not file.exists():
            write_payloads(file, due)
        self._here.providers.reset(latency)
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.throughput.bare", self._here.providers.url,
             str(in_flight), str(file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        began = time.monotonic()
        child.stdin.write("go\n")
        child.stdin.flush()
        told = self._here.providers.wait_for(due, _GIVE_UP_SECONDS)
        peak = cost([child.pid]).peak_mb
        used = float(child.stdout.readline())
        child.wait(10)
        self._keep("bare", "none", due, in_flight, latency, told, told["last"] - began, used, peak)

    def _keep(
        self, design: str, database: str, due: int, in_flight: int, latency: float,
        told: dict[str, Any], seconds: float, cpu: float, peak: float,
    ) -> None:  # fmt: skip
        accepted = int(told["accepted"])
        self.measured.append(
            Measured(
                design, database, self._bench.cards, due, in_flight, latency * 1000,
                round(seconds, 3), round(accepted / seconds, 1),
                round(cpu / max(accepted, 1) * 1e6, 1), round(peak, 1),
                lost=due - int(told["unique"]), duplicates=accepted - int(told["unique"]),
            )
        )  # fmt: skip

    def _checks(self) -> dict[str, Any]:
        from benchmarks.throughput.checking import checks_per_second, idle_tick_ms
        from worker.processes.gc_tuning import look_rarely
        from worker.setup.build import build_ready

        found: dict[str, Any] = {"checks_per_second": {}, "idle_tick_ms": {}}
        for name, url in self._here.databases.items():
            self._progress(f"checks on {name}")
            load.due_again(self._engines[name])
            os.environ["DATABASE_URL"] = url
            app = build_ready()
            look_rarely()  # as a worker does
            found["idle_tick_ms"][name] = round(idle_tick_ms(app), 2)
            number = min(20_000, self._bench.cards)
            found["checks_per_second"][name] = round(checks_per_second(app, number))
            app.engine.dispose()
            del os.environ["DATABASE_URL"]
        return found


def write_payloads(file: Path, due: int) -> None:
    """The texts the bare client sends: those of the baselines' due cards."""
    import json
    from types import SimpleNamespace

    rows = (SimpleNamespace(**row) for row in tables.rows(due, due))
    file.write_text(json.dumps([payload(row, load.NOW) for row in rows]), "utf-8")


def _own_database(queue: str) -> str:
    """Another database of the same server, so that no design sees another's keys."""
    return f"{queue}?db=1" if queue.startswith("unix://") else f"{queue.rsplit('/', 1)[0]}/1"


def ratios(measured: list[Measured]) -> dict[str, float]:
    """Ours over each other design on the median of its rounds; only rounds that told the truth."""

    def rate(design: str, database: str, in_flight: int) -> float | None:
        found = [
            one.per_second
            for one in measured
            if (one.design, one.database, one.in_flight) == (design, database, in_flight)
            and one.latency_ms and not one.lost and not one.duplicates
        ]  # fmt: skip
        return statistics.median(found) if found else None

    told: dict[str, float] = {}
    for database in ("postgresql", "sqlite"):
        for in_flight in (128, 512):
            mine, wire = rate("ours", database, in_flight), rate("bare", "none", in_flight)
            if mine and wire:
                told[f"ours/bare {database} {in_flight}"] = round(mine / wire, 3)
        for other in ("a2", "a3", "celery"):
            mine, theirs = rate("ours", database, 128), rate(other, "postgresql", 128)
            if mine and theirs:
                told[f"ours/{other} {database} 128"] = round(mine / theirs, 2)
    return told
