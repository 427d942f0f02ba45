"""Householder triangles and least squares from them."""

import math

import numpy as np
import pytest

from mlrq.stats.linear_algebra import inverse, least_squares, product, root, stack, summed, triangularise


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (3, 3), (9, 4), (2, 5)])
def test_triangle_has_the_same_gram_matrix_and_a_canonical_sign(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).standard_normal(shape)
    triangle = triangularise(matrix)
    assert triangle.shape == (shape[1], shape[1])
    np.testing.assert_allclose(triangle.T @ triangle, matrix.T @ matrix, atol=1e-14 * 10)
    assert not np.tril(triangle, -1).any()
    assert (np.diag(triangle) >= 0).all()


def test_a_small_column_beside_a_huge_one_keeps_its_digits() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((6, 2)) * np.array([1e150, 1e-150])
    triangle = triangularise(matrix)
    np.testing.assert_allclose(
        np.hypot(*triangle[:, 1]), 1e-150 * np.linalg.norm(matrix[:, 1] * 1e150), rtol=1e-14
    )


def test_zero_columns_stay_zero() -> None:
    matrix = np.zeros((4, 3))
    matrix[:, 1] = 2
    assert triangularise(matrix).tolist() == [[0, 0, 0], [0, 4, 0], [0, 0, 0]]


def test_least_squares_skips_columns_that_others_explain() -> None:
    rng = np.random.default_rng(2)
    columns = rng.standard_normal((10, 3))
    joined = triangularise(columns[:, [0, 0, 1, 1, 2]])
    weights = least_squares(joined, (joined @ np.array([1.0, 2.0, 3.0, 4.0, 5.0]))[None])
    np.testing.assert_allclose(weights, [[3, 0, 7, 0, 5]], atol=1e-10)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 64, 255, 1000])
@pytest.mark.parametrize("axis", [0, 1])
def test_totals_are_those_of_exact_sums_whatever_the_layout(count: int, axis: int) -> None:
    values = np.random.default_rng(count).standard_normal((count, 5)) * 10.0 ** np.arange(5)
    exact = [math.fsum(column) for column in values.T]
    layouts = [np.asarray(values if axis == 0 else values.T, order=order) for order in "CF"]
    found = [summed(layout, axis) for layout in layouts]
    np.testing.assert_allclose(found[0], exact, atol=1e-15 * count * 1e4)
    assert found[0].tobytes() == found[1].tobytes()


def test_products_and_inverses_are_those_of_exact_arithmetic() -> None:
    rng = np.random.default_rng(3)
    left, right = rng.integers(-9, 9, (4, 6)).astype(float), rng.integers(-9, 9, (6, 3)).astype(float)
    assert product(left, right).tolist() == (left @ right).tolist()
    assert product(left, right[:, 0]).tolist() == (left @ right[:, 0]).tolist()
    triangle = np.triu(rng.standard_normal((6, 6))) + 3 * np.eye(6)
    np.testing.assert_allclose(product(inverse(triangle), triangle), np.eye(6), atol=1e-14)
    np.testing.assert_allclose(root(triangle.T @ triangle), triangle, atol=1e-13)


@pytest.mark.parametrize("above", [0, 5, 300])
@pytest.mark.parametrize("below", [0, 3, 256, 700])
def test_a_triangle_above_rows_is_that_of_all_of_them(above: int, below: int) -> None:
    matrix = np.random.default_rng(above + below).standard_normal((above + below, 5)) + 2
    found = stack(triangularise(matrix[:above]), matrix[above:])
    np.testing.assert_allclose(found.T @ found, matrix.T @ matrix, rtol=1e-13, atol=1e-12)
    assert not np.tril(found, -1).any()
