"""English, as readers of many countries read it."""

import re
from typing import Final

from babel import Locale

from worker.content.languages.speech import Speech
from worker.content.languages.words import ENGLISH, SPANISH
from worker.core.cards import Kind
from worker.core.deadlines import DeadlineKind

SPEECH: Final = Speech(
    locale=Locale("en", "GB"),
    full_date="EEEE d MMMM y",
    day_before_hour="d MMMM, ",
    short_date="{day} {name}",
    months=(
        *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
        *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    ),
    one_clock="{day}, {clock} ({city} time)",
    two_clocks="{day}, {clock} {city} time ({card_city}: {card_day}{card_clock})",
    places={
        "Asia/Shanghai": "Beijing",
        "Asia/Taipei": "Taipei",
        "Asia/Hong_Kong": "Hong Kong",
        "Asia/Macau": "Macao",
        "America/Lima": "Lima",
    },
    kinds={
        Kind.DATA: "data SIM",
        Kind.RETENTION: "number-retention SIM",
        Kind.FOUR_G: "4G SIM",
        Kind.ESIM: "eSIM",
    },
    tail=" …{tail}",
    entry="{card}: {what}",
    losses={
        DeadlineKind.PLAN_END: "plan ends",
        DeadlineKind.OUTGOING_BLOCK: "calls may be blocked",
        DeadlineKind.BALANCE_LOSS: "balance may be lost",
        DeadlineKind.LINE_LOSS: "number may be lost",
        DeadlineKind.REASSIGNMENT: "number may go to someone else",
    },
    sample_name="Alex Smith",
    plan="plan",
    maybe=re.compile(r"\b(may|might|can|could)\b", re.IGNORECASE),
    not_travel=re.compile(
        r"\bstores?\b(?! or)|passport|petrol|1844|OSIPTEL|lose (?:the|your) number", re.IGNORECASE
    ),
    strangers=SPANISH - ENGLISH - {"no"},
    ascii_only=True,
)
