"""Fitting a scikit-learn estimator. Nothing of scikit-learn is imported before one is fitted."""

import inspect
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import ConfigError, MlrqError, unknown_key
from mlrq.files import lock
from mlrq.models.affine import fold
from mlrq.models.linear import LinearModel
from mlrq.models.targets import estimator_class


def build_estimator(spec: dict[str, Any], standardize: bool) -> Any:
    """The unfitted estimator of `spec`, behind a StandardScaler where `standardize` says so.

    Raises:
        MlrqError: If there is no such class, or it has no such parameter.
    """
    parameters = {key: value for key, value in spec.items() if key != "_target_"}
    made = estimator_class(spec["_target_"])
    allowed = list(inspect.signature(made).parameters)
    extra = [key for key in parameters if key not in allowed]
    if extra:
        name = spec["_target_"].rpartition(".")[2]
        raise ConfigError([f"{unknown_key(f'model.estimator.{key}', allowed)} ({name})" for key in extra])
    estimator = made(**parameters)
    if not standardize:
        return estimator
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), estimator)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A float model that was fitted to training rows.

    Attributes:
        model: The model.
        notices: What to know of the fit.
        estimator: The scikit-learn estimator that was fitted, as a joblib file; None where none was.
            Bytes, for an estimator that comes out of a cache is pickled to other bytes than the one that
            went in.
    """

    model: LinearModel
    notices: list[str]
    estimator: bytes | None = None

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, targets) float64 of (n, features) rows, by the estimator itself where there is one."""
        if self.estimator is None:
            return self.model.predict(rows)
        predicted = np.asarray(_load(self.estimator).predict(rows), dtype=np.float64)
        return predicted.reshape(-1, len(self.model.targets))


# Rows, values, the estimator's specification, whether to standardize, names of features and targets.
Fit = Callable[..., Fitted]


def fit(
    rows: NDArray[np.float64],
    values: NDArray[np.float64],
    spec: dict[str, Any],
    standardize: bool,
    features: tuple[str, ...],
    targets: tuple[str, ...],
) -> Fitted:
    """Fit the estimator of `spec`, and fold it.

    Args:
        rows: (n, features) float64.
        values: (n, targets) float64.
        spec: The estimator's `_target_` and parameters.
        standardize: Whether a StandardScaler comes first.
        features: Names of the columns of `rows`.
        targets: Names of the columns of `values`.

    Raises:
        MlrqError: If a parameter or the data does not suit the estimator, or it is not linear.
    """
    estimator, notices = estimate(rows, values, spec, standardize)
    model = fold(estimator, features, targets, rows)
    return Fitted(model, notices, _dump(estimator))


def estimate(
    rows: NDArray[np.float64], values: NDArray[np.float64], spec: dict[str, Any], standardize: bool
) -> tuple[Any, list[str]]:
    """Fit the estimator of `spec` on one BLAS thread, so that its bits do not depend on their number.

    Args:
        rows: (n, features) float64.
        values: (n, targets) float64.
        spec: The estimator's `_target_` and parameters.
        standardize: Whether a StandardScaler comes first.

    Returns:
        The fitted estimator, and the texts of the warnings that fitting gave.

    Raises:
        MlrqError: If a parameter or the data does not suit the estimator.
    """
    estimator = build_estimator(spec, standardize)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator.fit(rows, values[:, 0] if values.shape[1] == 1 else values)
        except (ValueError, TypeError, OverflowError) as error:
            name = spec["_target_"].rpartition(".")[2]
            raise MlrqError(f"{name} cannot be fitted: {str(error).splitlines()[0]}") from error
    return estimator, sorted({_notice(item) for item in caught})


def _notice(caught: warnings.WarningMessage) -> str:
    """What a warning of an estimator says; those of NumPy say nothing of what to do."""
    said = str(caught.message).splitlines()[0]
    if issubclass(caught.category, RuntimeWarning):
        return f"while it was fitted: {said}; model.standardize=true or other units of the columns may help"
    return f"{caught.category.__name__}: {said}"


def fit_once(folder: Path) -> Fit:
    """`fit`, remembering its results in `folder` between the jobs of a sweep, in any process."""
    import joblib

    remembered = joblib.Memory(folder, verbose=0).cache(fit)

    def locked(*args: Any) -> Fitted:
        with lock(folder / "lock"):  # jobs that start together wait for the first to fit
            result: Fitted = remembered(*args)
            return result

    return locked


def _dump(estimator: Any) -> bytes:
    """`estimator` as a joblib file."""
    import joblib

    stream = io.BytesIO()
    joblib.dump(estimator, stream)
    return stream.getvalue()


def _load(fitted: bytes) -> Any:
    """The estimator that `_dump` made a file of. Loading runs the code in it: never give it other bytes."""
    import joblib

    return joblib.load(io.BytesIO(fitted))
