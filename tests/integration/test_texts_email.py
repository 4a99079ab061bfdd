"""Every email as it arrived, subject, plain text and HTML, held against the rows that it started
from."""

import base64
import re
from collections.abc import Iterator
from datetime import UTC, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest

from tests.integration.stories import SITE
from tests.integration.texts import Mail, Texts
from tests.integration.texts_rows import (
    OPERATORS,
    REASSIGNED_AFTER,
    RECEIPT,
    tail,
)
from worker.content.dates import full_date, long_date
from worker.content.events import ANSWERABLE, PAYABLE, QUESTIONS
from worker.content.languages import SPEECH
from worker.core.cards import Language
from worker.core.wording import DEADLINE_EVENTS, LIFE_EVENTS

ZH_HANS, ZH_HANT, ES, EN = Language.ZH_HANS, Language.ZH_HANT, Language.ES_PE, Language.EN
LOW = ("low_balance", "low_data")
TOPUP = {ZH_HANS: "怎样充值", ZH_HANT: "如何儲值", ES: "Cómo recargar", EN: "How to top up"}
REPLY = {
    ZH_HANS: "请直接回复本邮件",
    ZH_HANT: "請直接回覆本信",
    ES: "responda a este mensaje",
    EN: "reply to this message",
}
# What most readers answer with, and the two answers to a question.
ANSWERS = (
    ("我已续费", "我已儲值", "Ya recargué", "I have topped up"),
    ("能用了", "能用了", "Sí funciona", "It works"),
    ("还不能用", "還不能用", "No funciona", "It does not work"),
)
# The headings of steps, and the events that they belong to.
SECTIONS = {
    (
        "怎样找回号码",
        "如何找回門號",
        "Cómo reclamar un número",
        "How to claim a number back",
    ): ("line_lost", "reassignment_near"),
    (
        "哪些账号要换手机号",
        "需要更改門號的帳號",
        "Dónde cambiar el número",
        "Where to replace the",
    ): ("recycled", "reassignment_near", "reassignment_past"),
    (
        "续费后检查清单",
        "付款後檢查清單",
        "Qué revisar después",
        "What to check after",
    ): ("renewal_recorded",),
    (
        "还不能用：联系客服时",
        "還不能用：聯絡客服時",
        "qué decir a atención al cliente",
        "what to tell customer service",
    ): ("renewal_not_effective",),
    (
        "续费没有成功怎么办",
        "沒有成功怎麼辦",
        "Si la recarga no se hizo",
        "If a top-up failed",
    ): ("renewal_failed",),
    (
        "怎样核对实名登记",
        "如何核對實名登記",
        "Cómo verificar el registro",
        "How to check the reg",
    ): ("registration_notice",),
}
# How a subject begins: with the word that decides, in what a phone shows of it.
BEGINS = {
    "plan_end_far": ("25天后", "25天後", "En 25 días", "In 25 days"),
    "plan_end_near": ("5天后", "5天後", "En 5 días", "5 days left"),
    "plan_end_tomorrow": ("明天", "明天", "Vence MAÑANA", "Ends TOMORROW"),
    "plan_end_today": ("今天", "今天", "Vence HOY", "Ends TODAY"),
    "plan_ended": ("套餐已到期", "方案已到期", "Venció hace 3 días", "Ended 3 days ago"),
    "line_loss_far": ("20天后可能收回", "20天後可能收回", "20 días para", "Keep "),
    "line_loss_near": ("10天后可能收回", "10天後可能收回", "En 10 días", "10 days to keep"),
    "line_loss_tomorrow": (
        "(?:明天|今天|随时).*可能收回",
        "(?:明天|今天|隨時).*可能收回",
        "MAÑANA|HOY|EN CUALQUIER",
        "TOMORROW|TODAY|ANY MOMENT",
    ),
    "line_lost": ("号码可能已被收回", "門號可能已被收回", ".*posible baja", "Lost "),
    "outgoing_block_near": (
        "余?.*可能打不出",
        ".*可能無法撥打",
        "Pueden cortar sus llamadas",
        "Calls may be blocked",
    ),
    "outgoing_block_past": (
        "可能已打不出",
        "可能已無法撥打",
        "Posible corte de llamadas",
        "Calls may be blocked",
    ),
    "balance_loss_near": (
        "余额.*可能作废",
        "餘額.*可能失效",
        "Puede perder el saldo",
        "Balance may be lost",
    ),
    "balance_loss_past": (
        "余额可能已作废",
        "餘額可能已失效",
        "Posible pérdida del saldo",
        "Balance may be lost",
    ),
    "reassignment_near": (
        "号码.*可能归他人",
        "門號.*可能歸他人",
        "Su nro.*puede pasar",
        "Someone else may get",
    ),
    "reassignment_past": (
        "号码可能已归他人",
        "門號可能已歸他人",
        "Su nro.*puede ser",
        "Someone else may have",
    ),
    "renewal_recorded": (
        "续费已登记",
        "(?:儲值|續購)已登記",
        "¿Ya funciona. Recarga reg",
        "Top-up recorded",
    ),
    "renewal_not_effective": (
        "续费后能用了吗",
        "(?:儲值|續購)後能用了嗎",
        "¿Ya funciona. Recarga sin",
        "Not confirmed",
    ),
    "renewal_failed": ("续费没有成功", "(?:儲值|續購)沒有成功", "Recarga fallida", "Top-up failed"),
    "low_balance": ("余额", "餘額", "Saldo bajo", "S/ 2.00 left|Low balance"),
    "low_data": ("流量快用完", "流量快用完", "Quedan pocos datos", "Low on data"),
    "suspended": ("已停", "已停", "Suspendida", "Suspended"),
    "recycled": ("号码已归他人", "門號已歸他人", "Cambie su nro", "Change your accounts"),
    "registration_notice": (
        "请核对实名登记",
        "請核對實名登記",
        "Verifique sus datos",
        "Check your registration",
    ),
}
SMALL_SHOP = r"营业厅|門市|tienda|\bstores?\b|加油站|bodega|corner shop|petrol"
SHORT_NUMBER = re.compile(r"(?<!\d)(?:123|1844)(?!\d)")
in_each_language = pytest.mark.parametrize("language", Language)


def own(language: Language, words: tuple[str, ...]) -> str:
    """Those of ``words`` in the order of the languages."""
    return words[list(Language).index(language)]


def lines(mail: Mail) -> Iterator[str]:
    """The sentences of the plain text, without the marks of headings and lists."""
    for line in mail.text.splitlines():
        if "|" not in line and not line.startswith("  ") and "://" not in line:
            yield re.sub(r"^\s*(?:[-=]+|\d\.)\s+|\s+=+$", "", line)


@in_each_language
def test_text_and_html_tell_of_every_card(texts: Texts, language: Language) -> None:
    for case, mail in texts.emails(language=language):
        for text in mail.both:
            for card in (*case.cards, *case.extra):
                assert f"{OPERATORS[card['operator']]} ...{tail(card)}" in text, (str(case), text)
                assert SPEECH[language].kinds[card["kind"]] in text
                assert card["plan"] is None or card["plan"] in text
            assert case.name in text
            assert not re.search(r"None|\{\{|\{%|undefined", text)


@in_each_language
def test_text_and_html_tell_the_day_of_the_row_on_the_reader_s_calendar(
    texts: Texts, language: Language
) -> None:
    for case, mail in texts.emails(language=language):
        for text in mail.both:
            dated = full_date(case.day, language) in text
            assert dated is (case.event not in LOW), (str(case), text)
            assert case.event in LOW or long_date(case.day, language) in text
            if case.ends and case.is_life and case.event not in ("suspended", "recycled"):
                assert long_date(case.ends, language) in text, (str(case), text)


@in_each_language
def test_text_and_html_tell_the_last_minute_in_which_acting_helps(
    texts: Texts, language: Language
) -> None:
    """On both clocks where they differ; and none of a deadline that is over."""
    for case, mail in texts.emails(*DEADLINE_EVENTS, language=language):
        plan = case.event.startswith("plan_")
        last = case.minute if plan else case.minute - timedelta(minutes=1)
        there = last.astimezone(ZoneInfo("America/Lima"))
        words = [full_date(last.date(), language), f"{last:%H:%M}", f"{there:%H:%M}"]
        exact = re.compile(r"[^\n]*".join(map(re.escape, words[: 3 if case.place.abroad else 2])))
        ahead = case.left >= 0 and not case.has_begun
        assert bool(exact.search(mail.text)) is ahead, (str(case), mail.text)


@in_each_language
def test_text_and_html_say_the_same(texts: Texts, language: Language) -> None:
    for case, mail in texts.emails(language=language):
        html = re.sub(r"\s", "", mail.words)
        for sentence in lines(mail):
            said = re.sub(r"\s", "", sentence)
            assert said == "--" or said in html, (str(case), sentence)


@in_each_language
def test_a_subject_is_one_line_that_names_the_card_and_begins_with_what_decides(
    texts: Texts, language: Language
) -> None:
    """What a phone shows of a subject: 40 Latin or 20 Chinese characters."""
    shown = 20 if language.startswith("zh") else 40
    for case, mail in texts.emails(language=language):
        subject = mail.subject
        assert subject == " ".join(subject.split())
        if case.kind not in ("days", "several"):
            begins = re.match(own(language, BEGINS[case.event]), subject[:shown])
            assert begins, (str(case), subject)
        if case.event != "plan_ended" or not case.extra:  # two that ended on one day
            assert case.operator in subject
            assert case.tails[0] in subject, (str(case), subject)
        assert not re.search(r"[{}<>]", subject)
        others = len(case.cards) + len(case.extra) - 1
        more = re.search(r" \(\+(\d)\)$|（\D*(\d)张卡）$|（\D*(\d)張卡）$", subject)
        found = next(filter(None, more.groups())) if more else 0
        assert int(found) == others, (str(case), subject)


@in_each_language
def test_the_html_is_a_document_in_its_language_that_suits_a_phone_and_the_dark(
    texts: Texts, language: Language
) -> None:
    for _, mail in texts.emails(language=language):
        html = mail.html
        assert html.startswith("<!doctype html>")
        assert f'<html lang="{language}"' in html
        assert '<meta name="color-scheme" content="light dark" />' in html
        assert "prefers-color-scheme: dark" in html
        assert "width=device-width" in html
        assert f"<title>{mail.subject}</title>" in unescape(html)
        assert "<mj-" not in html


@in_each_language
def test_the_preheader_is_the_thing_to_do(texts: Texts, language: Language) -> None:
    for _, mail in texts.emails(language=language):
        found = re.search(r'<div style="display:none[^>]*>([^<]+)</div>', mail.html)
        assert found
        assert f" ==\n\n{unescape(found[1]).strip()}\n\n" in mail.text


@in_each_language
def test_the_html_loads_nothing_and_links_only_to_our_pages(
    texts: Texts, language: Language
) -> None:
    """No operator's site is verified, so none is linked."""
    for case, mail in texts.emails(language=language):
        assert all(link.startswith(f"{SITE}/") for link in mail.links), mail.links
        assert bool(mail.links) is case.site
        assert not mail.tags & {"img", "script", "link", "iframe", "object", "form", "video"}
        assert not re.search(r"<[^>]*\son\w+=", mail.html)
        assert not re.search(r"@import|url\(|fonts\.g", mail.html)
        # The names of XML vocabularies look like addresses, but nobody goes there.
        assert not re.search(rf"https?://(?!www\.w3\.org/|{SITE[7:]}/)", mail.html)


@in_each_language
def test_each_event_gets_the_steps_that_are_its_own(texts: Texts, language: Language) -> None:
    for case, mail in texts.emails(language=language):
        for text in mail.both:
            for headings, events in SECTIONS.items():
                wanted = case.event in events
                assert (own(language, headings) in text) is wanted, (str(case), text)


@in_each_language
def test_nobody_is_told_to_pay_where_paying_is_wrong(texts: Texts, language: Language) -> None:
    """Twice for one top-up, or for a number that is lost or somebody else's."""
    for case, mail in texts.emails(language=language):
        # A card whose plan ends is listed beside those of "several".
        pays = bool(case.event in PAYABLE or case.extra) and not case.is_travel
        for text in mail.both:
            assert (TOPUP[language] in text) is pays, (str(case), text)


@in_each_language
def test_a_life_event_says_what_is_known_and_no_more(texts: Texts, language: Language) -> None:
    for case, mail in texts.emails(*LIFE_EVENTS, language=language):
        for text in mail.both:
            receipt = case.event.startswith("renewal_") and not case.is_bare
            assert (RECEIPT in text) is receipt, (str(case), text)
            balance = case.event == "low_balance" and not case.is_bare
            assert ("S/ 2.00" in text) is balance, (str(case), text)
            if case.is_bare:
                months = re.findall(r"2026年(\d+)月", text)
                own_month = case.event not in LOW
                checked = {"11", "3"}  # when the operator's contacts were looked at
                assert set(months) - checked <= ({"6"} if own_month else set())


@in_each_language
def test_a_lost_line_tells_from_when_the_number_may_go_to_someone_else(
    texts: Texts, language: Language
) -> None:
    for case, mail in texts.emails("line_lost", language=language):
        assert long_date(case.day + timedelta(days=REASSIGNED_AFTER), language) in mail.text


@in_each_language
def test_without_a_link_a_reply_stops_the_emails(texts: Texts, language: Language) -> None:
    for case, mail in texts.emails(language=language):
        headers = mail.received["headers"]
        assert ("List-Unsubscribe" in headers) is case.site
        if case.site:
            stop = headers["List-Unsubscribe"].strip("<>")
            assert stop in mail.links
            assert stop in mail.text
        for text in mail.both:
            assert (REPLY[language] in text) is not case.site, (str(case), text)


@in_each_language
def test_days_are_worded_as_a_person_would(texts: Texts, language: Language) -> None:
    worded = {
        ZH_HANS: {-3: "3天前", -2: "2天前", -1: "昨天", 0: "今天", 1: "明天"},
        ZH_HANT: {-3: "3天前", -2: "2天前", -1: "昨天", 0: "今天", 1: "明天"},
        ES: {-3: "hace 3 días", -2: "hace 2 días", -1: "ayer", 0: "hoy", 1: "mañana"},
        EN: {-3: "3 days ago", -2: "2 days ago", -1: "yesterday", 0: "today", 1: "tomorrow"},
    }
    ahead = {ZH_HANS: "还有{}天", ZH_HANT: "還有{}天", ES: "en {} días", EN: "in {} days"}
    begun = {ZH_HANS: "随时", ZH_HANT: "隨時", ES: "en cualquier momento", EN: "at any moment"}
    found = set()
    for case, mail in texts.emails(*DEADLINE_EVENTS, language=language):
        said = worded[language].get(case.left, ahead[language].format(case.left))
        said = begun[language] if case.has_begun else said
        day = re.escape(long_date(case.day, language))
        clock = rf"(?:[ ,，]*{case.clock})?" if case.clock else ""
        listed = rf"{day}{clock}起?[,，、 ]*(?:现在|現在|ahora )?{said}"
        for text in mail.both:
            assert re.search(listed, text), (str(case), listed, text)
        found.add(case.left)
    assert found >= {-3, -2, -1, 0, 1, 5, 10, 20, 25}


@in_each_language
def test_a_notice_can_be_answered_where_an_answer_is_of_use(
    texts: Texts, language: Language
) -> None:
    """With one button, which is what most readers need."""
    renewed, works, fails = (own(language, said) for said in ANSWERS)
    for case, mail in texts.emails(language=language, site=True):
        button = re.findall(r'<table class="button".*?<a href=[^>]+>([^<]+)</a>', mail.html, re.S)
        asks, answerable = case.event in QUESTIONS, case.event in ANSWERABLE
        named = f" (...{case.tails[0]})" if case.extra and case.event != "plan_ended" else ""
        first = works if asks else renewed
        assert len(button) == (asks or answerable), (str(case), button)
        assert all(label.startswith(f"{first}{named}") for label in button), (str(case), button)
        for text in mail.both:
            assert (fails in text) is asks, (str(case), text)
            assert (renewed in text) is (answerable or bool(case.extra)), (str(case), text)
        answers = set(mail.links) - {mail.received["headers"]["List-Unsubscribe"][1:-1]}
        assert bool(answers) is (asks or answerable or bool(case.extra)), (str(case), answers)
        assert all(link in mail.text for link in answers)


@in_each_language
def test_what_there_is_to_do_comes_before_the_list_of_cards(
    texts: Texts, language: Language
) -> None:
    for case, mail in texts.emails(language=language):
        last = (*case.cards, *case.extra)[-1]
        for text in mail.both:
            listed = text.rindex(f"{OPERATORS[last['operator']]} ...{tail(last)}")
            for heading in (*(own(language, h) for h in SECTIONS), TOPUP[language]):
                assert text.rfind(heading) < listed


@in_each_language
def test_links_are_words_that_a_thumb_can_hit_and_that_do_not_break(
    texts: Texts, language: Language
) -> None:
    for _, mail in texts.emails(language=language, site=True):
        html = mail.html
        assert "break-all" not in html
        assert ".tap { display: inline-block; padding: 10px 0; line-height: 24px; }" in html
        for opening, text in re.findall(r"<a ([^>]*)>(.*?)</a>", html, re.S):
            assert not text.strip().startswith("http")
            if 'class="tap"' not in opening:
                padding = re.search(r"padding:(\d+)px", opening)
                line = re.search(r"line-height:(\d+)px", opening)
                assert padding, opening
                assert line, opening
                assert 2 * int(padding[1]) + int(line[1]) >= 44


@in_each_language
def test_a_reader_abroad_is_sent_to_no_store_and_to_no_short_number(
    texts: Texts, language: Language
) -> None:
    for case, mail in texts.emails(language=language):
        if not case.place.abroad:
            continue
        for text in mail.both:
            assert not re.search(SMALL_SHOP, text), (str(case), text)
            assert "1844" not in text
            numbers = re.sub(r"\+51[\d ]+", "", text)  # these can be called from anywhere
            for found in SHORT_NUMBER.finditer(numbers):
                after = numbers[found.end() : found.end() + 36]  # beside one of another kind
                assert re.search("in Peru|en el Perú|秘鲁|秘魯", after), (str(case), text)


@in_each_language
def test_a_claim_goes_to_the_operator_first_and_advice_comes_from_where_it_can_be_had(
    texts: Texts, language: Language
) -> None:
    heading = own(language, next(iter(SECTIONS)))
    for case, mail in texts.emails("line_lost", language=language):
        assert ("1844" in mail.text) is not case.place.abroad
        assert ("usuarios@osiptel.gob.pe" in mail.text) is case.place.abroad
        claim = mail.text[mail.text.index(heading) :]
        assert re.search("2\\. .*(运营商|業者|operador|operator)", claim)
        assert claim.index("2. ") < claim.index("OSIPTEL")


@in_each_language
def test_a_card_out_of_service_is_not_told_to_log_in_with_a_code(
    texts: Texts, language: Language
) -> None:
    way = {ZH_HANS: "线上", ZH_HANT: "線上", ES: "- Por internet:", EN: "- Online:"}[language]
    for case, mail in texts.emails(*PAYABLE, language=language):
        if not case.is_travel and not case.extra:
            serves = case.event != "suspended"
            assert (way in mail.text) is serves, (str(case), mail.text)


@in_each_language
def test_a_travel_esim_has_a_letter_of_its_own(texts: Texts, language: Language) -> None:
    """No store, no passport, no number that could be lost, nobody in Peru."""
    for case, mail in texts.emails(language=language, kind="travel"):
        for text in (mail.subject, *mail.both):
            assert not re.search(SMALL_SHOP, text), (str(case), text)
            body = re.sub(r"[(（；;，,][^()（）]*(?:Lima|利马|利馬)[^()（）]*[)）]", "", text)
            assert not re.search(
                "护照|護照|pasaporte|passport|1844|OSIPTEL|秘鲁|秘魯|Perú|Peru", body
            ), (str(case), text)
            assert not re.search("收回|dar de baja|take the number|lose the number|ICCID", text)
        if case.event in PAYABLE:
            assert re.search("eSIM ?的|compró la eSIM|bought the eSIM|購買 eSIM", mail.text), case


@in_each_language
def test_the_calendar_has_the_minute_of_the_row(texts: Texts, language: Language) -> None:
    for case, mail in texts.emails(language=language):
        entries = [entry for file in mail.received["attachments"] for entry in dates_in(file)]
        ahead = not case.is_life and case.left >= 0 and not case.has_begun
        if ahead:
            last = case.minute
            if not case.event.startswith("plan_"):
                last -= timedelta(minutes=1)
            assert f"{last.astimezone(UTC):%Y%m%dT%H%M}00Z" in entries, (str(case), entries)
        elif not case.extra and case.event != "renewal_recorded":
            assert not entries, (str(case), entries)


def dates_in(file: dict[str, str]) -> list[str]:
    """The instants at which the entries of a calendar file begin."""
    text = base64.b64decode(file["content"]).decode()
    return re.findall(r"^DTSTART:(\S+)", text, re.M)


@in_each_language
def test_the_keeper_of_a_book_reads_of_every_card_who_when_and_why(
    texts: Texts, language: Language
) -> None:
    why = {
        "no_address": ("没有机主的电话", "沒有.{1,6}電話", "no tenemos|no hay", "we have no phone"),
        "suppressed": ("已停用", "已停用", "bloquead", "is blocked"),
        "last_day": ("已到最后一天", "最後一天", "último día", "it is the last day"),
    }
    told = [(book, mail) for book, mails in texts.kept for mail in mails]
    assert [book for book, _ in told] == [book for book, _ in texts.kept]
    for book, mail in told:
        if book.language is not language:
            continue
        numbered = re.search(r"\d", mail.subject)
        assert bool(numbered) is (len(book.cards) > 1 or language.startswith("zh"))
        for text in mail.both:
            for one in book.cards:
                named = f"{OPERATORS[one.card['operator']]} ...{tail(one.card)}"
                assert named in text
                entry = text[text.index(named) :]
                assert one.holder in entry
                assert long_date(one.day, language) in entry
                # Its own reason, before the next card.
                entry = entry[: entry.index(one.holder) + 160]
                assert re.search(own(language, why[one.why]), entry), (one.why, entry)
            assert TOPUP[language] not in text
            assert SITE not in text
            assert book.name not in text
            assert re.search(r"回复本邮件|回覆本信|responda a este|reply to this", text)
