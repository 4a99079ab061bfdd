"""Use case: a database that was restored from a backup learns what was sent and said since."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from uuid import uuid4

import structlog
from sqlalchemy import Connection, Engine

from worker.core.addressing import address_of
from worker.core.cards import Channel
from worker.core.life import LifeNotice
from worker.core.likeness import Likeness, likeness
from worker.core.outcomes import accepted
from worker.core.recheck import Item
from worker.core.reminders import ReminderState
from worker.core.retry import RetryPolicy
from worker.errors import ConfigError, UnreachableError
from worker.pipeline import endings
from worker.pipeline.consent import Consent
from worker.pipeline.delivery.rendering import Renderer, digest
from worker.pipeline.delivery.results import Taken, sent
from worker.pipeline.receipts.asking import ask_all
from worker.providers.base import Hearing, Searchable, Sighting, Written
from worker.providers.registry import find
from worker.store import attempts as attempt_store
from worker.store import outbox
from worker.store import quarantine as store
from worker.store import unknowns as unknown_store
from worker.store.attempts import NewAttempt
from worker.store.committed import after_commit
from worker.store.engine import reading, writing
from worker.store.outbox import OutgoingMessage
from worker.store.quarantine import Quarantine

log = structlog.get_logger(__name__)

# A provider's clock and ours, and the second that its dates are cut to.
_CLOCKS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Texts:
    """What our texts are made of."""

    renderer: Renderer
    sender: str

    def of(
        self, items: Sequence[Item], outgoing: OutgoingMessage, address: str, at: datetime
    ) -> str:
        """The SMS that would have told of ``items`` at ``at``."""
        return self.renderer.render(outgoing, items, address, at, self.sender).out.text


@dataclass(slots=True)
class Release:
    """Ends a quarantine: SMS by the providers' lists (``sent``, by name), what holders wrote by
    theirs (``heard``). ``retry`` says what is done with emails, of which there is no list."""

    engine: Engine
    texts: Texts
    sent: Mapping[str, Searchable]
    heard: Mapping[str, Hearing]
    consent: Consent
    retry: RetryPolicy
    # By address; each with the provider in whose list it stands.
    _seen: dict[str, list[tuple[str, Sighting]]] = field(default_factory=dict)

    async def run(self, now: datetime) -> Counter[str]:
        """Returns how many messages were ``found`` in the list, ``left`` to be sent, or
        ``given_up`` since nobody can tell (``unknown.email = "hold"``), and what holders said.

        Raises ``ConfigError`` if there is no quarantine, ``UnreachableError`` if the provider
        cannot tell now: then it goes on.
        """
        with reading(self.engine) as conn:
            own = store.current(conn)
            waiting = outbox.load(conn, store.waiting(conn, Channel.SMS)) if own else []
        if own is None:
            raise ConfigError("There is no quarantine.", "Nothing is held back.")
        heard = await self._heard(own)
        await self._ask({found for one in waiting if (found := _address(one))}, own.since)
        counts = await asyncio.to_thread(self._listen, heard, now)
        return counts + await asyncio.to_thread(self._settle, own, waiting, now)

    async def _heard(self, own: Quarantine) -> list[tuple[str, Written]]:
        heard: list[tuple[str, Written]] = []
        for name, provider in self.heard.items():
            found = await provider.written_to_us(own.since)
            if found is None:
                raise _cannot_tell(name)
            heard += [(name, one) for one in found]
        return heard

    async def _ask(self, addresses: Collection[str], since: datetime) -> None:
        async def ask(question: tuple[str, str]) -> None:
            name, address = question
            found = await self.sent[name].find(address, since)
            if found is None:
                raise _cannot_tell(name)
            self._seen.setdefault(address, []).extend((name, one) for one in found)

        await ask_all(ask, product(self.sent, addresses))

    def _listen(self, heard: Sequence[tuple[str, Written]], now: datetime) -> Counter[str]:
        words: Counter[str] = Counter()
        for name, one in heard:
            words[
                self.consent.inbound(
                    *(one.sender, one.text, now),
                    brought=(name, one.provider_id),
                    said_at=one.written_at,
                )
            ] += 1
        return words

    def _settle(
        self, own: Quarantine, waiting: Sequence[OutgoingMessage], now: datetime
    ) -> Counter[str]:
        """Everything in one transaction: a release that breaks off has changed nothing."""
        counts: Counter[str] = Counter()
        with writing(self.engine, durable=True) as conn:
            for outgoing in waiting:
                counts["found" if self._found(conn, outgoing, own) else "left"] += 1
            again = Channel.EMAIL in self.retry.resend
            for outgoing in outbox.load(conn, store.waiting(conn, Channel.EMAIL)):
                given_up = not again and _give_up(conn, outgoing, own, now)
                counts["given_up" if given_up else "left"] += 1
            store.end(conn)
        return counts

    def _found(self, conn: Connection, outgoing: OutgoingMessage, own: Quarantine) -> bool:
        """Was it sent since the backup? Then it is recorded as that."""
        seen = self._seen.get(_address(outgoing) or "", [])
        taken = unknown_store.adopted(conn, [one.provider_id for _, one in seen])
        mine = [
            (name, one)
            for name, one in seen
            if one.provider_id not in taken and self._tells_of(one, outgoing, own)
        ]
        if not mine:
            return False
        provider, one = min(mine, key=lambda found: found[1].created_at)
        attempt, at = uuid4(), one.created_at
        row: NewAttempt = {
            "id": attempt,
            "message_id": outgoing.id,
            "address": str(_address(outgoing)),
            "digest": digest(one.text),
            "started_at": at,
            "provider": provider,
            "sender": None,
        }
        attempt_store.add(conn, [row])
        attempt_store.end(conn, [attempt_store.ended(attempt, accepted(one.provider_id), at)])
        sent(
            conn, [Taken(outgoing.id, outgoing.channel, one.provider_id, at)], self.retry, begun=at
        )
        return True

    def _tells_of(self, one: Sighting, outgoing: OutgoingMessage, own: Quarantine) -> bool:
        """May a text be about a notice of ``outgoing``: sent since the backup and since that was
        owed, and with the last digits by which a text names its card, where any text is shown?"""
        for item in outgoing.items:
            again = _entered_again(item, own)
            numbers = (item.card.msisdn, item.card.iccid)
            named = any(number and number[-4:] in one.text for number in numbers)
            owed = own.since if again else max(own.since, self._opened(item, outgoing))
            if one.created_at < owed - _CLOCKS or not (named or not one.text.strip()):
                continue
            if not again or self._says_the_same(one, outgoing, own):
                return True
        return False

    def _says_the_same(self, one: Sighting, outgoing: OutgoingMessage, own: Quarantine) -> bool:
        """Is it the text of the events that were entered again? When they first happened nobody
        knows any more, so another text about the same card may be as late."""
        events = [item for item in outgoing.items if _entered_again(item, own)]
        text = self.texts.of(events, outgoing, _address(outgoing) or "", one.created_at)
        return likeness(digest(text), text, one.text) in (Likeness.SAME, Likeness.HIDDEN)

    def _opened(self, item: Item, outgoing: OutgoingMessage) -> datetime:
        """Since when a notice is owed: its row may have been written anew after the restore."""
        for span in self.texts.renderer.rules.spans(item.card, outgoing.holder):
            if span.key(outgoing.destination) == item.key:
                return span.at
        return item.due_at


def _entered_again(item: Item, own: Quarantine) -> bool:
    """Is it an event that somebody has entered in the quarantine, perhaps for the second time?"""
    entered = item.owed_since
    event = isinstance(item.key.deadline, LifeNotice)
    return event and entered is not None and entered >= own.begun_at


def _give_up(conn: Connection, outgoing: OutgoingMessage, own: Quarantine, now: datetime) -> bool:
    """Nobody can tell of an email that was due in between; what fell due later is left."""
    items = [item for item in outgoing.items if own.since <= item.due_at <= own.begun_at]
    if items:
        after_commit(log.error)(
            "alarm", cause="reminder_missed", reason="unknown_outcome", message=outgoing.id
        )
    endings.end(conn, [i.id for i in items], ReminderState.MISSED, "unknown_outcome", now)
    return bool(items)


def _address(outgoing: OutgoingMessage) -> str | None:
    """The number that its first notice goes to."""
    found = (address_of(item.card, outgoing.holder, Channel.SMS) for item in outgoing.items)
    return next((address for address in found if address), None)


def _cannot_tell(name: str) -> UnreachableError:
    provider = find(name)
    return UnreachableError(
        f"{provider.title if provider else name}'s list of messages cannot be read now, so nobody "
        "knows what was sent.",
        "The quarantine goes on; try again: vigencia db release",
    )
