"""Split conformal intervals: how far from a prediction the truth is, from rows that the model has not seen.

Of n rows to calibrate on and one more, all drawn alike, the error of the one more is as likely to have any
rank among the n + 1. So it is at most the ceil((n + 1) level)-th smallest of the n with a probability of
`level` or more, whatever the model and the distribution (Vovk, Gammerman and Shafer, *Algorithmic learning in
a random world*, 2005; Lei et al., *Distribution-free predictive inference for regression*, 2018).
"""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError


def rank(level: float, count: int) -> int:
    """Which of `count` absolute errors, the smallest first from 1, is the half-width for a `level`.

    Args:
        level: Probability that the truth is within, as its decimal digits say it: 0.9 is nine tenths.
        count: Number of rows to calibrate on.

    Raises:
        MlrqError: If the level is not between 0 and 1, or there are too few rows.
    """
    if not 0 < level < 1:
        raise MlrqError(f"level={level}: must be above 0 and below 1")
    exact = Fraction(str(float(level)))
    place = math.ceil((count + 1) * exact)
    if place > count:
        needed = math.ceil(exact / (1 - exact))
        raise MlrqError(
            f"an interval of level {level:g} needs {needed:,} rows to calibrate on, and has {count:,}"
        )
    return place


def half_width(errors: NDArray[np.float64], level: float, step: float = 0.0) -> float:
    """The half-width of the interval: see `rank`.

    Args:
        errors: (n,) of the rows to calibrate on, of either sign.
        level: Probability that the truth is within.
        step: Of the grid of predictions, to a multiple of which the half-width is rounded up; 0 for none.

    Raises:
        MlrqError: As `rank`.
    """
    found = float(np.sort(np.abs(errors))[rank(level, len(errors)) - 1])
    if not step:
        return found
    return math.ceil(Fraction(found) / Fraction(step)) * step
