"""What a card is searched by: ends and beginnings of numbers, words of names in any script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.search_terms import Search, after, national, search_for, terms


def finds(text: str, msisdn: str | None = None, name: str = "", iccid: str | None = None) -> bool:
    """Would somebody who types ``text`` find such a card?"""
    wanted = search_for(text)
    if wanted is None:
        return False
    there = terms(msisdn, iccid, None, name)

    def has(prefix: str) -> bool:
        return any(prefix <= term < after(prefix) for term in there)

    return any(map(has, wanted.any_of)) or (bool(wanted.all_of) and all(map(has, wanted.all_of)))


@given(st.from_regex(r"\+519[0-9]{8}", fullmatch=True), st.data())
def test_a_number_is_found_by_any_end_and_any_beginning(number: str, data: st.DataObject) -> None:
    digits = national(number)
    count = data.draw(st.integers(1, 9))
    for text in (digits[-count:], digits[:count], number, number[1:], f"…{digits[-count:]}"):
        assert finds(text, number), text
    middle = digits[1:-1]
    assert finds(middle, number) == (digits.endswith(middle) or digits.startswith(middle))


@given(st.text(max_size=40), st.data())
def test_a_name_is_found_by_the_beginning_of_each_of_its_words(
    name: str, data: st.DataObject
) -> None:
    words = [one[1:] for one in terms(None, None, None, name)]
    for word in words:
        start = word[: data.draw(st.integers(1, len(word)))]
        if any(letter.isalpha() for letter in start):
            assert finds(start, name=name), (start, word)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("jose", "José Ñandú"),
        ("NANDU", "José Ñandú"),
        ("ñan jos", "José Ñandú"),
        ("小明", "王小明"),
        ("明", "王小明"),
        ("王小明", "王 小明"),
        ("王 小明", "王小明"),
        ("小 王", "王小明"),
        ("ＡＮＡ", "Ana"),
        ("wang", "王小明 (Wang)"),
        ("straße", "STRASSE"),
        ("3m", "3M Perú"),
    ],
)
def test_names_are_found_however_they_are_typed(text: str, name: str) -> None:
    assert finds(text, name=name)


@pytest.mark.parametrize("text", ["", " ", "…", "+", "---", "%", "_"])
def test_what_has_no_letter_and_no_digit_asks_for_nothing(text: str) -> None:
    assert search_for(text) is None


def test_all_words_must_be_there() -> None:
    assert finds("rosa quispe", name="Rosa Elena Quispe")
    assert not finds("rosa flores", name="Rosa Elena Quispe")
    assert search_for("a a a") == Search(all_of=("na",))


def test_a_number_from_abroad_keeps_its_country() -> None:
    assert finds("8613812345678", "+8613812345678")
    assert finds("+8613812345678", "+8613812345678")
    assert finds("5678", "+8613812345678")
    assert not finds("51138", "+8613812345678")


def test_a_long_name_has_few_terms_and_none_is_long() -> None:
    found = terms(
        "+51987654321", "8951000000000000001", "716101234567890", "王" * 200 + " word" * 200
    )
    assert len(found) <= 6 + 24
    assert max(map(len, found)) <= 33


@given(st.text(min_size=1, max_size=5), st.text(max_size=5))
def test_what_begins_with_a_prefix_comes_before_what_comes_after_it(prefix: str, more: str) -> None:
    if prefix.replace("\U0010ffff", ""):
        end = after(prefix)
        assert prefix <= prefix + more < end
        # As databases compare: by the bytes of UTF-8.
        assert (prefix + more).encode("utf-8", "surrogatepass") < end.encode(
            "utf-8", "surrogatepass"
        )
