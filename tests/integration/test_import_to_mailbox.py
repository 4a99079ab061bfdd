"""From a card book as it is typed to the hour and the address of what arrives."""

from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from tests.integration import stories
from tests.integration.helpers import NOW, TODAY, World
from tests.integration.sandbox_helpers import mailbox
from worker.cli import cli
from worker.clock import set_file_clock
from worker.store.tables import suppressions

# Numbers of countries with several time zones, and the zone of most of their people or of the
# capital (Wikipedia's tables of time by country).
LIVES = {
    "+34612345678": "Europe/Madrid",
    "+351912345678": "Europe/Lisbon",
    "+972502345678": "Asia/Jerusalem",
    "+61412345678": "Australia/Sydney",
    "+64211234567": "Pacific/Auckland",
    "+593991234567": "America/Guayaquil",
    "+56921234567": "America/Santiago",
    "+8613812345678": "Asia/Shanghai",
    "+447400123456": "Europe/London",
    "+525512345678": "America/Mexico_City",
}
OPENS, CLOSES = time(9), time(20)


def imported(world: World, rows: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """`vigencia cards import`, of a book with these rows; what the dry run says of it."""
    monkeypatch.setenv("DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    assert world.clock is not None
    set_file_clock(world.clock, NOW)
    monkeypatch.setenv("VIGENCIA_CLOCK_FILE", str(world.clock))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "book.csv"
    head = "msisdn,expires,contact_phone,email,language,operator,kind,holder"
    file.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    words = ["cards", "import", str(file), "--book", "b", "--new-book"]
    told = CliRunner().invoke(cli, words)
    written = CliRunner().invoke(cli, [*words, "--apply"])
    assert (told.exit_code, written.exit_code) == (0, 0), told.output + written.output
    return told.output


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_nobody_abroad_is_written_to_at_night(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row names a time zone: it comes from the number alone."""
    end = TODAY + timedelta(days=9)
    rows = [
        f"9876540{n:02},{end},{phone},,en,claro,data,Holder {n}" for n, phone in enumerate(LIVES)
    ]
    output = imported(world, rows, tmp_path, monkeypatch)
    for zone in [*LIVES.values()][:6]:
        assert zone in output
    received = stories.play(world, NOW, NOW + timedelta(days=11))
    assert {one.to for one in received} == set(LIVES)
    for one in received:
        there = one.at.astimezone(ZoneInfo(LIVES[one.to]))
        assert OPENS <= there.time() < CLOSES, (one.to, there)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_an_address_of_any_script_is_written_to_in_ascii(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = TODAY + timedelta(days=5)
    rows = [
        f"987654001,{end},,rosa@müller.example.com,en,claro,data,Rosa",
        f"987654002,{end},,mei@xn--fiqs8s.example.com,en,claro,data,Mei",
        f"987654003,{end},,li@中国.example.com,en,claro,data,Li",
    ]
    imported(world, rows, tmp_path, monkeypatch)
    stories.play(world, NOW, NOW + timedelta(hours=6))
    assert set(mailbox(world.sandbox)["email"]) == {
        "rosa@xn--mller-kva.example.com",
        "mei@xn--fiqs8s.example.com",
        "li@xn--fiqs8s.example.com",
    }
    assert world.rows(suppressions) == []
