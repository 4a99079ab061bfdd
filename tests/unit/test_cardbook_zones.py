"""In whose daytime a holder is told: by the prefix of the phone, or by its country's main zone."""

from zoneinfo import available_timezones

import phonenumbers
import pytest
from phonenumbers import PhoneNumberType

from worker.cardbook.zones import Why, main_zone, zone_of, zone_with_reason

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+34612345678", "Europe/Madrid"),
        ("+351912345678", "Europe/Lisbon"),
        ("+972501234567", "Asia/Jerusalem"),
        ("+61412345678", "Australia/Sydney"),
        ("+6421234567", "Pacific/Auckland"),
        ("+593991234567", "America/Guayaquil"),
        ("+56912345678", "America/Santiago"),
        ("+79161234567", "Europe/Moscow"),
        ("+19171234567", "America/New_York"),
    ],
)
def test_where_numbers_do_not_tell_it_is_the_main_zone_of_the_country(
    number: str, zone: str
) -> None:
    found = zone_with_reason(number)
    assert found is not None
    assert (found.name, found.why) == (zone, Why.COUNTRY)


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+51987654321", "America/Lima"),
        ("+8613800138000", "Asia/Shanghai"),
        ("+12125550123", "America/New_York"),
        ("+14155550123", "America/Los_Angeles"),
        ("+390612345678", "Europe/Rome"),
    ],
)
def test_a_prefix_that_tells_is_believed(number: str, zone: str) -> None:
    found = zone_with_reason(number)
    assert found is not None
    assert (found.name, found.why) == (zone, Why.PREFIX)


@pytest.mark.parametrize(
    ("number", "zone"),
    [("+447400123456", "Europe/London"), ("+60123456789", "Asia/Kuala_Lumpur")],
)
def test_zones_with_one_clock_bear_the_name_of_the_main_one(number: str, zone: str) -> None:
    assert zone_of(number) == zone


@pytest.mark.parametrize("region", REGIONS)
def test_every_country_has_a_zone_for_its_mobile_phones(region: str) -> None:
    example = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    if example is None:
        pytest.skip("it has no mobile phones")
    number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    assert zone_of(number) in available_timezones()
    assert main_zone(region) in available_timezones()


@pytest.mark.parametrize("number", ["+80012345678", "987654321", "", "+"])
def test_a_number_of_no_country_has_no_zone(number: str) -> None:
    assert zone_of(number) is None
