"""A newcomer's first message: the commands of the README, on a Chinese card book of 40 cards."""

import json
import re
import shlex
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from python_calamine import load_workbook

from benchmarks.stage.ports import free_port
from tests.acceptance.own_book import HEADERS, write_own_book
from tests.acceptance.program import ROOT, Program
from tests.integration.helpers import until

_README = (ROOT / "README.md").read_text("utf-8")
_SECTION = _README.partition("## Your own card book")[2].partition("\n## ")[0]


def _commands() -> list[list[str]]:
    """What the newcomer types, word by word."""
    [block] = re.findall(r"```console\n(.+?)```", _SECTION, re.S)
    typed = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return [shlex.split(line, comments=True) for line in typed]


@pytest.fixture
def newcomer(tmp_path: Path) -> Program:
    """The program where the newcomer's spreadsheet lies, with a sandbox on a port of its own."""
    port = free_port()
    env = {
        "VIGENCIA_SANDBOX__URL": f"http://127.0.0.1:{port}",
        "VIGENCIA_SCHEDULER__TICK_SECONDS": "0.5",
    }
    there = Program(tmp_path, env)
    write_own_book(tmp_path / "客户卡.xlsx", datetime.now(UTC).date())
    return there


@contextmanager
def _running(there: Program, words: list[str]) -> Iterator[list[str]]:
    """``vigencia up`` until Ctrl-C; what it printed is in the list afterwards."""
    told: list[str] = []
    up = there.start(*words)
    try:
        yield told
    finally:
        up.send_signal(signal.SIGINT)
        out, err = up.communicate(timeout=60)
        told += out.splitlines()
    assert up.returncode == 0, err


def _received(there: Program) -> dict[str, list[dict[str, Any]]]:
    """What each number has received; nothing as long as nobody answers."""
    url = f"{there.env['VIGENCIA_SANDBOX__URL']}/sandbox/mailbox"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own sandbox
            sms: dict[str, list[dict[str, Any]]] = json.load(answer)["sms"]
            return sms
    except OSError:
        return {}


def _numbers(book: Path) -> set[str]:
    """The last four digits of the cards in the newcomer's spreadsheet."""
    rows = load_workbook(book).get_sheet_by_index(0).to_python()
    column = HEADERS.index("秘鲁号码")
    return {str(row[column])[-4:] for row in rows if str(row[column]).isdigit()}


def test_the_first_message_of_an_own_book_takes_the_commands_of_the_readme(
    newcomer: Program,
) -> None:
    (activate, dry_run, written, start) = _commands()
    assert activate == [".", ".venv/bin/activate"]
    tried = newcomer.run(*dry_run[1:])
    assert tried.code == 0, tried.told
    assert "40 rows: 40 would be created, 0 would be changed, 0 unchanged, 0 refused." in tried.out
    assert "zh-Hans ×27" in tried.out, "中文 is what the book's language says"
    done = newcomer.run(*written[1:])
    assert done.code == 0, done.told
    assert "40 rows: 40 created" in done.out
    assert start == ["vigencia", "up"]
    with _running(newcomer, start[1:]) as told:
        assert until(lambda: bool(_received(newcomer)), 100)
        received = _received(newcomer)
    bodies = [message["body"] for got in received.values() for message in got]
    tails = _numbers(newcomer.directory / "客户卡.xlsx")
    assert len(tails) == 40
    assert all("秘鲁卡" in body for body in bodies), "the signature that was asked for"
    assert all(any(tail in body for tail in tails) for body in bodies)
    assert [line for line in told if line.endswith("(sandbox)")]


def test_the_readme_shows_the_headers_of_that_book() -> None:
    shown = next(line for line in _SECTION.splitlines() if line.startswith("| 序号"))
    assert [cell.strip() for cell in shown.strip("|").split("|")] == list(HEADERS)
