"""Segments against vectors worked out by hand from 3GPP TS 23.038 and 23.040."""

import pytest

from worker.core.segments import GSM_BASIC, GSM_EXTENSION, Segments, measure

EURO = "€"  # two septets
FACE = "😀"  # two UTF-16 units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments("GSM-7", 0, 1)),
        ("a" * 160, Segments("GSM-7", 160, 1)),
        ("a" * 161, Segments("GSM-7", 161, 2)),
        ("a" * 306, Segments("GSM-7", 306, 2)),
        ("a" * 307, Segments("GSM-7", 307, 3)),
        ("中" * 70, Segments("UCS-2", 70, 1)),
        ("中" * 71, Segments("UCS-2", 71, 2)),
        ("中" * 134, Segments("UCS-2", 134, 2)),
        ("中" * 135, Segments("UCS-2", 135, 3)),
    ],
)
def test_a_segment_holds_160_septets_or_70_units_and_a_part_153_or_67(
    text: str, expected: Segments
) -> None:
    assert measure(text) == expected


@pytest.mark.parametrize("text", ["éÉèñÑüÜàìòù¿¡", "@£$¥ØøÅåÆæßÄÖÇ§¤ΔΦΓΛΩΠΨΣΘΞ", "a\r\nb _"])
def test_the_basic_set_costs_one_septet_a_character(text: str) -> None:
    assert measure(text) == Segments("GSM-7", len(text), 1)


@pytest.mark.parametrize("letter", list("áíóúÁÍÓÚçêÈ`º’–“中\t\x1b"))
def test_one_character_outside_the_set_turns_the_whole_text_into_ucs_2(letter: str) -> None:
    assert measure("a" * 69 + letter) == Segments("UCS-2", 70, 1)
    assert measure("a" * 70 + letter) == Segments("UCS-2", 71, 2)


def test_the_sets_have_the_size_the_standard_gives_them() -> None:
    assert len(GSM_BASIC) == 127
    assert len(GSM_EXTENSION) == 10
    assert not GSM_BASIC & GSM_EXTENSION


@pytest.mark.parametrize("character", sorted(GSM_EXTENSION))
def test_an_extension_character_costs_two_septets(character: str) -> None:
    assert measure(character * 80) == Segments("GSM-7", 160, 1)
    assert measure(character * 80 + "a") == Segments("GSM-7", 161, 2)


def test_an_extension_character_is_not_split_over_a_boundary() -> None:
    # 306 septets are two full parts, but the euro at septets 153-154 moves whole to the second.
    assert measure("a" * 152 + EURO + "a" * 152) == Segments("GSM-7", 306, 3)
    assert measure("a" * 151 + EURO + "a" * 153) == Segments("GSM-7", 306, 2)


def test_a_surrogate_pair_counts_twice_and_is_not_split_over_a_boundary() -> None:
    assert measure(FACE * 35) == Segments("UCS-2", 70, 1)
    assert measure(FACE * 36) == Segments("UCS-2", 72, 2)
    assert measure("\U00010000") == Segments("UCS-2", 2, 1), "the first that is a pair"
    assert measure("中" * 66 + FACE + "中" * 66) == Segments("UCS-2", 134, 3)
    assert measure("中" * 65 + FACE + "中" * 67) == Segments("UCS-2", 134, 2)
