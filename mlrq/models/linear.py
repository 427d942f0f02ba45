"""`LinearModel`: the coefficients and intercept of any fitted linear regressor, on raw features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError
from mlrq.kernel import affine


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A linear model of raw features: prediction = rows @ coefficients.T + intercept.

    Attributes:
        coefficients: (targets, features) float64.
        intercept: (targets,) float64.
        features: Names, in the order of the columns.
        targets: Names, in the order of the predictions.
    """

    coefficients: NDArray[np.float64]
    intercept: NDArray[np.float64]
    features: tuple[str, ...]
    targets: tuple[str, ...]

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, targets) float64 predictions of (n, features) float64 rows."""
        return affine(rows, self.coefficients, self.intercept)


def require_finite(model: LinearModel, name: str) -> None:
    """Raise MlrqError, with the `name` of what was fitted, unless all numbers of `model` are finite."""
    if not (np.isfinite(model.coefficients).all() and np.isfinite(model.intercept).all()):
        raise MlrqError(
            f"{name} has coefficients that are not finite; if it did not converge, "
            "model.standardize=true may help"
        )
