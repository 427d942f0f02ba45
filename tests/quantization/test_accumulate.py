"""Integer sums through float BLAS: never a wrong bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrq.quantization.accumulate import (
    DOUBLE_EXACT,
    SINGLE_EXACT,
    accumulate,
    bound,
    requantize,
    rows_per_block,
)


def python_sums(codes: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> list[list[int]]:
    """The same sums with Python's own integers."""

    def one(row: list[int], column: list[int], start: int) -> int:
        return start + sum(code * weight for code, weight in zip(row, column, strict=True))

    pairs = list(zip(weights.tolist(), bias.tolist(), strict=True))
    return [[one(row, column, start) for column, start in pairs] for row in codes.tolist()]


@given(
    seed=st.integers(0, 2**32 - 1),
    features=st.integers(1, 12),
    targets=st.integers(1, 3),
    largest_weight=st.sampled_from([1, 127, 2**15, 2**31, 2**40]),
    bits=st.sampled_from([8, 16]),
)
def test_sums_equal_python_integers_at_every_size_of_the_bound(seed, features, targets, largest_weight, bits):
    generator = np.random.default_rng(seed)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    codes = generator.integers(low, high, (7, features), endpoint=True).astype(f"int{bits}")
    codes[0], codes[1] = low, high
    weights = generator.integers(-largest_weight, largest_weight, (targets, features), endpoint=True)
    bias = generator.integers(-(2**30), 2**30, targets)
    largest = int(bound(weights, bias, low, high).max())
    sums = accumulate(codes, weights, bias, largest)
    assert sums.tolist() == python_sums(codes, weights, bias)
    assert sums.dtype == (np.int32 if largest < 2**31 else np.int64)
    scale = generator.random(targets).astype(np.float32)
    for grid in (scale, scale[:1]):  # a scale each target, or one for all
        expected = np.array(python_sums(codes, weights, bias)).astype(np.float32) * grid
        assert requantize(codes, weights, bias, largest, grid).tolist() == expected.tolist()


@pytest.mark.parametrize("edge", [SINGLE_EXACT, DOUBLE_EXACT, 2**31])
@pytest.mark.parametrize("side", [-1, 0, 1])
def test_sums_are_exact_on_both_sides_of_each_switch(edge, side):
    # one weight that puts the bound exactly at the edge, and the input that reaches it
    weights, bias = np.array([[edge // 128]]), np.array([side])
    codes = np.array([[-128], [127], [0]], dtype=np.int8)
    largest = int(bound(weights, bias, -128, 127)[0])
    assert largest == edge + abs(side)
    sums = accumulate(codes, weights, bias, largest)
    assert sums.tolist() == python_sums(codes, weights, bias)


def test_the_bound_is_reached_by_the_worst_input():
    weights, bias = np.array([[3, -5, 7]]), np.array([-11])
    worst = np.array([[-128, 127, -128]], dtype=np.int8)
    reached = accumulate(worst, weights, bias, 10_000)[0, 0]
    assert bound(weights, bias, -128, 127).tolist() == [15 * 128 + 11]
    assert abs(int(reached)) == 15 * 128 + 11 - 5  # the odd sign's input ends at 127


BLOCK = rows_per_block(3)


@pytest.mark.parametrize("cores", [1, 2, 5])
@pytest.mark.parametrize("rows", [0, 1, 2730, 2731, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 3 * BLOCK + 2731])
def test_blocks_join_without_a_seam_whatever_the_number_of_threads(monkeypatch, rows, cores):
    monkeypatch.setattr("mlrq.quantization.accumulate._cores", lambda: cores)
    generator = np.random.default_rng(0)
    codes = generator.integers(-128, 127, (rows, 3), endpoint=True).astype(np.int8)
    weights, bias = np.array([[1, -2, 3], [4, 5, -6]]), np.array([7, -8])
    assert (accumulate(codes, weights, bias, 5000) == codes.astype(int) @ weights.T + bias).all()


def test_a_row_may_be_wider_than_a_block():
    generator = np.random.default_rng(0)
    codes = generator.integers(-128, 127, (3, 2**19 + 1), endpoint=True).astype(np.int8)
    weights, bias = generator.integers(-1, 1, (2, 2**19 + 1), endpoint=True), np.array([7, -8])
    largest = int(bound(weights, bias, -128, 127).max())
    assert SINGLE_EXACT < largest < DOUBLE_EXACT
    assert (accumulate(codes, weights, bias, largest) == codes.astype(int) @ weights.T + bias).all()
