"""Every SMS: one segment at its longest, and everything a holder needs in it."""

import re
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import product

import pytest

from tests.unit.content_helpers import HOLDER_EVENTS, content
from worker.content.events import TRAVEL_EVENTS
from worker.content.letter import Letter
from worker.content.lint_cases import days_of
from worker.content.samples import bare, sample_letter, sample_notice, travel_letter
from worker.core.cards import Kind, Language
from worker.core.naming import NAMED
from worker.core.segments import measure
from worker.core.tokens import sample_link
from worker.core.wording import LIFE_EVENTS

LATIN = (Language.ES_PE, Language.EN)
CHINESE = (Language.ZH_HANS, Language.ZH_HANT)
OUT = {
    Language.ZH_HANS: "退订回TD",
    Language.ZH_HANT: "退訂回TD",
    Language.ES_PE: "SALIR=sin avisos",
    Language.EN: "Reply STOP to opt out",
}
DATES = {
    Language.ZH_HANS: "12月31日",
    Language.ZH_HANT: "12月31日",
    Language.ES_PE: "31/12",
    Language.EN: "31 Dec",
}
# A host of 20 characters, and an id of hundreds of millions.
LINK = sample_link("https://reminders.example.co")
TAILS = tuple(f"{5678 + n}" for n in range(NAMED))
everywhere = pytest.mark.parametrize(("event", "language"), list(product(HOLDER_EVENTS, Language)))
latin = pytest.mark.parametrize(("event", "language"), list(product(HOLDER_EVENTS, LATIN)))


def letter(
    event: str,
    language: Language,
    *,
    days: int | None = None,
    named: int = 1,
    abroad: bool = False,
) -> Letter:
    """The longest letter of its event: Movistar, and dates of two digits each."""
    day = date(2026, 12, 31)
    notice = sample_notice(event, language, operator="Movistar", days=days, abroad=abroad)
    notice = replace(
        notice,
        deadline_on=day,
        card_on=date(2026, 12, 30) if notice.card_on else None,
        ends_on=day if notice.ends_on else None,
        balance="S/ 199.99" if notice.balance else None,
        receipt_ref="R-20261231-00001" if notice.receipt_ref else None,
        reported_on=day if notice.reported_on else None,
    )
    notices = tuple(replace(notice, tail=tail) for tail in TAILS[:named])
    plain = sample_letter(event, language)
    return replace(plain, notices=notices, others=named - 1, abroad=abroad)


def ways_out(plain: Letter) -> list[Letter]:
    """With each way to stop them: an answer, a link where there is room for one, and neither."""
    mute = replace(plain, replies=False)
    linked = [replace(mute, way_out=LINK)] if plain.language in LATIN else []
    return [plain, mute, *linked]


@cache
def all_of(event: str, language: Language) -> tuple[Letter, ...]:
    """Every letter of ``event``: near and far, one card and several, in Peru and abroad."""
    cases = product(days_of(event), (1, NAMED), (False, True))
    plain = (letter(event, language, days=d, named=n, abroad=a) for d, n, a in cases)
    return tuple(each for one in plain for each in ways_out(one))


@cache
def text_of(each: Letter) -> str:
    return content().sms(each).text


def without_link(text: str) -> str:
    return text.replace(LINK, "")


@everywhere
def test_an_sms_is_one_segment_in_the_worst_case(event: str, language: Language) -> None:
    for each in all_of(event, language):
        for one in (each, replace(each, notices=tuple(map(bare, each.notices)))):
            sms = content().sms(one)
            assert sms.segments == measure(sms.text)
            assert sms.segments.segments == 1, f"{sms.segments.units} units: {sms.text}"
            assert (sms.segments.encoding == "GSM-7") is (language in LATIN), sms.text


@pytest.mark.parametrize(("event", "language"), list(product(LIFE_EVENTS, Language)))
def test_what_is_not_known_is_not_said(event: str, language: Language) -> None:
    for full in all_of(event, language):
        text = without_link(text_of(replace(full, notices=tuple(map(bare, full.notices)))))
        assert "None" not in text
        assert "S/" not in text
        assert (DATES[language] in text) is (event not in ("low_balance", "low_data"))
        assert not re.search(r"  | [,;)]|[,;(]\.| \.(?!\.)|，。|\(\)|\( ", text)


@everywhere
def test_an_sms_tells_who_what_when_and_how_to_stop(event: str, language: Language) -> None:
    for each in all_of(event, language):
        text = text_of(each)
        assert text.startswith("【Vigencia】" if language in CHINESE else "Vigencia: ")
        for part in ("Movistar", DATES[language], *(n.tail for n in each.notices)):
            assert part in text
        if each.way_out:
            assert text.endswith(f": {LINK}")
        else:
            assert text.endswith(OUT[language]) is each.replies


@everywhere
def test_a_way_out_that_nobody_hears_is_not_promised(event: str, language: Language) -> None:
    """A word to answer with, where answers do not arrive; and the word for losing the line."""
    for each in all_of(event, language):
        text = text_of(each)
        assert each.replies or not re.search("TD|STOP|SALIR", text)
        assert "BAJA" not in text


@everywhere
def test_an_sms_shows_no_price_no_full_number_and_no_leftover_of_a_template(
    event: str, language: Language
) -> None:
    for each in all_of(event, language):
        text = without_link(text_of(each)).replace("S/ 199.99", "some")
        text = text.replace("R-20261231-00001", "ref")
        assert not re.search(r"S/|\$|€|PEN|http|www|\d{6,}|[{}]|  ", text)


@everywhere
def test_an_sms_promises_no_email(event: str, language: Language) -> None:
    for each in all_of(event, language):
        text = without_link(text_of(each)).lower()
        assert not re.search(r"e-?mail|correo|邮|郵|信箱", text)


@everywhere
def test_two_windows_never_send_the_same_text(event: str, language: Language) -> None:
    """One deadline, and as many days before it or after it as the event has to word."""
    if event in LIFE_EVENTS:
        return
    low, high = min(days_of(event)), max(days_of(event))
    every = (-30, -7, -3, -2, -1, 0, 1, 2, 3, 7, 8, 15, 16, 30, 60, 61)
    said = [days for days in every if low <= days <= high]
    for named, out in product((1, NAMED), range(3 if language in LATIN else 2)):
        texts = [
            text_of(ways_out(letter(event, language, days=days, named=named))[out]) for days in said
        ]
        assert len(set(texts)) == len(texts)


@everywhere
def test_no_two_deadlines_are_told_in_the_same_words(event: str, language: Language) -> None:
    """The texts of an event are its own: none is a copy of another's."""
    mine = text_of(letter(event, language))
    for other in HOLDER_EVENTS:
        assert other == event or text_of(letter(other, language)) != mine


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
        for named, abroad in product((1, NAMED), (False, True)):
            for each in ways_out(letter(event, language, days=days, named=named, abroad=abroad)):
                assert said in text_of(each)
                assert unsaid not in text_of(each)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    ("event", "days"),
    [
        ("plan_end_today", 0),
        ("plan_end_tomorrow", 1),
        ("line_loss_tomorrow", 0),
        ("line_loss_tomorrow", 1),
    ],
)
def test_today_and_tomorrow_come_with_the_readers_own_hour(
    event: str, days: int, language: Language
) -> None:
    """The last day in Lima ends at 12:59 of the next one in Beijing; in Lima no hour is needed."""
    hour = "12:59" if event.startswith("plan_") else "13:00"
    for named in (1, NAMED):
        for each in ways_out(letter(event, language, days=days, named=named, abroad=True)):
            assert hour in text_of(each)
        for each in ways_out(letter(event, language, days=days, named=named)):
            assert not re.search(r"\d\d:\d\d", without_link(text_of(each)))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    "event",
    ["line_loss_tomorrow", "outgoing_block_near", "balance_loss_near", "reassignment_near"],
)
def test_what_can_happen_at_any_moment_is_not_said_to_come_or_to_be_over(
    event: str, language: Language
) -> None:
    for named in (1, NAMED):
        for each in ways_out(letter(event, language, days=-1, named=named)):
            text = text_of(each).lower()
            assert re.search("any moment|cualquier momento|desde ya|随时|隨時", text)
            assert not re.search("yesterday|ayer|昨天|tomorrow|mañana|明天", text)


@pytest.mark.parametrize("language", [Language.ZH_HANS, Language.ZH_HANT, Language.EN])
@pytest.mark.parametrize(("event", "days"), [("plan_end_far", 23), ("plan_end_near", 6)])
def test_the_days_said_are_the_days_left(event: str, days: int, language: Language) -> None:
    text = text_of(letter(event, language, days=days))
    assert re.findall(r"(\d+) ?(?:天|days)", text) == [str(days)]


@pytest.mark.parametrize(
    ("days", "words"), [(2, "pasado mañana"), (6, "en 6 d"), (7, "en una semana")]
)
def test_spanish_says_the_days_without_a_letter_that_gsm_7_has_not(days: int, words: str) -> None:
    assert f"vence {words} (31/12)" in text_of(letter("plan_end_near", Language.ES_PE, days=days))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("event", [e for e in HOLDER_EVENTS if e.startswith("plan_")])
def test_the_plan_ends_and_not_the_card(event: str, language: Language) -> None:
    for each in all_of(event, language):
        text = text_of(each)
        assert re.search("套餐|方案|plan", text)
        assert not re.search("expire|SIM卡到期", text)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    "event", [e for e in HOLDER_EVENTS if re.match("line_|outgoing|balance|reassign", e)]
)
def test_a_loss_is_something_that_may_happen(event: str, language: Language) -> None:
    """Two sources disagree on the days, and what an operator does is not known."""
    for each in all_of(event, language):
        text = text_of(each)
        assert re.search("可能| may |puede|posible", text)
        assert not re.search("预计|預計| will ", text)


@pytest.mark.parametrize("language", Language)
def test_a_lost_line_is_claimed_from_the_operator_and_1844_is_for_readers_in_peru(
    language: Language,
) -> None:
    for each in all_of("line_lost", language):
        text = text_of(each)
        assert not (each.abroad and "1844" in text)
        assert re.search("申诉|申訴|找回|claim|[Rr]eclame", text, re.I)


@everywhere
def test_the_kind_of_card_does_not_change_an_sms(event: str, language: Language) -> None:
    plain = letter(event, language)
    texts = {
        text_of(replace(plain, notices=(replace(plain.notices[0], kind=kind),))) for kind in Kind
    }
    assert len(texts) == 1


def test_hostile_values_stay_text_on_one_line() -> None:
    plain = letter("plan_end_near", Language.EN)
    notice = replace(plain.notices[0], operator="A\r\nB\u202e\x00 {{ 7*7 }} <b>&")
    text = text_of(replace(plain, notices=(notice,), signature="S\nX"))
    assert text.startswith("S X: the plan on your A B {{ 7*7 }} <b>& SIM ending 5678")
    assert text.isprintable()


@pytest.mark.parametrize("language", Language)
def test_a_renewal_tells_the_new_end_and_not_the_day_it_was_entered(language: Language) -> None:
    plain = letter("renewal_recorded", language)
    notice = replace(plain.notices[0], deadline_on=date(2026, 3, 1))
    text = text_of(replace(plain, notices=(notice,)))
    assert DATES[language] in text
    assert not re.search(r"3月1日|01/03|1 Mar", text)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("event", ["renewal_recorded", "renewal_not_effective"])
def test_who_has_paid_is_not_told_to_pay(event: str, language: Language) -> None:
    for each in all_of(event, language):
        assert not re.search("[Rr]ecargue|[Tt]op up|请.{0,4}充值|請.{0,4}儲值", text_of(each))


@pytest.mark.parametrize("language", LATIN)
@pytest.mark.parametrize("event", ["renewal_recorded", "renewal_not_effective"])
def test_the_receipt_is_named_where_there_is_room_and_it_costs_no_second_segment(
    event: str, language: Language
) -> None:
    plain = letter(event, language)
    assert "(R-20261231-00001)" in text_of(plain)
    for odd in ("№ 12", "收据12", "R-" + "1" * 40):
        notice = replace(plain.notices[0], receipt_ref=odd)
        sms = content().sms(replace(plain, notices=(notice,)))
        assert odd not in sms.text
        assert (sms.segments.segments, sms.segments.encoding) == (1, "GSM-7")


@pytest.mark.parametrize("language", Language)
def test_a_failed_renewal_is_not_paid_twice(language: Language) -> None:
    for each in all_of("renewal_failed", language):
        text = text_of(each)
        assert re.search(
            "重付|重复|重複|再付|pay (?:again|twice)|pague (?:otra|dos)|repita el pago", text
        )


@pytest.mark.parametrize("event", ["low_balance", "low_data"])
@pytest.mark.parametrize("language", Language)
def test_a_card_that_runs_low_is_told_its_end_and_no_other_day(
    event: str, language: Language
) -> None:
    plain = letter(event, language)
    notice = replace(plain.notices[0], deadline_on=date(2026, 3, 1), days=-90)
    email = content().email(replace(plain, notices=(notice,)))
    for text in (text_of(replace(plain, notices=(notice,))), email.text, email.html):
        assert not re.search(r"3月1日|01/03|1 Mar|1 de marzo|90", text.replace("1.390625", ""))


@pytest.mark.parametrize("language", Language)
def test_the_end_of_the_plan_is_not_said_of_the_balance(language: Language) -> None:
    for each in all_of("low_balance", language):
        text = text_of(each)
        assert re.search("套餐|方案|plan", text)
        assert not re.search("有效期|效期|valid until|vigente", text)
        assert "S/ 199.99" in text


@pytest.mark.parametrize("language", Language)
def test_a_suspended_card_is_helped_where_its_holder_is(language: Language) -> None:
    for each in all_of("suspended", language):
        if each.abroad:
            assert not re.search(
                r"营业厅|門市|tienda|store|护照|護照|pasaporte|passport", text_of(each)
            )
    assert re.search(r"营业厅|門市|tienda|store", text_of(letter("suspended", language)))


@pytest.mark.parametrize("language", Language)
def test_a_travel_esim_has_no_store_no_passport_and_no_number_to_lose(language: Language) -> None:
    for event in sorted(TRAVEL_EVENTS):
        for each in ways_out(travel_letter(event, language)):
            text = text_of(each)
            assert "eSIM" in text
            assert not re.search(
                "营业厅|門市|tienda|store|护照|護照|pasaporte|passport|1844|号码|門號|number|nro",
                text,
            )


@everywhere
def test_a_travel_esim_is_not_called_an_esim_sim(event: str, language: Language) -> None:
    """Cards of ``other.toml``: the operator's name is "eSIM", and stands where a name would."""
    for named in (1, 2):
        plain = letter(event, language, named=named)
        notices = tuple(replace(n, operator="eSIM", kind=Kind.ESIM) for n in plain.notices)
        sms = content().sms(replace(plain, notices=notices))
        email = content().email(replace(plain, notices=notices))
        assert sms.segments.segments == 1
        for text in (sms.text, email.subject, email.text.partition("==")[0]):
            assert "eSIM" in text
            assert not re.search(r"eSIM (?:e?SIM|data|4G|流量卡)|eSIM[^.，:：]*\(eSIM\)", text)


def test_how_a_travel_esim_reads() -> None:
    def read(language: Language) -> str:
        return text_of(travel_letter("plan_end_tomorrow", language))

    assert ": el plan de su eSIM ...5678 vence MAÑANA a las 12:59" in read(Language.ES_PE)
    assert ": the plan on your eSIM ending 5678 ends TOMORROW at 12:59" in read(Language.EN)


def test_a_chinese_sms_asks_about_a_renewal_only_where_an_answer_arrives() -> None:
    for language, question in ((Language.ZH_HANS, "能用了吗"), (Language.ZH_HANT, "能用了嗎")):
        plain = letter("renewal_recorded", language)
        assert question in text_of(plain)
        assert question not in text_of(replace(plain, replies=False))
