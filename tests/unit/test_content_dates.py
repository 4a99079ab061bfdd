"""Dates as each language writes them, values made harmless, samples that are true."""

from datetime import date, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest

from worker.content.dates import (
    city_of,
    days_later,
    deadline_words,
    full_date,
    long_date,
    short_date,
)
from worker.content.samples import SAMPLE_DAYS, sample_notice
from worker.content.tidy import one_line
from worker.core.cards import Language
from worker.core.deadlines import DeadlineKind
from worker.core.wording import DEADLINE_EVENTS, usual_event

DAY = date(2026, 6, 2)
LAST_MINUTE = datetime(2026, 6, 2, 23, 59, tzinfo=ZoneInfo("America/Lima"))


@pytest.mark.parametrize("event", DEADLINE_EVENTS)
def test_sample_letters_are_true_themselves(event: str) -> None:
    notice = sample_notice(event, Language.EN)
    assert usual_event(DeadlineKind(notice.deadline), -SAMPLE_DAYS[event]) == event


@pytest.mark.parametrize(
    ("language", "short", "long", "full", "deadline"),
    [
        (
            Language.ZH_HANS,
            "6月2日",
            "2026年6月2日",
            "2026年6月2日星期二",
            "2026年6月2日星期二 23:59（利马时间）",
        ),
        (
            Language.ZH_HANT,
            "6月2日",
            "2026年6月2日",
            "2026年6月2日星期二",
            "2026年6月2日星期二 23:59（利馬時間）",
        ),
        (
            Language.ES_PE,
            "02/06",
            "2 de junio de 2026",
            "martes 2 de junio de 2026",
            "martes 2 de junio de 2026, 23:59 (hora de Lima)",
        ),
        (
            Language.EN,
            "2 Jun",
            "2 June 2026",
            "Tuesday 2 June 2026",
            "Tuesday 2 June 2026, 23:59 (Lima time)",
        ),
    ],
)
def test_dates_read_as_the_language_writes_them(
    language: Language, short: str, long: str, full: str, deadline: str
) -> None:
    assert short_date(DAY, language) == short
    assert long_date(DAY, language) == long
    assert full_date(DAY, language) == full
    assert deadline_words(LAST_MINUTE, "America/Lima", language) == deadline


@pytest.mark.parametrize(
    ("zone", "names"),
    [
        # The official time of all China is that of Beijing: nobody there says Shanghai time.
        ("Asia/Shanghai", ("北京时间", "北京時間", "hora de Beijing", "Beijing time")),
        ("PRC", ("北京时间", "北京時間", "hora de Beijing", "Beijing time")),
        ("Asia/Taipei", ("台北时间", "台北時間", "hora de Taipéi", "Taipei time")),
        ("Asia/Hong_Kong", ("香港时间", "香港時間", "hora de Hong Kong", "Hong Kong time")),
        ("Europe/Madrid", ("马德里时间", "馬德里時間", "hora de Madrid", "Madrid time")),
        # Zones that were renamed: CLDR has their cities under the former names.
        ("Asia/Kathmandu", ("加德满都时间", "加德滿都時間", "hora de Katmandú", "Kathmandu time")),
        ("Asia/Ho_Chi_Minh", ("胡志明市时间", "胡志明市時間", "Ho Chi Minh", "Ho Chi Minh City")),
        (
            "America/Argentina/Buenos_Aires",
            (
                "布宜诺斯艾利斯时间",
                "布宜諾斯艾利斯時間",
                "de Buenos Aires;",
                ", 01:59 Buenos Aires time",
            ),
        ),
        # Etc/GMT+3 is three hours behind UTC.
        ("Etc/GMT+3", ("UTC-3时间", "UTC-3時間", "hora de UTC-3", "UTC-3 time")),
        ("Etc/GMT-8", ("UTC+8时间", "UTC+8時間", "hora de UTC+8", "UTC+8 time")),
    ],
)
def test_a_time_has_the_name_that_its_people_use(zone: str, names: tuple[str, ...]) -> None:
    for language, name in zip(Language, names, strict=True):
        assert name in deadline_words(LAST_MINUTE, "America/Lima", language, zone)


def test_the_place_of_every_time_has_a_name_of_the_readers_language() -> None:
    zones = available_timezones() - {"localtime"}
    for zone in sorted(zones):
        for language in Language:
            assert not {"/", "_"} & set(city_of(zone, language)), zone
    latin = {zone for zone in zones if city_of(zone, Language.ZH_HANS).isascii()}
    # The names of offsets are the same everywhere, and CLDR does not know one new zone yet.
    assert {city_of(z, Language.EN)[:3] for z in latin} == {"UTC", "GMT", "Coy"}


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


def test_a_deadline_is_told_on_the_readers_clock_first_where_it_shows_another_time() -> None:
    lima = deadline_words(LAST_MINUTE, "America/Lima", Language.EN)
    for zone in ("America/Lima", "America/Bogota"):
        assert deadline_words(LAST_MINUTE, "America/Lima", Language.EN, zone) == lima
    told = {
        language: deadline_words(LAST_MINUTE, "America/Lima", language, "Asia/Shanghai")
        for language in Language
    }
    assert told == {
        Language.ZH_HANS: "北京时间2026年6月3日星期三 12:59（利马时间6月2日 23:59）",
        Language.ZH_HANT: "北京時間2026年6月3日星期三 12:59（利馬時間6月2日 23:59）",
        Language.ES_PE: (
            "miércoles 3 de junio de 2026, 12:59 (hora de Beijing; en Lima: 2 de junio, 23:59)"
        ),
        Language.EN: "Wednesday 3 June 2026, 12:59 Beijing time (Lima: 2 June, 23:59)",
    }
    west = deadline_words(LAST_MINUTE, "America/Lima", Language.EN, "America/Los_Angeles")
    assert west == "Tuesday 2 June 2026, 21:59 Los Angeles time (Lima: 23:59)"
