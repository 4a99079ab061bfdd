"""Whether a text in a provider's list is ours, whatever the provider has made of it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.likeness import Likeness, likeness

TEXT = (
    "Vigencia: su chip Claro …0100 vence MAÑANA (12 jun). Recargue ya: https://v.example.com/s/ab12"
)


def like(seen: str, text: str | None = TEXT, own: str = TEXT) -> Likeness:
    return likeness(hashlib.sha256(own.encode()).hexdigest(), text, seen)


@pytest.mark.parametrize("text", [TEXT, None])
def test_the_text_itself_is_ours_even_where_it_is_no_longer_kept(text: str | None) -> None:
    assert like(TEXT, text) is Likeness.SAME


@pytest.mark.parametrize(
    "seen",
    [
        TEXT.replace("…", "..."),
        TEXT.replace("MAÑANA", "MANANA"),
        TEXT.replace("v.example.com/s/ab12", "twil.io/xYz9"),
        TEXT + " Reply STOP to unsubscribe",
        "A word before: " + TEXT.replace("…", "...").upper(),
        TEXT.replace(" ", "\u00a0"),
        TEXT.replace(" ", "\u200b "),
        TEXT.replace("chip Claro", "chip\u00ad Claro\ufeff"),
        TEXT.replace(": su", ":su"),
    ],
)
def test_what_providers_change_in_a_text_leaves_it_ours(seen: str) -> None:
    assert like(seen) is Likeness.SAME


@pytest.mark.parametrize("seen", ["", "  "])
def test_what_is_not_shown_cannot_be_told(seen: str) -> None:
    assert like(seen) is Likeness.HIDDEN


def test_a_registered_text_cannot_be_told_from_any() -> None:
    assert likeness("", TEXT, "whatever stands there") is Likeness.HIDDEN


def test_a_text_much_like_ours_may_be_ours() -> None:
    assert like(TEXT.replace("12 jun", "13 jun")) is Likeness.ALIKE
    assert like(TEXT.replace("su chip", "el plan de su linea")) is Likeness.ALIKE


def test_a_long_text_with_another_beginning_may_be_ours_too() -> None:
    long = "Su chip Claro vence el 12 de junio. Recargue ya en la tienda o en la app. " * 4
    assert like(long.replace("junio", "julio"), long, long) is Likeness.ALIKE


def test_a_short_text_inside_another_says_too_little() -> None:
    for own, found in (("recargue hoy", Likeness.OTHER), ("recargue hoy!", Likeness.SAME)):
        assert like(f"Aviso de otra empresa: {own} su saldo", own, own) is found


@pytest.mark.parametrize("seen", ["Your code is 123456", "another text", "明天到期"])
def test_another_text_is_not_ours(seen: str) -> None:
    assert like(seen) is Likeness.OTHER


def test_of_an_erased_text_a_changed_one_may_always_be_ours() -> None:
    assert like("another text", None) is Likeness.ALIKE


@given(st.text(min_size=1), st.text())
def test_any_two_texts_can_be_compared(own: str, seen: str) -> None:
    assert like(seen, own, own) in Likeness
    if own.strip():
        assert like(own, own, own) in (Likeness.SAME, Likeness.HIDDEN)
