"""Integer inputs: float32 semantics of ONNX's QuantizeLinear, and ranges that fit the data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrq.quantization.inputs import InputGrid, minmax, mse, percentile
from mlrq.quantization.options import CALIBRATIONS

single = st.floats(-1e6, 1e6, width=32)


def quantize_linear(x: np.float32, scale: np.float32, offset: np.float32, low: int, high: int) -> int:
    """ONNX's Add and QuantizeLinear for one number, each operation rounded to float32."""
    shifted = np.float32(x - offset)
    position = np.float32(shifted / scale)
    return int(min(max(np.rint(position), low), high))


@given(
    rows=st.lists(single, min_size=1, max_size=20),
    scale=st.floats(2**-10, 2**10, width=32),
    offset=single,
    bits=st.sampled_from([8, 16]),
)
def test_encoding_is_quantize_linear_number_by_number(rows, scale, offset, bits):
    grid = InputGrid(bits, np.array([scale], dtype=np.float32), np.array([offset], dtype=np.float32))
    codes = grid.encode(np.array(rows, dtype=np.float64)[:, None])
    expected = [
        quantize_linear(np.float32(x), grid.scale[0], grid.offset[0], grid.low, grid.high) for x in rows
    ]
    assert codes[:, 0].tolist() == expected
    assert codes.dtype == np.dtype(f"int{bits}")


def test_ties_go_to_the_even_code():
    grid = InputGrid(8, np.array([1.0], dtype=np.float32), np.array([0.0], dtype=np.float32))
    rows = np.array([[0.5], [1.5], [2.5], [-0.5], [-1.5], [-2.5]])
    assert grid.encode(rows)[:, 0].tolist() == [0, 2, 2, 0, -2, -2]


@pytest.mark.parametrize("bits", [8, 16])
def test_infinities_saturate_and_nan_is_the_smallest_code_without_a_warning(bits):
    grid = InputGrid(bits, np.array([1e-3], dtype=np.float32), np.array([-5.0], dtype=np.float32))
    rows = np.array([[np.inf], [-np.inf], [np.nan], [-np.nan], [1e300], [-1e300], [3.4e38]])
    codes = grid.encode(rows)[:, 0].tolist()
    assert codes == [grid.high, grid.low, grid.low, grid.low, grid.high, grid.low, grid.high]


@pytest.mark.parametrize("bits", [8, 16])
def test_minmax_meets_both_ends_of_every_feature(parts, bits):
    rows = parts.train_rows
    grid = minmax(rows, bits, percentile=0.1)
    codes = grid.encode(rows)
    assert codes.min(axis=0).tolist() == [grid.low] * rows.shape[1]
    assert codes.max(axis=0).tolist() == [grid.high] * rows.shape[1]
    assert grid.saturated(rows) == 0.0


def test_codes_stand_for_the_numbers_within_half_a_step(parts):
    rows = parts.train_rows
    grid = minmax(rows, 16, percentile=0.1)
    real = grid.encode(rows) * grid.scale.astype(np.float64) + grid.offset
    # half a step, what float32 cannot tell apart, and the rounding of the division: 2^-24 of up to 2^15 steps
    assert (np.abs(real - rows) <= 0.504 * grid.scale + np.spacing(np.abs(rows).astype(np.float32))).all()


def test_percentile_leaves_out_the_fraction_it_names(parts):
    rows = parts.train_rows
    grid = percentile(rows, 16, percentile=1.0)
    beyond = (np.clip(rows, *np.percentile(rows, [1.0, 99.0], axis=0)) != rows).mean()
    assert grid.saturated(rows) == pytest.approx(beyond, abs=0.002)
    assert 0.01 < grid.saturated(rows) < 0.03


def test_mse_calibration_is_never_worse_than_minmax_in_the_mean_square(parts):
    rows = parts.train_rows
    for bits in (8, 16):
        errors = [
            np.square(grid.encode(rows) * grid.scale.astype(np.float64) + grid.offset - rows).mean(axis=0)
            for grid in (mse(rows, bits, 0.1), minmax(rows, bits, 0.1))
        ]
        assert (errors[0] <= errors[1] * (1 + 1e-9)).all()


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_a_range_that_float32_cannot_resolve_still_has_a_grid(calibration):
    rows = np.array([[1e6, 5.0], [1e6 + 1e-3, 5.0], [1e6, 5.0]])
    grid = CALIBRATIONS[calibration].load()(rows, 8, 0.1)
    assert (grid.scale > 0).all()
    assert np.isfinite(grid.offset).all()
    assert np.abs(grid.encode(rows).astype(int)).max() <= 128


def test_clipping_moves_to_the_ends_and_rounds_nothing():
    grid = InputGrid(8, np.array([0.5], dtype=np.float32), np.array([10.0], dtype=np.float32))
    rows = np.array([[-1e9], [10.123456789], [1e9]])
    assert grid.clip(rows)[:, 0].tolist() == [10.0 - 64.0, 10.123456789, 10.0 + 63.5]
