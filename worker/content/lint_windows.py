"""Two windows that say the same: whoever is told twice in the same words takes it for a mistake."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Final

from worker.content.compose import compose
from worker.content.events import parts_of
from worker.content.render import Content
from worker.core.cards import (
    CARD_TIME_ZONE,
    Card,
    CardState,
    Destination,
    Holder,
    Kind,
    Language,
)
from worker.core.operators import Fact, OperatorPack, Rung
from worker.core.policy import Policy
from worker.core.recheck import Item
from worker.core.rules import Rules
from worker.core.window_times import Span
from worker.errors import ConfigError

# Readers for whom a day in Lima ends with their own, in the middle of it, and in their night.
_ZONES: Final = (CARD_TIME_ZONE, "Asia/Shanghai", "Europe/Madrid")
_PLAN_END: Final = date(2026, 6, 12)
_PARTS: Final = {Destination.SMS: "sms.txt", Destination.EMAIL: "subject.txt"}
_FACT: Final = Fact(0, "a sample", _PLAN_END)
# An operator that takes everything, each on a day of its own.
_DAYS: Final = {
    Rung.OUTGOING_BLOCK: 60,
    Rung.BALANCE_LOSS: 180,
    Rung.LINE_LOSS: 240,
    Rung.REASSIGNMENT: 120,
}
_PACK: Final = OperatorPack(
    "claro", "Claro", {rung: (replace(_FACT, value=days),) for rung, days in _DAYS.items()}, {}
)


def twins(content: Content, policies: Mapping[Kind, Policy]) -> Iterator[tuple[str, str]]:
    """Windows of ``policies`` whose SMS, or whose subjects, are the same words for one reader: the
    key of the later window, such as ``data.plan_end-1d``, and what is wrong with it."""
    rules = Rules({"claro": _PACK}, policies)
    for kind, zone, language in product(policies, _ZONES, Language):
        card, holder = _card(kind), _holder(zone, language)
        for to, part in _PARTS.items():
            told: dict[str, str] = {}
            for span in sorted(rules.spans(card, holder), key=lambda span: span.at):
                if to not in span.window.destinations:
                    continue
                text = _text(content, rules, card, holder, span, to, part)
                twin = told.setdefault(text, span.window.name) if text else span.window.name
                if twin != span.window.name:
                    what = f"says in {language} what {twin} has said ({part}, read in {zone})"
                    yield f"{kind}.{span.window.name}", f"{what}: {text}"


def _text(
    content: Content,
    rules: Rules,
    card: Card,
    holder: Holder,
    span: Span,
    to: Destination,
    part: str,
) -> str:
    """What the reader sees of a window on the day on which it opens."""
    item = Item(0, span.key(to), span.at, span.until, card)
    letter = compose((item,), holder, "Vigencia", rules, span.at)
    if part not in parts_of(letter.notices[0].event):
        return ""
    try:
        return content.part(letter, part).strip()
    except ConfigError:
        return ""  # told where the template is looked at


def _card(kind: Kind) -> Card:
    return Card(
        id=0,
        book_id=0,
        holder_id=0,
        kind=kind,
        operator="claro",
        msisdn="+51987654321",
        iccid=None,
        plan=None,
        plan_days=None,
        plan_end=_PLAN_END,
        last_topup=_PLAN_END - timedelta(days=30),
        balance=Decimal(2),
        state=CardState.ACTIVE,
        time_zone=CARD_TIME_ZONE,
        watched_since=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _holder(zone: str, language: Language) -> Holder:
    return Holder(0, "Vigencia", language, zone, "+51987654320", "holder@example.com")
