"""What a holder says by SMS: words that stop the messages, and words that start them again."""

import unicodedata
from enum import StrEnum
from typing import Final


class Said(StrEnum):
    """What an inbound message means."""

    OUT = "opted_out"
    IN = "opted_in"
    HELP = "help"


_OUT: Final = frozenset(
    {"stop", "unsubscribe", "cancel", "end", "quit"}
    | {"baja", "parar", "cancelar", "salir"}
    | {"退订", "退訂", "td"}
)
# One letter is the custom in mainland China; elsewhere it may mean anything.
_OUT_IN_CHINA: Final = frozenset({"n", "t", "r"})
_IN: Final = frozenset({"start", "unstop", "alta", "恢复", "恢復"})
_HELP: Final = frozenset({"help", "info", "ayuda", "帮助", "幫助"})
# Twilio's Advanced Opt-Out has read the message already, in the words of its own configuration.
_TYPES: Final = {"STOP": Said.OUT, "START": Said.IN, "HELP": Said.HELP}
_MAINLAND: Final = "+86"


def said(sender: str, text: str, opt_out_type: str | None = None) -> Said | None:
    """What the message ``text`` from ``sender`` (E.164) means, ``None`` if it is none of our words.

    A word counts only if it is the whole message, in any case and width: "NO" and "SI" answer
    something else, and a sentence with "stop" in it may be about anything. ``opt_out_type`` is
    Twilio's OptOutType, which wins over the text.
    """
    if told := _TYPES.get((opt_out_type or "").strip().upper()):
        return told
    word = _folded(text)
    if word in _OUT or (word in _OUT_IN_CHINA and sender.startswith(_MAINLAND)):
        return Said.OUT
    if word in _IN:
        return Said.IN
    return Said.HELP if word in _HELP else None


def _folded(text: str) -> str:
    """Trimmed, in one case and width, without characters that nobody sees."""
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFKC", seen).strip().casefold()
