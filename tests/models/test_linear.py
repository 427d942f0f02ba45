"""`LinearModel` predicts the same bits for a row, alone and among many."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlrq.kernel import affine
from mlrq.kernel.reference import ROWS_PER_PIECE


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 6), st.integers(1, 3))
def test_the_affine_map_is_the_sum_in_the_order_of_the_features(seed, rows, features, targets):
    generator = np.random.default_rng(seed)
    table, weights = generator.normal(size=(rows, features)), generator.normal(size=(targets, features))
    intercept = generator.normal(size=targets)
    expected = []
    for row in table.tolist():
        line = []
        for weight_row, shift in zip(weights.tolist(), intercept.tolist(), strict=True):
            total = 0.0
            for cell, weight in zip(row, weight_row, strict=True):
                total += cell * weight
            line.append(total + shift)
        expected.append(line)
    assert affine(table, weights, intercept).tolist() == expected


def test_a_row_predicts_the_same_bits_alone_and_among_many():
    generator = np.random.default_rng(0)
    table = generator.normal(size=(2 * ROWS_PER_PIECE + 3, 5))
    weights, intercept = generator.normal(size=(2, 5)), generator.normal(size=2)
    together = affine(table, weights, intercept)
    for row in (0, ROWS_PER_PIECE - 1, ROWS_PER_PIECE, 2 * ROWS_PER_PIECE, len(table) - 1):
        assert affine(table[row : row + 1], weights, intercept)[0].tolist() == together[row].tolist()
    assert affine(np.asfortranarray(table), weights, intercept).tolist() == together.tolist()


def test_no_rows_predict_nothing():
    assert affine(np.empty((0, 3)), np.ones((2, 3)), np.zeros(2)).shape == (0, 2)
