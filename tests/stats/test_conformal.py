"""Split conformal intervals: the rank in rational numbers, the half-width in steps."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrq.stats.conformal import in_steps, needed, rank


@pytest.mark.parametrize("digits", ["0.5", "0.8", "0.9", "0.95", "0.99", "0.7", "0.3", "0.001"])
def test_the_rank_is_that_of_the_decimal_digits(digits):
    level = Fraction(digits)
    least = next(n for n in range(1, 10**6) if math.ceil((n + 1) * level) <= n)
    assert needed(float(digits)) == least
    for count in range(400):
        place = next(k for k in range(1, count + 2) if k >= (count + 1) * level)
        assert rank(float(digits), count) == (place if count >= least else None)


@given(st.floats(0, 1e9), st.floats(2.0**-40, 2.0**20, width=32))
def test_a_half_width_in_steps_is_the_least_number_that_is_enough(exact, step):
    found = in_steps(exact, step)
    assert found * Fraction(step) >= Fraction(exact) > (found - 1) * Fraction(step)
