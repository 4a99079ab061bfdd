"""What a holder says by SMS: which words stop, which start again, and which say nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.masking import masked
from worker.core.optout import Said, said

PERU, CHINA = "+51987654321", "+8613800138000"
OUT = [
    *("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "OPT OUT"),
    *("BAJA", "PARAR", "CANCELAR", "SALIR", "退订", "退訂", "TD", "取消订阅"),
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


@pytest.mark.parametrize("word", ["START", "YES", "unstop", "Alta", "恢复", "恢復", "ＳＴＡＲＴ"])
def test_a_word_starts_again(word: str) -> None:
    assert said(PERU, word) is Said.IN


@pytest.mark.parametrize("word", ["HELP", "Ayuda", "帮助"])
def test_a_word_asks_for_help(word: str) -> None:
    assert said(PERU, word) is Said.HELP


@pytest.mark.parametrize(
    "text",
    [
        *("BAJA.", "¡BAJA!", "Baja, gracias", "STOP.", "stop please", "«STOP»", '"stop"', "(stop)"),
        *(
            "Stop!!!",
            "STOP STOP",
            "Stop, thank you very much.",
            "Please STOP",
            "Opt-out",
            "Stop all",
        ),
        *("BAJA 🙏", "Hola, baja por favor", "Buenos días. BAJA. Gracias", "¡SALIR YA!", "*BAJA*"),
        *(
            "退订。",
            "TD。",
            "回TD",
            "回 TD",
            "回复TD",
            "回覆退訂",
            "请退订,谢谢",
            "我要退订",
            "TD退订",
        ),
        *("【退订】", "退 订", "S\u200bTOP", "Re: STOP", "Reply STOP", "Responder SALIR"),
        *("stop / baja", "STOP\nThanks", "Baja\u2026", "ＢＡＪＡ！", "BAJA\ufe0f"),
    ],
)
@pytest.mark.parametrize("sender", [PERU, CHINA])
def test_punctuation_courtesy_and_a_copied_instruction_change_nothing(
    text: str, sender: str
) -> None:
    assert said(sender, text) is Said.OUT


@pytest.mark.parametrize("text", ["回T", "T。", "回复N", "r!", "T 谢谢"])
def test_a_letter_stops_with_punctuation_and_courtesy_too(text: str) -> None:
    assert said(CHINA, text) is Said.OUT
    assert said(PERU, text) is None


@pytest.mark.parametrize(
    "text", ["Alta.", "¡Alta!", "START please", "Yes, thanks", "恢复。", "回恢复", "UNSTOP!"]
)
def test_the_words_back_bear_punctuation_and_courtesy_as_well(text: str) -> None:
    assert said(PERU, text) is Said.IN


@pytest.mark.parametrize(
    "text",
    [
        *(
            "STOP it",
            "baja mi linea",
            "non-stop",
            "退订吗",
            "不要退订",
            "Quiero dar de baja mi chip",
        ),
        *("stop sending me this", "I will not stop", "STOP START", "yes stop", "alta o baja?"),
        *(
            "don't text me",
            "no quiero más mensajes",
            "别再发了",
            "Baja. Rosa Quispe",
            "End of May?",
        ),
        *("回TD怎么没用", "取消", "please remove me from this list"),
    ],
)
@pytest.mark.parametrize("sender", [PERU, CHINA])
def test_a_sentence_that_only_contains_a_word_stops_nothing_and_is_for_somebody_to_read(
    text: str, sender: str
) -> None:
    assert said(sender, text) is Said.UNCLEAR


@pytest.mark.parametrize(
    "text",
    [
        *("NO", "no", "SI", "sí", "", " ", "S TOP", "gracias", "回", "请", "ok", "R & D", "N y T"),
        *("yes I have topped up", "Necesito info del plan", "谢谢", "...", "👍", "stopwatch"),
    ],
)
@pytest.mark.parametrize("sender", [PERU, CHINA])
def test_anything_else_says_nothing(text: str, sender: str) -> None:
    assert said(sender, text) is None


@given(st.text())
def test_a_longer_message_is_never_a_word(text: str) -> None:
    assert said(CHINA, f"{text}x STOP x{text}") is Said.UNCLEAR


@given(st.text(alphabet=st.characters(categories=["P", "S", "Z", "Cf"])), st.sampled_from(OUT))
def test_whatever_marks_stand_around_a_word_it_is_heard(marks: str, word: str) -> None:
    assert said(PERU, f"{marks}{word}{marks}") is Said.OUT


@given(st.text(max_size=400))
def test_any_text_is_read_and_masked_without_a_number_or_address_left(text: str) -> None:
    said(PERU, text)
    shown = masked(f"{text} +51 987-654-321 rosa.q@example.com {text}")
    assert "654" not in shown or "654" in text
    assert "rosa.q" not in shown or "rosa.q" in text
    assert len(shown) <= 300
    assert "\n" not in shown


def test_what_is_shown_of_a_sentence_has_no_numbers_and_addresses() -> None:
    told = (
        "Baja mi número 987 654 321 (o +51-987-111-222), rosa@example.com, DNI 45.678.901\n"
        "el 12 de junio"
    )
    assert masked(told) == "Baja mi número *** (o ***), *** DNI *** el 12 de junio"


@pytest.mark.parametrize("meaning", [Said.OUT, Said.IN, Said.HELP])
@pytest.mark.parametrize("text", ["STOP", "START", "gracias", ""])
def test_what_a_provider_has_read_wins_over_the_text(meaning: Said, text: str) -> None:
    assert said(PERU, text, meaning) is meaning
