"""A claimed message becomes what a provider is given, and what we keep of it."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from worker.content.compose import alert, compose, fill
from worker.content.one_sms import one_sms
from worker.content.render import Content
from worker.core.cards import Audience, Channel
from worker.core.recheck import Item
from worker.core.routes import NO_ROOM
from worker.core.rules import Rules
from worker.core.segments import measure
from worker.core.tokens import Links, Purpose
from worker.pipeline.delivery.mailing import PLAIN, Mailing
from worker.providers.base import EmailOut, SmsOut
from worker.store.outbox import MessageContent, OutgoingMessage


@dataclass(frozen=True, slots=True)
class Rendered:
    """``out`` tells of ``items`` and of nothing else; ``left`` needs messages of its own."""

    out: SmsOut | EmailOut
    items: tuple[Item, ...]
    left: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Renderer:
    """What messages are made of. With ``links`` a holder can answer; without, only the words of a
    text tell how to stop."""

    content: Content
    rules: Rules
    links: Links | None = None
    mailing: Mailing = PLAIN

    def render(
        self,
        outgoing: OutgoingMessage,
        items: Sequence[Item],
        address: str,
        now: datetime,
        sender: str = "",
    ) -> Rendered:
        """The text of ``items`` for ``address`` from ``sender``, ready to hand over. Raises
        ``ConfigError``."""
        if outgoing.channel is Channel.SMS:
            return self._sms(outgoing, items, address, now, sender)
        if outgoing.audience is Audience.GUARDIAN:
            return self._alert(outgoing, items, address, now)
        return self._email(outgoing, items, address, now)

    def _alert(
        self, outgoing: OutgoingMessage, items: Sequence[Item], address: str, now: datetime
    ) -> Rendered:
        sign = outgoing.signature
        letter = self.content.email(alert(items, outgoing.holder, sign, self.rules, now))
        words = letter.subject, letter.text, letter.html
        reply_to = self.mailing.reply_to
        out = EmailOut(_new_attempt(), address, sign, *words, reply_to=reply_to)
        return Rendered(out, tuple(items))

    def _email(
        self, outgoing: OutgoingMessage, items: Sequence[Item], address: str, now: datetime
    ) -> Rendered:
        holder, sign, links = outgoing.holder, outgoing.signature, self.links
        unsubscribe = links.to(Purpose.STOP_EMAIL, outgoing.id, now) if links else None
        letter = self.content.email(
            compose(items, holder, sign, self.rules, now, links=links, unsubscribe=unsubscribe)
        )
        out = EmailOut(
            attempt=_new_attempt(),
            to=address,
            sender_name=sign,
            subject=letter.subject,
            text=letter.text,
            html=letter.html,
            headers=_one_click(unsubscribe) if unsubscribe else {},
            reply_to=self.mailing.answers_to(items[0].card.guardian_email),
            attached=self.mailing.files(items, holder, sign, self.rules, now),
        )
        return Rendered(out, tuple(items))

    def _sms(
        self,
        outgoing: OutgoingMessage,
        items: Sequence[Item],
        address: str,
        now: datetime,
        sender: str,
    ) -> Rendered:
        holder = outgoing.holder
        route = self.rules.routes.route(address)
        language, replies = route.language_for(holder.language), route.hears(sender)
        linked = self.links if not replies and language not in NO_ROOM else None
        one = one_sms(
            self.content,
            items,
            holder,
            outgoing.signature,
            self.rules,
            now,
            language,
            way_out=linked.to(Purpose.STOP_SMS, outgoing.id, now) if linked else None,
            replies=replies,
        )
        registered = route.templates.get((one.letter.notices[0].event, language))
        filled = fill(registered, one.letter) if registered else None
        useful = min(item.useful_until for item in one.items)
        # What a provider still has at the end of the holder's hours must not wake anybody, and
        # "today" is untrue tomorrow: whatever waits longer than that is sent anew, with the words
        # of its day.
        valid_until = min(useful, self.rules.hours.closing(now, holder.time_zone))
        out = SmsOut(_new_attempt(), address, one.sms.text, valid_until - now, filled)
        return Rendered(out, one.items, one.left)


def _one_click(link: str) -> dict[str, str]:
    """RFC 8058: mail programs show a button, and it posts; a GET would be a scanner's."""
    return {
        "List-Unsubscribe": f"<{link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _new_attempt() -> UUID:
    """An id that nobody else has; it opens nothing, so it need not be a secret. ``uuid4`` asks the
    system, which lets other threads go first: a batch of 250 then waits for them 250 times."""
    return UUID(int=random.getrandbits(128), version=4)


def digest(text: str) -> str:
    """What an attempt keeps of its text, to be found again in a provider's list."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(out: SmsOut | EmailOut) -> str:
    """Of a registered text the provider's list shows its own rendering: any text may be ours."""
    registered = isinstance(out, SmsOut) and out.template is not None
    return "" if registered else digest(out.text)


def check_storable(kept: MessageContent, out: SmsOut | EmailOut) -> None:
    """Raise ``ValueError`` for a text that cannot be kept or sent: half of a character, or NUL.
    Names in card books may hold anything."""
    texts = [kept["subject"] or "", kept["body"]]
    if isinstance(out, EmailOut):
        texts += [out.html, out.sender_name, *out.headers.values()]
    for text in texts:
        if "\0" in text:
            raise ValueError("a text with the character NUL")
        text.encode()


def contents(outgoing: OutgoingMessage, out: SmsOut | EmailOut) -> MessageContent:
    """What is kept of a message that is about to be sent."""
    email = isinstance(out, EmailOut)
    return {
        "row_id": outgoing.id,
        "attempts": outgoing.attempts + 1,
        "subject": out.subject if isinstance(out, EmailOut) else None,
        "body": out.text,
        "segments": None if email else measure(out.text).segments,
    }
