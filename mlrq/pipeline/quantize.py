"""Quantize: make the integer model of a float model, guard it, and compare first predictions."""

from dataclasses import fields

import numpy as np

from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact
from mlrq.artifacts.schema import FIRST_ROWS
from mlrq.errors import MlrqError
from mlrq.models.linear import LinearModel
from mlrq.pipeline.certificate import document, followed
from mlrq.pipeline.guard import check
from mlrq.pipeline.intervals import with_interval
from mlrq.pipeline.results import Quantized
from mlrq.pipeline.train import require_same_training
from mlrq.pipeline.width import residual_variance
from mlrq.quantization.quantize import TrainingStatistics, quantize
from mlrq.quantization.settings import Settings, Wanted
from mlrq.quantization.width import cheapest
from mlrq.stats.metrics import deviations
from mlrq.streaming.train_test import TrainTest


def quantize_model(
    data: TrainTest,
    origin: FloatArtifact,
    settings: Settings,
    max_r2_drop: float | str | None = "auto",
    strict: bool = False,
    certificate: bool | str = False,
    wanted: Wanted | None = None,
    interval: float | None = None,
) -> Quantized:
    """Make the integer model of a float model.

    Args:
        data: What the float model was trained on.
        origin: The float model.
        settings: How to quantize.
        max_r2_drop: For the guard; see `mlrq.pipeline.guard.check`.
        strict: Whether what the guard objects to is an error.
        certificate: Whether to make one; see `mlrq.pipeline.certificate.document`.
        wanted: What bits, and maybe the grid, are to be found by, whatever the settings say of them; None for
            those of the settings.
        interval: Level of the interval around predictions; None for none.

    Raises:
        MlrqError: If `data` is not the training data, a number does not fit its format, the guard objects
            and is strict, or too few rows were set aside for the interval.
    """
    require_same_training(origin.training, data)
    exact = origin.model
    fit_to = exact if followed(origin) else None
    statistics = training_statistics(data, settings, fit_to)
    # Without what the configuration has beside them.
    recorded = Settings(**{item.name: getattr(settings, item.name) for item in fields(Settings)})
    if wanted is None:
        made, width = quantize(exact, statistics, recorded), None
    else:
        residual = residual_variance(data, exact)
        recorded, made, width = cheapest(exact, statistics, recorded, wanted, residual)
    model = made.model
    guard = check(model, exact, data, fit_to, max_r2_drop)
    if strict and guard.notices:
        raise MlrqError("quantization.strict: " + "; ".join(guard.notices))
    first_rows = data.first(FIRST_ROWS)[0]
    distance = data.score((exact, model))[1].distance
    first = {
        "estimator": origin.first_predictions,
        "formula": exact.predict(first_rows),
        "integer": model.predict(first_rows),
    }
    if interval is not None:
        model = with_interval(data, model, interval)
    artifact = QuantizedArtifact(model, origin.training, recorded, made.excess, made.certificate)
    seen = statistics.coded or statistics.summary.divided(model.factor.astype(np.float64))
    return Quantized(
        artifact,
        origin,
        document(data, origin, (artifact, width), seen, certificate),
        weight_error=model.weights - exact.coefficients,
        intercept_excess=made.intercept_excess,
        intercept_error=model.intercept_value - made.intercept,
        first=first,
        deviations=deviations(
            first["integer"] - first["formula"] if distance is None else distance,
            np.array(origin.training.target_spread),
        ),
        guard=guard,
        width=width,
    )


def training_statistics(
    data: TrainTest, settings: Settings, fit_to: LinearModel | None
) -> TrainingStatistics:
    """What quantizing needs to know of the training rows, with what `fit_to` predicts for targets."""
    summary = data.summary
    if fit_to is not None:
        summary = summary.following(fit_to.coefficients, fit_to.intercept)
    inputs = data.input_grid(settings)
    coded = data.summary_through(inputs, True, fit_to) if inputs else None
    return TrainingStatistics(summary, data.low, data.high, inputs, coded)
