"""Rounding against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrq.quantization.grid import Grid
from mlrq.quantization.options import SCHEMES
from mlrq.quantization.rounding import nearest, truncate

BITS = st.integers(2, 16)
# float32 holds scales down to 1e-38, and a scale is a weight over up to 65535.
WEIGHT = st.floats(1e-30, 1e30) | st.floats(-1e30, -1e-30) | st.just(0.0)
WEIGHTS = st.lists(WEIGHT, min_size=1, max_size=12)


def grid(low: int, high: int, step: float = 1.0, zero_point: int = 0) -> Grid:
    return Grid(np.float32(step), zero_point, np.float32(0), low, high, step, 0.0)


@given(st.lists(st.integers(-1000, 1000), min_size=1), st.sampled_from([1, 2, 4, 8]))
def test_nearest_is_the_nearest_code_with_ties_to_even(numerators, parts):
    # Over a power of two, these are exact in binary, ties among them.
    fractions = [Fraction(number, parts) for number in numerators]
    found = nearest(np.array([float(f) for f in fractions]), grid(-300, 300))
    assert found.tolist() == [min(max(round(f), -300), 300) for f in fractions]
    assert found.dtype == np.int32


@given(st.lists(st.integers(-1000, 1000), min_size=1), st.sampled_from([1, 2, 4, 8]))
def test_truncate_cuts_towards_zero(numerators, parts):
    fractions = [Fraction(number, parts) for number in numerators]
    found = truncate(np.array([float(f) for f in fractions]), grid(-300, 300))
    assert found.tolist() == [min(max(int(f), -300), 300) for f in fractions]


@given(WEIGHTS, BITS, st.sampled_from(["symmetric", "affine"]))
def test_no_other_code_of_the_grid_is_nearer(weights, bits, scheme):
    made = SCHEMES[scheme].load()(np.array(weights), bits)
    codes = nearest(np.array(weights), made).tolist()
    scale = Fraction(float(made.scale))
    for weight, code in zip(weights, codes, strict=True):
        exact = Fraction(weight)
        distance = abs(exact - scale * (code - made.zero_point))
        # Dividing in float64 may move a point by a last place, and so decide a near tie.
        slack = abs(exact) * Fraction(1, 2**52)
        for other in {max(code - 1, made.low), min(code + 1, made.high)}:
            assert distance <= abs(exact - scale * (other - made.zero_point)) + slack


@given(WEIGHTS, BITS, st.sampled_from(sorted(SCHEMES)), st.sampled_from([nearest, truncate]))
def test_codes_never_leave_the_range_of_their_bits(weights, bits, scheme, rounding):
    made = SCHEMES[scheme].load()(np.array(weights), bits)
    assert made.high - made.low == 2**bits - 1
    assert made.low == (0 if scheme == "offset" else -(2 ** (bits - 1)))
    codes = rounding(np.array(weights), made)
    assert codes.min() >= made.low
    assert codes.max() <= made.high


@pytest.mark.parametrize("rounding", [nearest, truncate])
def test_values_beyond_the_grid_saturate(rounding):
    found = rounding(np.array([[1e9, -1e9], [127.0, -128.0]]), grid(-128, 127))
    assert found.tolist() == [[127, -128], [127, -128]]


def test_truncating_follows_the_zero_point():
    # In units of codes, 1.75 above a zero point of -3 is -1.25, whose integer part is -1.
    assert truncate(np.array([1.75]), grid(-8, 7, 1.0, -3)).tolist() == [-1]
