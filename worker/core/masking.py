"""What may be shown to others: a text without numbers and addresses, and these by their ends."""

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


def last_four(*numbers: str | None) -> str:
    """The end of the first of ``numbers`` that there is: it is what people tell a card by."""
    return next(filter(None, numbers), "")[-4:]


def tail(*numbers: str | None) -> str:
    """The same as ``***1234``."""
    return f"***{last_four(*numbers)}"


def masked_address(address: str) -> str:
    """A number or an email address as far as it must be seen to be told from others."""
    name, at, host = address.rpartition("@")
    return f"{name[:1]}***@{host}" if at else f"{address[:3]}***{address[-3:]}"
