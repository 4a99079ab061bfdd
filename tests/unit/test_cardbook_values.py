"""Each value is read in one way only, or refused with a code; no message shows a whole number."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.vocabulary import VOCABULARY
from worker.cardbook.cells import Cell, masked, text_of
from worker.cardbook.values import (
    ValueProblem,
    iccid_doubt,
    imsi_doubt,
    parse_balance,
    parse_contact_phone,
    parse_email,
    parse_iccid,
    parse_imsi,
    parse_kind,
    parse_language,
    parse_msisdn,
    parse_operator,
    parse_text,
    parse_time_zone,
    plan_days,
)
from worker.core.cards import Kind, Language

ICCID = "8951177763170669077"


@pytest.mark.parametrize(
    "cell",
    [
        "987654321",
        "+51987654321",
        "+51 987 654 321",
        "0051987654321",
        "51987654321",
        "987-654-321",
        987654321,
        987654321.0,
        51987654321.0,
        "987654321.0",
        "'987654321",
        '="987654321"',
        "\t987654321\t",
        "９８７６５４３２１",
        "\u200e987654321\u202c",
        "987\u00a0654\u00a0321",
    ],
)
def test_a_mobile_number_is_cleaned_of_what_spreadsheets_do_to_it(cell: Cell) -> None:
    assert parse_msisdn(cell) == "+51987654321"


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("9876543210", "bad_msisdn"),
        ("98765432", "bad_msisdn"),
        ("187654321", "bad_msisdn"),
        ("+86987654321", "bad_msisdn"),
        ("987654321/912345678", "bad_msisdn"),
        ("①87654321", "bad_msisdn"),
        ("٩٨٧٦٥٤٣٢١", "bad_msisdn"),
        ("9.87654321E+08", "scientific"),
        ("9,87654E8", "scientific"),
        (98765432.5, "not_whole"),
        (float("nan"), "not_whole"),
        (True, "wrong_type"),
        (date(2026, 5, 6), "wrong_type"),
        ("98765\x004321", "control_character"),
        ("#N/A", "formula_error"),
    ],
)
def test_a_wrong_mobile_number_is_refused(cell: Cell, code: str) -> None:
    with pytest.raises(ValueProblem) as problem:
        parse_msisdn(cell)
    assert problem.value.code == code
    assert problem.value.hint


@pytest.mark.parametrize(
    ("cell", "iccid"),
    [
        (ICCID, ICCID),
        (ICCID + "F", ICCID),
        (ICCID + "f", ICCID),
        ("8951 1777 6317 0669 077", ICCID),
        (ICCID[:18], ICCID[:18]),
        (ICCID + "5", ICCID + "5"),
        ("'" + ICCID, ICCID),
        (f'="{ICCID}"', ICCID),
    ],
)
def test_an_iccid_has_18_to_20_digits_and_loses_its_filler(cell: Cell, iccid: str) -> None:
    assert parse_iccid(cell) == iccid


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (ICCID[:17], "bad_iccid"),
        (ICCID + "55", "bad_iccid"),
        ("79" + ICCID[2:], "bad_iccid"),
        (8.95117776317067e18, "precision_lost"),
        (8951177763170669077, "precision_lost"),
        (ICCID + ".0", "precision_lost"),
        ("8.95118E+18", "scientific"),
    ],
)
def test_a_wrong_or_rounded_iccid_is_refused(cell: Cell, code: str) -> None:
    with pytest.raises(ValueProblem) as problem:
        parse_iccid(cell)
    assert problem.value.code == code


def test_a_wrong_check_digit_is_only_a_doubt() -> None:
    assert iccid_doubt(ICCID) is None
    doubt = iccid_doubt(parse_iccid(ICCID[:-1] + "8"))
    assert doubt is not None
    assert doubt.code == "iccid_check_digit"


def test_an_iccid_that_ends_in_zeros_may_have_been_rounded() -> None:
    doubt = iccid_doubt("8951177763170660000")
    assert doubt is not None
    assert doubt.code == "iccid_rounded"


def test_an_imsi_has_15_digits_and_a_foreign_one_is_only_a_doubt() -> None:
    assert parse_imsi("716104391500080") == "716104391500080"
    assert parse_imsi(716104391500080.0) == "716104391500080"
    assert imsi_doubt("716104391500080") is None
    doubt = imsi_doubt(parse_imsi("460001234567890"))
    assert doubt is not None
    assert doubt.code == "foreign_imsi"
    for wrong in ("71610439150008", "7161043915000801"):
        with pytest.raises(ValueProblem, match="is not an IMSI"):
            parse_imsi(wrong)


@pytest.mark.parametrize(
    ("cell", "region", "phone"),
    [
        ("+14155550822", None, "+14155550822"),
        ("+86 138 0091 9924", None, "+8613800919924"),
        ("＋51 987-237-134", None, "+51987237134"),
        ("0051987237134", None, "+51987237134"),
        ("987237134", "PE", "+51987237134"),
        (987237134.0, "pe", "+51987237134"),
        ("13800919924", "CN", "+8613800919924"),
        ("+14155550822", "PE", "+14155550822"),
    ],
)
def test_a_contact_phone_is_of_any_country(cell: Cell, region: str | None, phone: str) -> None:
    assert parse_contact_phone(cell, region) == phone


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("987237134", "no_country_code"),
        (51987237134.0, "no_country_code"),
        ("+51 12", "bad_contact_phone"),
        ("+9991234567890", "bad_contact_phone"),
        ("+51987237134 ext. 12", "bad_contact_phone"),
        ("call me", "bad_contact_phone"),
        ("+1415555082212345678", "bad_contact_phone"),
        ("+51987237134 / +51987237135", "bad_contact_phone"),
    ],
)
def test_a_contact_phone_that_cannot_be_dialled_is_refused(cell: Cell, code: str) -> None:
    with pytest.raises(ValueProblem) as problem:
        parse_contact_phone(cell)
    assert problem.value.code == code


@pytest.mark.parametrize("text", ["+52 1 222 122 1234", "+5212221221234", "005212221221234"])
def test_the_former_mobile_digit_of_mexico_is_dropped(text: str) -> None:
    assert parse_contact_phone(text) == "+522221221234"
    assert parse_contact_phone("1 222 122 1234", "MX") == "+522221221234"


def test_an_email_domain_stays_in_the_form_that_was_given() -> None:
    assert parse_email("mei@xn--mller-kva.example.com") == "mei@xn--mller-kva.example.com"
    assert parse_email("mei@XN--Mller-KVA.example.com") == "mei@xn--mller-kva.example.com"
    assert parse_email("mei@müller.example.com") == "mei@müller.example.com"


def test_an_email_is_one_address() -> None:
    assert parse_email("mei@example.com") == "mei@example.com"
    assert parse_email(" ｍｅｉ＠EXAMPLE.com") == "mei@example.com"
    assert parse_email("mailto:mei@example.com") == "mei@example.com"
    for wrong in ("mei", "mei@", "a@example.com; b@example.com", "mei@localhost", 12.0):
        with pytest.raises(ValueProblem) as problem:
            parse_email(wrong)
        assert problem.value.code == "bad_email"


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("25.90", "25.90"),
        ("25,90", "25.90"),
        ("S/ 25.90", "25.90"),
        ("S/.25,9", "25.90"),
        ("10 soles", "10"),
        ("PEN 10", "10"),
        ("1,234.50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("2.0", "2"),
        (25.9, "25.90"),
        (0.1 + 0.2, "0.30"),
        (10, "10"),
        ("0", "0"),
    ],
)
def test_a_balance_is_an_exact_amount(cell: Cell, amount: str) -> None:
    assert parse_balance(cell) == Decimal(amount)
    assert isinstance(parse_balance(cell), Decimal)


@pytest.mark.parametrize(
    "cell", ["-5", -5.0, "1,234", "1.234", "1.000", "ten", "5 GB", float("inf"), 1e300, "1.2.3"]
)
def test_a_balance_that_may_be_read_twice_is_refused(cell: Cell) -> None:
    with pytest.raises(ValueProblem):
        parse_balance(cell)


@pytest.mark.parametrize(
    ("plan", "days"),
    [
        ("15天 5GB", 15),
        ("按日 1GB", 1),
        ("保号 180天", 180),
        ("30天不限量", 30),
        ("30 dias ilimitado", 30),
        ("30 días ilimitado", 30),
        ("Diario 1 GB", 1),
        ("1 GB por día", 1),
        ("1 mes", 30),
        ("3 meses 10 GB", 90),
        ("3个月", 90),
        ("一年", 365),
        ("1年", 365),
        ("1 year", 365),
        ("weekly", 7),
        ("按周", 7),
        ("2 semanas", 14),
        ("１５天", 15),
        ("24 horas", 1),
        ("1 mes (30 días)", 30),
        ("Plan 29.90 30 días", 30),
        ("7 días, 1 GB/día", 7),
        ("30天 + 7天", None),
        ("1.5 meses", None),
        ("5GB/天", None),
        ("4G ilimitado", None),
        ("Plan 29.90", None),
        ("9999年", None),
        ("0 días", None),
        ("", None),
        (None, None),
    ],
)
def test_a_plans_name_tells_its_length_or_nothing(plan: str | None, days: int | None) -> None:
    assert plan_days(plan) == days


def test_kinds_are_known_by_their_names_in_four_languages() -> None:
    names = {"保号卡": Kind.RETENTION, "保號卡": Kind.RETENTION, "conservar NUMERO": Kind.RETENTION}
    names |= {"流量卡": Kind.DATA, "Datos": Kind.DATA, "４Ｇ卡": Kind.FOUR_G, "E-SIM": Kind.ESIM}
    for name, kind in names.items():
        assert parse_kind(name, VOCABULARY.kinds) is kind


def test_operators_and_languages_are_known_by_their_names() -> None:
    assert parse_operator("CLARO Perú", VOCABULARY.operators) == "claro"
    assert parse_language("简体中文", VOCABULARY.languages) is Language.ZH_HANS
    assert parse_language("zh_TW", VOCABULARY.languages) is Language.ZH_HANT
    assert parse_language("Espanol", VOCABULARY.languages) is Language.ES_PE
    assert parse_language("EN", VOCABULARY.languages) is Language.EN


def test_time_zones_are_known_by_iana_and_common_names() -> None:
    assert parse_time_zone("america/lima", VOCABULARY.time_zones) == "America/Lima"
    assert parse_time_zone("Africa/Nairobi", VOCABULARY.time_zones) == "Africa/Nairobi"
    assert parse_time_zone("北京时间", VOCABULARY.time_zones) == "Asia/Shanghai"
    assert parse_time_zone("Perú", VOCABULARY.time_zones) == "America/Lima"


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueProblem) as kind:
        parse_kind("5G", VOCABULARY.kinds)
    assert kind.value.code == "unknown_kind"
    assert "data, retention, 4g, esim" in kind.value.hint
    with pytest.raises(ValueProblem) as operator:
        parse_operator("Vodafone", VOCABULARY.operators)
    assert operator.value.code == "unknown_operator"
    assert "claro, movistar, entel, bitel" in operator.value.hint
    # Chinese without its script is not guessed.
    with pytest.raises(ValueProblem) as language:
        parse_language("中文", VOCABULARY.languages)
    assert language.value.code == "unknown_language"
    assert "zh-Hans, zh-Hant" in language.value.hint
    with pytest.raises(ValueProblem) as zone:
        parse_time_zone("Mars", VOCABULARY.time_zones)
    assert zone.value.code == "unknown_time_zone"
    assert "America/Lima" in zone.value.hint


def test_text_keeps_its_letters_and_loses_marks_and_doubled_spaces() -> None:
    assert parse_text(" 孙悦\u200e　５\n(Lima) ") == "孙悦 ５ (Lima)"
    assert parse_text(12.0) == "12"
    assert parse_text(datetime(2026, 5, 6, 7, 8)) == "2026-05-06T07:08:00"  # noqa: DTZ001
    for bad in ("a\x00b", "a\x1bb", "a\x85b", "a\ufffdb", "a\ud800b"):
        with pytest.raises(ValueProblem) as problem:
            text_of(bad)
        assert problem.value.code == "control_character"


@pytest.mark.parametrize(
    "secret", ["98765432", "9876543210", "98765432x1", "987 654 32", ICCID[:17]]
)
def test_no_message_shows_a_whole_number(secret: str) -> None:
    digits = "".join(filter(str.isdigit, secret))
    for parse in (parse_msisdn, parse_iccid, parse_imsi, parse_contact_phone, parse_balance):
        with pytest.raises(ValueProblem) as problem:
            parse(secret + "x")
        shown = "".join(filter(str.isdigit, problem.value.message.split("(")[0]))
        assert len(shown) <= 5, problem.value.message
        assert digits[:6] not in shown


def test_masking_keeps_the_last_digits_and_the_first_letter() -> None:
    assert masked("tel +51 987 654 321!") == "tel …4321!"
    assert masked("juana@example.com") == "j***@example.com"
    assert masked("juana＠example.com") == "j***@example.com"
    assert masked("15天 5GB") == "15天 5GB"
    assert len(masked("x" * 500)) == 60
    with pytest.raises(ValueProblem) as problem:
        parse_email("juana perez@example.com")
    assert "perez" not in problem.value.message
    with pytest.raises(ValueProblem) as scientific:
        parse_msisdn("9.87654321E+08")
    assert "87654" not in scientific.value.message
