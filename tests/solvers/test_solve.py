"""What `solve` promises at its boundary, whatever the solver."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from mlrq.solvers.babai import geometric
from mlrq.solvers.problem import FloatArray
from mlrq.solvers.solve import Rounding, solve
from mlrq.stats.linear_algebra import triangularise

ROUNDINGS: list[Rounding] = ["nearest", "babai", "exact"]


def correlated(size: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Triangle and target of `size` features that share a common factor."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((2 * size, size)) + rng.standard_normal((2 * size, 1))
    triangle = triangularise(rows) / np.sqrt(2 * size)
    return triangle, triangle @ rng.standard_normal(size)


@pytest.mark.parametrize("affine", [False, True])
def test_sixty_four_features_at_four_bits_beat_nearest_and_babai(affine: bool) -> None:
    triangle, target = correlated(64, seed=3)
    nearest, babai, exact = (
        solve(triangle, target, -8, 7, rounding=rounding, affine=affine, nodes=100_000)
        for rounding in ROUNDINGS
    )
    assert exact.excess < babai.excess < nearest.excess
    assert 0 < exact.certificate.lower_bound <= exact.excess
    assert exact.certificate.gap == exact.excess - exact.certificate.lower_bound


@pytest.mark.slow
def test_five_hundred_features_return_within_the_budget_with_a_gap() -> None:
    triangle, target = correlated(500, seed=0)
    solution = solve(triangle, target, -8, 7, nodes=20_000)
    assert not solution.certificate.optimal
    assert 0 < solution.certificate.lower_bound < solution.excess
    assert solution.excess <= solve(triangle, target, -8, 7, rounding="babai").excess


def test_spent_time_still_gives_a_solution_and_a_bound() -> None:
    triangle, target = correlated(40, seed=1)
    solution = solve(triangle, target, -8, 7, seconds=0)
    assert not solution.certificate.optimal
    assert solution.certificate.nodes == 0
    assert solution.excess <= solve(triangle, target, -8, 7, rounding="nearest").excess


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("affine", [False, True])
def test_codes_scale_and_zero_point_give_the_excess(rounding: Rounding, affine: bool) -> None:
    triangle, target = correlated(6, seed=5)
    targets = np.stack([target, target[::-1]])
    solution = solve(triangle, targets, -8, 7, rounding=rounding, affine=affine)
    assert solution.codes.shape == (2, 6)
    assert solution.codes.dtype == np.int32
    assert -8 <= solution.codes.min() <= solution.codes.max() <= 7
    assert affine or not solution.zero_point.any()

    def excess(scale: FloatArray) -> float:
        weights = scale[:, None] * (solution.codes - solution.zero_point[:, None])
        return float(((targets - weights @ triangle.T) ** 2).sum())

    assert solution.excess == pytest.approx(excess(solution.scale), rel=1e-12)
    stored = solution.stored_scale
    assert stored.dtype == np.float32
    assert solution.stored_excess == pytest.approx(excess(stored.astype(np.float64)), rel=1e-12)


@pytest.mark.parametrize("rounding", ["babai", "exact"])
def test_no_other_float32_scale_is_better_for_the_codes(rounding: Rounding) -> None:
    triangle, target = correlated(6, seed=6)
    solution = solve(triangle, target, -8, 7, rounding=rounding)
    image = triangle @ solution.codes[0]
    for towards in (np.float32(0), np.float32(np.inf)):
        other = np.float64(np.nextafter(solution.stored_scale[0], towards))
        assert ((target - other * image) ** 2).sum() >= solution.stored_excess


def test_a_shared_scale_costs_no_less_than_one_scale_per_target() -> None:
    triangle, target = correlated(4, seed=7)
    targets = np.stack([target, 0.3 * target[::-1]])
    shared = solve(triangle, targets, -8, 7, shared_scale=True)
    separate = solve(triangle, targets, -8, 7)
    assert shared.certificate.optimal
    assert separate.certificate.optimal
    assert shared.scale[0] == shared.scale[1]
    assert separate.excess <= shared.excess


def test_nearest_rounds_the_given_weights_half_to_even() -> None:
    weights = np.array([7.0, 0.5, 1.5, -2.5, -9.0])
    solution = solve(np.eye(5), weights, -8, 7, rounding="nearest", weights=weights * 7 / 9)
    assert solution.scale.tolist() == [1.0]
    assert solution.codes.tolist() == [[5, 0, 1, -2, -7]]


def test_affine_nearest_spreads_the_range_over_all_codes() -> None:
    weights = np.array([-1.0, 0.0, 14.0])
    solution = solve(np.eye(3), weights, 0, 15, rounding="nearest", affine=True)
    assert solution.scale.tolist() == [1.0]
    assert solution.zero_point.tolist() == [1]
    assert solution.codes.tolist() == [[0, 1, 15]]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("affine", [False, True])
def test_a_zero_target_has_codes_at_the_zero_point(rounding: Rounding, affine: bool) -> None:
    solution = solve(np.eye(3), np.zeros(3), -8, 7, rounding=rounding, affine=affine)
    assert (solution.codes == solution.zero_point[:, None]).all()
    assert solution.excess == 0
    assert (solution.scale > 0).all()


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_duplicate_and_constant_features_do_not_fail(rounding: Rounding) -> None:
    rng = np.random.default_rng(8)
    rows = rng.standard_normal((30, 3))
    rows = np.column_stack([rows, rows[:, 0], np.zeros(30)])
    triangle = triangularise(np.column_stack([rows, rows @ rng.standard_normal(5)]))
    solution = solve(triangle[:5, :5], triangle[:5, 5], -8, 7, rounding=rounding)
    assert np.isfinite(solution.scale).all()
    assert solution.excess <= (triangle[:, 5] ** 2).sum()


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_one_feature_is_exact_at_any_width(rounding: Rounding) -> None:
    for low, high in ((-1, 1), (-2, 1), (0, 1), (-32768, 32767)):
        solution = solve([[2.0]], [3.0], low, high, rounding=rounding)
        assert solution.excess == 0


def test_a_box_on_the_wrong_side_gives_the_zero_model() -> None:
    solution = solve(np.eye(2), [-1.0, -2.0], 0, 7)
    assert solution.codes.tolist() == [[0, 0]]
    assert solution.excess == 5
    assert solution.certificate.optimal


@pytest.mark.parametrize("unit", [2.0**-300, 2.0**300])
def test_units_change_the_scale_only(unit: float) -> None:
    triangle, target = correlated(5, seed=9)
    plain = solve(triangle, target, -8, 7)
    other = solve(triangle * unit, target, -8, 7)
    assert other.codes.tolist() == plain.codes.tolist()
    assert other.excess == plain.excess
    assert other.scale.tolist() == (plain.scale / unit).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"triangle": np.ones((2, 3))}, "The triangle must be a square matrix"),
        ({"triangle": np.ones((2, 2))}, "The triangle must be zero below its diagonal."),
        ({"triangle": np.diag([1.0, np.nan])}, "must be finite"),
        ({"targets": np.ones(3)}, "The targets must have shape"),
        ({"low": 1}, "The codes must run from low <= 0 to high >= 0"),
        ({"low": 0, "high": 0}, "The codes must run from low <= 0 to high >= 0"),
        ({"rounding": "best"}, "The rounding must be one of nearest, babai, exact"),
        ({"weights": np.ones(3)}, "The weights must be finite and of shape"),
        ({"nodes": -1}, "The budgets must not be negative"),
        ({"seconds": float("nan")}, "The budgets must not be negative"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "triangle": np.eye(2),
        "targets": np.ones(2),
        "low": -8,
        "high": 7,
        **change,
    }
    with pytest.raises(ValueError, match=message):
        solve(**arguments)


SCRIPT = """
import numpy as np
from mlrq.solvers.solve import solve
from solvers.test_solve import correlated
for size in (8, 40, 300):
    print(solve(*correlated(size, seed=size), -8, 7, nodes=20_000))
"""


@pytest.mark.slow
def test_the_result_is_the_same_for_any_number_of_threads() -> None:
    results = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "3")
    }
    assert len(results) == 1


@pytest.mark.parametrize(("low", "high", "count"), [(1e-9, 3.0, 1024), (0.25, 0.25, 64), (1e-200, 1e100, 65)])
def test_scales_are_a_geometric_progression(low, high, count):
    np.testing.assert_allclose(geometric(low, high, count), np.geomspace(low, high, count), rtol=1e-12)
