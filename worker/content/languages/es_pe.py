"""Spanish as Peru speaks it."""

import re
from typing import Final

from babel import Locale

from worker.content.languages.speech import Speech
from worker.content.languages.words import ENGLISH
from worker.core.cards import Kind
from worker.core.deadlines import DeadlineKind

SPEECH: Final = Speech(
    locale=Locale("es", "PE"),
    full_date="EEEE d 'de' MMMM 'de' y",  # CLDR's has a comma that a sentence does not want
    day_before_hour="d 'de' MMMM, ",
    short_date="{day:02}/{month:02}",
    one_clock="{day}, {clock} (hora de {city})",
    two_clocks="{day}, {clock} (hora de {city}; en {card_city}: {card_day}{card_clock})",
    places={
        "Asia/Shanghai": "Beijing",
        "Asia/Taipei": "Taipéi",
        "Asia/Hong_Kong": "Hong Kong",
        "Asia/Macau": "Macao",
        "America/Lima": "Lima",
    },
    kinds={
        Kind.DATA: "chip de datos",
        Kind.RETENTION: "chip para conservar el número",
        Kind.FOUR_G: "chip 4G",
        Kind.ESIM: "eSIM",
    },
    tail=" …{tail}",
    entry="{card}: {what}",
    losses={
        DeadlineKind.PLAN_END: "vence el plan",
        DeadlineKind.OUTGOING_BLOCK: "pueden bloquear las llamadas",
        DeadlineKind.BALANCE_LOSS: "puede perderse el saldo",
        DeadlineKind.LINE_LOSS: "puede perderse el número",
        DeadlineKind.REASSIGNMENT: "el número puede pasar a otra persona",
    },
    sample_name="Rosa Quispe",
    plan="plan",
    maybe=re.compile(r"\b(puede\w*|podr\w+|pudo|posible\w*|quiz\w+)\b", re.IGNORECASE),
    not_travel=re.compile(
        r"\btienda|pasaporte|grifo|1844|OSIPTEL|perder su (?:n|l)", re.IGNORECASE
    ),
    strangers=ENGLISH,
)
