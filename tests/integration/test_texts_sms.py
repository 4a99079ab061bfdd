"""Every SMS as it arrived, held against the rows that it started from: its card, its day on the
reader's calendar, what there is to do, and a way out that works."""

import re
from collections import Counter, defaultdict
from datetime import date
from itertools import product

import pytest

from tests.integration.stories import SITE
from tests.integration.texts import Texts, own_addresses
from tests.integration.texts_rows import (
    HOLDER_EVENTS,
    OPERATORS,
    PERU,
    PERU_HEARD,
    RECEIPT,
    Case,
    tail,
)
from worker.core.cards import Language
from worker.core.naming import NAMED
from worker.core.segments import measure
from worker.core.wording import LIFE_EVENTS

ZH_HANS, ZH_HANT, ES, EN = Language.ZH_HANS, Language.ZH_HANT, Language.ES_PE, Language.EN
LATIN, CHINESE = (ES, EN), (ZH_HANS, ZH_HANT)
LOW = ("low_balance", "low_data")
PLANS = tuple(event for event in HOLDER_EVENTS if event.startswith("plan_"))
LOSSES = tuple(e for e in HOLDER_EVENTS if re.match("line_|outgoing|balance_loss|reassign", e))
# The word to answer with, and who else can end them, where no answer arrives.
WORD = {
    ZH_HANS: "退订回TD",
    ZH_HANT: "退訂回TD",
    ES: "SALIR=sin avisos",
    EN: "Reply STOP to opt out",
}
KEEPER = {
    ZH_HANS: "退订找管卡人",
    ZH_HANT: "退訂洽管卡人",
    ES: "Para salir, avise a quien administra su chip",
    EN: "To opt out, ask whoever manages your SIM",
}
LINKED = {ES: "Sin avisos: ", EN: "Opt out: "}
# What an event is told by, in Chinese of both scripts, Spanish and English.
SAYS = {
    "plan_end_far": "到期，[还還]有|到期\\(\\d+天|vence el|ends? in",
    "plan_end_near": "天[后後].*到期|vence (?:en|pasado)|ends? in",
    "plan_end_tomorrow": "明天.*到期|vence MAÑANA|ends? TOMORROW",
    "plan_end_today": "今天.*到期|vence HOY|ends? TODAY",
    "plan_ended": "已到期|plan vencido|ended",
    "line_loss_far": "可能被收回|dar de baja|may take",
    "line_loss_near": "可能被收回|dar de baja|may take",
    "line_loss_tomorrow": "可能被收回|dar de baja|may take",
    "line_lost": "可能已被收回|de baja|may have taken",
    "outgoing_block_near": "打不出|[无無]法[拨撥]|llamadas|calls",
    "outgoing_block_past": "可能已(?:打不出|[无無]法[拨撥])|llamadas|calls",
    "balance_loss_near": "可能(?:作废|失效)|perder el saldo|may be lost",
    "balance_loss_past": "可能已(?:作废|失效)|(?:saldo|estar) perdido|may (?:have been|be gone)",
    "reassignment_near": "可能.*[归歸]他人|puede dar|may get",
    "reassignment_past": "可能已[归歸]他人|puede.? ser de otr|may have|may be",
    "renewal_recorded": "登[记記]|registrada|recorded",
    "renewal_not_effective": "能用了[吗嗎]|¿.*funciona|does your",
    "renewal_failed": "未成功|fallida|no se hizo|failed",
    "low_balance": "余额|餘額|saldo|S/ 2.00|balance",
    "low_data": "流量快用完|pocos datos|low on data",
    "suspended": "已停|suspendid[oa]|suspended",
    "recycled": "已[归歸]他人|ya es de otra|someone else",
    "registration_notice": "[实實]名|datos del titular|its ID",
}
# What a reader can do about it.
ACTS = {
    ZH_HANS: "充值|续费|换绑|换手机号|申诉|查看|核对|联系|请试|能用了吗|代充|客服",
    ZH_HANT: "儲值|續購|改綁|更改|申訴|查看|核對|聯絡|請試|能用了嗎|客服",
    ES: "[Ss]in recarga|[Rr]ecar[gq]u|[Rr]enueve|[Pp]ida|[Rr]eclame|Cambie|Avise|Consulte|prueba"
    "|Pruebe|Planifique|¿.*funciona|no repita el pago|No pague|contacte",
    EN: "[Tt]op up|topped up|[Tt]op it up|[Rr]enew|[Cc]laim|[Tt]ell your bank|bank and WhatsApp"
    "|[Aa]sk |[Tt]est|don't pay|does your|Plan ahead",
}
in_each_language = pytest.mark.parametrize("language", Language)


def short(day: date, language: Language) -> str:
    """A day as an SMS of ``language`` writes it."""
    if language in CHINESE:
        return f"{day.month}月{day.day}日"
    return f"{day:%d/%m}" if language is ES else f"{day.day} {day:%b}"


def way_out(case: Case, language: Language) -> str:
    """How the text ends; of a link what comes before it."""
    if case.place.hears:
        return WORD[language]
    return LINKED[language] if case.site and language in LATIN else KEEPER[language]


def without_link(text: str) -> str:
    return re.sub(rf"{SITE}/\w+/\w+", "", text)


def test_every_text_arrives_of_every_event_in_every_language_here_and_abroad(texts: Texts) -> None:
    """Nothing is skipped in silence: whoever has a row here has what it asks for, and nobody else
    has anything."""
    seen = set()
    for told in texts.told:
        case = told.case
        groups = len(case.cards) // (NAMED + 1) + 1 + len(case.extra)
        assert (len(told.every_sms), len(told.emails)) == (groups, case.has_email), told
        for text in told.sms:
            assert re.search(SAYS[case.event], text), (str(case), text)
            seen.add((case.event, case.language, case.place.abroad, "sms"))
        if told.emails:
            seen.add((case.event, case.language, case.place.abroad, "email"))
    assert seen == set(product(HOLDER_EVENTS, Language, (True, False), ("sms", "email")))
    for channel in ("sms", "email"):
        assert set(texts.box[channel]) <= own_addresses(channel)


@in_each_language
def test_every_way_out_stands_somewhere(texts: Texts, language: Language) -> None:
    ways: dict[str, set[tuple[bool, str]]] = defaultdict(set)
    for case, text in texts.sms(language=language):
        way = "word" if WORD[language] in text else "link" if SITE in text else "keeper"
        ways[case.event].add((case.place.abroad, way))
    linked = {(False, "link"), (True, "link"), (False, "keeper")}
    wanted = {(False, "word"), (True, "word")}
    wanted |= linked if language in LATIN else {(True, "keeper")}
    assert all(found >= wanted for found in ways.values()), ways
    assert set(ways) == set(HOLDER_EVENTS)


@in_each_language
def test_an_sms_is_one_segment(texts: Texts, language: Language) -> None:
    for _, text in texts.sms(language=language):
        cost = measure(text)
        assert cost.segments == 1, text
        assert (cost.encoding == "GSM-7") is (language in LATIN), text


@in_each_language
def test_an_sms_tells_who_what_when_and_how_to_stop(texts: Texts, language: Language) -> None:
    for case, text in texts.sms(language=language):
        assert text.startswith("【Vigencia】" if language in CHINESE else "Vigencia: ")
        assert case.operator in text, text
        if case.event not in LOW:
            ends = case.event == "renewal_recorded" and case.ends
            assert short(ends or case.day, language) in text, (str(case), text)
        assert without_link(text).endswith(way_out(case, language)), text
        linked = case.site and language in LATIN and not case.place.hears
        assert bool(re.search(rf": {SITE}/\w+/\w+$", text)) is linked, text


@in_each_language
def test_a_way_out_that_nobody_hears_is_not_promised(texts: Texts, language: Language) -> None:
    """A word to answer with, where answers do not arrive; and the word for losing the line."""
    for case, text in texts.sms(language=language):
        assert case.place.hears or not re.search("TD|STOP|SALIR", without_link(text)), text
        assert "BAJA" not in without_link(text)


@in_each_language
def test_each_card_is_named_in_one_sms_and_no_more_than_there_is_room_for(
    texts: Texts, language: Language
) -> None:
    for told in texts.of(language=language):
        for card in (*told.case.cards, *told.case.extra):
            [text] = [text for text in told.every_sms if tail(card) in without_link(text)]
            assert OPERATORS[card["operator"]] in text, text
        for text in told.every_sms:
            named = [t for t in map(tail, told.case.cards) if t in without_link(text)]
            assert len(named) <= NAMED, text
            if named:
                assert not any(tail(card) in text for card in told.case.extra), text


@in_each_language
def test_an_sms_shows_no_price_no_full_number_and_no_leftover_of_a_template(
    texts: Texts, language: Language
) -> None:
    for case, text in texts.sms(language=language):
        plain = without_link(text).replace("S/ 2.00", "some").replace(RECEIPT, "ref")
        assert not re.search(r"S/|\$|€|PEN|http|www|\d{6,}|[{}]|None|  ", plain), text
        assert not re.search(r"[,;)]{2}|[,;(]\.| \.(?!\.)|，。|\(\)|\( ", plain), text
        assert not re.search(r"e-?mail|correo|邮|郵|信箱", plain.lower()), text
        assert ("S/ 2.00" in text) <= (case.cards[0]["balance"] or case.event == "low_balance")


@in_each_language
def test_no_two_deadlines_and_no_two_windows_are_told_in_the_same_words(
    texts: Texts, language: Language
) -> None:
    """Of an event each text is its own, and so is that of each of its days."""
    said: Counter[tuple[object, ...]] = Counter()
    for case, text in texts.sms(language=language):
        if case.kind not in ("kinds", "many", "mute"):
            sentence = re.sub(r"\d{4}", "", without_link(text)).replace(case.operator, "")
            said[(case.language, case.place, len(case.cards), case.kind, sentence)] += 1
    assert not [key for key, times in said.items() if times > 1]


@pytest.mark.parametrize(
    ("language", "today", "tomorrow"),
    [
        (ZH_HANS, "今天", "明天"),
        (ZH_HANT, "今天", "明天"),
        (ES, "HOY", "MAÑANA"),
        (EN, "TODAY", "TOMORROW"),
    ],
)
def test_today_and_tomorrow_follow_the_reader_s_calendar_with_the_hour_where_it_differs(
    texts: Texts, language: Language, today: str, tomorrow: str
) -> None:
    """The last day in Lima ends at 12:59 of the next one in Beijing; in Lima no hour is needed."""
    urgent = ("plan_end_today", "plan_end_tomorrow", "line_loss_tomorrow")
    found = Counter[tuple[int, bool]]()
    for case, text in texts.sms(*urgent, language=language):
        if case.has_begun:
            continue
        said, unsaid = (tomorrow, today) if case.left else (today, tomorrow)
        assert said in text, text
        assert unsaid not in text, text
        hours = re.findall(r"\d\d:\d\d", without_link(text))
        assert hours == ([case.clock] if case.clock else []), (str(case), text)
        found[case.left, case.place.abroad] += 1
    assert set(found) == set(product((0, 1), (True, False)))


@in_each_language
def test_what_can_happen_at_any_moment_is_not_said_to_come_or_to_be_over(
    texts: Texts, language: Language
) -> None:
    events = set()
    for case, text in texts.sms(language=language):
        if case.has_begun:
            assert re.search("any moment|cualquier momento|desde ya|随时|隨時", text.lower()), text
            assert not re.search("yesterday|ayer|昨天|tomorrow|mañana|明天", text.lower()), text
            events.add((case.event, case.place.abroad))
    assert len(events) == 8


@pytest.mark.parametrize("language", [ZH_HANS, ZH_HANT, EN])
def test_the_days_said_are_the_days_left(texts: Texts, language: Language) -> None:
    counted = ("plan_end_far", "plan_end_near", "line_loss_far", "line_loss_near")
    for case, text in texts.sms(*counted, language=language):
        said = re.findall(r"(\d+) ?(?:天|days)", text)
        assert said == [str(case.left)], (str(case), text)


def test_spanish_says_the_days_without_a_letter_that_gsm_7_has_not(texts: Texts) -> None:
    said = {2: "pasado mañana", 5: "en 5 d", 6: "en 6 d", 7: "en una semana"}
    found = set()
    for case, text in texts.sms("plan_end_near", language=ES):
        assert f"{said[case.left]} ({short(case.day, ES)})" in text, text
        found.add(case.left)
    assert found == set(said)


@in_each_language
def test_the_plan_ends_and_not_the_card(texts: Texts, language: Language) -> None:
    for _, text in texts.sms(*PLANS, language=language):
        assert re.search("套餐|方案|plan", text), text
        assert not re.search("expire|SIM卡到期", text), text


@in_each_language
def test_a_loss_is_something_that_may_happen(texts: Texts, language: Language) -> None:
    """Two sources disagree on the days, and what an operator does is not known."""
    for _, text in texts.sms(*LOSSES, language=language):
        assert re.search("可能| may |puede|posible", text), text
        assert not re.search("预计|預計| will ", text), text


@in_each_language
def test_an_sms_tells_what_to_do(texts: Texts, language: Language) -> None:
    """Of several cards only where no link takes the room for it."""
    for case, text in texts.sms(language=language):
        told, _, _ = text.partition(way_out(case, language))
        if len(case.cards) == 1 or case.place.hears:
            assert re.search(ACTS[language], told), (str(case), text)


@in_each_language
def test_a_lost_line_is_claimed_from_the_operator_and_1844_is_for_readers_in_peru(
    texts: Texts, language: Language
) -> None:
    helped = set()
    for case, text in texts.sms("line_lost", language=language):
        assert re.search("申诉|申訴|找回|claim|reclame", text, re.I), text
        helped |= {case.place} if "1844" in text else set()
    assert helped == ({PERU_HEARD} if language in LATIN else set())


@in_each_language
def test_the_kind_of_card_does_not_change_an_sms(texts: Texts, language: Language) -> None:
    """But for an eSIM of travellers, which has no line."""
    said = {
        text.replace(case.tails[0], "")
        for case, text in texts.sms("plan_end_tomorrow", language=language, kind="kinds")
    }
    assert len(said) == 1


@in_each_language
def test_what_is_not_known_is_not_said(texts: Texts, language: Language) -> None:
    for case, text in texts.sms(*LIFE_EVENTS, language=language, kind="bare"):
        days = re.findall(r"\d+月\d+日|\d\d/\d\d|\d+ (?:Jun|Jul|Aug)\b", text)
        assert days == ([] if case.event in LOW else [short(case.day, language)]), text
        assert not re.search(rf"S/|{RECEIPT}", text), text


@in_each_language
def test_a_renewal_tells_the_new_end_and_not_the_day_it_was_entered(
    texts: Texts, language: Language
) -> None:
    for case, text in texts.sms("renewal_recorded", language=language):
        if case.ends:
            assert short(case.ends, language) in text, text
            assert short(case.day, language) not in text, text


@in_each_language
def test_who_has_paid_is_not_told_to_pay(texts: Texts, language: Language) -> None:
    for _, text in texts.sms("renewal_recorded", "renewal_not_effective", language=language):
        assert not re.search("[Rr]ecargue|[Tt]op up|请.{0,4}充值|請.{0,4}儲值", text), text


@in_each_language
def test_the_receipt_is_named_where_there_is_room(texts: Texts, language: Language) -> None:
    events = ("renewal_recorded", "renewal_not_effective")
    for case, text in texts.sms(*events, language=language):
        room = language in CHINESE or case.place.hears
        assert (RECEIPT in text) is (room and not case.is_bare), (str(case), text)


@in_each_language
def test_a_failed_renewal_is_not_paid_twice(texts: Texts, language: Language) -> None:
    for _, text in texts.sms("renewal_failed", language=language):
        assert re.search(
            "重付|重复|重複|再付|pay (?:again|twice)|pague (?:otra|dos)|repita el pago", text
        ), text


@in_each_language
def test_a_card_that_runs_low_is_told_the_end_of_its_plan_and_no_other_day(
    texts: Texts, language: Language
) -> None:
    """And the end of the plan is not said of the balance."""
    for case, text in texts.sms(*LOW, language=language):
        days = re.findall(r"\d+月\d+日|\d\d/\d\d|\d+ (?:Jun|Jul|Aug)\b", text)
        assert days == ([short(case.ends, language)] if case.ends else []), text
        assert not case.ends or re.search("套餐|方案|plan", text), text
        assert not re.search("有效期|效期|valid until|vigente", text), text
        assert ("S/ 2.00" in text) is (case.event == "low_balance" and not case.is_bare), text


@in_each_language
def test_a_suspended_card_is_helped_where_its_holder_is(texts: Texts, language: Language) -> None:
    store = r"营业厅|門市|tienda|store|护照|護照|pasaporte|passport"
    for case, text in texts.sms("suspended", language=language):
        assert bool(re.search(store, text)) is not case.place.abroad, (str(case), text)


@in_each_language
def test_a_travel_esim_has_no_store_no_passport_and_no_number_to_lose(
    texts: Texts, language: Language
) -> None:
    """And it is no "eSIM SIM": the operator's name stands where a name would."""
    unknown = "营业厅|門市|tienda|store|护照|護照|pasaporte|passport|1844|号码|門號|number|nro"
    for _, text in texts.sms(language=language, kind="travel"):
        assert not re.search(unknown, text), text
        assert not re.search(r"eSIM (?:e?SIM|data|4G|流量卡)|eSIM[^.，:：]*\(eSIM\)", text), text


def test_how_a_travel_esim_reads(texts: Texts) -> None:
    def read(language: Language) -> str:
        found = texts.sms("plan_end_tomorrow", language=language, kind="travel")
        return " ".join(text for _, text in found)

    assert ": el plan de su eSIM ..." in read(ES)
    assert " vence MAÑANA a las 06:59" in read(ES)
    assert re.search(": the plan on your eSIM ending .... ends TOMORROW at 06:59", read(EN))


@pytest.mark.parametrize(("language", "question"), [(ZH_HANS, "能用了吗"), (ZH_HANT, "能用了嗎")])
def test_a_chinese_sms_asks_about_a_renewal_only_where_an_answer_arrives(
    texts: Texts, language: Language, question: str
) -> None:
    for case, text in texts.sms("renewal_recorded", language=language):
        assert (question in text) is case.place.hears, text


@pytest.mark.parametrize("language", CHINESE)
def test_a_reader_of_chinese_in_peru_has_a_spanish_sms_that_arrives(
    texts: Texts, language: Language
) -> None:
    for told in texts.of(language=language, place=PERU):
        assert all(measure(text).encoding == "GSM-7" for text in told.every_sms), told
        assert [mail for mail in told.emails if f'<html lang="{language}"' in mail.html]
