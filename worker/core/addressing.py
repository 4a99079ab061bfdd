"""Who can be reached where: addresses of a holder and a guardian, and who steps in for whom."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime

from worker.core.cards import (
    Audience,
    Card,
    CardState,
    Channel,
    Destination,
    Holder,
    Language,
    told_by,
)
from worker.core.deadlines import DeadlineKind, Ladder
from worker.core.routes import Routes

# Of what waits for the guardian: every address of the holder turned out to be of no use.
UNREACHED = "unreached"


def reachable(card: Card, holder: Holder, to: Destination) -> bool:
    """Is there an address at ``to``?"""
    return address_of(card, holder, to.channel, to.audience) is not None


def address_of(
    card: Card, holder: Holder, channel: Channel, audience: Audience = Audience.HOLDER
) -> str | None:
    """Where to reach the holder: the contact phone before the card's own number, and that one
    only while the card is in service. The guardian has an email address or none."""
    if audience is Audience.GUARDIAN:
        return card.guardian_email
    if channel is Channel.EMAIL:
        return holder.email
    own = card.msisdn if card.state is CardState.ACTIVE else None
    return holder.contact_phone or own


def in_service(card: Card, steps: Ladder, now: datetime) -> Card:
    """``card`` as far as reaching its holder goes: once the line is lost its own number may be a
    stranger's, so it counts as cut off."""
    lost = steps.get(DeadlineKind.LINE_LOSS)
    gone = lost is not None and lost.at <= now and card.state is CardState.ACTIVE
    return replace(card, state=CardState.SUSPENDED) if gone else card


def ways(
    card: Card, holder: Holder, wanted: Collection[Destination], routes: Routes
) -> Iterator[tuple[Destination, bool]]:
    """Where a notice is ``wanted``, each with whether nobody is reached there, and what steps in:
    for one that is out of reach, or beside an SMS that cannot go in the holder's own language.
    Where the holder is out of reach altogether, the guardian is told."""
    to_holder = [to for to in wanted if to.audience is Audience.HOLDER]
    for to in to_holder:
        yield to, not reachable(card, holder, to)
    nobody = not any(reachable(card, holder, to) for to in (Destination.SMS, Destination.EMAIL))
    if (nobody or Destination.GUARDIAN in wanted) and reachable(card, holder, Destination.GUARDIAN):
        yield Destination.GUARDIAN, False
    for to in to_holder:
        steps_in = told_by(to.channel.other, to.audience)
        needed = not reachable(card, holder, to) or (
            to is Destination.SMS and sms_language(card, holder, routes) is not holder.language
        )
        if needed and steps_in not in wanted and reachable(card, holder, steps_in):
            yield steps_in, False


def sms_language(card: Card, holder: Holder, routes: Routes) -> Language:
    """The language of an SMS to the holder: their own, if it arrives on the way there."""
    number = address_of(card, holder, Channel.SMS)
    return routes.route(number).language_for(holder.language) if number else holder.language
