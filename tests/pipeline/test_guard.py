"""The guard: warnings that name what is wrong, and clipping told from quantizing."""

import numpy as np
import pytest
from support.quantizing import least_squares, quantized

from mlrq.pipeline.guard import check


def guarded(data, limit="auto", **settings):
    made = quantized(data, **settings)
    return check(made.model, least_squares(data), data, None, limit)


def test_a_good_model_has_no_notices(data):
    assert guarded(data).notices == []


def test_the_default_limit_holds_from_eight_bits_up(data):
    settings = {"rounding": "truncate", "refit_intercept": False}
    assert "max_r2_drop=0.01" in guarded(data, bits=8, **settings).notices[0]
    assert guarded(data, bits=7, **settings).notices == []
    assert "max_r2_drop=0.5" in guarded(data, limit=0.5, bits=7, **settings).notices[0]
    assert guarded(data, limit=None, bits=8, **settings).notices == []


def test_constant_predictions_are_named(data):
    made = quantized(data, bits=2, rounding="truncate")
    model = made.model
    zero = type(model)(**{**vars_of(model), "codes": np.zeros_like(model.codes)})
    notices = check(zero, least_squares(data), data, None, None).notices
    assert notices == ["predictions of MedHouseVal are constant: use more bits"]


def vars_of(model):
    return {name: getattr(model, name) for name in model.__dataclass_fields__}


def test_saturation_beyond_one_percent_is_named(data):
    guard = guarded(data, inputs="int8", calibration="percentile", percentile=2.0)
    assert guard.saturated[0] > 0.01
    assert "saturate" in guard.notices[0]


def test_a_gain_from_clipping_is_not_taken_for_good_quantization(data):
    guard = guarded(data, inputs="int8", calibration="percentile")
    assert guard.quantized_r2[1] > guard.float_r2[1] + 0.05
    assert guard.clipped_r2[1] - guard.float_r2[1] == pytest.approx(0.058, abs=0.001)
    assert abs(guard.quantized_r2[1] - guard.clipped_r2[1]) < 0.005


def test_float_inputs_have_nothing_to_clip(data):
    guard = guarded(data, bits=4)
    assert guard.clipped_r2 == guard.float_r2
    assert guard.saturated == (0.0, 0.0)
