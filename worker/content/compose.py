"""From reminders to a letter: picks the true event for the days left and puts the worst first."""

from collections.abc import Sequence
from datetime import datetime

from worker.content.dates import deadline_words
from worker.content.letter import Letter, Notice, OperatorGuide
from worker.core.cards import Holder
from worker.core.deadlines import GRAVITY, DeadlineKind
from worker.core.operators import OperatorPack
from worker.core.recheck import Item
from worker.core.rules import Rules
from worker.core.wording import days_left, event_for


def compose(
    items: Sequence[Item], holder: Holder, signature: str, rules: Rules, now: datetime
) -> Letter:
    """Everything ``holder`` is told at ``now`` about ``items``, most urgent first.

    Every item's deadline must be in its card's ladder, as a recheck has made sure.
    """
    notices = sorted((_notice(item, holder, rules, now) for item in items), key=_urgency)
    operators = dict.fromkeys(item.card.operator for item in items)
    return Letter(
        language=holder.language,
        signature=signature,
        holder_name=holder.name,
        notices=tuple(notices),
        guides=tuple(_guide(rules.pack(code)) for code in operators),
    )


def _urgency(notice: Notice) -> tuple[bool, int, int]:
    """The nearest loss first, the graver of two on one day; a plan that is over comes last, since
    nothing more is lost by it today, but a line that may be lost comes before all."""
    kind = DeadlineKind(notice.deadline)
    over = notice.days < 0 and kind is DeadlineKind.PLAN_END
    return over, max(notice.days, 0), GRAVITY.index(kind)


def _notice(item: Item, holder: Holder, rules: Rules, now: datetime) -> Notice:
    card = item.card
    deadline = rules.ladder(card)[item.key.deadline]
    days = days_left(deadline, now, holder.time_zone)
    return Notice(
        event=event_for(deadline.kind, days),
        operator=rules.pack(card.operator).name,
        tail=(card.msisdn or card.iccid or "")[-4:],
        kind=card.kind,
        plan=card.plan,
        deadline=deadline.kind,
        deadline_on=deadline.on,
        deadline_at=deadline_words(deadline.on, card.time_zone, holder.language),
        days=days,
    )


def _guide(pack: OperatorPack) -> OperatorGuide:
    contacts = {key: str(fact.value) for key, fact in pack.contacts.items()}
    oldest = min((fact.checked_on for fact in pack.contacts.values()), default=None)
    return OperatorGuide(pack.name, contacts.get("hotline"), contacts.get("website"), oldest)
