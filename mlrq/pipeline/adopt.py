"""Adopt: take a model that was fitted elsewhere for the float model."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts.schema import FIRST_ROWS
from mlrq.models import pretrained
from mlrq.models.estimators import Fitted
from mlrq.models.linear import LinearModel
from mlrq.models.pretrained import Pretrained
from mlrq.pipeline.results import Trained
from mlrq.pipeline.train import trained
from mlrq.streaming.train_test import TrainTest


def adopt(data: TrainTest, given: Path | Pretrained) -> Trained:
    """Take a model that was trained elsewhere for the float model.

    Args:
        data: Rows to quantize it with, and to test it on.
        given: The fitted estimator, or a joblib or skops file. Loading a joblib file runs the code in it.

    Raises:
        MlrqError: If the file holds no linear regressor, or one of other features or targets.
    """
    found = given if isinstance(given, Pretrained) else pretrained.load(given)
    rows, first_rows = data.sample(), data.first(FIRST_ROWS)[0]
    model, first = pretrained.linear(found, data.features, data.targets, rows, first_rows)
    return adopt_folded(data, found, model, first)


def adopt_folded(
    data: TrainTest, found: Pretrained, model: LinearModel, first: NDArray[np.float64] | None = None
) -> Trained:
    """Take the folded model of an estimator for the float model.

    Args:
        data: Rows to quantize it with, and to test it on.
        found: The estimator.
        model: Its fold.
        first: What it predicts for the first rows; None for what the fold does.
    """
    if first is None:
        first = model.predict(data.first(FIRST_ROWS)[0])
    notices = list(found.notices)
    if data.test_count:
        notices.append(f"{found.who} was trained elsewhere: it may have seen the test rows")
    if data.calibration_count:
        notices.append(
            f"{found.who} was trained elsewhere: intervals hold if it has not seen the calibration rows"
        )
    return trained(data, Fitted(model, notices), found.description, first)
