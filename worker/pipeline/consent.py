"""Use case: a holder wants no more messages, or wants them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine

from worker.core.addressing import address_of
from worker.core.cards import Channel
from worker.core.masking import masked, tail
from worker.core.optout import Said, said
from worker.pipeline.events import Check, anybody, lock
from worker.providers.registry import OPT_OUTS
from worker.store import cards as card_store
from worker.store import inbound as inbound_store
from worker.store import recipients, suppressions
from worker.store.engine import writing
from worker.store.inbound import Heard
from worker.store.suppressions import EVERYTHING

log = structlog.get_logger(__name__)

# What the audit trail calls it.
OPTED_OUT, OPTED_IN, WROTE = "opted_out", "opted_in", "holder_wrote"
# Who has silenced an address that its holder did not.
KEEPER = "guardian"
IGNORED, SEEN, OVERTAKEN = "ignored", "seen", "overtaken"
# The name of a provider, and its id of a message to us.
Brought = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Consent:
    """Writes who is not to be written to. What waits for such an address ends at its last look
    before it is sent; the other channel takes over, as long as it is not silenced too."""

    engine: Engine

    def inbound(
        self,
        sender: str,
        text: str,
        now: datetime,
        *,
        read: Said | None = None,
        brought: Brought | None = None,
        said_at: datetime | None = None,
    ) -> str:
        """Take an SMS from ``sender`` (E.164): "opted_out", "opted_in", "help", "unclear",
        "ignored"; "seen" of one that was taken before, "overtaken" where the holder has said
        something else later.

        A word concerns everything that goes to the number by SMS, and nothing else. ``read``: what
        the provider has read in it; ``brought``: who brought it, and under which id; ``said_at``:
        its instant on the provider's clock (default: ``now``). What only contains such a word is
        for somebody to read: it raises an alarm with the sentence, without numbers and addresses,
        and the audit trail of the cards concerned says so.
        """
        meaning = said(sender, text, read)
        source = "optout" if read else "word"
        unclear = masked(text) if meaning is Said.UNCLEAR else None
        word = meaning.value if meaning else IGNORED
        at = min(said_at or now, now)
        with writing(self.engine, durable=True) as conn:
            if brought is not None:
                heard = Heard(*brought, sender, word, at, unclear)
                if not inbound_store.keep(conn, heard, now):
                    return SEEN
                if meaning in (Said.OUT, Said.IN) and _overtaken(conn, heard):
                    return OVERTAKEN
            if meaning is Said.OUT:
                self._opt_out(conn, Channel.SMS, sender, at, source, OPTED_OUT, EVERYTHING)
            elif meaning is Said.IN:
                self._opt_in(conn, Channel.SMS, sender, at, source, None, said_at)
            concerned = self._to_read(conn, sender, now) if unclear else ()
        if unclear:
            log.error(
                "alarm",
                cause="opt_out_unclear",
                number=tail(sender),
                text=unclear,
                cards=list(concerned),
            )
        return word

    @staticmethod
    def _to_read(conn: Connection, sender: str, now: datetime) -> Sequence[int]:
        concerned = recipients.cards_at(conn, Channel.SMS, sender)
        detail = {"channel": Channel.SMS, "understood": False}
        card_store.add_events(conn, recipients.trail(concerned, WROTE, detail, now))
        return concerned

    def opt_out(
        self,
        channel: Channel,
        address: str,
        now: datetime,
        *,
        source: str,
        reason: str,
        card_id: int | None = EVERYTHING,
    ) -> bool:
        """Write nothing more to ``address`` over ``channel``, about one card or at all; whether
        that is news. The audit trail of every card concerned tells it, without the address."""
        with writing(self.engine, durable=True) as conn:
            return self._opt_out(conn, channel, address, now, source, reason, card_id)

    def _opt_out(
        self,
        conn: Connection,
        channel: Channel,
        address: str,
        now: datetime,
        source: str,
        reason: str,
        card_id: int | None,
    ) -> bool:
        found = {address: reason}
        if not suppressions.add(conn, channel, found, now, source=source, card_id=card_id):
            return False
        self._trail(conn, channel, address, OPTED_OUT, source, card_id, now)
        return True

    def opt_in(
        self,
        channel: Channel,
        address: str,
        now: datetime,
        *,
        source: str,
        card_id: int | None = None,
    ) -> bool:
        """The holder wants messages again: lifts what the holder said, never a dead number."""
        with writing(self.engine, durable=True) as conn:
            return self._opt_in(conn, channel, address, now, source, card_id)

    def _opt_in(
        self,
        conn: Connection,
        channel: Channel,
        address: str,
        now: datetime,
        source: str,
        card_id: int | None,
        said_at: datetime | None = None,
    ) -> bool:
        """``said_at``: what was stopped after that, by a link perhaps, stays."""
        lifted = suppressions.lift(
            *(conn, channel, address, now, f"holder: {source}"),
            card_id=card_id,
            opt_outs=OPT_OUTS,
            until=said_at,
        )
        for row in lifted:
            self._trail(conn, channel, address, OPTED_IN, source, row.card_id, now)
        return bool(lifted)

    def lift(
        self,
        channel: Channel,
        address: str,
        now: datetime,
        *,
        reason: str,
        card_id: int | None = None,
    ) -> list[str]:
        """A person lets an address be used again, with a reason; returns who had silenced it."""
        with writing(self.engine, durable=True) as conn:
            lifted = suppressions.lift(conn, channel, address, now, reason, card_id=card_id)
            for row in lifted:
                self._trail(conn, channel, address, OPTED_IN, KEEPER, row.card_id, now)
            return [row.source for row in lifted]

    def silence_card(
        self, card_id: int, channel: Channel, now: datetime, *, check: Check = anybody
    ) -> bool:
        """A keeper has nothing more written over ``channel`` about one card, to whomever it is
        written now, if ``check`` raises nothing; whether that is news."""
        with writing(self.engine, durable=True) as conn:
            watched = lock(conn, card_id)
            check(conn, watched)
            address = address_of(watched.card, watched.holder, channel)
            return address is not None and self._opt_out(
                conn, channel, address, now, KEEPER, KEEPER, card_id
            )

    def allow_card(
        self, card_id: int, channel: Channel, now: datetime, *, check: Check = anybody
    ) -> bool:
        """The same taken back: what is about other cards too, and a dead number, stay; whether
        there was anything to take back."""
        with writing(self.engine, durable=True) as conn:
            watched = lock(conn, card_id)
            check(conn, watched)
            address = address_of(watched.card, watched.holder, channel)
            lifted = address is not None and suppressions.lift(
                conn, channel, address, now, KEEPER, card_id=card_id
            )
            if address is not None and lifted:
                self._trail(conn, channel, address, OPTED_IN, KEEPER, card_id, now)
            return bool(lifted)

    @staticmethod
    def _trail(
        conn: Connection,
        channel: Channel,
        address: str,
        event: str,
        source: str,
        card_id: int | None,
        now: datetime,
    ) -> None:
        """Tell the cards concerned: those the address serves, or the one that was named."""
        at: Sequence[int] = recipients.cards_at(conn, channel, address)
        concerned = at if card_id is None else [card_id]
        detail = {"channel": channel, "source": source, "all_cards": card_id is None}
        card_store.add_events(conn, recipients.trail(concerned, event, detail, now))


def _overtaken(conn: Connection, heard: Heard) -> bool:
    """Has the holder said something else since, by a word or another way?"""
    if inbound_store.said_later(conn, heard):
        return True
    resumed = suppressions.lifted_since(conn, Channel.SMS, heard.address, heard.said_at)
    return heard.meaning == Said.OUT and resumed
