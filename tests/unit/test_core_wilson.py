"""The interval of Wilson, against the values that Newcombe printed (1998, table I, method 3)."""

import pytest

from worker.core.wilson import interval


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_it_is_the_one_that_was_printed(hits: int, of: int, low: float, high: float) -> None:
    found = interval(hits, of)
    assert found is not None
    assert (round(found[0], 4), round(found[1], 4)) == (low, high)


@pytest.mark.parametrize(("hits", "of"), [(3, 10), (0, 4), (10, 10), (499, 1000)])
def test_of_those_who_did_not_it_is_the_mirror(hits: int, of: int) -> None:
    one, other = interval(hits, of), interval(of - hits, of)
    assert one is not None
    assert other is not None
    assert one[0] == pytest.approx(1 - other[1])
    assert one[1] == pytest.approx(1 - other[0])
    assert 0 <= one[0] <= hits / of <= one[1] <= 1


def test_of_none_nothing_is_known_and_more_than_all_are_none() -> None:
    assert interval(0, 0) is None
    for hits, of in ((2, 1), (-1, 3)):
        with pytest.raises(ValueError, match="is no share"):
            interval(hits, of)
