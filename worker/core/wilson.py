"""How sure a share of a few is: the score interval of Wilson.

Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal
of the American Statistical Association 22 (1927) 209-212; its values are tested against R. G.
Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998)
857-872, table I.
"""

from math import sqrt
from typing import Final

# Of the normal distribution: 95 % lie within so many standard deviations.
_Z: Final = 1.959963984540054


def interval(hits: int, of: int) -> tuple[float, float] | None:
    """Between which shares the true one lies with 95 % of confidence; ``None`` of none at all.
    Raises ``ValueError`` for more ``hits`` than there were."""
    if not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of} is no share")
    if of == 0:
        return None
    share, square = hits / of, _Z * _Z
    middle = share + square / (2 * of)
    half = _Z * sqrt(share * (1 - share) / of + square / (4 * of * of))
    scale = 1 + square / of
    # Within 0 and 1, and around the share: the last digit of a fraction may say otherwise.
    return max(0.0, min((middle - half) / scale, share)), min(
        1.0, max((middle + half) / scale, share)
    )
