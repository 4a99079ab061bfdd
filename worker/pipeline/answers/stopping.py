"""Use case: stop messages through a link, for one card or for everything, and take that back."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Engine

from worker.core.cards import Audience, Channel, Language
from worker.core.rules import Rules
from worker.pipeline.answers.view import State, View, names
from worker.pipeline.consent import OPTED_OUT, Consent
from worker.store import recipients, suppressions
from worker.store.engine import reading
from worker.store.suppressions import EVERYTHING

# What is to be stopped: all, or what is about the card with this id.
Choice = int | Literal["all"]


@dataclass(frozen=True, slots=True)
class Stopping:
    """Every method takes the id of a message from a verified token; ``None``: there is nothing
    behind it any more. The address is the one that the message went to, whoever has it now."""

    engine: Engine
    rules: Rules
    consent: Consent

    def look(self, message_id: int, channel: Channel) -> View | None:
        """What stopping would mean, or that it was said already. Changes nothing."""
        return self._look(message_id, channel)[0]

    def stop(
        self,
        message_id: int,
        channel: Channel,
        now: datetime,
        *,
        source: str,
        choice: Choice | None = "all",
    ) -> View | None:
        """Stop the channel for one card of the message, or for everything; saying it twice changes
        nothing more. No ``choice`` is everything too, if there is nothing to choose."""
        view, address = self._look(message_id, channel)
        if view is None:
            return None
        card_id = EVERYTHING if choice in ("all", None) else choice
        unclear = choice is None and view.several
        if unclear or card_id not in (EVERYTHING, *(card.id for card in view.cards)):
            return replace(view, state=State.WRONG)
        self.consent.opt_out(
            channel, address, now, source=source, reason=OPTED_OUT, card_id=card_id
        )
        named = [card for card in view.cards if card_id in (EVERYTHING, card.id)]
        return replace(view, state=State.DONE, cards=named, one_card=card_id is not EVERYTHING)

    def look_back(self, message_id: int) -> View | None:
        """Whether there is anything to take back. Changes nothing."""
        return self._look_back(message_id)[0]

    def resume(self, message_id: int, now: datetime) -> View | None:
        """Send again what the holder had stopped at this address."""
        view, address = self._look_back(message_id)
        if view is None or view.state is not State.ASK:
            return view
        self.consent.opt_in(view.channel, address, now, source="link")
        return replace(view, state=State.DONE)

    def _look(self, message_id: int, channel: Channel) -> tuple[View | None, str]:
        with reading(self.engine) as conn:
            found = recipients.message(conn, message_id)
            if found is None or found.channel != channel or found.audience != Audience.HOLDER:
                return None, ""
            cards = names(conn, self.rules, recipients.cards_of_message(conn, message_id))
            several = len(recipients.cards_at(conn, channel, found.address)) > 1
            state = (
                State.ALREADY if EVERYTHING in _said(conn, channel, found.address) else State.ASK
            )
            view = View(
                state,
                Language(found.language),
                cards,
                channel,
                several=several,
                signature=found.signature,
            )
            return view, found.address

    def _look_back(self, message_id: int) -> tuple[View | None, str]:
        with reading(self.engine) as conn:
            found = recipients.message(conn, message_id)
            if found is None:
                return None, ""
            channel = Channel(found.channel)
            state = State.ASK if _said(conn, channel, found.address) else State.ALREADY
            view = View(state, Language(found.language), channel=channel, signature=found.signature)
            return view, found.address


def _said(conn: Connection, channel: Channel, address: str) -> set[int | None]:
    """For which cards, or for everything, the holder has stopped what goes to an address."""
    rows = suppressions.active(conn, channel, address)
    return {row.card_id for row in rows if row.source in suppressions.HOLDERS}
