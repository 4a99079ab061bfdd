"""What somebody wrote, shown to others without what would tell who it was."""

import pytest

from worker.core.masking import masked, tail


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call +51 987 654 321 now", "call *** now"),
        ("12345 is short, 123456 is not", "12345 is short, *** is not"),
        ("mail li@example.com", "mail ***"),
        ("see https://example.com/s/ab12 or www.example.com", "see *** or ***"),
    ],
)
def test_numbers_addresses_and_links_are_hidden(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_what_cannot_be_seen_hides_no_number_and_breaks_no_line() -> None:
    assert masked("98\u200b76\u20605\ufeff43\u200b21") == "***"
    assert masked("one\ntwo\u2028three\x00four\u200bfive") == "one two three four five"


def test_a_long_text_is_cut_to_300_characters_and_shows_that_it_was() -> None:
    assert masked("x" * 300) == "x" * 300
    assert masked("x" * 301) == "x" * 299 + "…"


def test_a_number_is_told_by_its_last_four_digits() -> None:
    assert tail("+51987654321") == "***4321"
