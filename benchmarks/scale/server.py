"""A PostgreSQL of its own, as a person would set it up on a machine of this size."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Engine, make_url, text

from benchmarks.scale.shapes import NOW
from benchmarks.stage.postgresql import postgresql
from worker.clock import Clock
from worker.paths import config_dir
from worker.setup.app import App
from worker.setup.gateways import choose
from worker.setup.load_rules import load_rules
from worker.setup.settings import Settings
from worker.store.engine import open_engine

# Beside these all is default: fsync and full_page_writes are on.
SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "maintenance_work_mem": "512MB",
    "checkpoint_timeout": "15min",
    "track_io_timing": "on",
}
MAIN, SMALL = "vigencia_scale", "vigencia_scale_small"


@contextlib.contextmanager
def server_of_this_size(directory: Path, *, keep: bool) -> Iterator[str]:
    """The address of a server with its data in ``directory``, which stays there if ``keep``."""
    with postgresql(directory / "pg", keep=keep) as server:
        server.set(SETTINGS)
        server.restart()
        yield server.url


def database(server: str, name: str) -> str:
    """The address of the database ``name``, which is made if it is not there."""
    engine = open_engine(server)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        found = conn.execute(text("SELECT 1 FROM pg_database WHERE datname = :n"), {"n": name})
        if found.first() is None:
            conn.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def open_app(url: str, now: Clock = lambda: NOW) -> App:
    """The real app on the database ``url``, at a time of its own."""
    settings = Settings(database_url=SecretStr(url))  # type: ignore[call-arg]
    return App(settings, load_rules(config_dir()), choose(settings), open_engine(url), now)


def environment(url: str, clock: Path) -> dict[str, str]:
    """For commands of the program: nothing of what a person has configured here."""
    ours = ("VIGENCIA_", "TWILIO_", "SENDGRID_", "SMTP_", "REDIS_", "DATABASE_")
    plain = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return {**plain, "DATABASE_URL": url, "VIGENCIA_CLOCK_FILE": str(clock)}


def processor(engine: Engine) -> float:
    """Processor seconds the server has used so far, in all its processes: what it needs however
    busy the machine is with other things."""
    with engine.connect() as conn:
        folder = Path(str(conn.execute(text("SHOW data_directory")).scalar_one()))
    pid = int((folder / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    # Its own, that of children which have ended, and of those which have not.
    return sum(_ticks(pid, 4)) / _TICKS + sum(sum(_ticks(int(c), 2)) for c in children) / _TICKS


_TICKS = os.sysconf("SC_CLK_TCK")


def _ticks(pid: int, fields: int) -> list[int]:
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # it has ended
        return []
    return [int(field) for field in told.rpartition(")")[2].split()[11 : 11 + fields]]


def number(engine: Engine, statement: str) -> int:
    """The one number that ``statement`` yields."""
    with engine.connect() as conn:
        return int(conn.execute(text(statement)).scalar() or 0)
