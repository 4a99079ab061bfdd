"""How many SMS segments a text costs (GSM 03.38 and UCS-2, 3GPP TS 23.038 and 23.040)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Encoding = Literal["GSM-7", "UCS-2"]

# The default alphabet of 3GPP TS 23.038 section 6.2.1 in table order, without ESC (0x1B),
# which announces an extension character and is none itself. Of the accented vowels Spanish
# needs it has only the e with an acute accent; one other turns the whole text into UCS-2.
GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Section 6.2.1.1: each is ESC and a second septet.
GSM_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
_GSM: Final = GSM_BASIC | GSM_EXTENSION

# 140 octets hold 160 septets or 70 UTF-16 units; a part of a concatenated message gives 6 octets
# to the header that joins the parts.
GSM_SINGLE, GSM_PART = 160, 153
UCS2_SINGLE, UCS2_PART = 70, 67


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text costs: ``units`` are septets (GSM-7) or UTF-16 code units (UCS-2)."""

    encoding: Encoding
    units: int
    segments: int


def measure(text: str) -> Segments:
    """Measure ``text`` as a handset receives it; an empty text is one empty segment."""
    if GSM_BASIC.issuperset(text):
        return Segments("GSM-7", len(text), _even(len(text), GSM_SINGLE, GSM_PART))
    if _GSM.issuperset(text):
        widths = [2 if character in GSM_EXTENSION else 1 for character in text]
        return Segments("GSM-7", sum(widths), _count(widths, GSM_SINGLE, GSM_PART))
    if max(text) <= "\uffff":
        return Segments("UCS-2", len(text), _even(len(text), UCS2_SINGLE, UCS2_PART))
    widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return Segments("UCS-2", sum(widths), _count(widths, UCS2_SINGLE, UCS2_PART))


def _even(units: int, single: int, part: int) -> int:
    """Segments for characters of width 1."""
    return 1 if units <= single else -(-units // part)


def _count(widths: Sequence[int], single: int, part: int) -> int:
    """Segments for characters of these widths; one of width 2 never straddles a boundary."""
    if sum(widths) <= single:
        return 1
    segments, used = 1, 0
    for width in widths:
        if used + width > part:
            segments, used = segments + 1, 0
        used += width
    return segments
