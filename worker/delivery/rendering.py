"""A claimed message becomes what a provider is given, and what we keep of it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from worker.content.compose import alert, compose, fill
from worker.content.render import Content
from worker.core.cards import Channel
from worker.core.recheck import Item
from worker.core.rules import Rules
from worker.core.segments import measure
from worker.providers.base import EmailOut, SmsOut
from worker.store.messages import Parcel


def render(
    content: Content,
    rules: Rules,
    parcel: Parcel,
    items: Sequence[Item],
    address: str,
    now: datetime,
) -> SmsOut | EmailOut:
    """The text of ``items`` for ``address``, ready to hand over. Raises ``ConfigError``."""
    holder, sign = parcel.holder, parcel.signature
    if parcel.channel is Channel.SMS:
        route = rules.routes.route(address)
        language = route.language_for(holder.language)
        letter = compose(items, holder, sign, rules, now, language)
        registered = route.templates.get((letter.notices[0].event, language))
        filled = fill(registered, letter) if registered else None
        useful = max(item.useful_until for item in items) - now
        return SmsOut(uuid4(), address, content.sms(letter).text, useful, filled)
    build = alert if parcel.channel is Channel.GUARDIAN else compose
    email = content.email(build(items, holder, sign, rules, now))
    return EmailOut(uuid4(), address, sign, email.subject, email.text, email.html)


def digest(text: str) -> str:
    """What an attempt keeps of its text, to be found again in a provider's list."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(out: SmsOut | EmailOut) -> str:
    """Of a registered text the provider's list shows its own rendering: any text may be ours."""
    registered = isinstance(out, SmsOut) and out.template is not None
    return "" if registered else digest(out.text)


def contents(message: int, out: SmsOut | EmailOut) -> dict[str, Any]:
    """What is kept of a message for people to look at."""
    email = isinstance(out, EmailOut)
    return {
        "message": message,
        "subject": out.subject if isinstance(out, EmailOut) else None,
        "body": out.text,
        "segments": None if email else measure(out.text).segments,
    }
