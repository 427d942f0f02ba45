"""Split conformal intervals: how far from a prediction the truth is, from rows that the model has not seen.

Of n rows to calibrate on and one more, all drawn alike, the error of the one more is as likely to have any
rank among the n + 1. So it is at most the ceil((n + 1) level)-th smallest of the n with a probability of
`level` or more, whatever the model and the distribution (Vovk, Gammerman and Shafer, *Algorithmic learning in
a random world*, 2005; Lei et al., *Distribution-free predictive inference for regression*, 2018).
"""

import math
from fractions import Fraction


def rank(level: float, count: int) -> int | None:
    """Which of `count` absolute errors, the smallest first from 1, is the half-width; None of too few.

    Args:
        level: Probability that the truth is within, as its decimal digits say it: 0.9 is nine tenths.
        count: Number of rows to calibrate on.
    """
    place = math.ceil((count + 1) * _exact(level))
    return place if place <= count else None


def needed(level: float) -> int:
    """The least number of rows to calibrate on for a level."""
    return math.ceil(_exact(level) / (1 - _exact(level)))


def in_steps(half_width: float, step: float) -> int:
    """A half-width as the least number of steps that are as much or more."""
    return math.ceil(Fraction(half_width) / Fraction(step))


def _exact(level: float) -> Fraction:
    """What the decimal digits of a level say."""
    return Fraction(str(float(level)))
