"""The languages that the console speaks, and which of them somebody gets."""

from enum import StrEnum
from typing import Final


class Tongue(StrEnum):
    """A language of the console; the value is also what HTML calls it."""

    EN = "en"
    ES = "es"
    ZH = "zh-Hans"


# Each by its own name, as who looks for it reads it.
NAMES: Final = {Tongue.EN: "English", Tongue.ES: "Español", Tongue.ZH: "简体中文"}


def shown_in(tag: str) -> Tongue:
    """The language of the console for a language tag such as ``es-PE`` or ``zh-Hant``."""
    first = tag.split("-")[0].lower()
    return next((tongue for tongue in Tongue if tongue.split("-")[0] == first), Tongue.EN)


def preferred(accepted: str) -> Tongue:
    """The first language that a browser asks for (Accept-Language) and the console speaks."""
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accepted[:200].split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            ranked.append((-float(weight or 1), place, tag.strip()))
        except ValueError:
            continue
    spoken = {tongue.split("-")[0] for tongue in Tongue}
    known = (tag for _, _, tag in sorted(ranked) if tag.split("-")[0].lower() in spoken)
    return shown_in(next(known, "en"))
