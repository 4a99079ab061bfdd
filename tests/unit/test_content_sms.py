"""The longest and the oddest that an SMS can be given: one segment, and all that it must say.

These letters are made by hand, for no row brings them cheaply: the longest name of an operator with
dates of two digits each, several cards in news of an event, and values that somebody typed to do
harm. What holders really read is shown by ``tests/integration/test_texts_sms.py``, from rows in the
database to the mailbox.
"""

import re
from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from tests.unit.content_helpers import HOLDER_EVENTS, content
from worker.content.letter import Letter
from worker.content.lint_cases import days_of
from worker.content.samples import bare, sample_letter, sample_notice
from worker.core.cards import Language
from worker.core.naming import NAMED
from worker.core.segments import measure
from worker.core.tokens import sample_link

LATIN = (Language.ES_PE, Language.EN)
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


@everywhere
def test_an_sms_is_one_segment_in_the_worst_case(event: str, language: Language) -> None:
    """Near and far, one card and several, in Peru and abroad; with all that may be known of a card
    and with nothing."""
    for days, named, abroad in product(days_of(event), (1, NAMED), (False, True)):
        for each in ways_out(letter(event, language, days=days, named=named, abroad=abroad)):
            for one in (each, replace(each, notices=tuple(map(bare, each.notices)))):
                sms = content().sms(one)
                assert sms.segments == measure(sms.text)
                assert sms.segments.segments == 1, f"{sms.segments.units} units: {sms.text}"
                assert (sms.segments.encoding == "GSM-7") is (language in LATIN), sms.text
                for part in ("Movistar", *(n.tail for n in one.notices), one.way_out or ""):
                    assert part in sms.text
                dated = one is each or event not in ("low_balance", "low_data")
                assert (DATES[language] in sms.text) is dated, sms.text


def test_hostile_values_stay_text_on_one_line() -> None:
    plain = letter("plan_end_near", Language.EN)
    notice = replace(plain.notices[0], operator="A\r\nB\u202e\x00 {{ 7*7 }} <b>&")
    text = content().sms(replace(plain, notices=(notice,), signature="S\nX")).text
    assert text.startswith("S X: the plan on your A B {{ 7*7 }} <b>& SIM ending 5678")
    assert text.isprintable()


@pytest.mark.parametrize("language", LATIN)
@pytest.mark.parametrize("event", ["renewal_recorded", "renewal_not_effective"])
def test_a_receipt_that_costs_a_second_segment_is_not_named(event: str, language: Language) -> None:
    plain = letter(event, language)
    assert "(R-20261231-00001)" in content().sms(plain).text
    for odd in ("№ 12", "收据12", "R-" + "1" * 40):
        notice = replace(plain.notices[0], receipt_ref=odd)
        sms = content().sms(replace(plain, notices=(notice,)))
        assert odd not in sms.text
        assert (sms.segments.segments, sms.segments.encoding) == (1, "GSM-7")


@pytest.mark.parametrize("language", LATIN)
def test_a_question_that_comes_early_does_not_say_that_a_day_has_passed(
    language: Language,
) -> None:
    """Where a line would be lost before 24 hours are over."""
    plain = letter("renewal_not_effective", language)
    early = replace(plain, notices=(replace(plain.notices[0], early=True),))
    assert re.search("24 ?h", content().sms(plain).text)
    assert not re.search("24 ?h", content().sms(early).text)
