"""What optimal codes reach on real data: the figures that the issue and the README promise."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from support.quantizing import least_squares, quantized
from support.tables import Parts

from mlrq.models.linear import LinearModel
from mlrq.pipeline.quantize import training_statistics
from mlrq.quantization.quantize import Quantization, quantize
from mlrq.quantization.settings import Settings


def r2(parts: Parts, made: Quantization) -> float:
    return r2_score(parts.test_values, made.model.predict(parts.test_rows))


def excess_by_hand(parts: Parts, made: Quantization) -> float:
    """Mean squared difference from least squares on the training rows, as predictions show it."""
    exact = LinearRegression().fit(parts.train_rows, parts.train_values)
    difference = made.model.predict(parts.train_rows) - exact.predict(parts.train_rows)
    return float(difference.var(axis=0).sum())


def test_per_feature_codes_of_every_width_from_2_to_8_are_certified(data):
    for bits in range(2, 9):
        made = quantized(data, bits=bits, granularity="per_feature")
        assert made.certificate.optimal, bits
        assert made.certificate.gap == 0


def test_the_four_bit_optimum_per_feature(data, parts):
    made = quantized(data, bits=4, granularity="per_feature")
    assert made.excess == pytest.approx(0.004298, abs=1e-6)
    assert f"{r2(parts, made):.4f}" == "0.5776"


@pytest.mark.parametrize(
    ("bits", "excess"),
    [(2, "0.04057"), (3, "0.02778"), (4, "0.01735"), (5, "0.01688"), (6, "0.00748"), (8, "0.000904")],
)
def test_raw_features_reach_the_least_excess(data, bits, excess):
    made = quantized(data, bits=bits)
    digits = len(excess) - 2
    assert made.excess == pytest.approx(float(excess), abs=1.01 * 10**-digits)
    assert made.certificate.optimal


@pytest.mark.parametrize("bits", range(2, 17))
def test_raw_features_stay_good_at_every_width(data, parts, bits):
    assert r2(parts, quantized(data, bits=bits)) > 0.56


@pytest.mark.parametrize("granularity", ["per_tensor", "per_feature"])
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
def test_the_excess_is_what_predictions_show(data, parts, granularity, scheme):
    made = quantized(data, bits=4, granularity=granularity, scheme=scheme)
    assert made.excess == pytest.approx(excess_by_hand(parts, made), rel=1e-6)


def test_a_power_of_two_per_feature_is_a_shift_and_counts_as_one(data):
    made = quantized(data, bits=4, granularity="per_feature", feature_scale="pow2").model
    mantissas, _ = np.frexp(made.factor)
    assert set(mantissas.tolist()) == {0.5}
    assert made.payload_bits == 8 * 4 + 32 + 8 * 8 + 32


def clipped_float_r2(parts: Parts, made: Quantization) -> float:
    """A float least squares fitted and evaluated on inputs clipped to the same ranges."""
    clip = made.model.inputs.clip
    fitted = LinearRegression().fit(clip(parts.train_rows), parts.train_values)
    return r2_score(parts.test_values, fitted.predict(clip(parts.test_rows)))


def test_eight_bit_weights_and_inputs_match_a_float_fit_on_clipped_inputs(data, parts):
    made = quantized(data, inputs="int8")
    assert 0.5918 - 0.002 <= r2(parts, made) <= 0.5932 + 0.002
    assert abs(r2(parts, made) - clipped_float_r2(parts, made)) <= 0.002
    assert made.model.accumulator_bits == 32
    assert made.model.intercept.dtype == np.int32


def test_percentile_calibration_gains_what_clipping_gains(data, parts):
    made = quantized(data, inputs="int8", calibration="percentile", percentile=0.1)
    assert clipped_float_r2(parts, made) == pytest.approx(0.634, abs=0.0005)
    assert abs(r2(parts, made) - clipped_float_r2(parts, made)) <= 0.005


def test_integer_inference_is_integers_and_one_float32_product(data, parts):
    model = quantized(data, inputs="int8", bits=4).model
    rows = parts.test_rows[:200]
    codes = model.inputs.encode(rows).astype(int).tolist()
    steps, bias = model.steps[0].tolist(), int(model.intercept[0])
    sums = [sum(c * s for c, s in zip(row, steps, strict=True)) + bias for row in codes]
    expected = [float(np.float32(total) * model.scale[0]) for total in sums]
    assert model.accumulators(model.inputs.encode(rows))[:, 0].tolist() == sums
    assert model.predict(rows)[:, 0].tolist() == expected


def test_int16_inputs_and_weights_ask_for_a_wider_accumulator(data):
    model = quantized(data, bits=16, inputs="int16").model
    assert model.accumulator_bound >= 2**31
    assert model.accumulator_bits == 64


def test_the_payload_of_integer_inputs_counts_their_grids(data):
    model = quantized(data, bits=8, inputs="int8").model
    assert model.payload_bits == 8 * 8 + 32 + 8 * (32 + 32) + 32


@pytest.mark.parametrize("inputs", ["float", "int8"])
def test_the_output_range_clamps_to_the_training_targets(data, parts, inputs):
    free = quantized(data, inputs=inputs).model
    model = quantized(data, inputs=inputs, output_range="train").model
    low, high = parts.train_values.min(), parts.train_values.max()
    expected = np.clip(free.predict(parts.test_rows), np.float32(low), np.float32(high))
    assert model.predict(parts.test_rows).tolist() == expected.tolist()
    assert (free.predict(parts.test_rows) != expected).any()
    if model.inputs:
        assert model.predict_codes(model.inputs.encode(parts.test_rows)).tolist() == expected.tolist()
    assert model.payload_bits == free.payload_bits + 64


def test_a_regularised_model_is_followed_not_refitted(data, parts):
    """Codes for integer inputs approach the float model's predictions, not the targets."""
    exact = least_squares(data)
    shrunk = LinearModel(exact.coefficients / 2, exact.intercept, exact.features, exact.targets)
    goal = shrunk.predict(parts.train_rows)
    chosen = Settings(inputs="int16", bits=16)
    made = quantize(shrunk, training_statistics(data, chosen, shrunk), chosen)
    difference = made.model.predict(parts.train_rows) - goal
    assert np.square(difference).mean() < 1e-6
    assert abs(difference.mean()) < 1e-6
