"""`Clipped`: a float model of inputs that saturate, to tell clipping from quantizing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrq.models.linear import LinearModel
from mlrq.quantization.inputs import InputGrid


@dataclass(frozen=True, eq=False)
class Clipped:
    """A float model of clipped inputs; it travels to other processes.

    Attributes:
        model: The model.
        inputs: Whose ranges the inputs are clipped to.
    """

    model: LinearModel
    inputs: InputGrid

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, targets) float64 predictions of (n, features) float64 rows."""
        return self.model.predict(self.inputs.clip(rows))
