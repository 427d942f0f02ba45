"""What the tests of quantization share: California Housing's least squares, made integer."""

from mlrq.linear import LinearModel
from mlrq.quantization.quantize import Quantization, quantize
from mlrq.settings import Settings
from mlrq.source import Data
from mlrq.summarize import summarize
from mlrq.summary import fit_least_squares


def least_squares(data: Data) -> LinearModel:
    coefficients, intercept = fit_least_squares(summarize(data.parts.train_rows, data.parts.train_values))
    return LinearModel(coefficients, intercept, data.dataset.features, data.dataset.targets)


def quantized(data: Data, **settings: object) -> Quantization:
    values = data.parts.train_values
    return quantize(least_squares(data), data.parts.train_rows, values, Settings(**settings))
