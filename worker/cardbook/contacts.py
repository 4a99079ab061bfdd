"""How a holder is reached: a telephone of any country, and an email address.

Both libraries are imported on first use: they cost 0.1 s, and most commands read no card book.
"""

import re
from typing import TYPE_CHECKING

from worker.cardbook.cells import Cell, ValueProblem, code_of, masked, shortened

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_PHONE = re.compile(r"(\+|00)?[0-9][0-9 ().\-]*", re.ASCII)
# (+86)138…, (0086) 138…
_BRACKETED_CODE = re.compile(r"\(\s*((?:\+|00)[0-9 ]+)\)")
# Where the holders of card books live: a number that is not one of the region it was told to be of
# may be one of theirs.
_NEARBY = ("PE", "CN", "TW", "HK", "MO", "ES")
# Peru's mobiles are told by their form alone, which spares the library's work for most contacts.
# E.164 has 15 digits at most; a 0 or two may stand before them.
_MOST_DIGITS = 18
_OLD_MEXICAN = re.compile(r"\+521[0-9]{10}")
_PERUVIAN = re.compile(r"\+519[0-9]{8}")


def parse_contact_phone(cell: Cell, region: str | None = None, *, any_phone: bool = False) -> str:
    """A telephone in E.164 (``+…``); ``region`` (ISO 3166) reads what has no country code.

    It must be one that its country knows as a mobile, unless ``any_phone``: then only its length is
    held against the country's plan, for new ranges open faster than tables follow.
    Raises ValueProblem.
    """
    text = _BRACKETED_CODE.sub(r"\1 ", code_of(cell))
    prefix = _PHONE.fullmatch(text)
    if prefix is None:
        raise _bad_phone(text)
    if prefix[1] == "00":
        text = "+" + text[2:]
    text = _without_former_digit(text)
    digits = re.sub(r"\D", "", text)
    if len(digits) > _MOST_DIGITS:
        raise _bad_phone(text)
    if text.startswith("+"):
        number = "+" + digits
        return number if _PERUVIAN.fullmatch(number) else _international(text, any_phone=any_phone)
    if region is None:
        raise _no_country(text, digits)
    if region.upper() == "MX" and _OLD_MEXICAN.fullmatch(f"+52{digits}"):
        text = digits = digits[1:]
    return _national(text, digits, region.upper(), any_phone=any_phone)


def _international(text: str, *, any_phone: bool) -> str:
    number = _parsed(text, None)
    if number is None or number.extension or not _possible(number):
        raise _bad_phone(text)
    if not any_phone and not _is_mobile(number):
        raise _not_mobile(text, number)
    return _e164(number)


def _national(text: str, digits: str, region: str, *, any_phone: bool) -> str:
    """A number without its country code, read as one of ``region`` if it is one of its mobiles, and
    written as they are written there."""
    number = _parsed(text, region)
    if number is not None and not number.extension and _possible(number):
        if _is_mobile(number) and _as_at_home(number, digits):
            return _e164(number)
        others = _owners(text, digits, region)
        if not others and (any_phone or _is_mobile(number)):
            return _e164(number)
    else:
        others = _owners(text, digits, region)
    if others:
        raise ValueProblem(
            "two_regions",
            f"the contact phone {_tail(text)} may be one of {' or '.join(others)}, and is not "
            f"written as a mobile of {region}",
            f"write it with + and its country code, as +{_code(others[0])}…",
        )
    if number is None or not _possible(number):
        raise _bad_phone(text)
    raise _not_mobile(text, number)


def _owners(text: str, digits: str, told: str) -> list[str]:
    """The regions that own a number as it is written, and the country whose code it begins with."""
    found = []
    for region in _NEARBY:
        number = _parsed(text, region) if region != told else None
        if number is not None and _is_mobile(number) and _as_at_home(number, digits):
            found.append(region)
    whole = _parsed("+" + digits, None)
    if whole is not None and _is_mobile(whole):
        from phonenumbers import region_code_for_number

        owner = region_code_for_number(whole)
        found += [owner] if owner and owner not in found else []
    return found


def _without_former_digit(text: str) -> str:
    """Until August 2019 mobile numbers in Mexico had a 1 after the country code, and many address
    books still have it (IFT, Plan Técnico Fundamental de Numeración 2018)."""
    number = re.sub(r"[^0-9+]", "", text)
    return number.replace("+521", "+52", 1) if _OLD_MEXICAN.fullmatch(number) else text


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


def _parsed(text: str, region: str | None) -> "PhoneNumber | None":
    import phonenumbers

    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _possible(number: "PhoneNumber") -> bool:
    import phonenumbers

    return phonenumbers.is_possible_number(number)


def _is_mobile(number: "PhoneNumber") -> bool:
    """Whether its country's plan knows it as one that may take an SMS."""
    from phonenumbers import PhoneNumberType as Type
    from phonenumbers import number_type

    return number_type(number) in (Type.MOBILE, Type.FIXED_LINE_OR_MOBILE, Type.PERSONAL_NUMBER)


def _as_at_home(number: "PhoneNumber", digits: str) -> bool:
    """Whether the digits are those that people dial at home, or all of it without the +."""
    from phonenumbers import PhoneNumberFormat, format_number

    national = format_number(number, PhoneNumberFormat.NATIONAL)
    return digits in (re.sub(r"\D", "", national), _e164(number)[1:])


def _e164(number: "PhoneNumber") -> str:
    import phonenumbers

    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _code(region: str) -> int:
    from phonenumbers import country_code_for_region

    return int(country_code_for_region(region))


def _no_country(text: str, digits: str) -> ValueProblem:
    whole = _parsed("+" + digits, None)
    if whole is not None and len(digits) > 10 and _is_mobile(whole):
        # A spreadsheet takes +51… for a number, and drops the sign.
        return ValueProblem(
            "no_country_code",
            f"the contact phone {_tail(text)} has lost the + before its country code "
            f"{whole.country_code}",
            "format the column as text in the spreadsheet and write the + again",
        )
    return ValueProblem(
        "no_country_code",
        f"the contact phone {_tail(text)} has no country code",
        "write it with + and the country code, or choose with --contact-region PE",
    )


def _not_mobile(text: str, number: "PhoneNumber") -> ValueProblem:
    return ValueProblem(
        "not_mobile",
        f"the contact phone {_tail(text)} is none that the country +{number.country_code} knows as "
        "a mobile: an SMS would not arrive, or reach a stranger",
        "correct it; if it is right, --any-phone takes it",
    )


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
    return shortened(digits) if len(digits) > 4 else repr(masked(text))
