"""Words that tell a language: the check finds them where they do not belong."""

from typing import Final

ENGLISH: Final = frozenset(
    {
        *("the", "your", "you", "and", "is", "to", "on", "of", "from", "top"),
        *("or", "it", "this", "may", "will", "days", "with", "has", "not"),
    }
)
SPANISH: Final = frozenset(
    {
        *("el", "la", "los", "las", "su", "sus", "de", "que", "del", "en"),
        *("y", "si", "con", "para", "por", "hoy", "desde", "puede", "una", "no"),
    }
)
