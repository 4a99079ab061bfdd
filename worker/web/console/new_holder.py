"""To whom a card is given: what the form says of the new holder, and what in it is wrong."""

from collections.abc import Callable, Mapping
from typing import Final

from worker.cardbook.values import ValueProblem, parse_contact_phone, parse_email, parse_name
from worker.cardbook.zones import zone_of
from worker.core.cards import Language
from worker.store.books import HolderValues
from worker.web.console.catalogs import marked as _
from worker.web.console.visit import Visit

FIELDS: Final = ("name", "contact_phone", "email", "language")
# Each by its own name, as who looks for it reads it.
LANGUAGES: Final[Mapping[str, str]] = {
    Language.ZH_HANS: "简体中文",
    Language.ZH_HANT: "繁體中文",
    Language.ES_PE: "Español",
    Language.EN: "English",
}
_PARSERS: Final[Mapping[str, tuple[Callable[[str], str | None], str]]] = {
    "name": (parse_name, _("Say who has the card now.")),
    "contact_phone": (
        lambda text: parse_contact_phone(text, None),
        _("That is not a phone; write it with + and the country code, such as +51987654321."),
    ),
    "email": (parse_email, _("That is not an email address.")),
}


def filled(visit: Visit) -> tuple[HolderValues | None, Mapping[str, str]]:
    """The new holder, or by field what is wrong, as marked texts."""
    wrong: dict[str, str] = {}
    given: dict[str, str | None] = {}
    for name, (parse, told) in _PARSERS.items():
        text = visit.field(name)
        try:
            given[name] = parse(text) if text else None
        except ValueProblem:
            wrong[name] = told
    if not given.get("name"):
        wrong["name"] = _PARSERS["name"][1]
    language = visit.field("language")
    if wrong:
        return None, wrong
    phone = given["contact_phone"]
    person = HolderValues(
        name=given["name"] or "",
        language=language if language in LANGUAGES else None,
        time_zone=zone_of(phone) if phone else None,
        contact_phone=phone,
        email=given["email"],
    )
    return person, {}
