"""The demo shows what it does as it does it, waits for slow workers, and takes a book as it is."""

import json
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.program import ROOT, Program, Ran
from tests.patience import patient

_HURRIED = """
import sys
from worker.demo import patience
patience._LOST_AFTER, patience._MOST_REPEATS = 0.05, 3
"""
_BROKEN = """
import sys
from worker.processes import supervise
from worker.demo import patience
supervise.VIGENCIA = (sys.executable, "-c", "raise SystemExit(3)")
patience._MOST_ENDS = 1
"""


def _demo(vigencia: Program, changed: str, *arguments: str) -> Ran:
    """The demo in a process in which something else holds."""
    code = f"{changed}\nfrom worker.cli import main\nsys.argv.insert(1, 'demo')\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=vigencia.directory,
        env=vigencia.environment(PYTHONPATH=str(ROOT)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_workers_that_are_slow_to_start_are_waited_for(vigencia: Program) -> None:
    # A twentieth of a second is over long before a worker process has started; the hints in the
    # queue show that nothing is lost.
    ran = _demo(vigencia, _HURRIED, "--json", "--days", "2")
    assert ran.code == 0, ran.told
    assert (ran.json["lost"], ran.json["duplicates"]) == (0, 0)
    assert ran.json["reminders"]["missed"] == 0
    assert ran.json["messages"] > 50


def test_workers_that_do_not_stay_alive_are_told(vigencia: Program) -> None:
    ran = _demo(vigencia, _BROKEN, "--days", "1")
    assert ran.code == 1, ran.told
    assert "The worker processes have ended 1 times in a row" in ran.told
    assert "Next:" in ran.told


def test_a_day_is_shown_as_soon_as_it_is_over(vigencia: Program) -> None:
    stage = vigencia.directory / "stage"
    demo = vigencia.start("demo", "--days", "12", "--dir", str(stage))
    assert demo.stdout is not None
    assert demo.stdout.readline().split()[0] == "day"
    first = date.fromisoformat(demo.stdout.readline().split()[0])
    reached = datetime.fromisoformat((stage / "clock").read_text())
    rest, told = demo.communicate(timeout=100)
    assert demo.returncode == 0, told
    assert reached.date() < first + timedelta(days=12), "it was told at the end only"
    days = [line.split()[0] for line in rest.splitlines() if line.startswith("20")]
    assert days == sorted(set(days))
    assert str(first) not in days
    assert "Starting" in told
    assert "database was made" not in told, "it is gone at the end"


def _write(vigencia: Program, *rows: str) -> Path:
    book = vigencia.directory / "mine.csv"
    header = "Type,Operator,Mobile number,Expiry date,Email\n"
    book.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return book


def test_the_dates_of_an_own_book_stay_as_they_are(vigencia: Program) -> None:
    end = datetime.now(UTC).date() + timedelta(days=2)
    book = _write(vigencia, f"4g,claro,987000001,{end},ana@example.com")
    ran = vigencia.run("demo", "--days", "3", "--file", str(book))
    assert ran.code == 0, ran.told
    assert "1 cards, 3 days" in ran.out
    assert f"{end:%d/%m}" in ran.out, "the day in the text is the one in the book"


def test_a_book_in_which_nothing_ends_is_told_as_one(vigencia: Program) -> None:
    end = datetime.now(UTC).date() + timedelta(days=300)
    book = _write(vigencia, f"4g,claro,987000001,{end},ana@example.com")
    ran = vigencia.run("demo", "--days", "3", "--file", str(book))
    assert ran.code == 0, ran.told
    assert "Nothing was due" in ran.out


@pytest.mark.parametrize(
    "rows", [(), ("4g,claro,987000001,soon,ana@example.com",)], ids=["empty", "refused"]
)
def test_a_book_that_is_refused_or_empty_is_no_success(
    vigencia: Program, rows: tuple[str, ...]
) -> None:
    ran = vigencia.run("demo", "--file", str(_write(vigencia, *rows)))
    assert ran.code == 1, ran.told
    assert "Next:" in ran.told
    assert "Lost: 0" not in ran.told


def test_a_book_that_needs_options_says_that_the_demo_has_none(vigencia: Program) -> None:
    book = vigencia.directory / "mine.csv"
    book.write_text("type,operator,number,expiry date\n4g,claro,987000001,2026-12-01\n")
    ran = vigencia.run("demo", "--file", str(book))
    assert ran.code == 1, ran.told
    assert "the column 'number'" in ran.told
    assert f"vigencia cards import {book}" in ran.told
    assert "which takes the options" in ran.told


def test_what_was_played_can_be_looked_at(vigencia: Program) -> None:
    demo = vigencia.start("demo", "--days", "1", "--keep", "--json")
    try:
        assert demo.stderr is not None
        link = next(line for line in demo.stderr if "/sign-in/" in line).split()[-1]
        with urllib.request.urlopen(link, timeout=patient(20)) as page:  # noqa: S310 - loopback
            assert b"Sign in as admin" in page.read()
    finally:
        demo.send_signal(signal.SIGTERM)
        told, log = demo.communicate(timeout=patient(60))
    assert demo.returncode == 0, log
    assert json.loads(told)["cards"] == 300
