"""What the tests of quantization share: California Housing's least squares, made integer."""

from mlrq.models.linear import LinearModel
from mlrq.quantization.quantize import Quantization, quantize
from mlrq.quantization.settings import Settings
from mlrq.stats.summarize import summarize
from mlrq.stats.summary import fit_least_squares
from mlrq.streaming.protocol import Data


def least_squares(data: Data) -> LinearModel:
    coefficients, intercept = fit_least_squares(summarize(data.parts.train_rows, data.parts.train_values))
    return LinearModel(coefficients, intercept, data.dataset.features, data.dataset.targets)


def quantized(data: Data, **settings: object) -> Quantization:
    values = data.parts.train_values
    return quantize(least_squares(data), data.parts.train_rows, values, Settings(**settings))
