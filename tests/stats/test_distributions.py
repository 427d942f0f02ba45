"""Tail probabilities, held to SciPy's and to closed forms, and quantiles to the tails that they have."""

import math

import pytest
from scipy import stats

from mlrq.stats.distributions import f_tail, t_quantile, t_tail

VALUES = (1e-4, 0.01, 0.3, 0.99, 1.0, 1.000001, 1.5, 4.0, 10.0, 330.285, 1e4, 1e30)
FREEDOMS = (1, 2, 3, 9, 30, 397, 16_503, 39_999_991)


@pytest.mark.parametrize("below", FREEDOMS)
@pytest.mark.parametrize("above", [1, 2, 6, 8, 30, 1000])
def test_tails_of_f_are_those_of_scipy(above, below):
    for value in VALUES:
        expected = stats.f.sf(value, above, below)
        assert f_tail(value, above, below) == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_the_ends_of_f():
    assert f_tail(0.0, 3, 7) == 1
    assert f_tail(math.inf, 3, 7) == 0
    assert math.isnan(f_tail(math.nan, 3, 7))


@pytest.mark.parametrize("value", [1e-9, 1e-3, 0.5, 1.0, 2.0, 50.0, 1e6])
def test_tails_of_t_with_one_and_two_degrees_of_freedom_are_the_closed_forms(value):
    assert t_tail(value, 1) == pytest.approx(2 * math.atan2(1, value) / math.pi, rel=1e-13)
    root = math.hypot(value, math.sqrt(2))
    assert t_tail(-value, 2) == pytest.approx(2 / (root * (root + value)), rel=1e-13)


@pytest.mark.parametrize("value", [0.1, 1.0, 2.0, 5.0, 30.0])
def test_with_no_end_of_freedom_t_is_normal(value):
    assert t_tail(value, 1e18) == pytest.approx(math.erfc(value / math.sqrt(2)), rel=1e-12)


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("tail", [0.9, 0.5, 0.05, 0.01, 1e-6])
def test_a_quantile_is_that_of_scipy(tail, freedom):
    found = t_quantile(tail, freedom)
    assert found == pytest.approx(stats.t.isf(tail / 2, freedom), rel=1e-12)
    assert t_tail(found, freedom) == pytest.approx(tail, rel=1e-13)
