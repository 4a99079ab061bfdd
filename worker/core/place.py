"""Where a reader is: advice that only works in Peru is no help to somebody abroad."""

from worker.core.cards import CARD_TIME_ZONE, Holder

_PERU = "+51"


def is_abroad(holder: Holder) -> bool:
    """Is ``holder`` outside Peru, by the time zone or by the phone they can be reached on?"""
    phone = holder.contact_phone
    return holder.time_zone != CARD_TIME_ZONE or bool(phone and not phone.startswith(_PERU))
