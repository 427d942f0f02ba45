"""`exact` finds what full enumeration finds, and says so."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrq.solvers.problem import FloatArray, Problem
from mlrq.solvers.solve import solve
from mlrq.stats.linear_algebra import triangularise


def enumerated(triangle: FloatArray, targets: FloatArray, low: int, high: int, affine: bool) -> float:
    """Least excess over all codes, each at its closed-form scale, one scale for all targets."""
    count, size = targets.shape
    width = high - low
    values = range(-width, width + 1) if affine else range(low, high + 1)
    codes = np.array(list(product(values, repeat=count * size)), dtype=np.float64)
    if affine:
        span = np.maximum(codes.max(axis=1), 0) - np.minimum(codes.min(axis=1), 0)
        codes = codes[span <= width]
    stacked = Problem(
        np.asarray(np.kron(np.eye(count), triangle), dtype=np.float64), targets.ravel(), low, high
    )
    return float(stacked.fit(codes.T)[0].min())


@st.composite
def triangles(draw: st.DrawFn, sizes: st.SearchStrategy[int]) -> FloatArray:
    """Triangles of correlated, badly scaled, nearly dependent and dependent features."""
    size = draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = rng.standard_normal((size + 3, size))
    kind = draw(st.sampled_from(["plain", "correlated", "nearly", "duplicate", "constant"]))
    if kind == "correlated":
        rows += 3 * rng.standard_normal((size + 3, 1))
    if kind == "nearly":
        rows[:, -1] = rows[:, 0] + 1e-4 * rows[:, -1]
    if kind == "duplicate":
        rows[:, -1] = rows[:, 0]
    if kind == "constant":
        rows[:, 0] = 0
    if draw(st.booleans()):
        rows *= 10.0 ** rng.integers(-3, 4, size)
    return triangularise(rows)


@st.composite
def targets_of(draw: st.DrawFn, triangle: FloatArray, count: int) -> FloatArray:
    """Targets that weights produce, weights that are exact codes, or targets from data."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (count, len(triangle))
    kind = draw(st.sampled_from(["weights", "codes", "data", "zero"]))
    if kind == "data":
        return rng.standard_normal(shape)
    if kind == "codes":
        return np.asarray(0.37 * rng.integers(-2, 2, shape) @ triangle.T)
    return np.asarray((kind == "weights") * rng.standard_normal(shape) @ triangle.T)


LIMITS = st.sampled_from([(-2, 1), (0, 3), (-4, 3), (0, 7)])


def assert_optimal(triangle: FloatArray, targets: FloatArray, low: int, high: int, affine: bool) -> None:
    solution = solve(triangle, targets, low, high, affine=affine, shared_scale=True)
    least = enumerated(triangle, targets, low, high, affine)
    assert solution.certificate.optimal
    assert solution.codes.min() >= low
    assert solution.codes.max() <= high
    assert low <= solution.zero_point.min() <= solution.zero_point.max() <= high
    # Nearly dependent columns with opposite codes cost the excess half of its digits.
    assert solution.excess == pytest.approx(least, rel=1e-7, abs=1e-18 * (targets**2).sum())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_symmetric_codes_match_full_enumeration(data: st.DataObject) -> None:
    triangle = data.draw(triangles(st.integers(1, 4)))
    targets = data.draw(targets_of(triangle, 1))
    assert_optimal(triangle, targets, *data.draw(LIMITS), affine=False)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_affine_codes_match_full_enumeration(data: st.DataObject) -> None:
    triangle = data.draw(triangles(st.integers(1, 3)))
    targets = data.draw(targets_of(triangle, 1))
    assert_optimal(triangle, targets, *data.draw(LIMITS), affine=True)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_two_targets_sharing_a_scale_match_full_enumeration(data: st.DataObject) -> None:
    triangle = data.draw(triangles(st.integers(1, 2)))
    targets = data.draw(targets_of(triangle, 2))
    assert_optimal(triangle, targets, *data.draw(LIMITS), affine=False)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_two_targets_sharing_scale_and_zero_point_match_full_enumeration(
    data: st.DataObject,
) -> None:
    triangle = data.draw(triangles(st.integers(1, 2)))
    targets = data.draw(targets_of(triangle, 2))
    assert_optimal(triangle, targets, -2, 1, affine=True)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_bounds_hold_when_the_budget_runs_out(data: st.DataObject) -> None:
    triangle = data.draw(triangles(st.integers(2, 4)))
    targets = data.draw(targets_of(triangle, 1))
    least = enumerated(triangle, targets, -2, 1, affine=False)
    solution = solve(triangle, targets, -2, 1, nodes=data.draw(st.integers(0, 30)))
    certificate = solution.certificate
    rounding = 1e-7 * least + 1e-18 * (targets**2).sum()
    assert certificate.lower_bound <= least + rounding
    assert least <= solution.excess + rounding
    assert certificate.gap == solution.excess - certificate.lower_bound
    assert certificate.optimal or certificate.nodes >= 0


@pytest.mark.parametrize("nodes", range(31))
def test_a_search_that_its_budget_ended_is_no_proof(nodes: int) -> None:
    triangle, target = np.array([[2.0, 0.1, 2.0], [0, 3, 0], [0, 0, 0]]), np.array([[0.125, -0.125, 0.5]])
    least = enumerated(triangle, target, -2, 1, affine=False)
    solution = solve(triangle, target, -2, 1, nodes=nodes)
    assert solution.certificate.lower_bound <= least
    assert least == solution.excess or not solution.certificate.optimal


def test_codes_have_no_common_divisor() -> None:
    solution = solve(np.eye(2), [0.75, 0.25], -128, 127)
    assert solution.codes.tolist() == [[3, 1]]
    assert solution.scale.tolist() == [0.25]
    assert solution.excess == 0
