"""Tables that an integer model is given: what it predicts from, the truth, and the rows it was made with."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlrq.api.tables import aligned, encoded, encoded_whole, table
from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact
from mlrq.errors import MlrqError

if TYPE_CHECKING:
    from mlrq.streaming.train_test import TrainTest


def inputs(artifact: QuantizedArtifact, X: Any) -> NDArray[np.float64]:
    """(n, features) of a table. Raises MlrqError as `QuantizedModel.predict` does."""
    encoding = artifact.training.columns
    return encoded(X, encoding) if encoding else aligned(X, artifact.model.features)


def actual(artifact: QuantizedArtifact, y: Any) -> NDArray[np.float64]:
    """(n, targets) of a table or an array of them. Raises MlrqError if they are not the model's."""
    found, targets = table(y, "y"), artifact.model.targets
    if found.names is not None and len(found.names) == 1 == len(targets):
        return found.cells  # a column by another name is the one target all the same
    return aligned(y, targets, "y")


def pair(artifact: QuantizedArtifact, X: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and their targets. Raises MlrqError if there are more of the one than of the other."""
    rows, values = inputs(artifact, X), actual(artifact, y)
    if len(rows) != len(values):
        raise MlrqError(f"y: has {len(values)} rows, but X has {len(rows)}")
    return rows, values


def weight(found: Any, rows: int) -> NDArray[np.float64]:
    """(n,) weights. Raises MlrqError unless they are finite and 0 or more, one for each row."""
    from mlrq.api.prepare import weights
    from mlrq.datasets.parts import out_of_bounds, require_weights

    column, name = weights(found, rows)[:, 0], "sample_weight"
    if not np.isfinite(column).all():
        raise out_of_bounds([column], [name], "weights", 1)
    require_weights(column, name, "weights", 1)
    return column


def again(
    artifact: QuantizedArtifact, origin: FloatArtifact | None, X: Any, y: Any, sample_weight: Any
) -> "TrainTest":
    """The rows that a model was made with, split as they were.

    Args:
        artifact: The model.
        origin: The float model, if it is at hand.
        X: The rows.
        y: Their targets; None for what the float model predicts.
        sample_weight: Their weights, or None.

    Raises:
        MlrqError: If they are others.
    """
    from mlrq.api.prepare import WEIGHT, read, weights
    from mlrq.datasets.learning import DROPPED
    from mlrq.pipeline.train import require_same_training

    training, whole = artifact.training, None
    if training.columns and DROPPED in training.source:
        rows, whole = encoded_whole(X, training.columns)
    else:
        rows = inputs(artifact, X)
    if y is None and origin is None:
        raise MlrqError("y: required, for the float model that predicts it is not at hand")
    values = origin.model.predict(rows) if y is None and origin else actual(artifact, y)
    weight = None if sample_weight is None else weights(sample_weight, len(rows if whole is None else whole))
    if whole is not None and len(values) == len(whole):
        told: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=1))
        rows, values = rows[told[whole]], values[whole & told]
        weight = None if weight is None else weight[whole & told]
    source = training.source
    if weight is not None:  # it is said when the weights are read
        source = source.removesuffix(f", weights {WEIGHT}")
    names = artifact.model.features, artifact.model.targets
    data = read(rows, values, names, training.rows_split, (training.dataset, source), weight)
    require_same_training(training, data, "the model")
    return data
