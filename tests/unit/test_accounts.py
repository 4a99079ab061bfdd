"""Passwords and tries: what is refused, and what comes back with time."""

from datetime import UTC, datetime, timedelta

import pytest

from worker.core.buckets import Bucket, Rate
from worker.errors import VigenciaError
from worker.pipeline.accounts import passwords
from worker.pipeline.accounts.names import require_name
from worker.pipeline.accounts.passwords import WeakPasswordError

NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)


def test_a_password_is_kept_in_the_phc_form_with_a_salt_of_its_own() -> None:
    one, other = (passwords.hashed("four plain words here") for _ in range(2))
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other
    assert passwords.fits("four plain words here", one)
    assert not passwords.fits("four plain words here ", one)
    assert not passwords.fits("four plain words here", None)


def test_the_same_letters_typed_another_way_are_the_same_password() -> None:
    composed, apart = "contraseña de cuatro", "contraseña de cuatro"
    assert passwords.fits(apart, passwords.hashed(composed))


@pytest.mark.parametrize(
    "password",
    ["short", "eleven char", "aaaaaaaaaaaaaaaa", "rosa is the best", "Vigencia 2026!!", "x" * 257],
)
def test_what_is_easily_guessed_is_refused(password: str) -> None:
    with pytest.raises(WeakPasswordError):
        passwords.require_strong(password, "rosa")


def test_words_in_a_row_are_good() -> None:
    passwords.require_strong("caballo lento azul", "rosa")
    passwords.require_strong("马儿慢慢走过蓝色的大草原", "rosa")


@pytest.mark.parametrize("name", ["", "two words", "x" * 101, "tab\tname", "null\0"])
def test_a_name_is_one_visible_word(name: str) -> None:
    with pytest.raises(VigenciaError):
        require_name(name)
    assert require_name(" Rosa@Example.com ") == "rosa@example.com"


def test_tries_come_back_evenly_and_never_pile_up() -> None:
    rate, bucket, at = Rate(10), Bucket(10, NOW), NOW
    for _ in range(10):
        found = rate.take(bucket, at)
        assert found is not None
        bucket = found
    assert rate.take(bucket, at) is None
    assert rate.take(bucket, at + timedelta(minutes=5)) is None
    assert rate.take(bucket, at + timedelta(minutes=6)) is not None
    rested = rate.take(bucket, at + timedelta(days=30))
    assert rested is not None
    assert rested.left == 9
    assert rate.take(Bucket(0, NOW + timedelta(hours=1)), NOW) is None, "a clock that was set back"
