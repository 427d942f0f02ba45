"""What the tests of quantization share: California Housing's least squares, made integer."""

from mlrq.linear import LinearModel
from mlrq.pipeline import Data
from mlrq.quantization.quantize import Quantization, quantize
from mlrq.summary import fit_least_squares, summarize

DEFAULTS = {
    "bits": 8,
    "scheme": "symmetric",
    "granularity": "per_tensor",
    "rounding": "exact",
    "intercept": "auto",
    "refit_intercept": True,
    "inputs": "float",
    "calibration": "minmax",
    "percentile": 0.1,
    "feature_scale": "std",
    "output_range": None,
    "nodes": 5_000_000,
    "seconds": 600.0,
}


def least_squares(data: Data) -> LinearModel:
    coefficients, intercept = fit_least_squares(summarize(data.parts.train_rows, data.parts.train_values))
    return LinearModel(coefficients, intercept, data.dataset.features, data.dataset.targets)


def quantized(data: Data, **settings: object) -> Quantization:
    values = data.parts.train_values
    return quantize(least_squares(data), data.parts.train_rows, values, **{**DEFAULTS, **settings})
