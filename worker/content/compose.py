"""From reminders to a letter: picks the true event for the days left and puts the worst first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Final

from worker.content.dates import deadline_words, short_date
from worker.content.events import ANSWERABLE, LOW
from worker.content.letter import Letter, Notice, OperatorGuide
from worker.core.cards import Channel, Holder, Language
from worker.core.deadlines import GRAVITY, DeadlineKind
from worker.core.hours import local_day
from worker.core.life import LifeNotice
from worker.core.operators import OperatorPack, Way
from worker.core.recheck import Item
from worker.core.routes import Filled, Registered
from worker.core.rules import Rules
from worker.core.tokens import Links, Purpose
from worker.core.windows import SILENT, address_of
from worker.core.wording import GUARDIAN_EVENT, LIFE_EVENTS, days_left, event_for

_GRAVITY: Final[Mapping[str, int]] = {kind: place for place, kind in enumerate(GRAVITY)}


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
) -> Letter:
    """Everything ``holder`` is told at ``now`` about ``items``, most urgent first, in ``language``
    (default: the holder's own). ``links``: to answer each notice of a deadline with;
    ``unsubscribe``, ``way_out``: as ``Letter`` has them.

    Every item's deadline must be in its card's ladder, as a recheck has made sure.
    """
    language = language or holder.language
    zone = holder.time_zone
    notices = [_notice(item, language, zone, rules, now, links) for item in items]
    notices.sort(key=_urgency)
    operators = dict.fromkeys([item.card.operator for item in items])
    return Letter(
        language=language,
        signature=signature,
        holder_name=holder.name,
        notices=tuple(notices),
        guides=tuple([_guide(rules.pack(code)) for code in operators]),
        unsubscribe=unsubscribe,
        way_out=way_out,
    )


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
    if item.why == SILENT:
        return SILENT
    windows = rules.policies[item.card.kind].windows
    wanted = {w.name for w in windows if Channel.GUARDIAN in w.channels}
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
        "tail": first.tail,
        "days": str(first.days),
        "date": short_date(date, letter.language),
        "others": str(len(letter.notices) - 1),
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
    links: Links | None = None,
) -> Notice:
    """One notice for a reader of ``language`` in the time ``zone``."""
    card, subject, ends_on = item.card, item.key.deadline, item.card.plan_end
    if isinstance(subject, LifeNotice):
        on, event = item.key.on, subject.value
        # "Valid until" a day that is over would be untrue.
        if event in LOW and ends_on and ends_on < local_day(now, card.time_zone):
            ends_on = None
        # West of the card the event's day may still be tomorrow's: it has happened all the same.
        days = min((on - local_day(now, zone)).days, 0)
    else:
        deadline = rules.ladder(card)[subject]
        on, days = deadline.on, days_left(deadline, now, zone)
        event = event_for(subject, days)
    answers = links if event in ANSWERABLE else None
    return Notice(
        event=event,
        operator=rules.pack(card.operator).name,
        tail=(card.msisdn or card.iccid or "")[-4:],
        kind=card.kind,
        plan=card.plan,
        deadline=subject,
        deadline_on=on,
        deadline_at=deadline_words(on, card.time_zone, language, zone),
        days=days,
        ends_on=ends_on,
        balance=None if card.balance is None else f"S/ {card.balance:.2f}",
        renewed_link=answers.to(Purpose.RENEWED, item.id, now) if answers else None,
        tomorrow_link=answers.to(Purpose.TOMORROW, item.id, now) if answers else None,
    )


@lru_cache(maxsize=256)  # an operator has one in each set of rules
def _guide(pack: OperatorPack) -> OperatorGuide:
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
    )
