"""Use case: a holder wants no more messages, or wants them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.core.cards import Channel
from worker.core.optout import Said, said
from worker.store import cards as card_store
from worker.store import reach, suppressions
from worker.store.engine import writing
from worker.store.suppressions import EVERYTHING

OPTED_OUT, OPTED_IN = "opted_out", "opted_in"
IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Consent:
    """Writes who is not to be written to. What waits for such an address ends at its last look
    before it is sent; the other channel takes over, as long as it is not silenced too."""

    engine: Engine

    def inbound(self, sender: str, text: str, opt_out_type: str | None, now: datetime) -> str:
        """Take an SMS from ``sender`` (E.164): "opted_out", "opted_in", "help" or "ignored".

        A word concerns everything that goes to the number by SMS, and nothing else.
        """
        meaning = said(sender, text, opt_out_type)
        source = "optout" if opt_out_type else "word"
        if meaning is Said.OUT:
            self.opt_out(Channel.SMS, sender, now, source=source, reason=OPTED_OUT)
        elif meaning is Said.IN:
            self.opt_in(Channel.SMS, sender, now, source=source)
        return meaning.value if meaning else IGNORED

    def opt_out(
        self,
        channel: Channel,
        address: str,
        now: datetime,
        *,
        source: str,
        reason: str,
        card_id: int = EVERYTHING,
    ) -> bool:
        """Write nothing more to ``address`` over ``channel``, about one card or at all; whether
        that is news. The audit trail of every card concerned tells it, without the address."""
        with writing(self.engine) as conn:
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
        with writing(self.engine) as conn:
            lifted = suppressions.lift(
                conn, channel, address, now, f"holder: {source}", card_id=card_id, own_only=True
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
        with writing(self.engine) as conn:
            lifted = suppressions.lift(conn, channel, address, now, reason, card_id=card_id)
            for row in lifted:
                self._trail(conn, channel, address, OPTED_IN, "guardian", row.card_id, now)
            return [row.source for row in lifted]

    @staticmethod
    def _trail(
        conn: Connection,
        channel: Channel,
        address: str,
        event: str,
        source: str,
        card_id: int,
        now: datetime,
    ) -> None:
        """Tell the cards concerned: those the address serves, or the one that was named."""
        at: Sequence[int] = reach.cards_at(conn, channel, address)
        concerned = at if card_id == EVERYTHING else [card_id]
        detail = {"channel": channel, "source": source, "all_cards": card_id == EVERYTHING}
        card_store.add_events(conn, reach.trail(concerned, event, detail, now))
