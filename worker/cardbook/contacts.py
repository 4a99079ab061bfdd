"""How a holder is reached: a telephone of any country, and an email address.

Both libraries are imported on first use: they cost 0.1 s, and most commands read no card book.
"""

import re
from typing import TYPE_CHECKING

from worker.cardbook.cells import Cell, ValueProblem, code_of, masked

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_MEXICO, _WITH_FORMER = 52, 11
_PHONE = re.compile(r"(\+|00)?[0-9][0-9 ().\-]*", re.ASCII)


def parse_contact_phone(cell: Cell, region: str | None = None) -> str:
    """A telephone in E.164 (``+…``); ``region`` (ISO 3166) reads what has no country code.

    Only the length is held against the country's plan: new ranges open faster than tables follow.
    Raises ValueProblem.
    """
    import phonenumbers

    text = code_of(cell)
    prefix = _PHONE.fullmatch(text)
    if prefix and prefix[1] == "00":
        text = "+" + text[2:]
    elif prefix and prefix[1] is None and region is None:
        raise ValueProblem(
            "no_country_code",
            f"the contact phone {_tail(text)} has no country code",
            "write it with + and the country code, or choose with --contact-region PE",
        )
    try:
        if prefix is None:
            raise _bad_phone(text)
        number = phonenumbers.parse(text, region.upper() if region else None)
    except phonenumbers.NumberParseException:
        raise _bad_phone(text) from None
    _drop_former_mobile_digit(number)
    if number.extension or not phonenumbers.is_possible_number(number):
        raise _bad_phone(text)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _drop_former_mobile_digit(number: "PhoneNumber") -> None:
    """Until August 2019 mobile numbers in Mexico had a 1 after the country code, and many address
    books still have it (IFT, Plan Técnico Fundamental de Numeración 2018)."""
    national = str(number.national_number)
    if number.country_code == _MEXICO and len(national) == _WITH_FORMER and national[0] == "1":
        number.national_number = int(national[1:])


def parse_email(cell: Cell) -> str:
    """One email address, its domain in lower case; a domain that is written in ASCII (``xn--…``)
    stays so, as mail servers know it. Raises ValueProblem."""
    from email_validator import EmailNotValidError, validate_email

    text = code_of(cell).removeprefix("mailto:")
    try:
        # No look-up: a card book is read without a network, and a bounce tells the truth later.
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        raise ValueProblem(
            "bad_email",
            f"{_masked_address(text)!r} is not an email address",
            "one address like name@example.com, or leave the cell blank",
        ) from None
    given_in_ascii = text.isascii() and found.ascii_email
    return str(given_in_ascii or found.normalized)


def is_region(region: str) -> bool:
    """Whether telephones of this region are known."""
    import phonenumbers

    return region.upper() in phonenumbers.SUPPORTED_REGIONS


def _bad_phone(text: str) -> ValueProblem:
    return ValueProblem(
        "bad_contact_phone",
        f"the contact phone {_tail(text)} is not a possible number",
        "write one number with + and the country code, as +51987654321",
    )


def _masked_address(text: str) -> str:
    # Whatever stands before the last @ is part of somebody's address, spaces and all.
    local, at, domain = text.rpartition("@")
    return f"{local[:1]}***@{masked(domain)}" if at else masked(domain[:1] + "***")


def _tail(text: str) -> str:
    digits = re.sub(r"\D", "", text)
    return "…" + digits[-4:] if len(digits) > 4 else repr(masked(text))
