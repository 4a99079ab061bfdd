"""Who is abroad, where advice for Peru is no help."""

import pytest

from tests.unit.core_helpers import LIMA, OWN_NUMBER, PHONE, SHANGHAI, a_holder
from worker.core.place import is_abroad


@pytest.mark.parametrize(
    ("time_zone", "phone", "abroad"),
    [
        (LIMA, OWN_NUMBER, False),
        (LIMA, None, False),
        (LIMA, PHONE, True),  # a Chinese number
        (SHANGHAI, OWN_NUMBER, True),
        (SHANGHAI, None, True),
    ],
)
def test_a_foreign_clock_or_a_foreign_phone_makes_a_reader_abroad(
    time_zone: str, phone: str | None, abroad: bool
) -> None:
    assert is_abroad(a_holder(time_zone=time_zone, contact_phone=phone)) is abroad
