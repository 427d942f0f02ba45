"""From a float model to an integer one, and how that predicts."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.quantizing import statistics

from mlrq.errors import MlrqError
from mlrq.models.linear import LinearModel
from mlrq.quantization.options import SCHEMES
from mlrq.quantization.quantize import quantize
from mlrq.quantization.settings import Settings

DEFAULTS = {"rounding": "nearest"}
SETTINGS = st.fixed_dictionaries(
    {
        "bits": st.integers(2, 16),
        "scheme": st.sampled_from(list(SCHEMES)),
        "granularity": st.sampled_from(["per_tensor", "per_channel"]),
        "rounding": st.sampled_from(["nearest", "truncate"]),
        "intercept": st.just("float32"),
        "refit_intercept": st.booleans(),
    }
)


def linear(weights, intercept=None) -> LinearModel:
    weights = np.array(weights, dtype=np.float64)
    shift = np.zeros(len(weights)) if intercept is None else np.array(intercept, dtype=np.float64)
    return LinearModel(
        weights,
        shift,
        tuple(f"x{i}" for i in range(weights.shape[1])),
        tuple(f"y{i}" for i in range(len(weights))),
    )


def quantized(weights, intercept=None, mean=None, /, **settings):
    model = linear(weights, intercept)
    # A single training row is its own mean, and nearest rounding asks the rows for no more.
    row = np.zeros((1, len(model.features))) if mean is None else np.array([mean], dtype=np.float64)
    return quantize(model, statistics(row, model.predict(row)), Settings(**(DEFAULTS | settings))).model


@st.composite
def models(draw):
    targets, features = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    weight = st.integers(-1000, 1000).map(lambda value: value / 64)
    row = st.lists(weight, min_size=features, max_size=features)
    return (
        draw(st.lists(row, min_size=targets, max_size=targets)),
        draw(st.lists(weight, min_size=targets, max_size=targets)),
        draw(row),
    )


@given(models(), SETTINGS)
def test_weights_are_exactly_what_the_codes_say(model, settings):
    weights, intercept, mean = model
    made = quantized(weights, intercept, mean, **settings)
    assert made.codes.dtype == made.zero_point.dtype == np.int32
    assert made.scale.dtype == made.offset.dtype == made.intercept.dtype == np.float32
    for target, feature in np.ndindex(*made.codes.shape):
        code, zero = int(made.codes[target, feature]), int(made.zero_point[target])
        if made.scheme == "offset":
            expected = float(np.float32(code) * made.scale[target] + made.offset[target])
        else:
            expected = float(Fraction(float(made.scale[target])) * (code - zero))
        assert made.weights[target, feature] == expected


@given(models(), SETTINGS)
def test_refitting_keeps_the_prediction_at_the_mean(model, settings):
    weights, intercept, mean = model
    made = quantized(weights, intercept, mean, **settings)
    for target in range(len(weights)):
        shift = Fraction(0)
        if settings["refit_intercept"]:
            for float_weight, ours, x in zip(weights[target], made.weights[target], mean, strict=True):
                shift += (Fraction(float_weight) - Fraction(float(ours))) * Fraction(x)
        exact = float(Fraction(intercept[target]) + shift)
        # The nearest float32, but for the last places of the sum in float64.
        room = float(np.spacing(np.float32(abs(exact)))) * 0.5000001 + 1e-10
        assert abs(made.intercept_value[target] - exact) <= room


@given(models(), SETTINGS)
def test_per_channel_is_each_target_quantized_by_itself(model, settings):
    weights, intercept, mean = model
    together = quantized(weights, intercept, mean, **(settings | {"granularity": "per_channel"}))
    for target, row in enumerate(weights):
        alone = quantized([row], [intercept[target]], mean, **settings)
        assert together.codes[target].tolist() == alone.codes[0].tolist()
        assert together.scale[target] == alone.scale[0]
        assert together.zero_point[target] == alone.zero_point[0]
        assert together.offset[target] == alone.offset[0]


@given(models(), SETTINGS)
def test_per_tensor_is_all_weights_as_one_row(model, settings):
    weights, intercept, mean = model
    made = quantized(weights, intercept, mean, **(settings | {"granularity": "per_tensor"}))
    flat = [cell for row in weights for cell in row]
    alone = quantized([flat], None, None, **settings)
    assert made.codes.ravel().tolist() == alone.codes[0].tolist()
    assert set(made.scale.tolist()) == set(alone.scale.tolist())
    assert set(made.zero_point.tolist()) == set(alone.zero_point.tolist())


@pytest.mark.parametrize(
    ("bits", "codes", "scale"),
    [(2, [[1, 0, -1]], 0.75), (3, [[3, 1, -3]], 0.25), (4, [[7, 2, -7]], 0.75 / 7)],
)
def test_small_symmetric_models_are_those_worked_by_hand(bits, codes, scale):
    made = quantized([[0.75, 0.25, -0.75]], bits=bits)
    assert made.codes.tolist() == codes
    assert made.scale.tolist() == [np.float32(scale)]
    assert made.zero_point.tolist() == [0]


def test_a_small_affine_model_is_that_worked_by_hand():
    # The span 0..3 over the three steps of two bits is 1; zero is the lowest code, -2.
    made = quantized([[3.0, 1.0, 2.0]], bits=2, scheme="affine")
    assert made.scale.tolist() == [1.0]
    assert made.zero_point.tolist() == [-2]
    assert made.codes.tolist() == [[1, -1, 0]]
    assert made.weights.tolist() == [[3.0, 1.0, 2.0]]


def test_an_int32_intercept_is_a_code_in_units_of_the_scale():
    made = quantized([[127.0, 1.0]], [10.4], intercept="int32", refit_intercept=False)
    assert made.scale.tolist() == [1.0]
    assert made.intercept.dtype == np.int32
    assert made.intercept.tolist() == [10]
    assert made.intercept_value.tolist() == [10.0]
    assert quantized([[127.0]], [2.5], intercept="int32").intercept.tolist() == [2]
    assert quantized([[127.0]], [3.5], intercept="int32").intercept.tolist() == [4]


@given(models(), st.integers(2, 16), st.sampled_from(["symmetric", "affine"]))
def test_an_int32_intercept_is_within_half_a_scale(model, bits, scheme):
    weights, intercept, _ = model
    made = quantized(
        weights, intercept, bits=bits, scheme=scheme, granularity="per_channel",
        intercept="int32", refit_intercept=False,
    )  # fmt: skip
    error = np.abs(made.intercept_value - np.array(intercept))
    assert (error <= made.scale.astype(np.float64) * 0.5000001).all()


@pytest.mark.parametrize("size", [2**31, -(2**31) - 1, 1e30])
def test_an_intercept_that_does_not_fit_32_bits_is_refused(size):
    with pytest.raises(MlrqError, match=r"quantization\.intercept=float32"):
        quantized([[127.0]], [size], intercept="int32")
    assert quantized([[127.0]], [2.0**31 - 1], intercept="int32").intercept.tolist() == [2**31 - 1]
    assert quantized([[127.0]], [-(2.0**31)], intercept="int32").intercept.tolist() == [-(2**31)]


def test_an_intercept_that_float32_cannot_hold_is_refused():
    with pytest.raises(MlrqError, match="exceeds float32"):
        quantized([[1.0]], [1e39], intercept="float32")
    assert quantized([[1.0]], [1e39]).intercept.dtype == np.float64  # auto sees it coming
    assert quantized([[1.0]], [1e39], intercept="float64").intercept.tolist() == [1e39]


def test_a_float64_intercept_is_kept_to_the_last_bit():
    made = quantized([[1.0]], [0.1], intercept="float64", refit_intercept=False)
    assert made.intercept.dtype == np.float64
    assert made.intercept_value.tolist() == [0.1]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 6 * 8 + 32 + 2 * 32),
        ({"bits": 3}, 6 * 3 + 32 + 2 * 32),
        ({"granularity": "per_channel"}, 6 * 8 + 2 * 32 + 2 * 32),
        ({"scheme": "affine"}, 6 * 8 + (32 + 8) + 2 * 32),
        ({"scheme": "affine", "granularity": "per_channel", "bits": 5}, 6 * 5 + 2 * (32 + 5) + 2 * 32),
        ({"scheme": "offset", "bits": 16}, 6 * 16 + (32 + 32) + 2 * 32),
        ({"intercept": "int32"}, 6 * 8 + 32 + 2 * 32),
        ({"intercept": "float64"}, 6 * 8 + 32 + 2 * 64),
    ],
)  # fmt: skip
def test_the_payload_is_every_bit_that_inference_needs(settings, expected):
    assert quantized([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]], **settings).payload_bits == expected


@pytest.mark.parametrize(("scheme", "rounding"), list(product(SCHEMES, ["nearest", "truncate"])))
def test_weights_that_are_all_zero_predict_the_intercept(scheme, rounding):
    made = quantized([[0.0, 0.0]], [2.5], [1.0, 2.0], scheme=scheme, rounding=rounding)
    assert made.weights.tolist() == [[0.0, 0.0]]
    assert made.predict(np.array([[3.0, 4.0]])).tolist() == [[2.5]]


@pytest.mark.parametrize(("scheme", "bits"), list(product(SCHEMES, [2, 8, 16])))
def test_a_single_feature_keeps_its_weight_within_a_step(scheme, bits):
    made = quantized([[0.3]], [1.0], [5.0], scheme=scheme, bits=bits)
    # The offset of a single weight is the weight itself, as a float32.
    step = np.spacing(np.float32(0.3)) if scheme == "offset" else made.scale[0]
    assert abs(made.weights[0, 0] - 0.3) <= float(step) / 2


@given(models(), SETTINGS, st.integers(0, 1000))
def test_predictions_are_the_sum_of_the_terms_in_order(model, settings, seed):
    weights, intercept, mean = model
    made = quantized(weights, intercept, mean, **settings)
    rows = np.random.default_rng(seed).normal(size=(3, len(mean)))
    expected = []
    for row in rows.tolist():
        line = []
        for target, shift in enumerate(made.intercept_value.tolist()):
            total = 0.0
            for cell, weight in zip(row, made.weights[target].tolist(), strict=True):
                total += cell * weight
            line.append(total + shift)
        expected.append(line)
    assert made.predict(rows).tolist() == expected


def test_more_bits_never_lose_more_on_california(trained, parts):
    exact, rows = trained.artifact.model, parts.train_rows
    training = statistics(rows, parts.train_values)
    lost = []
    for bits in (2, 4, 8, 16):
        made = quantize(exact, training, Settings(bits=bits)).model
        lost.append(np.square(made.predict(rows) - exact.predict(rows)).mean())
    assert lost == sorted(lost, reverse=True)
    assert lost[-1] < 1e-4
