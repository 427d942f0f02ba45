"""Householder triangles and least squares from them."""

import numpy as np
import pytest

from mlrq.stats.triangle import least_squares, triangularise


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
    matrix = np.zeros((5, 3))
    matrix[:, 1] = 2
    assert triangularise(matrix).tolist() == [[0, 2, 0], [0, 4, 0], [0, 0, 0]]


def test_least_squares_skips_columns_that_others_explain() -> None:
    rng = np.random.default_rng(2)
    columns = rng.standard_normal((10, 3))
    joined = triangularise(columns[:, [0, 0, 1, 1, 2]])
    weights = least_squares(joined, (joined @ np.array([1.0, 2.0, 3.0, 4.0, 5.0]))[None])
    np.testing.assert_allclose(weights, [[3, 0, 7, 0, 5]], atol=1e-10)
