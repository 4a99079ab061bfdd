"""Dates as each language writes them, values made harmless, samples that are true."""

from datetime import date

import pytest

from worker.content.dates import days_later, deadline_words, full_date, long_date, short_date
from worker.content.samples import SAMPLE_DAYS, sample_notice
from worker.content.tidy import one_line
from worker.core.cards import Language
from worker.core.deadlines import DeadlineKind
from worker.core.wording import DEADLINE_EVENTS, event_for

DAY = date(2026, 6, 2)


@pytest.mark.parametrize("event", DEADLINE_EVENTS)
def test_sample_letters_are_true_themselves(event: str) -> None:
    notice = sample_notice(event, Language.EN)
    assert event_for(DeadlineKind(notice.deadline), SAMPLE_DAYS[event]) == event


@pytest.mark.parametrize(
    ("language", "short", "long", "full", "deadline"),
    [
        (
            Language.ZH_HANS,
            "6月2日",
            "2026年6月2日",
            "2026年6月2日星期二",
            "2026年6月2日星期二 23:59（利马时间，UTC-5）",
        ),
        (
            Language.ZH_HANT,
            "6月2日",
            "2026年6月2日",
            "2026年6月2日星期二",
            "2026年6月2日星期二 23:59（利馬時間，UTC-5）",
        ),
        (
            Language.ES_PE,
            "02/06",
            "2 de junio de 2026",
            "martes 2 de junio de 2026",
            "martes 2 de junio de 2026, 23:59 (hora de Lima, UTC-5)",
        ),
        (
            Language.EN,
            "2 Jun",
            "2 June 2026",
            "Tuesday 2 June 2026",
            "Tuesday 2 June 2026, 23:59 (Lima time, UTC-5)",
        ),
    ],
)
def test_dates_read_as_the_language_writes_them(
    language: Language, short: str, long: str, full: str, deadline: str
) -> None:
    assert short_date(DAY, language) == short
    assert long_date(DAY, language) == long
    assert full_date(DAY, language) == full
    assert deadline_words(DAY, "America/Lima", language) == deadline


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("Asia/Kathmandu", "UTC+5:45"),
        ("America/St_Johns", "UTC-2:30"),
        ("Asia/Shanghai", "UTC+8"),
        ("Africa/Abidjan", "UTC+0"),
    ],
)
def test_a_deadline_tells_its_distance_from_utc_on_that_day(zone: str, offset: str) -> None:
    assert offset + ")" in deadline_words(DAY, zone, Language.EN)


def test_days_later_crosses_months() -> None:
    assert days_later(date(2026, 6, 12), 90) == date(2026, 9, 10)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ana \t María\n", "Ana María"),
        ("a\r\nBcc: b", "a Bcc: b"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("\u202eevil\u202c\u2066x\u2069\u200f", "evilx"),
        ("nul\x00bell\x07", "nulbell"),
        ("half\ud800", "half"),
        ("王\u3000小明", "王 小明"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
    ],
)
def test_a_value_becomes_one_harmless_line(typed: str, kept: str) -> None:
    assert one_line(typed) == kept


def test_a_deadline_is_told_on_the_readers_clock_too_where_it_shows_another_time() -> None:
    lima = deadline_words(DAY, "America/Lima", Language.EN)
    assert deadline_words(DAY, "America/Lima", Language.EN, "America/Lima") == lima
    assert deadline_words(DAY, "America/Lima", Language.EN, "America/Bogota") == lima
    both = deadline_words(DAY, "America/Lima", Language.EN, "Asia/Shanghai")
    assert both.startswith(f"{lima} = ")
    assert "12:59 (Shanghai time, UTC+8)" in both
    assert str(DAY.day + 1) in both.removeprefix(lima)
