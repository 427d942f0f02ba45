"""What the tests of quantization share: California Housing's least squares, made integer."""

import numpy as np

from mlrq.models.linear import LinearModel
from mlrq.pipeline.quantize import training_statistics
from mlrq.quantization.quantize import Quantization, TrainingStatistics, quantize
from mlrq.quantization.settings import Settings
from mlrq.stats.summarize import summarize
from mlrq.stats.summary import fit_least_squares
from mlrq.streaming.train_test import TrainTest


def least_squares(data: TrainTest) -> LinearModel:
    return LinearModel(*fit_least_squares(data.summary), data.features, data.targets)


def quantized(data: TrainTest, **settings: object) -> Quantization:
    chosen = Settings(**settings)
    return quantize(least_squares(data), training_statistics(data, chosen, None), chosen)


def statistics(rows: np.ndarray, values: np.ndarray) -> TrainingStatistics:
    """Of rows that are all training rows, with float inputs."""
    table = np.hstack([rows, values])
    return TrainingStatistics(summarize(rows, values), table.min(axis=0), table.max(axis=0))
