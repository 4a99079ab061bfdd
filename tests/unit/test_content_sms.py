"""Every SMS: one segment at its longest, and everything a holder needs in it."""

import re
from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from tests.unit.content_helpers import HOLDER_EVENTS, content
from worker.content.letter import Letter
from worker.content.samples import bare, sample_letter, sample_notice
from worker.core.cards import Kind, Language
from worker.core.segments import measure
from worker.core.tokens import sample_link
from worker.core.wording import LIFE_EVENTS

# All days left that each event may have to word.
DAYS = {
    "plan_end_far": range(8, 31),
    "plan_end_near": range(2, 8),
    "plan_end_tomorrow": [1],
    "plan_end_today": [0],
    "plan_ended": range(-30, 0),
    "line_loss_far": range(16, 61),
    "line_loss_near": range(2, 16),
    "line_loss_tomorrow": [0, 1],
    "line_lost": range(-30, 0),
    **dict.fromkeys(LIFE_EVENTS, range(-1, 1)),
}
OUT = {
    Language.ZH_HANS: "退订回TD",
    Language.ZH_HANT: "退訂回TD",
    Language.ES_PE: "BAJA=no recibir avisos",
    Language.EN: "Reply STOP to opt out",
}
DATES = {
    Language.ZH_HANS: "12月31日",
    Language.ZH_HANT: "12月31日",
    Language.ES_PE: "31/12",
    Language.EN: "31 Dec",
}
MORE = {
    Language.ZH_HANS: "另有{}张卡需处理",
    Language.ZH_HANT: "另有{}張卡需處理",
    Language.ES_PE: "Otros {} chips por atender",
    Language.EN: "{} more SIMs need attention",
}
everywhere = pytest.mark.parametrize(("event", "language"), list(product(HOLDER_EVENTS, Language)))


def letter(event: str, language: Language, *, days: int | None = None, others: int = 0) -> Letter:
    """The longest letter of its event: Movistar, and a date of two digits each."""
    day = date(2026, 12, 31)
    notice = sample_notice(event, language, operator="Movistar", days=days)
    notice = replace(
        notice,
        deadline_on=day,
        ends_on=day if notice.ends_on else None,
        balance="S/ 99.99" if notice.balance else None,
    )
    return replace(sample_letter(event, language), notices=(notice,) * (others + 1))


@everywhere
@pytest.mark.parametrize("others", [0, 1, 2, 9, 10, 99])
def test_an_sms_is_one_segment_in_the_worst_case(
    event: str, language: Language, others: int
) -> None:
    for days in DAYS[event]:
        sms = content().sms(letter(event, language, days=days, others=others))
        assert sms.segments == measure(sms.text)
        assert sms.segments.segments == 1, f"{sms.segments.units} units: {sms.text}"


@pytest.mark.parametrize(("event", "language"), list(product(LIFE_EVENTS, Language)))
@pytest.mark.parametrize("others", [0, 99])
def test_what_is_not_known_is_not_said(event: str, language: Language, others: int) -> None:
    full = letter(event, language, others=others)
    poor = replace(full, notices=tuple(map(bare, full.notices)))
    sms = content().sms(poor)
    assert sms.segments.segments == 1
    assert "None" not in sms.text
    assert "S/" not in sms.text
    assert (DATES[language] in sms.text) is (event not in ("low_balance", "low_data"))
    assert not re.search(r"  | [,;)]|[,;(]\.| \.(?!\.)|，。|\(\)|\( ", sms.text)


@pytest.mark.parametrize(
    ("event", "language", "others"),
    list(product(HOLDER_EVENTS, (Language.ES_PE, Language.EN), (0, 1, 99))),
)
def test_spanish_and_english_stay_in_gsm_7(event: str, language: Language, others: int) -> None:
    assert content().sms(letter(event, language, others=others)).segments.encoding == "GSM-7"


@everywhere
@pytest.mark.parametrize("others", [0, 99])
def test_an_sms_tells_who_what_when_and_how_to_stop(
    event: str, language: Language, others: int
) -> None:
    text = content().sms(letter(event, language, others=others)).text
    chinese = language in (Language.ZH_HANS, Language.ZH_HANT)
    assert text.startswith("【Vigencia】" if chinese else "Vigencia: ")
    assert text.endswith(OUT[language])
    for part in ("Movistar", "5678", DATES[language]):
        assert part in text


# A host of 20 characters, and an id of hundreds of millions.
LINK = sample_link("https://reminders.example.co")
latin = pytest.mark.parametrize(
    ("event", "language"), list(product(HOLDER_EVENTS, (Language.ES_PE, Language.EN)))
)


@latin
@pytest.mark.parametrize("others", [0, 1, 99])
def test_an_sms_with_a_link_is_one_segment_too_and_says_what_the_other_one_says(
    event: str, language: Language, others: int
) -> None:
    for days in (*DAYS[event], *([365] if event.endswith("_far") else [])):
        full = replace(letter(event, language, days=days, others=others), way_out=LINK)
        for one in (full, replace(full, notices=tuple(map(bare, full.notices)))):
            sms = content().sms(one)
            assert (sms.segments.segments, sms.segments.encoding) == (1, "GSM-7"), sms.text
            assert sms.text.endswith(f": {LINK}")
            assert not re.search(r"STOP|BAJA|None|  ", sms.text)
        text = content().sms(full).text
        assert text.startswith("Vigencia: ")
        for part in ("Movistar", "5678", DATES[language]):
            assert part in text
        assert bool(re.search(rf"Otros? (?:{others} )?por|Also {others} more", text)) is bool(
            others
        )


@everywhere
def test_an_sms_names_the_other_cards_only_when_there_are_some(
    event: str, language: Language
) -> None:
    alone = content().sms(letter(event, language)).text
    assert not re.search(r"另有|[Oo]tros? |more SIM", alone)
    assert MORE[language].format(7) in content().sms(letter(event, language, others=7)).text


@pytest.mark.parametrize("event", HOLDER_EVENTS)
def test_one_other_card_is_not_worded_as_several(event: str) -> None:
    spanish = content().sms(letter(event, Language.ES_PE, others=1)).text
    english = content().sms(letter(event, Language.EN, others=1)).text
    assert "Otro chip por atender." in spanish
    assert "1 more SIM needs attention." in english


@everywhere
def test_an_sms_shows_no_price_no_full_number_no_link_and_no_leftover_of_a_template(
    event: str, language: Language
) -> None:
    for others in (0, 5):
        text = content().sms(letter(event, language, others=others)).text
        text = text.replace("S/ 99.99", "some") if event == "low_balance" else text
        assert not re.search(r"S/|\$|€|PEN|http|www|\d{6,}|[{}]|  ", text)


@everywhere
def test_an_sms_promises_no_email(event: str, language: Language) -> None:
    text = content().sms(letter(event, language, others=3)).text.lower()
    assert not re.search(r"e-?mail|correo|邮|郵|信箱", text)


@pytest.mark.parametrize(
    ("language", "today", "tomorrow"),
    [
        (Language.ZH_HANS, "今天", "明天"),
        (Language.ZH_HANT, "今天", "明天"),
        (Language.ES_PE, "HOY", "MAÑANA"),
        (Language.EN, "TODAY", "TOMORROW"),
    ],
)
def test_today_and_tomorrow_follow_the_days_that_are_left(
    language: Language, today: str, tomorrow: str
) -> None:
    for event, days, said, unsaid in (
        ("plan_end_today", 0, today, tomorrow),
        ("plan_end_tomorrow", 1, tomorrow, today),
        ("line_loss_tomorrow", 0, today, tomorrow),
        ("line_loss_tomorrow", 1, tomorrow, today),
    ):
        text = content().sms(letter(event, language, days=days)).text
        assert said in text
        assert unsaid not in text


@pytest.mark.parametrize("language", [Language.ZH_HANS, Language.ZH_HANT, Language.EN])
@pytest.mark.parametrize(("event", "days"), [("plan_end_far", 23), ("plan_end_near", 6)])
def test_the_days_said_are_the_days_left(event: str, days: int, language: Language) -> None:
    text = content().sms(letter(event, language, days=days)).text
    assert re.findall(r"(\d+) ?(?:天|days)", text) == [str(days)]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("others", [0, 3])
def test_a_lost_line_is_told_where_to_claim_it(language: Language, others: int) -> None:
    assert "1844" in content().sms(letter("line_lost", language, others=others)).text


@everywhere
def test_the_kind_of_card_does_not_change_an_sms(event: str, language: Language) -> None:
    plain = letter(event, language)
    texts = {
        content().sms(replace(plain, notices=(replace(plain.notices[0], kind=kind),))).text
        for kind in Kind
    }
    assert len(texts) == 1


def test_hostile_values_stay_text_on_one_line() -> None:
    plain = letter("plan_end_near", Language.EN)
    notice = replace(plain.notices[0], operator="A\r\nB\u202e\x00 {{ 7*7 }} <b>&")
    text = content().sms(replace(plain, notices=(notice,), signature="S\nX")).text
    assert text.startswith("S X: 7 days left on your A B {{ 7*7 }} <b>& SIM ending 5678")
    assert text.isprintable()


@pytest.mark.parametrize("language", Language)
def test_a_renewal_tells_the_new_end_and_not_the_day_it_was_entered(language: Language) -> None:
    plain = letter("renewal_recorded", language)
    notice = replace(plain.notices[0], deadline_on=date(2026, 3, 1))
    text = content().sms(replace(plain, notices=(notice,))).text
    assert DATES[language] in text
    assert not re.search(r"3月1日|01/03|1 Mar", text)


@pytest.mark.parametrize("event", ["low_balance", "low_data"])
@pytest.mark.parametrize("language", Language)
def test_a_card_that_runs_low_is_told_its_end_and_no_other_day(
    event: str, language: Language
) -> None:
    plain = letter(event, language)
    notice = replace(plain.notices[0], deadline_on=date(2026, 3, 1), days=-90)
    email = content().email(replace(plain, notices=(notice,)))
    for text in (content().sms(replace(plain, notices=(notice,))).text, email.text, email.html):
        assert not re.search(r"3月1日|01/03|1 Mar|1 de marzo|90", text.replace("1.390625", ""))


@pytest.mark.parametrize("language", Language)
def test_a_suspended_card_is_sent_to_a_store_with_the_passport(language: Language) -> None:
    for others in (0, 99):
        text = content().sms(letter("suspended", language, others=others)).text
        assert re.search(r"营业厅|門市|tienda|store", text)
        assert re.search(r"护照|護照|pasaporte|passport", text)


@pytest.mark.parametrize("language", Language)
def test_the_balance_is_told_as_it_is(language: Language) -> None:
    for others in (0, 99):
        assert "S/ 99.99" in content().sms(letter("low_balance", language, others=others)).text


@everywhere
def test_a_travel_esim_is_not_called_an_esim_sim(event: str, language: Language) -> None:
    """Cards of ``other.toml``: the operator's name is "eSIM", and stands where a name would."""
    for others in (0, 1):
        plain = letter(event, language, others=others)
        notices = tuple(replace(n, operator="eSIM", kind=Kind.ESIM) for n in plain.notices)
        sms = content().sms(replace(plain, notices=notices))
        email = content().email(replace(plain, notices=notices))
        assert sms.segments.segments == 1
        for text in (sms.text, email.subject, email.text.partition("...")[0]):
            assert "eSIM" in text
            assert not re.search(r"eSIM (?:e?SIM|data|4G|流量卡)|eSIM[^.，:：]*\(eSIM\)", text)


def test_how_a_travel_esim_reads() -> None:
    def read(language: Language) -> str:
        plain = letter("plan_end_tomorrow", language)
        notice = replace(plain.notices[0], operator="eSIM", kind=Kind.ESIM)
        return content().sms(replace(plain, notices=(notice,))).text

    assert "】eSIM卡(尾号5678)明天" in read(Language.ZH_HANS)
    assert "】eSIM卡(尾號5678)明天" in read(Language.ZH_HANT)
    assert ": su chip eSIM ...5678 vence " in read(Language.ES_PE)
    assert ": your eSIM ending 5678 expires " in read(Language.EN)
