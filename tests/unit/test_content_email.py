"""What no row brings into an email cheaply: names and links that somebody typed to do harm, pages
and counters that a keeper adds to an operator's pack, and a guardian's rarer reasons.

These letters are made by hand for that; what holders and keepers really read is shown by
``tests/integration/test_texts_email.py``, from rows in the database to the mailbox.
"""

import re
from dataclasses import replace
from datetime import date

import pytest

from tests.html_reading import Links, words
from tests.unit.content_helpers import content
from worker.content.dates import long_date
from worker.content.events import PAYABLE
from worker.content.letter import Letter, OperatorGuide
from worker.content.samples import REASONS, rich_letter, sample_letter
from worker.core.cards import Language
from worker.core.deadlines import DeadlineKind
from worker.core.wording import GUARDIAN_EVENT, LIFE_EVENTS


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("event", ["plan_end_near", "renewal_recorded", "line_lost"])
def test_the_html_loads_nothing_and_links_only_where_the_letter_says(
    event: str, language: Language
) -> None:
    """With the pages of an operator, of which no shipped pack has one; each a word for a thumb."""
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
    for tag in re.findall(r"<a ([^>]*)>", html):
        padding, line = re.search(r"padding:(\d+)px", tag), re.search(r"line-height:(\d+)px", tag)
        assert 'class="tap"' in tag or (padding and line), tag
        if padding and line:
            assert 2 * int(padding[1]) + int(line[1]) >= 44


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


def test_hostile_names_are_harmless_in_html_and_subject() -> None:
    evil = "<script>alert(1)</script>{{ 7*7 }}\r\nBcc: x@example.com\u202e\" onload='x'"
    letter = sample_letter("plan_end_near", Language.EN, others=3)
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


def test_a_link_that_is_none_is_not_made_one() -> None:
    letter = sample_letter("plan_end_near", Language.EN)
    bad = replace(letter.notices[0], renewed_link="javascript:alert(1)")
    assert "javascript" not in content().email(replace(letter, notices=(bad,))).html
