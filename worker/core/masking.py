"""What a person wrote, as it may be shown to others: without numbers and addresses."""

import re
import unicodedata
from typing import Final

# A name, an @ of any kind, and what follows; or the address of a page.
_ADDRESS: Final = re.compile(r"\S+[@\uff20\ufe6b]\S+|(?:https?://|www\.)\S+", re.IGNORECASE)
# Six digits or more, in any script, with what people write between them.
_NUMBER: Final = re.compile(r"[+\uff0b(]{0,2}\d(?:[\s.,()/_\u2010-\u2015-]{0,3}\d){5,}")
_LONGEST: Final = 300


def masked(text: str) -> str:
    """``text`` on one line, at most 300 characters, with numbers of six digits and more, email
    addresses and links replaced by ``***``."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    plain = " ".join(_NUMBER.sub("***", _ADDRESS.sub("***", visible)).split())
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def tail(number: str) -> str:
    """A phone number by its last four digits."""
    return f"***{number[-4:]}"
