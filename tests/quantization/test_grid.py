"""How each scheme chooses its grid."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrq.errors import MlrqError
from mlrq.quantization.grid import affine, offset, symmetric
from mlrq.quantization.options import SCHEMES
from mlrq.quantization.rounding import nearest

BITS = st.integers(2, 16)
WEIGHT = st.floats(1e-30, 1e30) | st.floats(-1e30, -1e-30) | st.just(0.0)
WEIGHTS = st.lists(WEIGHT, min_size=1, max_size=12).map(np.array)


def real(grid, code: int) -> Fraction:
    return Fraction(float(grid.scale)) * (code - grid.zero_point) + Fraction(float(grid.offset))


@given(WEIGHTS, BITS)
def test_symmetric_has_no_zero_point_and_reaches_the_largest_magnitude(weights, bits):
    grid = symmetric(weights, bits)
    assert (grid.zero_point, grid.offset) == (0, 0)
    assert real(grid, 0) == 0
    high = 2 ** (bits - 1) - 1
    largest = Fraction(float(np.abs(weights).max()))
    if largest:
        # The scale is the nearest float32 of the quotient.
        assert abs(real(grid, high) - largest) <= largest * Fraction(1, 2**23)
        assert np.abs(nearest(weights, grid)).max() == high


@given(WEIGHTS, BITS)
def test_affine_has_zero_among_its_values_and_spans_the_weights(weights, bits):
    grid = affine(weights, bits)
    assert grid.low <= grid.zero_point <= grid.high
    assert real(grid, grid.zero_point) == 0
    step = Fraction(float(grid.scale))
    for weight in weights.tolist():
        # Rounding the zero point moves both ends by up to half a step.
        slack = step * Fraction(1, 2) + step * (2**bits) * Fraction(1, 2**23)
        assert real(grid, grid.low) - slack <= Fraction(weight) <= real(grid, grid.high) + slack


@given(WEIGHTS, BITS)
def test_every_weight_is_within_half_a_step_of_its_affine_code_or_at_an_end(weights, bits):
    grid = affine(weights, bits)
    step = Fraction(float(grid.scale))
    for weight, code in zip(weights.tolist(), nearest(weights, grid).tolist(), strict=True):
        limit = step / 2 if grid.low < code < grid.high else step
        assert abs(Fraction(weight) - real(grid, code)) <= limit * (1 + Fraction(1, 2**6))


@pytest.mark.parametrize("sign", [1, -1])
def test_affine_of_weights_of_one_sign_puts_zero_at_an_end(sign):
    grid = affine(np.array([1.0, 2.0, 3.0]) * sign, 8)
    assert grid.zero_point == (-128 if sign > 0 else 127)


@given(WEIGHTS, BITS)
def test_offset_counts_up_from_the_smallest_weight(weights, bits):
    grid = offset(weights, bits)
    assert (grid.zero_point, grid.low, grid.high) == (0, 0, 2**bits - 1)
    assert grid.offset == np.float32(weights.min())
    assert nearest(weights, grid)[weights.argmin()] == 0
    if np.float32(weights.max()) != np.float32(weights.min()):
        assert nearest(weights, grid)[weights.argmax()] == grid.high


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
@pytest.mark.parametrize("weights", [[0.0], [0.0, -0.0, 0.0]])
def test_weights_that_are_all_zero_stay_zero(scheme, weights):
    grid = SCHEMES[scheme].load()(np.array(weights), 8)
    assert grid.scale > 0
    for code in nearest(np.array(weights), grid).tolist():
        assert real(grid, code) == 0


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
@pytest.mark.parametrize("size", [1e44, 1e300, 1e-44, 1e-310])
def test_weights_whose_scale_float32_cannot_hold_are_refused(scheme, size):
    with pytest.raises(MlrqError, match="which float32 cannot hold") as caught:
        SCHEMES[scheme].load()(np.array([-size, size]), 8)
    assert len(str(caught.value).splitlines()) == 1


def test_an_offset_that_float32_cannot_hold_is_refused():
    with pytest.raises(MlrqError, match=r"offset .* which float32 cannot hold"):
        offset(np.array([1e39, 1e39]), 8)


@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
def test_a_single_weight_loses_at_most_half_a_step(scheme):
    for weight in (0.3, -7.0):
        grid = SCHEMES[scheme].load()(np.array([weight]), 4)
        (code,) = nearest(np.array([weight]), grid).tolist()
        assert abs(Fraction(weight) - real(grid, code)) <= Fraction(float(grid.scale)) / 2


def test_scales_and_offsets_are_float32():
    for scheme in SCHEMES.values():
        grid = scheme.load()(np.array([0.1, -0.7]), 5)
        assert grid.scale.dtype == grid.offset.dtype == np.float32
