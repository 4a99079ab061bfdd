"""Signed links: only what we made, for its purpose, until its last day."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.tokens import (
    LIFETIMES,
    BadTokenError,
    ExpiredTokenError,
    Links,
    Purpose,
    Signer,
    sample_link,
)

NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)
OLD, NEW = b"a" * 32, b"b" * 32
SIGNER = Signer((NEW, OLD))
IDS = st.integers(1, 2**47)
PURPOSES = st.sampled_from(Purpose)


@given(PURPOSES, IDS, st.integers(0, 10_000))
def test_a_token_is_read_until_its_last_day_and_not_after(
    purpose: Purpose, row: int, hours: int
) -> None:
    token = SIGNER.sign(purpose, row, NOW)
    last = (NOW + LIFETIMES[purpose]).date()
    at = NOW + timedelta(hours=hours)
    if at.date() <= last:
        assert SIGNER.read(purpose, token, at) == row
    else:
        with pytest.raises(ExpiredTokenError):
            SIGNER.read(purpose, token, at)


def test_links_that_were_sent_stay_valid() -> None:
    assert SIGNER.sign(Purpose.RENEWED, 123_456, NOW) == "2Ct3d5wKFfbgYi2F"
    filled = "CeOx0GUmubaRC7"  # its signature begins with a zero that fills it up
    assert SIGNER.sign(Purpose.RENEWED, 184, NOW) == filled


@given(PURPOSES, PURPOSES, IDS)
def test_a_token_for_one_purpose_is_nothing_for_another(
    purpose: Purpose, other: Purpose, row: int
) -> None:
    token = SIGNER.sign(purpose, row, NOW)
    if purpose is not other:
        with pytest.raises(BadTokenError):
            SIGNER.read(other, token, NOW)


@given(PURPOSES, IDS, st.data())
def test_any_change_of_a_token_is_refused(purpose: Purpose, row: int, data: st.DataObject) -> None:
    token = SIGNER.sign(purpose, row, NOW)
    at = data.draw(st.integers(0, len(token)))
    kind = data.draw(st.sampled_from(["replace", "insert", "delete", "cut", "swap", "case"]))
    new = data.draw(st.sampled_from(string.ascii_letters + string.digits) | st.characters())
    changed = {
        "replace": token[:at] + new + token[at + 1 :],
        "insert": token[:at] + new + token[at:],
        "delete": token[:at] + token[at + 1 :],
        "cut": token[:at],
        "swap": token[:at] + token[at : at + 2][::-1] + token[at + 2 :],
        "case": token[:at] + token[at:].swapcase(),
    }[kind]
    if changed != token:
        with pytest.raises(BadTokenError):
            SIGNER.read(purpose, changed, NOW)


@given(PURPOSES, st.text() | st.text(alphabet=string.ascii_letters + string.digits, max_size=30))
def test_what_we_did_not_make_is_refused(purpose: Purpose, text: str) -> None:
    with pytest.raises(BadTokenError):
        SIGNER.read(purpose, text, NOW)


@given(PURPOSES, IDS, IDS)
def test_parts_of_two_tokens_make_no_third(purpose: Purpose, one: int, two: int) -> None:
    first, second = SIGNER.sign(purpose, one, NOW), SIGNER.sign(purpose, two, NOW)
    if one != two:
        with pytest.raises(BadTokenError):
            SIGNER.read(purpose, first[:-10] + second[-10:], NOW)


def test_a_key_can_be_changed_and_the_former_still_holds() -> None:
    before = Signer((OLD,)).sign(Purpose.RENEWED, 7, NOW)
    assert SIGNER.read(Purpose.RENEWED, before, NOW) == 7
    assert SIGNER.sign(Purpose.RENEWED, 7, NOW) != before
    with pytest.raises(BadTokenError):
        Signer((NEW,)).read(Purpose.RENEWED, before, NOW)
    with pytest.raises(BadTokenError):
        Signer((OLD,)).read(Purpose.RENEWED, SIGNER.sign(Purpose.RENEWED, 7, NOW), NOW)


def test_a_link_is_short_enough_for_an_sms_up_to_200_million_messages() -> None:
    base = "https://v.example.com"
    longest = Links(base, SIGNER).to(Purpose.STOP_SMS, 200_000_000, NOW)
    assert len(longest) <= len(sample_link(base)) == len(base) + 20
    assert set(longest) <= set(string.ascii_letters + string.digits + ":/.")


def test_a_signer_shows_no_key() -> None:
    assert "bbbb" not in repr(SIGNER)
