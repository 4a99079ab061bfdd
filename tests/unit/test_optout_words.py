"""What a holder says by SMS: which words stop, which start again, and which say nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.optout import Said, said

PERU, CHINA = "+51987654321", "+8613800138000"
OUT = [
    *("STOP", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"),
    *("BAJA", "PARAR", "CANCELAR", "SALIR", "退订", "退訂", "TD"),
]


@pytest.mark.parametrize("word", OUT)
@pytest.mark.parametrize("sender", [PERU, CHINA])
def test_a_word_stops_on_every_route_in_any_case_and_width(word: str, sender: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in word)
    for text in (word, word.lower(), word.title(), f" \r\n\t{word}\u3000", wide, f"\ufeff{word}"):
        assert said(sender, text) is Said.OUT


@pytest.mark.parametrize("letter", ["N", "t", " R ", "ｎ"])
def test_a_single_letter_stops_on_chinese_routes_only(letter: str) -> None:
    assert said(CHINA, letter) is Said.OUT
    assert said(PERU, letter) is None
    assert said("+852" + "51234567", letter) is None


@pytest.mark.parametrize("word", ["START", "unstop", "Alta", "恢复", "恢復", "ＳＴＡＲＴ"])
def test_a_word_starts_again(word: str) -> None:
    assert said(PERU, word) is Said.IN


@pytest.mark.parametrize("word", ["HELP", "Ayuda", "帮助"])
def test_a_word_asks_for_help(word: str) -> None:
    assert said(PERU, word) is Said.HELP


@pytest.mark.parametrize(
    "text",
    ["NO", "no", "SI", "sí", "", " ", "STOP it", "baja mi linea", "S TOP", "non-stop", "退订吗"],
)
@pytest.mark.parametrize("sender", [PERU, CHINA])
def test_anything_else_says_nothing(text: str, sender: str) -> None:
    assert said(sender, text) is None


@given(st.text())
def test_a_longer_message_is_never_a_word(text: str) -> None:
    assert said(CHINA, f"{text}x STOP x{text}") is None


@pytest.mark.parametrize(
    ("kind", "meaning"), [("STOP", Said.OUT), ("START", Said.IN), ("HELP", Said.HELP)]
)
@pytest.mark.parametrize("text", ["STOP", "START", "gracias", ""])
def test_what_twilio_has_read_wins_over_the_text(kind: str, meaning: Said, text: str) -> None:
    assert said(PERU, text, kind) is meaning


def test_a_kind_that_is_not_known_leaves_it_to_the_text() -> None:
    assert said(PERU, "baja", "OTHER") is Said.OUT
    assert said(PERU, "hola", "") is None
