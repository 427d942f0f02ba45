"""The summary is exact to rounding, mergeable, and the same to the last bit however it is made."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest

from mlrq.stats.summarize import summarize
from mlrq.stats.summary import (
    FloatArray,
    Summary,
    combine,
    empty,
    fit_least_squares,
    merge,
)


def table(rows: int, features: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Correlated features with offsets, and one target."""
    rng = np.random.default_rng(seed)
    # No BLAS here, so that every process makes the same table.
    x = rng.standard_normal((rows, features)) + rng.standard_normal((rows, 1)) + 3
    return x, x.sum(axis=1) + rng.standard_normal(rows)


def exact_scatter(columns: FloatArray) -> FloatArray:
    """Centred scatter matrix in rational arithmetic, rounded once at the end."""
    exact = [[Fraction(value) for value in column] for column in columns.T.tolist()]
    centred = [[v - sum(column) / len(column) for v in column] for column in exact]
    return np.array(
        [[float(sum(p * q for p, q in zip(a, b, strict=True))) for b in centred] for a in centred]
    )


def same(a: Summary, b: Summary) -> bool:
    """Equal to the last bit."""
    return (
        (a.count, a.features) == (b.count, b.features)
        and a.mean.tobytes() == b.mean.tobytes()
        and a.triangle.tobytes() == b.triangle.tobytes()
    )


@pytest.mark.parametrize("rows", [2, 3, 511, 512, 513, 30_000])
@pytest.mark.parametrize("features", [1, 8, 70])
def test_triangle_is_the_factor_of_the_centred_scatter(rows: int, features: int) -> None:
    x, y = table(rows, features)
    summary = summarize(x, y)
    columns = np.column_stack([x, y])
    scatter = (columns - columns.mean(axis=0)).T @ (columns - columns.mean(axis=0))
    assert summary.count == rows
    np.testing.assert_allclose(summary.mean, columns.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        summary.triangle.T @ summary.triangle, scatter, rtol=0, atol=1e-12 * scatter.max()
    )
    assert not np.tril(summary.triangle, -1).any()
    assert (np.diag(summary.triangle) >= 0).all()


@pytest.mark.few(1)
@pytest.mark.parametrize("batch", [1, 7, 200])
def test_an_offset_of_a_million_costs_nothing(batch: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 3)) + np.array([1e6, -1e6, 0])
    x[:, 2] = x[:, 0] + 1e-3 * x[:, 2] - 1e6
    y = x[:, 0] - 1e6 + 0.1 * rng.standard_normal(200)
    parts = [summarize(x[i : i + batch], y[i : i + batch]) for i in range(0, 200, batch)]
    summary = combine(parts)
    expected = exact_scatter(np.column_stack([x, y]))
    error = np.abs(summary.triangle.T @ summary.triangle - expected) / expected.diagonal().max()
    # Means are stored in float64, so a million keeps ten digits after the point.
    # With many small batches that is what limits them.
    assert error.max() < (1e-13 if batch == 200 else 1e-10)
    raw = np.column_stack([x, y]).astype(np.float64)
    naive = raw.T @ raw - 200 * np.outer(raw.mean(axis=0), raw.mean(axis=0))
    assert np.abs(naive - expected).max() / expected.diagonal().max() > 1e-5


def test_least_squares_keeps_its_digits_when_columns_are_nearly_equal_and_far_away() -> None:
    rng = np.random.default_rng(2)
    u, v = rng.integers(-50, 50, (2, 400)) / 64
    x = np.column_stack([1e6 + u, 1e6 + u + v / 1024])
    y = 2 * x[:, 0] - 3 * x[:, 1] + 5
    coefficients, intercept = fit_least_squares(summarize(x, y))
    np.testing.assert_allclose(coefficients, [[2, -3]], rtol=1e-6)
    np.testing.assert_allclose(intercept, [5], atol=1)
    np.testing.assert_allclose(x @ coefficients[0] + intercept, y, rtol=1e-14)


def test_least_squares_agrees_with_numpy_for_several_targets() -> None:
    x, y = table(5000, 6)
    targets = np.column_stack([y, y**2])
    coefficients, intercept = fit_least_squares(summarize(x, targets))
    expected = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), targets)[0]
    np.testing.assert_allclose(coefficients, expected[:-1].T, rtol=1e-9)
    np.testing.assert_allclose(intercept, expected[-1], rtol=1e-9)


def test_residual_variance_is_the_error_of_least_squares() -> None:
    x, y = table(3000, 4)
    summary = summarize(x, y)
    coefficients, intercept = fit_least_squares(summary)
    error = ((y - x @ coefficients[0] - intercept) ** 2).mean()
    np.testing.assert_allclose(summary.residual_variance, [error], rtol=1e-12)


def test_duplicate_and_constant_features_get_weight_zero() -> None:
    x, y = table(300, 2)
    doubled = np.column_stack([x[:, 0], np.full(300, 7.0), x])
    coefficients, intercept = fit_least_squares(summarize(doubled, y))
    plain, plain_intercept = fit_least_squares(summarize(x, y))
    assert coefficients[0, 1] == coefficients[0, 2] == 0
    np.testing.assert_allclose(coefficients[0, [0, 3]], plain[0], rtol=1e-9)
    np.testing.assert_allclose(intercept, plain_intercept, rtol=1e-9)


def test_a_target_is_reduced_to_what_dependent_features_can_explain() -> None:
    x, y = table(300, 3)
    summary = summarize(np.column_stack([x[:, :1], x]), y)
    coefficients, _ = fit_least_squares(summary)
    plain = summarize(x, y)
    np.testing.assert_allclose(summary.target_columns, coefficients @ summary.feature_triangle.T, atol=1e-14)
    np.testing.assert_allclose(summary.residual_variance, plain.residual_variance, rtol=1e-12)


def test_the_empty_summary_changes_nothing() -> None:
    summary = summarize(*table(100, 3))
    nothing = empty(3, 1)
    assert merge(nothing, summary) is summary
    assert merge(summary, nothing) is summary
    assert same(summarize(np.zeros((0, 3)), np.zeros(0)), nothing)
    assert not fit_least_squares(nothing)[0].any()


def test_any_number_of_batches_at_once_gives_the_same_bits() -> None:
    x, y = table(50_000, 8)
    batches = [(x[i : i + 7_000], y[i : i + 7_000]) for i in range(0, 50_000, 7_000)]
    one_by_one = combine(summarize(*batch) for batch in batches)
    for workers in (1, 2, 5):
        with ThreadPoolExecutor(workers) as pool:
            at_once = combine(pool.map(lambda batch: summarize(*batch), batches))
        assert same(at_once, one_by_one)


def test_float32_rows_are_read_as_they_are() -> None:
    x, y = table(2000, 3)
    single = x.astype(np.float32)
    assert same(summarize(single, y), summarize(single.astype(np.float64), y))


SCRIPT = """
import hashlib
from mlrq.stats.summarize import summarize
from stats.test_summary import table
for rows, features in ((40_000, 8), (9_000, 62), (3_000, 150), (1_200, 400)):
    summary = summarize(*table(rows, features))
    print(hashlib.sha256(summary.triangle.tobytes() + summary.mean.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_any_number_of_blas_threads_gives_the_same_bits() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "3", "4")
    }
    assert len(outputs) == 1


def test_faults_are_named() -> None:
    with pytest.raises(ValueError, match="Features must be"):
        summarize(np.ones((3, 2)), np.ones(4))
    with pytest.raises(ValueError, match="must be finite"):
        summarize(np.array([[1.0], [np.nan]]), np.ones(2))
    with pytest.raises(ValueError, match="must be finite"):
        summarize(np.array([[1.0], [2.0]]), np.array([0.0, np.inf]))
    with pytest.raises(ValueError, match="same columns"):
        merge(empty(2, 1), empty(1, 1))
    with pytest.raises(ValueError, match="nothing to combine"):
        combine([])
