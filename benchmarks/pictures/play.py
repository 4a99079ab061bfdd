"""A small card book, played through the program's own commands into the sandbox."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError

from benchmarks.stage.ports import free_port
from worker.clock import set_file_clock
from worker.sandbox.process import SandboxProcess

# Working hours in Lima, New York and Madrid; then in Shanghai and Taipei, where it is the next day.
_WEST = datetime(2026, 6, 12, 14, 5, tzinfo=UTC)
_EAST = datetime(2026, 6, 13, 1, 5, tzinfo=UTC)
_SIGNATURE = "KeepSIM"
# What the pictures show instead of this machine's address.
_PUBLIC = "https://reminders.example.com"
# As browsers name the languages.
_BROWSERS = {"zh-Hans": "zh-CN", "zh-Hant": "zh-TW", "es-PE": "es-419", "en": "en-GB"}
_HEAD = "msisdn iccid operator kind plan expiry topup holder email language zone".split()  # noqa: SIM905
_TITLES = {"topup": "last top-up", "zone": "time zone"}
_BOOK = """
51987654321 -                   Claro    data      5GB  2026-06-18 -          李伟 li zh-Hans Asia/Shanghai
51987654322 -                   Bitel    4g        3GB  2026-06-13 -          陳怡君 chen zh-Hant Asia/Taipei
51987654323 -                   Movistar retention -    -          2025-11-24 Rosa rosa es-PE America/Lima
51987654324 -                   Entel    data      10GB 2026-06-14 -          Dan dan en America/New_York
51987654325 -                   Claro    data      5GB  2026-06-13 -          Carmen carmen es-PE Europe/Madrid
51987654326 -                   Bitel    4g        3GB  2026-06-15 -          Carmen carmen es-PE Europe/Madrid
51987654327 -                   Movistar retention -    -          2025-11-20 Carmen carmen es-PE Europe/Madrid
-           8951100000000000088 Claro    esim      3GB  2026-06-13 -          王芳 wang zh-Hans Asia/Shanghai
"""  # noqa: E501 - a table
_RENEWED = "dan"
_EMAILS = {
    "li": "A plan that ends in some days (zh-Hans, read in Shanghai)",
    "chen": "A plan that ends tomorrow (zh-Hant, read in Taipei)",
    "rosa": "A line that may be lost (es-PE, read in Lima)",
    "dan": "A renewal that was recorded (en, read in New York)",
    "carmen": "Three cards in one email (es-PE, read in Madrid)",
    "wang": "A travel eSIM (zh-Hans, read in Shanghai)",
}
# The pages: whose email the link stands in, and how its path begins.
_PAGES = {
    "stop": ("rosa", "u", "The page that stops messages (es-PE)"),
    "renewed": ("li", "r", "The page that takes a renewal (zh-Hans)"),
    "tomorrow": ("chen", "t", "The page that asks to be reminded tomorrow (zh-Hant)"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """Something to be looked at; ``kind`` is email or page, ``language`` the browser's."""

    name: str
    kind: str
    title: str
    url: str
    language: str


@contextmanager
def play(scratch: Path) -> Iterator[list[Shown]]:
    """Play the book in ``scratch``; the pages are served as long as the block lasts."""
    with stage(scratch) as made:
        made.send_all()
        received = made.mailbox()
        with made.web():
            yield [*_emails(received, scratch), *_pages(received)]


@contextmanager
def stage(scratch: Path) -> Iterator["PicturesStage"]:
    """A stage in ``scratch``, with its sandbox, on which nothing was played yet."""
    clock, port = scratch / "clock", free_port()
    set_file_clock(clock, _WEST)
    with SandboxProcess(clock_file=clock) as sandbox:
        yield PicturesStage(scratch, clock, port, sandbox.url)


@dataclass(frozen=True, slots=True)
class PicturesStage:
    """A database in ``scratch``, a clock that stands still, and where web and sandbox answer."""

    scratch: Path
    clock: Path
    port: int
    sandbox: str

    def send_all(self) -> None:
        """Import the book, and send what is owed in the west, then in the east."""
        book = self.scratch / "book.tsv"
        book.write_text(_tsv(), encoding="utf-8")
        named = ("--book", "pictures", "--new-book", "--signature", _SIGNATURE, "--apply")
        self.run("cards", "import", book, *named)
        self.run("once")
        self.run("cards", "renew", _number(_RENEWED), "--plan-end", "2026-07-14")
        self.run("once")
        set_file_clock(self.clock, _EAST)
        self.run("once")

    def mailbox(self) -> dict[str, Any]:
        """The last email of each person."""
        with urllib.request.urlopen(f"{self.sandbox}/sandbox/mailbox") as answer:  # noqa: S310
            boxes = json.load(answer)["email"]
        return {address.partition("@")[0]: mails[-1] for address, mails in boxes.items()}

    @contextmanager
    def web(self) -> Iterator[None]:
        """Serve the pages."""
        command = [sys.executable, "-m", "worker.cli", "web"]
        quiet = subprocess.DEVNULL
        environment = self._environment()
        with subprocess.Popen(command, env=environment, cwd=self.scratch, stdout=quiet) as process:
            try:
                _wait_for(f"http://127.0.0.1:{self.port}/healthz")
                yield
            finally:
                process.send_signal(signal.SIGTERM)

    def run(self, *words: object) -> str:
        """What a command prints."""
        done = subprocess.run(
            [sys.executable, "-m", "worker.cli", *map(str, words)],
            env=self._environment(),
            cwd=self.scratch,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def _environment(self) -> Mapping[str, str]:
        ours = ("TWILIO_", "SENDGRID_", "SMTP_", "VIGENCIA_", "SECRET_KEY", "HEARTBEAT_", "PORT")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
        return {
            **kept,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "DATABASE_URL": f"sqlite:///{self.scratch / 'pictures.db'}",
            "VIGENCIA_CLOCK_FILE": str(self.clock),
            "VIGENCIA_SANDBOX__URL": self.sandbox,
            "VIGENCIA_WEB__PORT": str(self.port),
            "VIGENCIA_WEB__PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "VIGENCIA_LOG_LEVEL": "ERROR",
        }


def _rows() -> list[dict[str, str]]:
    rows = [dict(zip(_HEAD, line.split(), strict=True)) for line in _BOOK.strip().splitlines()]
    return [{name: "" if cell == "-" else cell for name, cell in row.items()} for row in rows]


def _tsv() -> str:
    lines = ["\t".join(_TITLES.get(name, name) for name in _HEAD)]
    for row in _rows():
        lines.append("\t".join({**row, "email": f"{row['email']}@example.com"}.values()))
    return "\n".join(lines) + "\n"


def _number(person: str) -> str:
    return "+" + next(row["msisdn"] for row in _rows() if row["email"] == person)


def _language(person: str) -> str:
    return _BROWSERS[next(row["language"] for row in _rows() if row["email"] == person)]


def _emails(received: Mapping[str, Any], scratch: Path) -> Iterator[Shown]:
    for name, title in _EMAILS.items():
        file = scratch / f"{name}.html"
        shown = re.sub(r"http://127\.0\.0\.1:\d+", _PUBLIC, received[name]["html"])
        file.write_text(shown, encoding="utf-8")
        yield Shown(f"email-{name}", "email", title, file.as_uri(), _language(name))


def _pages(received: Mapping[str, Any]) -> Iterator[Shown]:
    for name, (person, path, title) in _PAGES.items():
        text = received[person]["text"] + str(received[person]["headers"])
        found = re.search(rf"http://127\.0\.0\.1:\d+/{path}/[0-9A-Za-z]+", text)
        assert found, f"the email to {person} has no link for {name}"
        yield Shown(f"page-{name}", "page", title, found[0], _language(person))


def _wait_for(url: str) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        with suppress(URLError, OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return
        time.sleep(0.1)
    raise RuntimeError(f"nobody answers at {url}")
