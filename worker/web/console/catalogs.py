"""The words of the console: English in the code, the others in ``locale``, compiled in memory."""

import gettext
import io
from functools import cache
from pathlib import Path
from typing import Final

from worker.core.console_languages import Tongue

FOLDER: Final = Path(__file__).resolve().parents[1] / "locale"


@cache
def catalog(tongue: Tongue) -> gettext.NullTranslations:
    """The translations into ``tongue``."""
    if tongue is Tongue.EN:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with (FOLDER / f"{tongue}.po").open(encoding="utf-8") as source:
        write_mo(compiled, read_po(source, locale=tongue.replace("-", "_")))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def marked(text: str) -> str:
    """Mark ``text`` as one to translate; it is translated where it is shown."""
    return text


def marked_many(one: str, many: str) -> tuple[str, str]:
    """The same of a text that depends on a number."""
    return one, many
