"""What a card, its holder and its book are: the nouns every other module speaks of."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """What a card is for; each kind has its own policy."""

    DATA = "data"
    RETENTION = "retention"
    FOUR_G = "4g"
    ESIM = "esim"


class CardState(StrEnum):
    """Where a card is in its life. Only an active or suspended card is watched."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    RECYCLED = "recycled"
    CLOSED = "closed"


class Channel(StrEnum):
    """How a notice travels."""

    SMS = "sms"
    EMAIL = "email"

    @property
    def other(self) -> "Channel":
        """The channel that takes over when a holder cannot be reached on this one."""
        return Channel.EMAIL if self is Channel.SMS else Channel.SMS


class Audience(StrEnum):
    """Who reads a notice. ``GUARDIAN``: the keeper of the card book, who is told about holders."""

    HOLDER = "holder"
    GUARDIAN = "guardian"


class Destination(StrEnum):
    """Where a notice goes, in the one word that policies, tables and metrics have for it.

    In the order in which messages are handed out, so that what comes to nothing on both channels
    does so before the guardian is told. A guardian is told by email only.
    """

    SMS = "sms"
    EMAIL = "email"
    GUARDIAN = "guardian"

    @property
    def channel(self) -> Channel:
        """How it travels there."""
        return Channel.SMS if self is Destination.SMS else Channel.EMAIL

    @property
    def audience(self) -> Audience:
        """Who reads it there."""
        return Audience.GUARDIAN if self is Destination.GUARDIAN else Audience.HOLDER


def told_by(channel: str, audience: str) -> Destination:
    """The word for a message or a notice that goes over ``channel`` to ``audience``."""
    return Destination.GUARDIAN if audience == Audience.GUARDIAN else Destination(channel)


class Language(StrEnum):
    """The languages a holder can be told in; stored, never inferred."""

    ZH_HANS = "zh-Hans"
    ZH_HANT = "zh-Hant"
    ES_PE = "es-PE"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who is told. ``time_zone`` is an IANA name; either address may be missing."""

    id: int
    name: str
    language: Language
    time_zone: str
    contact_phone: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """One SIM card or eSIM.

    ``plan_end`` and ``last_topup`` are dates in ``time_zone``; a date means the end of that day.
    ``plan_days`` is the plan's length, ``None`` where the card book does not tell it.
    ``watched_since`` is when we learned of the present deadlines: what fell before was never owed.
    ``renewed_at``: a renewal was reported then and nobody has said yet whether it works;
    ``former_…`` is what holds again if it turns out to have had no effect, ``asked_at`` when the
    holder was asked. ``claimed_…``: what a renewal said that nobody answered for in time; a late
    "it works" brings it back. ``guardian_email``: who keeps the book.
    """

    id: int
    book_id: int
    holder_id: int
    kind: Kind
    operator: str
    msisdn: str | None
    iccid: str | None
    plan: str | None
    plan_days: int | None
    plan_end: date | None
    last_topup: date | None
    balance: Decimal | None
    state: CardState
    time_zone: str
    watched_since: datetime
    paused: bool = False
    renewed_at: datetime | None = None
    former_plan_end: date | None = None
    former_last_topup: date | None = None
    asked_at: datetime | None = None
    claimed_plan_end: date | None = None
    claimed_last_topup: date | None = None
    receipt_ref: str | None = None
    guardian_email: str | None = None

    @property
    def is_renewal_open(self) -> bool:
        """Can somebody still say whether the last renewal works?"""
        return self.renewed_at is not None or self.claimed_last_topup is not None


# Peruvian operators count days in Lima (UTC-5, no daylight saving time).
CARD_TIME_ZONE = "America/Lima"
