"""Every email: subject, plain text and HTML, complete and harmless."""

import re
from dataclasses import replace
from datetime import date
from html import unescape
from html.parser import HTMLParser
from itertools import product

import pytest

from tests.unit.content_helpers import HOLDER_EVENTS, content
from worker.content.dates import full_date, long_date
from worker.content.events import ANSWERABLE, PAYABLE, QUESTIONS, TRAVEL_EVENTS
from worker.content.filters import KIND_NAMES
from worker.content.letter import Letter, OperatorGuide
from worker.content.samples import (
    REASONS,
    bare,
    rich_letter,
    sample_letter,
    sample_notice,
    travel_letter,
)
from worker.core.cards import Kind, Language
from worker.core.deadlines import DeadlineKind
from worker.core.wording import DEADLINE_EVENTS, GUARDIAN_EVENT, LIFE_EVENTS

everywhere = pytest.mark.parametrize(("event", "language"), list(product(HOLDER_EVENTS, Language)))
CLAIM = {
    Language.ZH_HANS: "怎样找回号码",
    Language.ZH_HANT: "如何找回門號",
    Language.ES_PE: "Cómo reclamar un número",
    Language.EN: "How to claim a number back",
}
TOPUP = {
    Language.ZH_HANS: "怎样充值",
    Language.ZH_HANT: "如何儲值",
    Language.ES_PE: "Cómo recargar",
    Language.EN: "How to top up",
}
REPLY = {
    Language.ZH_HANS: "请直接回复本邮件",
    Language.ZH_HANT: "請直接回覆本信",
    Language.ES_PE: "responda a este mensaje",
    Language.EN: "reply to this message",
}


def several(event: str, language: Language) -> Letter:
    """One card of each kind, the first one due with ``event``."""
    plain = sample_letter(event, language)
    more = tuple(
        sample_notice("plan_end_far", language, operator=operator, tail=tail, kind=kind, plan=plan)
        for operator, tail, kind, plan in (
            ("Movistar", "1111", Kind.RETENTION, "Control"),
            ("Entel", "2222", Kind.FOUR_G, None),
            ("Bitel", "3333", Kind.ESIM, "Viaje"),
        )
    )
    return replace(plain, notices=(*plain.notices, *more), others=len(more))


def words(html: str) -> str:
    """What a reader sees of ``html``: no head, no tags, whitespace collapsed."""
    body = html[html.index("<body") :]
    return " ".join(unescape(re.sub(r"<!--.*?-->|<[^>]+>", " ", body, flags=re.S)).split())


class Links(HTMLParser):
    """Collects whatever a client would load, follow or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"href", "src", "background", "action", "srcset", "data"}:
                self.links.append(str(value))
            if name.startswith("on"):
                self.handlers.append(name)


@everywhere
def test_text_and_html_tell_of_every_card(event: str, language: Language) -> None:
    letter = several(event, language)
    email = content().email(letter)
    for text in (email.text, words(email.html)):
        for notice in letter.notices:
            assert f"{notice.operator} ...{notice.tail}" in text
            assert KIND_NAMES[language][notice.kind] in text
            assert notice.plan is None or notice.plan in text
            told = notice.deadline_on if not notice.event.startswith("low_") else notice.ends_on
            assert told is not None
            assert long_date(told, language) in text
        first = letter.notices[0]
        assert (full_date(first.deadline_on, language) in text) is not event.startswith("low_")
        if first.ends_on and event != "suspended":
            assert long_date(first.ends_on, language) in text
        assert (first.deadline_at in text) is (event in DEADLINE_EVENTS and first.days >= 0)
        assert letter.holder_name in text
        assert "None" not in text
        assert "{{" not in text
        assert "{%" not in text


@everywhere
def test_text_and_html_say_the_same(event: str, language: Language) -> None:
    email = content().email(several(event, language))
    html = re.sub(r"\s", "", words(email.html))
    for line in email.text.splitlines():
        sentence = re.sub(r"^\s*(?:[-=]+|\d\.)\s+|\s+=+$", "", line)
        if "|" not in line and not line.startswith("  ") and "://" not in line and sentence != "--":
            assert re.sub(r"\s", "", sentence) in html


@everywhere
def test_a_subject_is_one_line_that_names_card_and_sms_tail(event: str, language: Language) -> None:
    alone = content().email(sample_letter(event, language)).subject
    assert alone == " ".join(alone.split())
    assert "Claro" in alone
    assert "5678" in alone
    assert not re.search(r"[{}<>]", alone)
    with_more = content().email(several(event, language)).subject
    assert with_more.startswith(alone)
    assert re.fullmatch(r" \(\+3\)|（\D*3\D*）", with_more.removeprefix(alone))


@everywhere
def test_the_html_is_a_document_in_its_language_that_suits_a_phone_and_the_dark(
    event: str, language: Language
) -> None:
    email = content().email(sample_letter(event, language))
    assert email.html.startswith("<!doctype html>")
    assert f'<html lang="{language}"' in email.html
    assert '<meta name="color-scheme" content="light dark" />' in email.html
    assert "prefers-color-scheme: dark" in email.html
    assert "width=device-width" in email.html
    assert f"<title>{email.subject}</title>" in unescape(email.html)
    assert "<mj-" not in email.html


@everywhere
def test_the_preheader_is_the_thing_to_do(event: str, language: Language) -> None:
    email = content().email(sample_letter(event, language))
    found = re.search(r'<div style="display:none[^>]*>([^<]+)</div>', email.html)
    assert found
    assert f" ==\n\n{unescape(found[1]).strip()}\n\n" in email.text


@everywhere
def test_the_html_loads_nothing_and_links_only_where_the_letter_says(
    event: str, language: Language
) -> None:
    letter = sample_letter(event, language)
    html = content().email(letter).html
    parsed = Links(html)
    first = letter.notices[0]
    answers = {first.renewed_link, first.tomorrow_link, first.works_link, first.fails_link} - {None}
    pages = {"https://operator.example.com", letter.unsubscribe}
    if event in PAYABLE:
        pages.add("https://operator.example.com/topup")
    assert set(parsed.links) == pages | answers
    assert not parsed.tags & {"img", "script", "link", "iframe", "object", "form", "video"}
    assert not parsed.handlers
    assert not re.search(r"@import|url\(|fonts\.g", html)
    # The names of XML vocabularies look like addresses, but nobody goes there.
    assert not re.search(r"https?://(?!www\.w3\.org/|[a-z]+\.example\.com)", html)


@pytest.mark.parametrize("language", Language)
def test_only_a_lost_line_is_told_how_to_claim_it_and_only_others_how_to_top_up(
    language: Language,
) -> None:
    for event, claim, topup in (("line_lost", True, False), ("line_loss_near", False, True)):
        email = content().email(sample_letter(event, language))
        for text in (email.text, words(email.html)):
            assert (CLAIM[language] in text) is claim
            assert ("1844" in text) is claim
            assert (TOPUP[language] in text) is topup
    both = content().email(several("line_lost", language)).text
    assert CLAIM[language] in both
    assert TOPUP[language] in both


SECTIONS = {
    "claim": ("line_lost", "reassignment_near"),
    "unbind": ("recycled", "reassignment_near", "reassignment_past"),
    "check": ("renewal_recorded",),
    "ask": ("renewal_not_effective",),
    "retry": ("renewal_failed",),
    "registration": ("registration_notice",),
}
HEADINGS = {
    "claim": (
        "怎样找回号码",
        "如何找回門號",
        "Cómo reclamar un número",
        "How to claim a number back",
    ),
    "unbind": (
        "哪些账号要换手机号",
        "需要更改門號的帳號",
        "Dónde cambiar el número",
        "Where to replace the",
    ),
    "check": ("续费后检查清单", "付款後檢查清單", "Qué revisar después", "What to check after"),
    "ask": (
        "还不能用：联系客服时",
        "還不能用：聯絡客服時",
        "qué decir a atención al cliente",
        "what to tell customer service",
    ),
    "retry": (
        "续费没有成功怎么办",
        "沒有成功怎麼辦",
        "Si la recarga no se hizo",
        "If a top-up failed",
    ),
    "registration": (
        "怎样核对实名登记",
        "如何核對實名登記",
        "Cómo verificar el registro",
        "How to check the reg",
    ),
}


@everywhere
def test_each_event_gets_the_steps_that_are_its_own(event: str, language: Language) -> None:
    email = content().email(sample_letter(event, language))
    for text in (email.text, words(email.html)):
        for section, events in SECTIONS.items():
            heading = HEADINGS[section][list(Language).index(language)]
            assert (heading in text.partition("==")[2] + text) is (event in events), section


@pytest.mark.parametrize("language", Language)
def test_nobody_is_told_to_pay_where_paying_is_wrong(language: Language) -> None:
    """Twice for one top-up, or for a number that is somebody else's."""
    for event in LIFE_EVENTS:
        pays = event in ("low_balance", "low_data", "suspended", "renewal_failed")
        email = content().email(sample_letter(event, language))
        for text in (email.text, words(email.html)):
            assert (TOPUP[language] in text) is pays, event


@pytest.mark.parametrize(("event", "language"), list(product(LIFE_EVENTS, Language)))
def test_a_life_event_says_what_is_known_and_no_more(event: str, language: Language) -> None:
    letter = sample_letter(event, language)
    rich = content().email(letter)
    poor = content().email(replace(letter, notices=(bare(letter.notices[0]),)))
    for text in (rich.text, words(rich.html)):
        assert ("R-20260612" in text) is event.startswith("renewal_")
        assert ("S/ 2.00" in text) is (event == "low_balance")
    for text in (poor.subject, poor.text, words(poor.html)):
        assert not re.search(r"None|R-20260612|S/|2026年6月(?!12)|, \.|\(\)|，。", text)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("others", [0, 3])
def test_the_keeper_of_a_book_reads_of_every_card_who_when_and_why(
    language: Language, others: int
) -> None:
    letter = sample_letter(GUARDIAN_EVENT, language, others=others)
    notices = tuple(replace(n, holder=f"Holder {i}") for i, n in enumerate(letter.notices))
    email = content().email(replace(letter, notices=notices))
    assert bool(re.search(r"\d", email.subject)) is (others > 0 or language.startswith("zh"))
    for text in (email.text, words(email.html)):
        for n in notices:
            assert f"{n.operator} ...{n.tail}" in text
            assert n.holder is not None
            assert n.holder in text
            assert long_date(n.deadline_on, language) in text
        assert TOPUP[language] not in text
        assert "example.com/stop" not in text
        assert re.search(r"回复本邮件|回覆本信|responda a este|reply to this", text)


@pytest.mark.parametrize("language", Language)
def test_each_reason_and_each_loss_has_its_own_words(language: Language) -> None:
    alone = sample_letter(GUARDIAN_EVENT, language)
    told = {
        content().email(replace(alone, notices=(replace(alone.notices[0], why=why),))).text
        for why in REASONS
    }
    assert len(told) == len(REASONS)
    losses = {
        content().email(replace(alone, notices=(replace(alone.notices[0], deadline=loss),))).text
        for loss in (*DeadlineKind, *LIFE_EVENTS)
    }
    assert len(losses) == len(DeadlineKind) + len(LIFE_EVENTS)


@pytest.mark.parametrize("language", Language)
def test_a_pack_names_sites_and_counters_after_the_words_of_their_way(language: Language) -> None:
    letter = rich_letter("plan_end_near", language, ())
    guide = replace(letter.guides[0], online=("Site <1>", "Site 2"), in_person=("Shop",), abroad=())
    email = content().email(replace(letter, guides=(guide, OperatorGuide("Bitel"))))
    colon, between, stop = ("：", "；", "。") if language.startswith("zh") else (": ", "; ", ".")
    for text in (email.text, words(email.html)):
        assert f"Claro{colon}Site <1>{between}Site 2{stop}" in text
        assert f"Claro{colon}Shop{stop}" in text
        assert f"Bitel{colon}" not in text
    assert "Site <1>" not in email.html


@pytest.mark.parametrize("language", Language)
def test_a_lost_line_tells_from_when_the_number_may_go_to_someone_else(language: Language) -> None:
    letter = sample_letter("line_lost", language)
    for day in (date(2026, 9, 10), None):
        notice = replace(letter.notices[0], reassign_on=day)
        text = content().email(replace(letter, notices=(notice,))).text
        assert (long_date(date(2026, 9, 10), language) in text) is (day is not None)


@pytest.mark.parametrize("language", Language)
def test_guides_show_what_is_known_and_nothing_where_it_is_not(language: Language) -> None:
    letter = replace(
        sample_letter("plan_end_near", language),
        guides=(
            OperatorGuide("Entel", hotline="0800 09000", checked_on=date(2026, 1, 31)),
            OperatorGuide("Bitel", website="javascript:alert(1)"),
            OperatorGuide("Nada"),
        ),
    )
    email = content().email(letter)
    for text in (email.text, words(email.html)):
        assert "0800 09000" in text
        assert long_date(date(2026, 1, 31), language) in text
        assert "Nada" not in text
    first = letter.notices[0]
    assert Links(email.html).links == [
        first.renewed_link,
        first.tomorrow_link,
        letter.unsubscribe,
    ]


@everywhere
def test_without_a_link_a_reply_stops_the_emails(event: str, language: Language) -> None:
    linked = content().email(sample_letter(event, language))
    plain = sample_letter(event, language)
    notices = tuple(
        replace(n, renewed_link=None, tomorrow_link=None, works_link=None, fails_link=None)
        for n in plain.notices
    )
    replied = content().email(replace(plain, notices=notices, unsubscribe=None))
    assert "https://vigencia.example.com/stop" in linked.text
    assert "https://vigencia.example.com/stop" in Links(linked.html).links
    for text in (linked.text, words(linked.html)):
        assert REPLY[language] not in text
    for text in (replied.text, words(replied.html)):
        assert REPLY[language] in text
    assert "vigencia.example.com" not in replied.html


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("days", [-3, -1, 0, 1, 5])
def test_days_are_worded_as_a_person_would(language: Language, days: int) -> None:
    worded = {
        Language.ZH_HANS: {-3: "3天前", -1: "昨天", 0: "今天", 1: "明天", 5: "还有5天"},
        Language.ZH_HANT: {-3: "3天前", -1: "昨天", 0: "今天", 1: "明天", 5: "還有5天"},
        Language.ES_PE: {-3: "hace 3 días", -1: "ayer", 0: "hoy", 1: "mañana", 5: "en 5 días"},
        Language.EN: {-3: "3 days ago", -1: "yesterday", 0: "today", 1: "tomorrow", 5: "in 5 days"},
    }
    letter = sample_letter("line_loss_far", language)
    notice = sample_notice("plan_end_near", language, days=days)
    email = content().email(replace(letter, notices=(*letter.notices, notice)))
    date_words = long_date(notice.deadline_on, language)
    for text in (email.text, words(email.html)):
        assert re.search(re.escape(date_words) + r"[,， ]*" + worded[language][days], text)


def test_hostile_names_are_harmless_in_html_and_subject() -> None:
    evil = "<script>alert(1)</script>{{ 7*7 }}\r\nBcc: x@example.com\u202e\" onload='x'"
    letter = several("plan_end_near", Language.EN)
    notice = replace(letter.notices[0], operator=evil, plan=evil, tail="1\n2", deadline_at=evil)
    notice = replace(notice, renewed_link='https://example.com/"><i>')
    guide = OperatorGuide(evil, evil, "https://example.com/?a=1&b=\"'><i>")
    email = content().email(
        Letter(Language.EN, evil, evil, (notice,), (guide,), 'https://example.com/"><script>')
    )
    parsed = Links(email.html)
    assert "script" not in parsed.tags
    assert "i" not in parsed.tags
    assert not parsed.handlers
    assert parsed.links == [
        'https://example.com/"><i>',
        "https://vigencia.example.com/tomorrow",
        "https://example.com/?a=1&b=\"'><i>",
        'https://example.com/"><script>',
    ]
    assert "<script>alert(1)</script>{{ 7*7 }}" in email.text
    assert "{{ 7*7 }}" in words(email.html)
    assert "\n" not in email.subject
    assert "\r" not in email.subject
    for text in (email.subject, email.text, email.html):
        assert "\u202e" not in text
        assert not re.search(r"^Bcc:", text, re.M)


@pytest.mark.parametrize("language", Language)
def test_a_letter_to_nobody_in_particular_still_greets(language: Language) -> None:
    greeting = {
        Language.ZH_HANS: "您好：",
        Language.ZH_HANT: "您好：",
        Language.ES_PE: "Hola:",
        Language.EN: "Hello,",
    }
    email = content().email(replace(sample_letter("plan_ended", language), holder_name=" "))
    assert email.text.startswith(greeting[language] + "\n")


ANSWERS = ("renewed", "tomorrow")


@everywhere
def test_a_notice_of_a_deadline_can_be_answered_and_no_other(
    event: str, language: Language
) -> None:
    letter = sample_letter(event, language)
    email = content().email(letter)
    for events, words_of_links in ((ANSWERABLE, ANSWERS), (QUESTIONS, ("works", "fails"))):
        for word in words_of_links:
            link = f"https://vigencia.example.com/{word}"
            assert (link in email.text) is (event in events)
            assert (link in Links(email.html).links) is (event in events)


def test_a_link_that_is_none_is_not_made_one() -> None:
    letter = sample_letter("plan_end_near", Language.EN)
    bad = replace(letter.notices[0], renewed_link="javascript:alert(1)")
    assert "javascript" not in content().email(replace(letter, notices=(bad,))).html


@everywhere
def test_there_is_one_button_and_it_is_what_most_readers_need(
    event: str, language: Language
) -> None:
    for letter in (sample_letter(event, language), several(event, language)):
        html = content().email(letter).html
        buttons = re.findall(r'<table class="button".*?<a href="([^"]+)"', html, re.S)
        first = letter.notices[0]
        wanted = first.works_link or first.renewed_link
        assert buttons == ([wanted] if wanted else [])


@everywhere
def test_what_there_is_to_do_comes_before_the_list_of_cards(event: str, language: Language) -> None:
    email = content().email(several(event, language))
    for text in (email.text, words(email.html)):
        last = text.rindex("Bitel ...3333")
        headings = [HEADINGS[s][list(Language).index(language)] for s in SECTIONS]
        for heading in (*headings, TOPUP[language]):
            assert text.rfind(heading) < last


@everywhere
def test_links_are_words_that_a_thumb_can_hit_and_that_do_not_break(
    event: str, language: Language
) -> None:
    html = content().email(several(event, language)).html
    assert "break-all" not in html
    assert ".tap { display: inline-block; padding: 10px 0; line-height: 24px; }" in html
    for tag, text in re.findall(r"<a ([^>]*)>(.*?)</a>", html, re.S):
        assert not text.strip().startswith("http")
        padding = re.search(r"padding:(\d+)px", tag)
        line = re.search(r"line-height:(\d+)px", tag)
        if 'class="tap"' not in tag:
            assert padding, tag
            assert line, tag
            assert 2 * int(padding[1]) + int(line[1]) >= 44


ABROAD_ONLY = r"营业厅|門市|tienda|\bstores?\b|加油站|bodega|corner shop|petrol"
SHORT_NUMBER = re.compile(r"(?<!\d)(?:123|1844)(?!\d)")


def away(event: str, language: Language) -> Letter:
    """The same to a reader in Beijing, with the number of an operator that answers in Peru only."""
    plain = sample_letter(event, language)
    notice = sample_notice(event, language, abroad=True)
    return replace(plain, notices=(notice,), others=0, abroad=True)


@everywhere
def test_a_reader_abroad_is_sent_to_no_store_and_to_no_short_number(
    event: str, language: Language
) -> None:
    email = content().email(away(event, language))
    for text in (email.text, words(email.html)):
        assert not re.search(ABROAD_ONLY, text)
        assert "1844" not in text
        for found in SHORT_NUMBER.finditer(text):
            after = text[found.end() : found.end() + 24]
            assert re.search("in Peru|en el Perú|秘鲁|秘魯", after), text


@pytest.mark.parametrize("language", Language)
def test_a_claim_goes_to_the_operator_first_and_advice_comes_from_where_it_can_be_had(
    language: Language,
) -> None:
    here = content().email(sample_letter("line_lost", language)).text
    there = content().email(away("line_lost", language)).text
    assert "1844" in here
    assert "usuarios@osiptel.gob.pe" in there
    for text in (here, there):
        claim = text[text.index(CLAIM[language]) :]
        assert re.search("2\\. .*(运营商|業者|operador|operator)", claim)
        assert claim.index("2. ") < claim.index("OSIPTEL")


@everywhere
def test_a_card_out_of_service_is_not_told_to_log_in_with_a_code(
    event: str, language: Language
) -> None:
    if event not in PAYABLE:
        return
    for letter in (sample_letter(event, language), away(event, language)):
        cut = replace(letter, notices=(replace(letter.notices[0], in_service=False),))
        on = replace(letter, notices=(replace(letter.notices[0], in_service=True),))
        way = {
            Language.ZH_HANS: "线上",
            Language.ZH_HANT: "線上",
            Language.ES_PE: "- Por internet:",
            Language.EN: "- Online:",
        }[language]
        assert way in content().email(on).text
        assert way not in content().email(cut).text


@pytest.mark.parametrize(
    ("event", "language"), [(e, lang) for e in sorted(TRAVEL_EVENTS) for lang in Language]
)
def test_a_travel_esim_has_a_letter_of_its_own(event: str, language: Language) -> None:
    """No store, no passport, no number that could be lost, nobody in Peru."""
    email = content().email(travel_letter(event, language))
    for text in (email.subject, email.text, words(email.html)):
        assert not re.search(ABROAD_ONLY, text)
        assert not re.search("护照|護照|pasaporte|passport|1844|OSIPTEL|秘鲁|秘魯|Perú|Peru", text)
        assert not re.search("收回|dar de baja|take the number|lose the number|ICCID", text)
    if event in PAYABLE:
        assert re.search("eSIM ?的|compró la eSIM|bought the eSIM|購買 eSIM|购买 eSIM", email.text)


@pytest.mark.parametrize("language", Language)
def test_a_deadline_that_is_over_is_called_none(language: Language) -> None:
    for event in DEADLINE_EVENTS:
        for days in (-1, -3):
            letter = sample_letter(event, language)
            notice = replace(letter.notices[0], days=days)
            text = content().email(replace(letter, notices=(notice,), others=0)).text
            assert notice.deadline_at not in text


@pytest.mark.parametrize("language", Language)
def test_the_keeper_is_not_greeted_by_the_name_of_the_book(language: Language) -> None:
    letter = replace(sample_letter(GUARDIAN_EVENT, language), holder_name="KeepSIM Lima")
    email = content().email(letter)
    assert "KeepSIM Lima" not in email.text
    assert "KeepSIM Lima" not in email.html


@everywhere
def test_the_decisive_word_of_a_subject_comes_first(event: str, language: Language) -> None:
    """What a phone shows of a subject: 40 Latin or 20 Chinese characters. Of two cards or two
    events the beginnings differ."""
    shown = 20 if language.startswith("zh") else 40
    mine = content().email(sample_letter(event, language)).subject[:shown]
    for other in HOLDER_EVENTS:
        assert (
            other == event
            or content().email(sample_letter(other, language)).subject[:shown] != mine
        )
