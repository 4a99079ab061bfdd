"""From reminders to a letter: picks the true event for the reader's clock, the worst first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from worker.content.dates import deadline_words, short_date
from worker.content.events import ANSWERABLE, LOW
from worker.content.letter import Letter, Notice, OperatorGuide
from worker.core.addressing import UNREACHED, address_of, in_service
from worker.core.cards import Card, CardState, Channel, Destination, Holder, Language
from worker.core.deadlines import GRAVITY, Deadline, DeadlineKind, end_of_day
from worker.core.hours import local_day
from worker.core.life import QUESTIONS, LifeNotice
from worker.core.masking import last_four
from worker.core.operators import OperatorPack, Way
from worker.core.place import is_abroad
from worker.core.recheck import Item
from worker.core.remind_tomorrow import tomorrow
from worker.core.renewal import SHOWS_WITHIN
from worker.core.routes import Filled, Registered
from worker.core.rules import Rules
from worker.core.silence import SILENT
from worker.core.tokens import Links, Purpose
from worker.core.wording import GUARDIAN_EVENT, LIFE_EVENTS, event_for, read

_GRAVITY: Final[Mapping[str, int]] = {kind: place for place, kind in enumerate(GRAVITY)}
_MINUTE: Final = timedelta(minutes=1)


def compose(
    items: Sequence[Item],
    holder: Holder,
    signature: str,
    rules: Rules,
    now: datetime,
    language: Language | None = None,
    links: Links | None = None,
    *,
    unsubscribe: str | None = None,
    way_out: str | None = None,
    replies: bool = True,
) -> Letter:
    """Everything ``holder`` is told at ``now`` about ``items``, most urgent first, in ``language``
    (default: the holder's own). ``links``: to answer each notice of a deadline with;
    ``unsubscribe``, ``way_out``, ``replies``: as ``Letter`` has them.

    Every item's deadline must be in its card's ladder, as a recheck has made sure.
    """
    language = language or holder.language
    zone = holder.time_zone
    told = [(_notice(item, language, zone, rules, now), item) for item in items]
    if links is not None:
        told = [(_linked(notice, item, holder, rules, now, links), item) for notice, item in told]
    told.sort(key=lambda pair: _urgency(pair[0]))
    return Letter(
        language=language,
        signature=signature,
        holder_name=holder.name,
        notices=tuple([notice for notice, _ in told]),
        guides=_guides([item.card for item in items], rules),
        unsubscribe=unsubscribe,
        way_out=way_out,
        others=len({item.card.id for _, item in told}) - 1,
        abroad=is_abroad(holder),
        replies=replies,
    )


def in_order(
    items: Sequence[Item], holder: Holder, rules: Rules, now: datetime
) -> list[tuple[Notice, Item]]:
    """``items`` with what is told of each, the most urgent first."""
    told = [(_notice(i, holder.language, holder.time_zone, rules, now), i) for i in items]
    return sorted(told, key=lambda pair: _urgency(pair[0]))


def alert(
    items: Sequence[Item], guardian: Holder, signature: str, rules: Rules, now: datetime
) -> Letter:
    """What the keeper of the book is told at ``now``: cards whose holders may not know."""
    letter = compose(items, guardian, signature, rules, now)
    about = {item.id: item for item in items}
    notices = [
        replace(
            _notice(item, guardian.language, guardian.time_zone, rules, now),
            event=GUARDIAN_EVENT,
            holder=item.told.name if item.told else None,
            why=_why(item, rules),
        )
        for item in about.values()
    ]
    return replace(letter, notices=tuple(sorted(notices, key=_urgency)))


def _why(item: Item, rules: Rules) -> str:
    """Why the guardian is told, by the words the templates have for it."""
    holder, channels = item.told, (Channel.SMS, Channel.EMAIL)
    if holder and not any(address_of(item.card, holder, channel) for channel in channels):
        return "no_address"
    if item.why == UNREACHED:
        return "suppressed"  # that it is the last day too says less
    if item.why == SILENT:
        return SILENT
    windows = rules.policies[item.card.kind].windows
    wanted = {w.name for w in windows if Destination.GUARDIAN in w.destinations}
    return "last_day" if item.key.window in wanted else "suppressed"


def fill(registered: Registered, letter: Letter) -> Filled:
    """The parameters of a registered text, numbered from 1 as providers want them."""
    first = letter.notices[0]
    # Of an event the day that counts is the plan's end, where it is known.
    of_event = first.event in LIFE_EVENTS and first.ends_on is not None
    date = first.ends_on if of_event and first.ends_on else first.deadline_on
    values = {
        "signature": letter.signature,
        "operator": first.operator,
        "tail": ", ".join(notice.tail for notice in letter.notices),
        "days": str(first.days),
        "date": short_date(date, letter.language),
        "others": str(letter.others),
    }
    named = enumerate(registered.parameters, 1)
    return Filled(registered.id, {str(n): values[name] for n, name in named})


def _urgency(notice: Notice) -> tuple[bool, int, int]:
    """The nearest loss first, the graver of two on one day; a plan that is over comes last, since
    nothing more is lost by it today, but a line that may be lost comes before all."""
    if notice.deadline not in _GRAVITY:
        return False, -1, 0  # what has just happened comes before what will
    over = notice.days < 0 and notice.deadline == DeadlineKind.PLAN_END
    return over, max(notice.days, 0), _GRAVITY[notice.deadline]


def _notice(
    item: Item,
    language: Language,
    zone: str,
    rules: Rules,
    now: datetime,
) -> Notice:
    """One notice for a reader of ``language`` in the time ``zone``."""
    card, subject = item.card, item.key.deadline
    clock, card_on = None, None
    if isinstance(subject, LifeNotice):
        event, on = subject.value, _happened_on(item, zone, now)
        days, minute = (on - local_day(now, zone)).days, end_of_day(item.key.on, card.time_zone)
    else:
        deadline = rules.ladder(card)[subject]
        reading = read(deadline, now, zone)
        event, on, days = event_for(subject, reading), reading.day, reading.days
        minute, clock = deadline.begins, reading.clock
        card_on = deadline.on if clock else None
    reach = in_service(card, rules.ladder(card), now)
    return Notice(
        event=event,
        operator=rules.pack(card.operator).name,
        tail=last_four(card.msisdn, card.iccid),
        kind=card.kind,
        plan=card.plan,
        deadline=subject,
        deadline_on=on,
        deadline_at=deadline_words(minute - _MINUTE, card.time_zone, language, zone),
        days=days,
        clock=clock,
        card_on=card_on,
        ends_on=_plan_ends_on(card, event, zone, now),
        balance=None if card.balance is None else f"S/ {card.balance:.2f}",
        receipt_ref=card.receipt_ref if event.startswith("renewal_") else None,
        reported_on=local_day(card.renewed_at, zone) if card.renewed_at else None,
        early=card.renewed_at is not None and now - card.renewed_at < SHOWS_WITHIN,
        balance_on=_ahead(rules, card, DeadlineKind.BALANCE_LOSS, zone, now),
        line_on=_ahead(rules, card, DeadlineKind.LINE_LOSS, zone, now),
        reassign_on=_ahead(rules, card, DeadlineKind.REASSIGNMENT, zone, now),
        travel=_is_travel(card, rules),
        in_service=reach.state is CardState.ACTIVE,
    )


def _linked(
    notice: Notice, item: Item, holder: Holder, rules: Rules, now: datetime, links: Links
) -> Notice:
    """``notice`` with the links to answer it with; none to a page that could only refuse."""
    card = item.card
    if notice.event in QUESTIONS and card.is_renewal_open:
        return replace(
            notice,
            works_link=links.to(Purpose.WORKS, item.id, now),
            fails_link=links.to(Purpose.FAILS, item.id, now),
        )
    if notice.event not in ANSWERABLE:
        return notice
    again = tomorrow(item.key, card, holder, rules, now)
    useful = not again.too_late and not again.regular
    return replace(
        notice,
        renewed_link=links.to(Purpose.RENEWED, item.id, now),
        tomorrow_link=links.to(Purpose.TOMORROW, item.id, now) if useful else None,
    )


def _happened_on(item: Item, zone: str, now: datetime) -> date:
    """The reader's day of an event; never a day that is still to come there."""
    if item.owed_since is not None:
        return local_day(item.owed_since, zone)
    return min(item.key.on, local_day(now, zone))


def _plan_ends_on(card: Card, event: str, zone: str, now: datetime) -> date | None:
    """The plan's last day on the reader's calendar. "Valid until" a day that is over is untrue."""
    if card.plan_end is None:
        return None
    end = end_of_day(card.plan_end, card.time_zone)
    return None if event in LOW and end <= now else local_day(end - _MINUTE, zone)


def _ahead(rules: Rules, card: Card, kind: DeadlineKind, zone: str, now: datetime) -> date | None:
    """The day from which something can be lost, if that is known and still to come."""
    step: Deadline | None = rules.ladder(card).get(kind)
    return None if step is None or step.begins <= now else read(step, now, zone).day


def _is_travel(card: Card, rules: Rules) -> bool:
    """Is it an eSIM of a provider abroad? It has no Peruvian number, and no operator of Peru whose
    days would be known."""
    return card.msisdn is None and not rules.pack(card.operator).rungs


def _guides(cards: Sequence[Card], rules: Rules) -> tuple[OperatorGuide, ...]:
    """How to reach the operators of ``cards``, each once, in the order of the cards."""
    travel: dict[str, bool] = {}
    for card in cards:
        travel[card.operator] = travel.get(card.operator, True) and _is_travel(card, rules)
    return tuple([_guide(rules.pack(code), only) for code, only in travel.items()])


@lru_cache(maxsize=256)  # an operator has one in each set of rules
def _guide(pack: OperatorPack, travel: bool) -> OperatorGuide:
    contacts = {key: str(fact.value) for key, fact in pack.contacts.items()}
    ways = {way: tuple(str(fact.value) for fact in pack.ways.get(way, ())) for way in Way}
    return OperatorGuide(
        name=pack.name,
        hotline=contacts.get("hotline"),
        website=contacts.get("website"),
        checked_on=min((fact.checked_on for fact in pack.contacts.values()), default=None),
        app=contacts.get("app"),
        online=ways[Way.ONLINE],
        in_person=ways[Way.IN_PERSON],
        abroad=ways[Way.ABROAD],
        phone=contacts.get("phone"),
        topup=contacts.get("topup"),
        travel=travel,
    )
