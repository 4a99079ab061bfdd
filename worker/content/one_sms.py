"""One SMS: which cards it speaks of, since only what it names is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.content.compose import compose, in_order
from worker.content.letter import Letter, Notice
from worker.content.render import Content, RenderedSms
from worker.core.cards import Holder, Language
from worker.core.naming import NAMED
from worker.core.recheck import Item
from worker.core.rules import Rules


@dataclass(frozen=True, slots=True)
class OneSms:
    """``sms`` names the cards of ``items`` and no others; ``left`` needs messages of its own."""

    letter: Letter
    sms: RenderedSms
    items: tuple[Item, ...]
    left: tuple[Item, ...]


def one_sms(
    content: Content,
    items: Sequence[Item],
    holder: Holder,
    signature: str,
    rules: Rules,
    now: datetime,
    language: Language,
    *,
    way_out: str | None = None,
    replies: bool = True,
) -> OneSms:
    """The SMS about the most urgent of ``items`` and those of which the same sentence is true.

    It names as many of their tails as fit without a further segment, and no more than ``NAMED``.
    Raises ``ConfigError`` if the template cannot be rendered.
    """
    same, left = _one_sentence(items, holder, rules, now)
    for count in range(len(same), 0, -1):
        named = same[:count]
        letter = compose(
            named, holder, signature, rules, now, language, way_out=way_out, replies=replies
        )
        sms = content.sms(letter)
        if sms.segments.segments == 1:
            break
    return OneSms(letter, sms, tuple(named), (*same[count:], *left))


def _one_sentence(
    items: Sequence[Item], holder: Holder, rules: Rules, now: datetime
) -> tuple[Sequence[Item], Sequence[Item]]:
    """The most urgent of ``items`` with those that the same sentence is true of; and the others."""
    if len(items) == 1:
        return items, ()
    told = in_order(items, holder, rules, now)
    sentence = _says(told[0][0])
    same = [item for notice, item in told if _says(notice) == sentence]
    others = [item for notice, item in told if _says(notice) != sentence]
    return same[:NAMED], [*same[NAMED:], *others]


def _says(n: Notice) -> tuple[object, ...]:
    """All that an SMS says of a card but its tail."""
    when = (n.event, n.deadline_on, n.clock, n.card_on, n.days, n.ends_on)
    renewal = (n.receipt_ref, n.reported_on, n.early)
    return n.operator, *when, *renewal, n.balance, n.travel, n.in_service
