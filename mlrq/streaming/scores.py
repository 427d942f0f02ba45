"""How good models are: what is said of one, and what is known of a linear one without its predictions."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mlrq.models.linear import LinearModel
from mlrq.quantization.clipped import Clipped
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear
from mlrq.stats.metrics import Metrics

NEGLIGIBLE = 1e-4  # of a target's standard deviation


class Model(Protocol):
    """Anything that predicts (n, targets) from (n, features) float64 rows."""

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, targets) float64."""


@dataclass(frozen=True, eq=False)
class Score:
    """How good one model is.

    Attributes:
        train: Its errors on the training rows.
        test: Its errors on the test rows; None where there are none.
        constant: (targets,) whether it predicts the same for every training row.
        distance: (targets,) largest differences from the first model's predictions on the test rows; None
            without any.
    """

    train: Metrics
    test: Metrics | None
    constant: NDArray[np.bool_]
    distance: NDArray[np.float64] | None


class Affine(NamedTuple):
    """A model as weights and intercept of what it makes of a row.

    Attributes:
        inputs: The grids that features go through first; None for raw features.
        rounded: Whether they become codes there, or are only clipped.
        weights: (targets, features) float64.
        intercept: (targets,) float64.
    """

    inputs: InputGrid | None
    rounded: bool
    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]


def affine(model: Model, spread: NDArray[np.float64]) -> Affine | None:
    """`model` as an affine one, so that its training errors follow from a summary; None for any other.

    An integer model rounds its exact sum to float32 and the product with the scale again. It is affine where
    that is nothing beside the targets' `spread`, (targets,) standard deviations, as it is unless they are far
    from zero.
    """
    match model:
        case LinearModel():
            return Affine(None, False, model.coefficients, model.intercept)
        case Clipped():
            return Affine(model.inputs, False, model.model.coefficients, model.model.intercept)
        case QuantizedLinear(inputs=None, output_range=None):
            return Affine(None, False, model.weights, model.intercept_value)
        case QuantizedLinear(inputs=InputGrid() as inputs, output_range=None):
            largest = float(model.accumulator_bound or 0) * model.scale.astype(np.float64)
            if (largest * np.finfo(np.float32).eps <= NEGLIGIBLE * spread).all():
                unit = model.scale if model.intercept.dtype.kind == "i" else np.float32(1)
                return Affine(inputs, True, model.grid_values, model.intercept * unit.astype(np.float64))
    return None
