"""Train: fit a float model to the training rows."""

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts.documents import FLOAT, FloatArtifact
from mlrq.artifacts.schema import FIRST_ROWS, Estimator, Training
from mlrq.errors import MlrqError
from mlrq.models import closed_form, estimators
from mlrq.models.estimators import Fitted
from mlrq.pipeline.results import Trained
from mlrq.streaming.train_test import TrainTest


def train(data: TrainTest, model: dict[str, Any], cache: Path | None = None) -> Trained:
    """Fit the linear model that `model` describes: from the summary where that is enough, else to the rows.

    Args:
        data: Rows to learn from.
        model: The model group of the configuration: name, standardize, estimator.
        cache: Folder where what scikit-learn fits is remembered; None remembers nothing.

    Raises:
        MlrqError: If the estimator does not suit the data, is not linear, or needs more rows in memory than
            are allowed there.
    """
    spec, standardize, names = model["estimator"], model["standardize"], (data.features, data.targets)
    if closed_form.suffices(spec):
        fitted = closed_form.fit(data.summary, spec, standardize, *names)
    elif data.weights is not None:
        name = spec["_target_"].rpartition(".")[2]
        raise MlrqError(
            f"{name} is fitted here without weights, but {data.weights!r} weights the rows: use "
            "linear_regression or ridge, or fit it yourself and name the file by model_path"
        )
    else:
        fit = estimators.fit_once(cache) if cache else estimators.fit
        fitted = fit(*data.training_rows(spec["_target_"].rpartition(".")[2]), spec, standardize, *names)
    return trained(data, fitted, model, fitted.predict(data.first(FIRST_ROWS)[0]))


def trained(data: TrainTest, fitted: Fitted, model: dict[str, Any], first: NDArray[np.float64]) -> Trained:
    """A float model with where it came from, and what its estimator predicts for the `first` rows."""
    width = len(data.features)
    training = Training(
        dataset=data.name,
        source=data.source,
        sha256=data.sha256,
        split=data.split.rule,
        test_size=data.split.test_size,
        seed=data.split.seed,
        train_rows=data.train_count,
        test_rows=data.test_count,
        target_spread=data.target_spread.tolist(),
        input_range=[end[:width].tolist() for end in (data.low, data.high)],
        estimator=cast(Estimator, model),
        columns=data.encoding,
        calibration_rows=data.calibration_count if data.split.calibrate else None,
    )
    return Trained(FloatArtifact(fitted.model, training, first), fitted.notices, fitted.estimator)


def require_same_training(origin: Training, data: TrainTest, name: str = FLOAT) -> None:
    """Raise MlrqError unless `data` is what the model `name` was trained on."""
    split = origin.rows_split
    if (data.sha256, data.split) != (origin.sha256, split):
        raise MlrqError(
            f"{name} was trained on {origin.dataset} (sha256 {origin.sha256[:12]}, {split}), but this is "
            f"{data.name} (sha256 {data.sha256[:12]}, {data.split}): "
            "name that dataset, or run stage=train on this one"
        )
