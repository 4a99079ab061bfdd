"""Builders for the core's tests: cards, holders and rules, each changed where it counts."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from worker.core.cards import Card, CardState, Destination, Holder, Kind, Language
from worker.core.deadlines import DeadlineKind
from worker.core.hours import Hours
from worker.core.operators import Fact, OperatorPack, Rung
from worker.core.policy import Policy, Window
from worker.core.reminders import Known, Planned
from worker.core.rules import Rules
from worker.core.windows import Decision
from worker.setup.load_rules import load_rules

CONFIG = Path(__file__).parents[2] / "config"
RULES = load_rules(CONFIG)

LIMA = "America/Lima"
SHANGHAI = "Asia/Shanghai"
NEW_YORK = "America/New_York"
LOS_ANGELES = "America/Los_Angeles"

T = date(2026, 6, 12)
CHECKED = date(2026, 1, 1)
PHONE = "+8613800138000"
OWN_NUMBER = "+51987654321"
EMAIL = "li@example.com"

_CARD = Card(
    id=1,
    book_id=1,
    holder_id=1,
    kind=Kind.DATA,
    operator="claro",
    msisdn=OWN_NUMBER,
    iccid=None,
    plan=None,
    plan_days=None,
    plan_end=T,
    last_topup=None,
    balance=None,
    state=CardState.ACTIVE,
    time_zone=LIMA,
    watched_since=datetime(2026, 1, 1, tzinfo=UTC),
)
_HOLDER = Holder(
    id=1,
    name="Li",
    language=Language.ZH_HANS,
    time_zone=LIMA,
    contact_phone=PHONE,
    email=EMAIL,
)


def a_card(**changes: Any) -> Card:
    """An active Claro data card that ends on ``T``; its last top-up is not known."""
    return replace(_CARD, **changes)


def a_holder(**changes: Any) -> Holder:
    """A holder in Lima with both addresses."""
    return replace(_HOLDER, **changes)


def a_pack(**days: int | tuple[int, ...]) -> OperatorPack:
    """A pack from ``line_loss=60`` or, where sources disagree, ``line_loss=(60, 90)``."""
    rungs = {
        Rung(rung): tuple(
            Fact(value, "a source", CHECKED)
            for value in (given if isinstance(given, tuple) else (given,))
        )
        for rung, given in days.items()
    }
    return OperatorPack("test", "Test", rungs, {})


def a_policy(windows: dict[str, str], hours: Hours | None = None, useful_days: int = 7) -> Policy:
    """A policy from lines as they stand in policies.toml."""
    return Policy(
        Kind.DATA,
        tuple(_window(name, channels) for name, channels in windows.items()),
        hours or RULES.hours,
        useful_days,
    )


def evaluate(
    card: Card,
    holder: Holder,
    pack: OperatorPack,
    policy: Policy,
    now: datetime,
    known: Collection[Known] = (),
) -> Decision:
    """What ``card`` owes where ``pack`` and ``policy`` are the only rules."""
    rules = Rules({card.operator: pack}, dict.fromkeys(Kind, policy))
    return rules.evaluate(card, holder, now, known)


def _window(name: str, channels: str) -> Window:
    sign = "-" if "-" in name else "+"
    deadline, _, days = name.removesuffix("d").partition(sign)
    offset = int(sign + days)
    return Window(
        name, DeadlineKind(deadline), offset, tuple(Destination(c) for c in channels.split(", "))
    )


def at(text: str, time_zone: str = LIMA) -> datetime:
    """``2026-06-12 09:00`` on the clocks of ``time_zone``, as the instant in UTC."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(time_zone))
    return local.astimezone(UTC)


def remembered(planned: Planned, number: int) -> Known:
    """What the ledger says of ``planned`` once it is written."""
    return Known(number, planned.key, planned.state, planned.due_at)


def replay(
    check: Callable[[datetime, list[Known]], Decision], start: datetime, most: int = 2000
) -> Iterator[tuple[datetime, Decision]]:
    """Check at ``start`` and then at every ``next_check_at``, writing down what is planned."""
    known: list[Known] = []
    now: datetime | None = start
    for _ in range(most):
        if now is None:
            return
        decision = check(now, known)
        yield now, decision
        known += [remembered(p, len(known) + i) for i, p in enumerate(decision.planned)]
        now = decision.next_check_at and decision.next_check_at.astimezone(UTC)
    raise AssertionError(f"still not over after {most} checks")


def told(planned: Planned) -> tuple[str, str, str]:
    """Window, channel and state, to be compared at a glance."""
    return planned.key.window, planned.key.destination.value, planned.state.value


def balance(text: str) -> Decimal:
    """Soles."""
    return Decimal(text)
