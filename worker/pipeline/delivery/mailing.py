"""What all emails carry beside their texts: where answers go, and a file for the calendar."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from worker.content.calendar import calendar
from worker.core.cards import Holder
from worker.core.icalendar import METHOD, Publisher
from worker.core.recheck import Item
from worker.core.rules import Rules
from worker.core.senders import SenderPool
from worker.providers.base import Attached
from worker.providers.mime import answerable

CALENDAR_FILE: Final = "vigencia.ics"


@dataclass(frozen=True, slots=True)
class Mailing:
    """What is true of all emails. ``sender``: the address that calendar files name, ``None`` for
    none of them; ``reply_to``: where answers go, whatever the card book."""

    sender: str | None = None
    reply_to: str | None = None

    def answers_to(self, guardian: str | None) -> str | None:
        """Where a holder's answer to an email goes: to a person, never to the sender if it can be
        helped. A guardian's address that providers may refuse would cost the email itself."""
        return self.reply_to or (guardian if guardian and answerable(guardian) else None)

    def files(
        self, items: Sequence[Item], holder: Holder, signature: str, rules: Rules, now: datetime
    ) -> tuple[Attached, ...]:
        """What is attached to an email that tells ``holder`` of ``items`` at ``now``."""
        if self.sender is None:
            return ()
        text = calendar(items, holder, Publisher(signature, self.sender), rules, now)
        if text is None:
            return ()
        return (Attached(CALENDAR_FILE, "text/calendar", text.encode(), {"method": METHOD}),)


def mailing_of(pool: SenderPool | None, reply_to: str | None) -> Mailing:
    """That of the emails that ``pool`` sends. Calendars know an entry by the address it came from
    first, so it is the preferred provider's, whoever carries the email."""
    address = pool.senders[0].address if pool else ""
    return Mailing(address if "@" in address else None, reply_to)


# Nothing beside the texts.
PLAIN: Final = Mailing()
