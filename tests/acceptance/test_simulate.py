"""`vigencia simulate`: what it says is what would be sent, and it sends and changes nothing."""

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.program import ROOT, Program
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, accepted
from worker.pipeline.delivery import open_delivery
from worker.processes.once import run_once
from worker.providers.base import EmailOut, Provider, SmsOut
from worker.setup.build import build_ready
from worker.simulation import household, processes
from worker.simulation.period import Period
from worker.simulation.prepare import prepare
from worker.simulation.totals import Totals
from worker.store.engine import reading
from worker.store.views import next_look

_START = "2026-06-05T05:00:00+00:00"  # midnight in Lima
_DAYS = ("--from", "2026-06-05", "--to", "2026-07-19")  # 45 days
LIMA, SHANGHAI = "America/Lima", "Asia/Shanghai"
NEW_YORK, SAN_FRANCISCO = "America/New_York", "America/Los_Angeles"
_TABLES = ("books", "holders", "cards", "messages", "reminders", "attempts", "receipts",
           "suppressions", "card_events", "alembic_version")  # fmt: skip


@pytest.fixture
def there(vigencia: Program) -> Program:
    """The program on 5 June 2026, when Lima's day begins."""
    clock = vigencia.directory / "clock"
    clock.write_text(_START)
    return Program(vigencia.directory, {"VIGENCIA_CLOCK_FILE": str(clock)})


def _import(program: Program, file: Path, book: str = "b") -> None:
    ran = program.run("cards", "import", file, "--book", book, "--new-book", "--apply", "--json")
    assert ran.code == 0, ran.told


def _simulate(program: Program, *arguments: str | Path) -> Any:
    ran = program.run("simulate", *_DAYS, *arguments, "--json")
    assert ran.code == 0, ran.told
    return ran.json


def _database(program: Program) -> Path:
    return program.directory / "var" / "vigencia.db"


def _rows(program: Program, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(_database(program)) as db:
        return db.execute(query).fetchall()


# What was worked out by hand
#
# By the rules of the ladder and the policies, on paper. "Today" is 5 June 2026; the cards become
# known when that day begins in Lima (05:00 UTC). A line reads: the day on which the window opens,
# the window, its channels. It opens at 09:00 in the holder's zone, which the contact phone tells:
# +51 Lima, +86 China, +1 415 San Francisco. An instant in UTC stands where it is another one.
# T is the plan's end, n its days, L the loss of the line. A window further ahead of T than n / 2
# days is left out. L counts from the last known top-up, the later of the book's and T - n.
# The end of T in Lima is 13:00 of the next day in China: there all windows of a plan are a day
# later.
# L begins at midnight in Lima, which is the day before in San Francisco, so its windows before the
# loss are a day earlier; those after it count from the end of that day.

_CASES: Mapping[str, Mapping[str, tuple[str, list[str]]]] = {
    "cardbook-en.tsv": {
        # Bitel, 4g, n = 1: T-7 and T-3 fall away, T-1 never does. T = 13 June.
        "918801394": (LIMA, [
            "06-12 plan_end-1d sms email", "06-13 plan_end+0d sms",
            "06-14 plan_end+1d sms email", "06-20 plan_end+7d email",
        ]),
        # Claro, data, n = 30, T = 5 June. At midnight T-1 (opened on the 4th) is still open, but
        # the holder sleeps until 09:00, when T0 opens: so T-1 gives way, and T0 is told.
        "954992120": (LIMA, [
            "06-05T05:00 plan_end-1d sms:next_window_opens_first email:next_window_opens_first",
            "06-05 plan_end+0d sms", "06-08 plan_end+3d sms email",
        ]),
        # Entel, retention, no plan end, top-up 17 Nov 2025, balance 2: unused balance keeps the
        # line 210 days, not 60: L = 15 June. L-15 is 31 May, open until L-7, 8 June: told today.
        "907270631": (LIMA, [
            "06-05 line_loss-15d sms email", "06-08 line_loss-7d sms email",
            "06-12 line_loss-3d sms", "06-14 line_loss-1d sms email", "06-16 line_loss+1d email",
        ]),
        # Claro, retention, no plan end, top-up 17 Nov 2025: L = 270 days later = 14 August.
        # L-60 = 15 June, L-30 = 15 July (01:00 UTC, still the 14th in Lima). The balance goes 210
        # days after the top-up, on 15 June: B-15 has been open since 31 May.
        "927450338": (SHANGHAI, [
            "06-05T05:00 balance_loss-15d email", "06-15 line_loss-60d email",
            "07-15 line_loss-30d sms email",
        ]),
        # Entel, eSIM, n = 15, T = 6 July, no email: where the policy wants only an email (T-3,
        # T+1) the SMS steps in, elsewhere it is there already.
        "991493742": (SHANGHAI, [
            "07-04 plan_end-3d email:no_address sms", "07-06 plan_end-1d email:no_address sms",
            "07-07 plan_end+0d sms", "07-08 plan_end+1d email:no_address sms",
        ]),
        # Movistar, data, n = 15, T = 13 June: T-30 falls away (30 > 7.5), T-7 stays (7 < 7.5).
        "974374802": (LIMA, [
            "06-06 plan_end-7d sms email", "06-12 plan_end-1d sms email",
            "06-13 plan_end+0d sms", "06-16 plan_end+3d sms email",
        ]),
        # Claro, data, n = 15, T = 19 June, the same holder as the card before.
        "923880012": (LIMA, [
            "06-12 plan_end-7d sms email", "06-18 plan_end-1d sms email",
            "06-19 plan_end+0d sms", "06-22 plan_end+3d sms email",
        ]),
        # Bitel, eSIM, n = 15, T = 5 July: the top-up of September 2025 alone would have cost the
        # line in May, but the plan was paid for no earlier than 20 June.
        "907616392": (SAN_FRANCISCO, [
            "07-02 plan_end-3d email", "07-04 plan_end-1d sms email",
            "07-05 plan_end+0d sms", "07-06 plan_end+1d email",
        ]),
        # Bitel, 4g, n = 30, T = 7 June: T-7 (31 May) gave way to T-3 (4 June), which is open
        # until T-1 (6 June) and told this morning.
        "937746456": (LIMA, [
            "06-05 plan_end-3d email", "06-06 plan_end-1d sms email", "06-07 plan_end+0d sms",
            "06-08 plan_end+1d sms email", "06-14 plan_end+7d email",
        ]),
        # Movistar, data, n = 30, T = 8 June: T-7 has been open since the 2nd, and 05:00 UTC is
        # 13:00 in China: told at once.
        "948648785": (SHANGHAI, [
            "06-05T05:00 plan_end-7d sms email", "06-08 plan_end-1d sms email",
            "06-09 plan_end+0d sms", "06-12 plan_end+3d sms email",
        ]),
        # Bitel, eSIM, n = 15, T = 6 June: T-3 is open until T-1 opens at 09:00, and nobody may be
        # disturbed before.
        "915280109": (LIMA, [
            "06-05T05:00 plan_end-3d email:next_window_opens_first",
            "06-05 plan_end-1d sms email", "06-06 plan_end+0d sms", "06-07 plan_end+1d email",
        ]),
        # Entel, eSIM, T = 2 June: T+1 (4 June) is worth sending for 7 days, so it is told at once.
        "908233566": (SHANGHAI, ["06-05T05:00 plan_end+1d email"]),
        # Claro, 4g, n = 1, T = 11 June.
        "969660267": (SAN_FRANCISCO, [
            "06-10 plan_end-1d sms email", "06-11 plan_end+0d sms",
            "06-12 plan_end+1d sms email", "06-18 plan_end+7d email",
        ]),
        # Claro, retention, n = 15, T = 4 August: T-7 is 28 July, past the last day.
        "917678787": (LIMA, []),
    },
    # An SMS in Chinese may not arrive in Peru: there it is in Spanish, and an email in Chinese
    # goes beside it even where the policy asks for the SMS alone.
    "cardbook-zh.xlsx": {
        # Entel, 4g, n = 1, T = 11 June, no contact phone: told on the card's own number, by the
        # clock of the book, Lima. Chinese: T0 has an email beside the SMS.
        "991454981": (LIMA, [
            "06-10 plan_end-1d sms email", "06-11 plan_end+0d sms email",
            "06-12 plan_end+1d sms email", "06-18 plan_end+7d email",
        ]),
        # Claro, eSIM, n = 15, T = 6 June: as the Bitel eSIM above, but Chinese in Lima. Paid for
        # on 22 May at the earliest: Claro blocks calls 60 days later, on 21 July.
        "988360759": (LIMA, [
            "06-05T05:00 plan_end-3d email:next_window_opens_first",
            "06-05 plan_end-1d sms email", "06-06 plan_end+0d sms email",
            "06-07 plan_end+1d email", "07-18 outgoing_block-3d email",
        ]),
        # Movistar, 4g, T = 2 June: T+1 (4 June) is open until T+7 (10 June). Two SMS a day may go
        # to a number in China, and other cards of this holder take both: this one waits a day.
        "927868387": (SHANGHAI, [
            "06-05T05:00 plan_end+1d email", "06-06T05:00 plan_end+1d sms",
            "06-10 plan_end+7d email",
        ]),
        # Entel, retention, no plan end, top-up 5 April, balance 0: L = 60 days later = 4 June.
        # That day ended as the card became known: only L+1, how to claim the line back, is owed.
        "977548659": (LIMA, ["06-05 line_loss+1d email"]),
        # The same with a balance of 25.90: 210 days, L = 1 November, L-60 in September.
        "983358871": (SHANGHAI, []),
        # Movistar, retention, top-up 9 Sep 2025: L = 210 days later = 7 April; L+1 was worth
        # sending until 15 April. The number may be given away 90 days after L, on 6 July.
        "919628367": (LIMA, ["06-21 reassignment-15d email"]),
        # Movistar, retention, n = 180, T = 11 June. T-7 opened at 09:00 on 4 June; it is 22:00
        # when the card becomes known, so it is told on the 5th. Paid for no earlier than
        # 13 Dec 2025, so L = 210 days later = 11 July, from 22:00 on the 10th there, and L-60
        # (11 May) is open until L-30, which takes the SMS of 10 June from T-1.
        "964287985": (SAN_FRANCISCO, [
            "06-05 plan_end-7d sms email", "06-05 line_loss-60d email",
            "06-10 plan_end-1d email", "06-10 line_loss-30d sms email", "06-11 plan_end-1d sms",
            "06-25 line_loss-15d sms email", "07-03 line_loss-7d sms email",
            "07-07 line_loss-3d sms", "07-09 line_loss-1d sms email", "07-12 line_loss+1d email",
        ]),
    },
}  # fmt: skip


@pytest.mark.parametrize("file", list(_CASES))
def test_every_card_is_told_what_was_worked_out_by_hand(there: Program, file: str) -> None:
    _import(there, ROOT / "examples" / file)
    numbers = dict(_rows(there, "SELECT id, msisdn FROM cards"))
    told: dict[str, list[str]] = defaultdict(list)
    for notice in _simulate(there)["notices"]:
        told[numbers[notice["card"]].removeprefix("+51")].append(_line(notice))
    wanted = {
        number: sorted(line for text in texts for line in _expanded(text, zone))
        for number, (zone, texts) in _CASES[file].items()
    }
    assert {number: sorted(told[number]) for number in wanted} == wanted


def _line(notice: Mapping[str, Any]) -> str:
    end = notice["outcome"] if notice["outcome"] == "send" else notice["reason"]
    return f"{notice['at']} {notice['window']} {notice['channel']} {end}"


def _expanded(text: str, zone: str) -> Iterator[str]:
    """One line for each channel of a case, with the instant in UTC."""
    when, window, *channels = text.split()
    if "T" in when:
        instant = datetime.fromisoformat(f"2026-{when}:00+00:00")
    else:
        local = datetime.fromisoformat(f"2026-{when}T09:00").replace(tzinfo=ZoneInfo(zone))
        instant = local.astimezone(UTC)
    for channel in channels:
        name, _, reason = channel.partition(":")
        yield f"{instant:%Y-%m-%dT%H:%M:%SZ} {window} {name} {reason or 'send'}"


def test_several_cards_of_one_holder_share_a_message(there: Program) -> None:
    # Rows 21 and 22, both of Alice Moore 11 (Lima): on 12 June ...4802 (ends on the 13th) has
    # T-1 and ...0012 (ends on the 19th) has T-7. One email carries both; no sentence of an SMS is
    # true of both, so each has its own.
    _import(there, ROOT / "examples" / "cardbook-en.tsv")
    notices = [
        n
        for n in _simulate(there)["notices"]
        if n["holder"] == "Alice Moore 11" and n["at"] == "2026-06-12T14:00:00Z"
    ]
    assert Counter((n["channel"], n["segments"]) for n in notices) == {
        ("sms", 1): 2,
        ("email", 0): 2,
    }


def test_lima_shanghai_and_new_york_are_told_at_nine_by_their_own_clocks(there: Program) -> None:
    # One eSIM for each, ending on 12 June; T-1 is on the 11th, T0 on the 12th, and in China, where
    # the plan ends at 12:59 on the 13th, a day later. The zone comes from the contact phone: +51 is
    # Lima, +86 China, +1 212 New York.
    head = "msisdn\toperator\tkind\tplan\texpiry\tholder\temail\tcontact phone\tlanguage\n"
    phones = {LIMA: "+51987654321", SHANGHAI: "+8613800138000", NEW_YORK: "+12125550100"}
    rows = [
        f"98765000{n}\tClaro\tesim\t2 dias\t2026-06-12\tH{n}\th{n}@example.com\t{phone}\ten\n"
        for n, phone in enumerate(phones.values())
    ]
    book = there.directory / "book.tsv"
    book.write_text(head + "".join(rows))
    _import(there, book)
    at = defaultdict(set)
    for notice in _simulate(there)["notices"]:
        if notice["window"] != "plan_end+1d":
            at[notice["holder"]].add(notice["at"])
    assert at == {
        "H0": {"2026-06-11T14:00:00Z", "2026-06-12T14:00:00Z"},
        "H1": {"2026-06-12T01:00:00Z", "2026-06-13T01:00:00Z"},
        "H2": {"2026-06-11T13:00:00Z", "2026-06-12T13:00:00Z"},
    }


def test_a_renewal_between_two_simulations_moves_every_window(there: Program) -> None:
    # ...4802: ends on 13 June, 15 days. T-7 (6th), T-1 (12th), T0 (13th), T+3 (16th). Renewed by
    # an import on the 10th to 28 June, which is told at once: then T-7 is the 21st, T-1 the 27th,
    # T0 the 28th and T+3 1 July. By the 10th nothing was sent here, and nothing of before is owed
    # again.
    text = (ROOT / "examples" / "cardbook-en.tsv").read_text(encoding="utf-8-sig").splitlines()
    [row] = [line for line in text if line.startswith("974374802")]
    book = there.directory / "book.tsv"

    def windows(end: str) -> list[str]:
        book.write_text("\n".join([text[0], row.replace("2026-06-13", end)]))
        _import(there, book)
        notices = _simulate(there)["notices"]
        return [f"{n['at'][5:10]} {n['window']}" for n in notices if n["channel"] == "sms"]

    assert windows("2026-06-13") == [
        "06-06 plan_end-7d", "06-12 plan_end-1d", "06-13 plan_end+0d", "06-16 plan_end+3d",
    ]  # fmt: skip
    (there.directory / "clock").write_text("2026-06-10T17:00:00+00:00")
    ran = there.run("simulate", "--from", "2026-06-10", "--to", "2026-07-19", "--json")
    assert ran.json["notices"][0]["window"] == "plan_end-7d"
    assert windows("2026-06-28") == [
        "06-10 event", "06-21 plan_end-7d", "06-27 plan_end-1d", "06-28 plan_end+0d",
        "07-01 plan_end+3d",
    ]  # fmt: skip


# It is what really happens


class _Carrier:
    """Takes every message."""

    name = sender = "carrier"

    async def send(self, out: SmsOut | EmailOut) -> Outcome:
        return accepted(f"id-{out.attempt}")


def _really_send(program: Program, monkeypatch: pytest.MonkeyPatch, end: datetime) -> None:
    """Scheduler, checks and delivery from one instant of change to the next, in this process."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{_database(program)}")
    # A holder's cards all fit into one batch, as they would in a book of this size.
    monkeypatch.setenv("VIGENCIA_SCHEDULER__CHECK_BATCH", "500")
    app = build_ready()
    carriers: dict[Channel, Provider[Any]] = {channel: _Carrier() for channel in Channel}
    now: datetime | None = datetime.fromisoformat(_START)
    while now is not None and now < end:
        # What the simulation tells is when a notice falls due, not when a guardian's digest goes.
        limits = replace(app.limits, gather=None)
        app.__dict__["delivery"] = open_delivery(
            *(app.engine, app.rules, app.content, carriers, app.retry, limits),
            lease=timedelta(seconds=app.settings.delivery.lease_seconds),
            in_flight=app.settings.delivery.in_flight,
            links=app.links,
        )
        asyncio.run(run_once(app, now))
        with reading(app.engine) as conn:
            following = next_look(conn)
        assert following is None or following > now
        now = None if following is None else _whole_minute(following)
    app.engine.dispose()


def _whole_minute(instant: datetime) -> datetime:
    """``instant`` or the next whole minute, as cron starts it: of what was sent at one time each
    message is asked about a few microseconds after the other, for days."""
    return instant + (datetime.min.replace(tzinfo=UTC) - instant) % timedelta(minutes=1)


# Addresses that opted out or bounced, a guardian, paused cards, renewals nobody will confirm; of
# every third card, which is trouble enough.
_TROUBLE = """
DELETE FROM cards WHERE id % 3 = 0;
INSERT INTO suppressions (channel, address, reason, created_at)
  SELECT 'sms', contact_phone, 'opted_out', created_at FROM holders
  WHERE contact_phone IS NOT NULL AND id % 4 = 0 GROUP BY contact_phone;
INSERT INTO suppressions (channel, address, reason, created_at)
  SELECT 'email', email, 'bounced', created_at FROM holders
  WHERE email IS NOT NULL AND id % 6 = 0 GROUP BY email;
INSERT INTO suppressions (channel, address, reason, created_at)
  SELECT 'sms', msisdn, 'recycled', created_at FROM cards WHERE id % 5 = 0;
UPDATE books SET guardian_email = 'keeper@example.com';
UPDATE cards SET paused = 1 WHERE id % 11 = 0;
UPDATE cards SET state = 'suspended' WHERE id % 13 = 0;
UPDATE cards SET renewed_at = '2026-06-04 22:30:00.000000', former_plan_end = plan_end,
  former_last_topup = last_topup, plan_end = date(plan_end, '+30 day') WHERE id % 7 = 0
  AND holder_id IN (SELECT id FROM holders WHERE coalesce(contact_phone, '') NOT LIKE '+86%');
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("file", "trouble", "texts"),
    [("cardbook-en.tsv", "", 50), ("cardbook-zh.xlsx", _TROUBLE, 130)],
    ids=["calm", "trouble"],
)
def test_forty_five_days_are_simulated_as_they_are_really_sent(
    there: Program, monkeypatch: pytest.MonkeyPatch, file: str, trouble: str, texts: int
) -> None:
    _import(there, ROOT / "examples" / file)
    with sqlite3.connect(_database(there)) as db:
        db.executescript(trouble)
    told = _simulate(there)
    _really_send(there, monkeypatch, datetime(2026, 7, 20, 5, tzinfo=UTC))
    query = (
        "SELECT r.card_id, r.deadline, r.deadline_on, r.window, "
        "CASE r.audience WHEN 'holder' THEN r.channel ELSE 'guardian' END, "
        "CASE r.state || r.audience WHEN 'sentguardian' THEN 'guardian' "
        "WHEN 'sentholder' THEN 'send' ELSE r.state END, r.reason, "
        "coalesce(m.sent_at, r.ended_at) FROM reminders r LEFT JOIN messages m "
        "ON m.id = r.message_id WHERE r.state != 'pending'"
    )
    happened = Counter(  # to the minute: on a slow machine sending takes a second
        (*row[:7], datetime.fromisoformat(row[7]).strftime("%Y-%m-%dT%H:%M:00Z"))
        for row in _rows(there, query)
    )
    assert happened == Counter(_as_happened(told["notices"]))
    totals = told["totals"]
    by_destination = (
        "SELECT CASE audience WHEN 'holder' THEN channel ELSE audience END, count(*) "
        "FROM messages WHERE state = 'sent' GROUP BY 1"
    )
    sent = dict(_rows(there, by_destination))
    messages = {k: n for k, v in totals["by_channel"].items() if (n := v["messages"])}
    assert messages == sent
    assert totals["by_channel"]["sms"]["messages"] > texts
    [(segments,)] = _rows(there, "SELECT sum(segments) FROM messages WHERE state = 'sent'")
    assert totals["segments"] == segments == sum(n["segments"] for n in told["notices"])
    by_day = Counter(
        (datetime.fromisoformat(at).replace(tzinfo=UTC) - timedelta(hours=5)).date().isoformat()
        for (at,) in _rows(
            there, "SELECT sent_at FROM messages WHERE state = 'sent' AND audience = 'holder'"
        )
    )
    assert {d["day"]: d["sms"] + d["email"] for d in totals["by_day"]} == {
        day: by_day[day] for day in (d["day"] for d in totals["by_day"])
    }
    if not trouble:  # once it has happened, nothing of it will happen again
        assert _simulate(there)["notices"] == []


def _as_happened(notices: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Any, ...]]:
    for n in notices:
        names = ("card", "deadline", "deadline_on", "window", "channel", "outcome", "reason", "at")
        yield tuple(n[name] for name in names)


def test_a_simulation_from_the_middle_tells_the_rest(
    there: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    _import(there, ROOT / "examples" / "cardbook-en.tsv")
    whole = Counter(_as_happened(_simulate(there)["notices"]))
    middle = datetime(2026, 6, 12, 18, tzinfo=UTC)
    _really_send(there, monkeypatch, middle)
    (there.directory / "clock").write_text(middle.isoformat())
    ran = there.run("simulate", "--from", "2026-06-12", "--to", "2026-07-19", "--json")
    rest = Counter(_as_happened(ran.json["notices"]))
    assert rest == Counter({k: n for k, n in whole.items() if k[-1] >= "2026-06-12T18:00:00Z"})
    later = there.run("simulate", "--from", "2026-06-20", "--to", "2026-07-19", "--json")
    assert Counter(_as_happened(later.json["notices"])) == Counter(
        {k: n for k, n in rest.items() if k[-1] >= "2026-06-20T05:00:00Z"}
    )


# It changes nothing


def test_nothing_is_sent_and_no_table_changes(there: Program) -> None:
    _import(there, ROOT / "examples" / "cardbook-zh.xlsx")

    def state() -> dict[str, str]:
        return {
            table: hashlib.sha256(
                repr(sorted(map(repr, _rows(there, f"SELECT * FROM {table}")))).encode()  # noqa: S608
            ).hexdigest()
            for table in _TABLES
        }

    before = state()
    ran = there.run("simulate", *_DAYS)  # no sandbox runs: a send would fail
    assert ran.code == 0, ran.told
    assert _simulate(there)["totals"]["by_outcome"]["send"] > 500
    assert state() == before
    for table in ("messages", "reminders", "attempts"):
        assert _rows(there, f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608


# Policies, limits, books


def test_two_equal_policies_differ_in_nothing(there: Program) -> None:
    _import(there, ROOT / "examples" / "cardbook-en.tsv")
    same = ROOT / "config" / "policies.toml"
    told = _simulate(there, "--policy", same, "--policy", same)
    assert (told["only_in_a"], told["only_in_b"]) == ([], [])
    assert told["a"] == told["b"]
    assert told["a"]["notices"] == _simulate(there)["notices"]
    ran = there.run("simulate", *_DAYS, "--policy", same, "--policy", same)
    assert "only in A: 0; only in B: 0" in ran.out


def test_two_policies_differ_in_what_one_of_them_lacks(there: Program) -> None:
    _import(there, ROOT / "examples" / "cardbook-en.tsv")
    mine = there.directory / "mine.toml"
    text = (ROOT / "config" / "policies.toml").read_text()
    mine.write_text(text.replace('"plan_end+7d" = "email"\n', ""))
    told = _simulate(there, "--policy", mine, "--policy", ROOT / "config" / "policies.toml")
    assert told["only_in_a"] == []
    assert {n["window"] for n in told["only_in_b"]} == {"plan_end+7d"}
    sent = [n["outcome"] for n in told["only_in_b"]].count("send")
    sums = [told[side]["totals"]["by_outcome"]["send"] for side in ("a", "b")]
    assert sums[1] - sums[0] == sent > 5
    ran = there.run("simulate", *_DAYS, "--policy", mine, "--policy",
                    ROOT / "config" / "policies.toml")  # fmt: skip
    assert ran.code == 0
    assert f"only in B: {len(told['only_in_b'])}" in ran.out


def test_a_limit_shortens_the_list_and_not_the_totals(there: Program) -> None:
    _import(there, ROOT / "examples" / "cardbook-en.tsv")
    whole, few = _simulate(there), _simulate(there, "--limit", "3")
    assert few["notices"] == whole["notices"][:3]
    assert few["totals"] == whole["totals"]
    assert _simulate(there, "--limit", "0")["notices"] == []


def test_several_processes_say_the_same_as_one(
    there: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    _import(there, ROOT / "examples" / "cardbook-zh.xlsx")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{_database(there)}")
    app = build_ready()
    period = Period.of(date(2026, 6, 5), date(2026, 7, 19), datetime.fromisoformat(_START))
    plan, [whole] = prepare(app, period, None, [], listed=True)
    [(_, [alone])] = processes.run(plan, [whole])
    monkeypatch.setattr(processes, "_ALONE", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    with reading(app.engine) as conn:
        parts = list(household.spans(conn, None, 40))
    assert sum(part.cards for part in parts) == whole.cards == 300
    together = list(processes.run(plan, parts))
    assert [span for span, _ in together] == parts
    assert [n for _, [side] in together for n in side.notices] == alone.notices
    totals = Totals()
    for _, [side] in together:
        totals.merge(side.totals)
    assert totals == alone.totals
    app.engine.dispose()


def test_a_book_is_simulated_alone(there: Program) -> None:
    _import(there, ROOT / "examples" / "cardbook-en.tsv", "one")
    _import(there, ROOT / "examples" / "cardbook-zh.xlsx", "two")
    one, both = _simulate(there, "--book", "one"), _simulate(there)
    assert (one["book"], one["totals"]["cards"]) == ("one", 60)
    assert (both["book"], both["totals"]["cards"]) == (None, 360)


def test_a_person_reads_the_days_the_peak_and_why_the_cost_is_unknown(there: Program) -> None:
    _import(there, ROOT / "examples" / "cardbook-en.tsv")
    ran = there.run("simulate", *_DAYS)
    assert ran.code == 0
    for words in ("2026-06-05", "60 cards:", "Peak: 2026-06-05", "Cost: unknown, not set in"):
        assert words in ran.out


def test_a_price_that_is_set_makes_a_cost(there: Program) -> None:
    config = there.directory / "config"
    shutil.copytree(ROOT / "config", config)
    entry = 'price = "0.05"\ncurrency = "USD"\nsource = "a page"\nchecked_on = 2026-01-31\n'
    tables = "".join(f"[{key}]\n{entry}" for key in ("email", 'sms."+51"', 'sms."+86"', 'sms."+1"'))
    (config / "prices.toml").write_text(tables)
    _import(there, ROOT / "examples" / "cardbook-en.tsv")
    totals = _simulate(there)["totals"]
    units = totals["segments"] + totals["by_channel"]["email"]["messages"]
    assert totals["cost"] == {"USD": f"{units * 5 / 100:.2f}"}
    assert totals["cost_note"] is None


# Bad input


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--from", "2026-06-05", "--to", "2026-06-04"), 1, "--to 2026-06-04 is before --from"),
        (("--from", "2026-06-05", "--to", "2027-07-10"), 1, "401 days are too many"),
        ((*_DAYS, "--book", "nobody's"), 1, "There is no card book"),
        ((*_DAYS, "--policy", "none.toml"), 1, "There is no policy file none.toml"),
        (
            (*_DAYS, "--policy", "wrong.toml"),
            1,
            "wrong.toml, line 2: data.plan_end-7: not a window",
        ),
        ((*_DAYS, "--policy", "broken.toml"), 1, "broken.toml is not valid TOML"),
        ((*_DAYS, "--policy", "."), 1, "cannot be read"),
        ((*_DAYS, *("--policy", "wrong.toml") * 3), 2, "--policy can be given once or twice"),
        (("--from", "05/06/2026", "--to", "2026-06-04"), 2, "is not a day; write 2026-06-05"),
        (("--from", "2026-06-05"), 2, "Name the days: --this-week, or --from and --to"),
        ((*_DAYS, "--limit", "-1"), 2, "--limit"),
    ],
)
def test_bad_input_gets_one_clear_message(
    there: Program, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (there.directory / "wrong.toml").write_text('[data]\n"plan_end-7" = "sms"\n')
    (there.directory / "broken.toml").write_text("open = \n")
    ran = there.run("simulate", *arguments)
    assert ran.code == code, ran.told
    assert words in ran.told
    assert "Traceback" not in ran.told
    if code == 1:
        as_json = json.loads(there.run("simulate", *arguments, "--json").out)
        assert words in as_json["error"]["message"]


def test_a_wrong_price_is_told_with_file_and_key(there: Program) -> None:
    shutil.copytree(ROOT / "config", there.directory / "config")
    (there.directory / "config" / "prices.toml").write_text("[email]\nprice = -1\n")
    ran = there.run("simulate", *_DAYS)
    assert ran.code == 1
    assert "prices.toml, line 2: email.price: -1 is not a price" in ran.told


def test_an_empty_database_is_simulated_to_nothing(there: Program) -> None:
    told = _simulate(there)
    assert (told["notices"], told["totals"]["cards"]) == ([], 0)
    assert date.fromisoformat(told["from"]) == date(2026, 6, 5)
    assert there.run("simulate", *_DAYS).code == 0
