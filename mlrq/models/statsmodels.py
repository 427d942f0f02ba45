"""A fitted statsmodels regression as a regressor of its features; the constant's column is added here."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_results(found: Any) -> bool:
    """Whether `found` is the results object of a statsmodels regression."""
    return type(found).__module__.startswith("statsmodels.") and hasattr(found, "params")


class Regressor:
    """`predict` of rows without the constant's column.

    Attributes:
        formula: Whether a formula makes the columns, of a table by its names.
        n_features_in_: Number of columns without the constant; not there with a formula.
        feature_names_in_: Their names; not there where it was fitted on an array, or with a formula.
    """

    def __init__(self, results: Any) -> None:
        self._results, self.formula = results, hasattr(results.model, "formula")
        data = results.model.data
        self._constant: int | None = None if self.formula else data.const_idx
        names = [str(name) for name in results.model.exog_names]
        self._names = [name for i, name in enumerate(names) if i != self._constant]
        if not self.formula:
            self.n_features_in_ = len(self._names)
            if data.orig_exog is not None and hasattr(data.orig_exog, "columns"):
                self.feature_names_in_ = np.array(self._names, dtype=object)

    def predict(self, rows: Any) -> NDArray[np.float64]:
        """(n,) predictions of (n, features) rows, or of a table with the formula's columns."""
        if self.formula:
            return np.asarray(self._results.predict(rows), dtype=np.float64)
        table = np.asarray(rows, dtype=np.float64)
        if self._constant is not None:
            table = np.insert(table, self._constant, 1.0, axis=1)
        return np.asarray(self._results.predict(table), dtype=np.float64)
