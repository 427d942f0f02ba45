"""Integer inference over all rows: never a wrong bit, whatever the pieces and the threads."""

import numpy as np
import pytest

from mlrq.kernel import Integers
from mlrq.quantization.accumulate import BYTES_PER_PIECE, accumulate, bound, predict, predict_codes

PIECE = BYTES_PER_PIECE // 3


def model(weights, bias):
    weights, bias = np.array(weights), np.array(bias)
    largest = int(bound(weights, bias, -128, 127).max())
    return Integers(weights, bias, largest, np.linspace(0.1, 0.3, len(bias), dtype=np.float32))


@pytest.mark.parametrize("side", [-1, 0, 1])
def test_sums_are_exact_on_both_sides_of_the_switch(side):
    # one weight that puts the bound exactly at the edge, and the input that reaches it
    made = model([[2**31 // 128]], [side])
    assert made.largest == 2**31 + abs(side)
    for largest in (made.largest, 2**31 - 1):
        codes = np.array([[-128], [127], [0]], dtype=np.int8)[largest < 2**31 :]
        sums = accumulate(codes, Integers(made.weights, made.bias, largest, made.scale))
        assert sums.dtype == (np.int32 if largest < 2**31 else np.int64)
        assert sums.tolist() == (codes.astype(int) * 2**24 + side).tolist()


def test_the_bound_is_reached_by_the_worst_input():
    made = model([[3, -5, 7]], [-11])
    worst = np.array([[-128, 127, -128]], dtype=np.int8)
    assert made.largest == 15 * 128 + 11
    assert abs(int(accumulate(worst, made)[0, 0])) == 15 * 128 + 11 - 5  # the odd sign's input ends at 127


@pytest.mark.parametrize("cores", [1, 2, 5])
@pytest.mark.parametrize("rows", [0, 1, PIECE, PIECE + 1, 2 * PIECE - 1, 3 * PIECE + 2731])
def test_pieces_join_without_a_seam_whatever_the_number_of_threads(monkeypatch, rows, cores):
    monkeypatch.setattr("mlrq.quantization.accumulate._cores", lambda: cores)
    codes = np.random.default_rng(0).integers(-128, 127, (rows, 3), np.int8, endpoint=True)
    made = model([[1, -2, 3], [4, 5, -6]], [7, -8])
    sums = codes.astype(np.int32) @ made.weights.T + made.bias
    assert (accumulate(codes, made) == sums).all()
    assert (predict_codes(codes, made) == sums.astype(np.float32) * made.scale).all()


@pytest.mark.parametrize("rows", [1, PIECE // 8 + 1, PIECE])
def test_real_rows_are_encoded_piece_by_piece(rows):
    codes = np.random.default_rng(0).integers(-128, 127, (rows, 3), np.int8, endpoint=True)
    made = model([[1, -2, 3], [4, 5, -6]], [7, -8])
    found = predict(codes / 2.0, made, lambda piece: (piece * 2).astype(np.int8))
    assert (found == predict_codes(codes, made)).all()


def test_a_fault_in_another_thread_is_not_lost(monkeypatch):
    monkeypatch.setattr("mlrq.quantization.accumulate._cores", lambda: 3)
    rows = np.zeros((PIECE, 3))
    with pytest.raises(ValueError, match="no codes"):
        predict(rows, model([[1, -2, 3]], [7]), lambda piece: (_ for _ in ()).throw(ValueError("no codes")))


def test_a_row_may_be_wider_than_a_piece():
    generator = np.random.default_rng(0)
    codes = generator.integers(-128, 127, (3, BYTES_PER_PIECE + 1), np.int8, endpoint=True)
    made = model(generator.integers(-1, 1, (2, BYTES_PER_PIECE + 1), endpoint=True), [7, -8])
    assert (accumulate(codes, made) == codes.astype(int) @ made.weights.T + made.bias).all()
