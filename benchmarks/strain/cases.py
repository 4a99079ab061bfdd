"""The cases: each plays on a stage, and returns what was seen and what had to hold."""

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from benchmarks.strain.book import fill, fill_one, ways
from benchmarks.strain.stage import Play, StrainStage

_PATIENCE = 600.0
_MANY = 50_000
_NUMBER = re.compile(r"\d+")


@dataclass(slots=True)
class CaseResult:
    """``seen``: figures; ``broken``: what did not hold."""

    case: str
    seen: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def must(self, holds: bool, what: str) -> None:
        """``what`` ought to hold."""
        if not holds:
            self.broken.append(what)


def slow(stage: StrainStage, scale: float) -> CaseResult:
    """SMS answers twenty times as slowly as usual, with many waiting; email goes on."""
    number, verdict = max(100, int(5_000 * scale)), CaseResult("slow")
    people = [*ways(number, "sms", 7), *ways(number, "email", 7)]
    random.Random(1).shuffle(people)
    rates = {}
    for latency in (0.1, 2.0):
        fill(stage.engine, people, datetime.now(UTC))
        with stage.playing() as play:
            stage.providers.set(sms={"latency": latency})
            _all(play, stage, "email", number)
            times = [at for _, at in stage.providers.told()["email"]["took"]]
            rates[latency] = len(times) / max(0.1, times[-1] - times[0]) if times else 0.0
            _all(play, stage, "sms", number)
            _once(verdict, stage, {"sms": number, "email": number})
            memory = play.memory()
            verdict.must("worker_lost" not in play.alarms(), "no lease runs out")
    verdict.seen |= {
        "each_channel": number,
        "email_per_second": {f"sms_{k}s": round(v, 1) for k, v in rates.items()},
        "email_keeps": round(rates[2.0] / max(rates[0.1], 0.001), 2),
        **memory,
    }
    verdict.must(rates[2.0] >= 0.7 * rates[0.1], "email keeps its pace")
    _bounded(verdict, memory)
    return verdict


def down(stage: StrainStage, scale: float) -> CaseResult:
    """SMS refuses connections, then answers 503 to all, then is back; email goes on."""
    number, verdict = max(200, int(10_000 * scale)), CaseResult("down")
    # Every second one is urgent, and those were not entered first.
    people = [("sms", 1 if n % 2 else 7) for n in range(number)]
    people += ways(number, "email", 7)
    fill(stage.engine, people, datetime.now(UTC))
    quick = {
        "VIGENCIA_BREAKER__PROBE_SECONDS": "4",
        "VIGENCIA_BREAKER__LONGEST_SECONDS": "600",
        # Four batches are on their way at once: with large ones all would be.
        "VIGENCIA_SCHEDULER__SEND_BATCH": "25",
    }
    with stage.playing(**quick) as play:
        stage.providers.set(sms={"reachable": False})
        took = _all(play, stage, "email", number)
        verdict.must(took is not None, "email is told meanwhile")
        play.until(lambda: sum(stage.states("sms").values()) == number, 120)
        play.until(lambda: not stage.states("sms")["pending"], 120)
        time.sleep(10)
        refused = _attempts(stage)
        stage.providers.set(sms={"reachable": True, "status": 503})
        time.sleep(15)
        calls = len(stage.providers.told()["sms"]["calls"])
        waiting = stage.states("sms")
        stage.providers.set(sms={"status": 200})
        back = play.until(lambda: stage.providers.count("sms") >= waiting["held"], _PATIENCE)
        order = stage.providers.took("sms")
        verdict.seen |= {
            "each_channel": number,
            "email_seconds": round(took or -1, 1),
            "attempts_refused": refused,
            "calls_answered_503": calls,
            "while_down": dict(waiting),
            "recovery_seconds": round(back or -1, 1),
            "urgent_first": round(_urgent_first(order), 3),
            "alarms": dict(play.alarms()),
            **play.memory(),
        }
        verdict.must(back is not None, "it recovers by itself")
        # Two processes with 128 calls at once, and a trial now and then, whatever waits.
        verdict.must(refused <= 350 and calls <= 20, "the dead provider is not stormed")
        verdict.must(_urgent_first(order) >= 0.95, "the most urgent go first")
        verdict.must(max(Counter(order).values(), default=0) <= 1, "nothing is sent twice")
        verdict.must(not stage.states("sms")["failed"], "nothing is given up")
        _bounded(verdict, play.memory())
    return verdict


def burst(stage: StrainStage, scale: float) -> CaseResult:
    """All of a book is due at one instant. With few cards everything is made tight, so that leases
    run out meanwhile; a million of them do that by themselves."""
    number, verdict = max(500, int(20_000 * scale)), CaseResult("burst")
    people = [("email", 1 if n % 2 else 7) for n in range(number)]
    fill(stage.engine, people, datetime.now(UTC))
    tight = {
        "VIGENCIA_SCHEDULER__CHECK_LEASE_SECONDS": "10",
        "VIGENCIA_SCHEDULER__HINT_SECONDS": "5",
        "VIGENCIA_SCHEDULER__CHECK_BATCH": "25",
        "VIGENCIA_SCHEDULER__SEND_BATCH": "25",
        "VIGENCIA_DELIVERY__IN_FLIGHT": "32",
    }
    many = number > _MANY
    with stage.playing(**({} if many else tight)) as play:
        stage.providers.set(email={"latency": 0.1 if many else 0.5})
        began = time.monotonic()
        memory = []
        for tenth in range(1, 11):
            _all(play, stage, "email", number * tenth // 10)
            memory.append(play.memory()["worker_mb"])
        seconds = time.monotonic() - began
        _once(verdict, stage, {"email": number})
        verdict.seen |= {
            "due": number,
            "seconds": round(seconds, 1),
            "per_second": round(number / seconds),
            "urgent_first": round(_urgent_first(stage.providers.took("email")), 3),
            "hints_at_most": dict(play.longest),
            "worker_mb_by_tenths": memory,
            "alarms": dict(play.alarms()),
            **play.memory(),
        }
        # A full queue, and one more claim in batches of 25.
        verdict.must(max(play.longest.values()) <= 128 + 16_000 // 25, "the queue is bounded")
        verdict.must(memory[-1] <= 1.1 * memory[0], "memory stays as it was after a tenth")
        _bounded(verdict, play.memory())
    return verdict


def holder(stage: StrainStage, scale: float) -> CaseResult:
    """One holder has all the cards, and all are due the same day."""
    number, verdict = max(250, int(5_000 * scale)), CaseResult("holder")
    fill_one(stage.engine, number, datetime.now(UTC))
    with stage.playing() as play:
        told = "SELECT count(*) FROM reminders WHERE state IN ('sent', 'delivered')"
        waits = "SELECT count(*) FROM messages WHERE state IN ('pending', 'sending')"
        capped = "SELECT count(*) FROM messages WHERE reason = 'cap:address'"
        took = play.until(
            lambda: (
                stage.rows("SELECT count(*) FROM reminders") == [(2 * number,)]
                and stage.rows(waits) == stage.rows(capped)
            ),
            _PATIENCE,
        )
        members = dict(stage.rows(
            "SELECT channel, max(n) FROM (SELECT m.channel, count(*) AS n FROM reminders r"
            " JOIN messages m ON m.id = r.message_id GROUP BY m.id, m.channel) AS x"
            " GROUP BY channel"
        ))  # fmt: skip
        [(segments,)] = stage.rows("SELECT max(segments) FROM messages")
        verdict.seen |= {
            "cards": number,
            "seconds": round(took or -1, 1),
            "reminders_told": stage.rows(told)[0][0],
            "messages": dict(stage.rows("SELECT channel, count(*) FROM messages GROUP BY channel")),
            "waiting_for_the_cap": stage.rows(capped)[0][0],
            "most_reminders_in_one": members,
            "sms_segments_at_most": segments,
            "largest_email_bytes": stage.providers.told()["email"]["biggest"],
            "alarms": dict(play.alarms()),
            **play.memory(),
        }
        verdict.must(took is not None, "all of it is told or waits for its cap")
        verdict.must((segments or 0) <= 3, "an SMS stays short")
        biggest = verdict.seen["largest_email_bytes"]
        verdict.must(biggest < 300_000, "an email stays readable")
        _bounded(verdict, play.memory())
    return verdict


def connections(stage: StrainStage, scale: float) -> CaseResult:
    """Others take all connections of the database while the program runs."""
    verdict = CaseResult("connections")
    if stage.engine.dialect.name != "postgresql":
        verdict.seen["skipped"] = "SQLite has no such limit"
        return verdict
    from benchmarks.strain.crowd import Crowd

    number = max(200, int(2_000 * scale))
    slowly = {"VIGENCIA_DELIVERY__IN_FLIGHT": "4"}
    fill(stage.engine, [*ways(number, "email", 7)], datetime.now(UTC))
    with stage.playing(**slowly) as play:
        stage.providers.set(email={"latency": 0.5})
        play.until(lambda: stage.providers.count("email") > number // 4, _PATIENCE)
        with Crowd(stage.database) as crowd:
            used = crowd.take_all()
            time.sleep(8)
            stuck = len(stage.providers.took("email"))
            doctor = stage.vigencia("doctor", "--json")
            listing = stage.vigencia("cards", "list")
            alarms = play.alarms()
        back = play.until(lambda: stage.states("email")["sent"] >= stuck, _PATIENCE)
        _all(play, stage, "email", number)
        _once(verdict, stage, {"email": number})
        verdict.seen |= {
            "due": number,
            "connections_before": used,
            "sent_before_and_meanwhile": stuck,
            "recovery_seconds": round(back or -1, 1),
            "doctor": doctor.returncode,
            "cards_list": listing.stderr.strip(),
            "alarms_meanwhile": dict(alarms),
        }
        verdict.must(back is not None, "it recovers by itself")
        verdict.must(alarms["database_unreachable"] > 0, "the alarm is raised")
        verdict.must(listing.returncode == 1, "a command says so")
        verdict.must("connections" in listing.stderr, "it names the reason")
    return verdict


CASES: dict[str, Callable[[StrainStage, float], CaseResult]] = {
    "slow": slow,
    "down": down,
    "burst": burst,
    "holder": holder,
    "connections": connections,
}


def _all(play: Play, stage: StrainStage, channel: str, number: int) -> float | None:
    return play.until(lambda: stage.providers.count(channel) >= number, _PATIENCE)


def _once(verdict: CaseResult, stage: StrainStage, due: dict[str, int]) -> None:
    """Each was told once, and nothing is unknown."""
    time.sleep(1)
    for channel, number in due.items():
        took = stage.providers.took(channel)
        verdict.must(len(set(took)) == number, f"every {channel} is told")
        verdict.must(len(took) == len(set(took)), f"no {channel} is told twice")
        verdict.must(not stage.states(channel)["unknown"], f"no {channel} is unknown")


def _attempts(stage: StrainStage) -> int:
    query = (
        "SELECT count(*) FROM attempts a JOIN messages m ON m.id = a.message_id"
        " WHERE m.channel = 'sms' AND a.code NOT LIKE 'breaker:%'"
    )
    return int(stage.rows(query)[0][0])


def _urgent_first(order: Sequence[str]) -> float:
    """1 where all urgent ones came before all others, 0.5 where they came in any order."""
    urgent = [int(_NUMBER.findall(address)[-1]) % 2 == 0 for address in order]
    others = [n for n, one in enumerate(urgent) if not one]
    if not others or len(others) == len(urgent):
        return 1.0
    behind, found = len(others), 0
    for one in urgent:
        if one:
            found += behind
        else:
            behind -= 1
    return found / (len(others) * (len(urgent) - len(others)))


def _bounded(verdict: CaseResult, memory: dict[str, float]) -> None:
    verdict.must(max(memory.values()) < 200, "no process grows beyond 200 MB")
