"""Fitting a scikit-learn estimator: the only module that needs scikit-learn, and only when it fits."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts import lock
from mlrq.components import build_estimator
from mlrq.errors import MlrqError

Fit = Callable[..., tuple[bytes, list[str]]]


def fit(
    rows: NDArray[np.float64], values: NDArray[np.float64], spec: dict[str, Any], standardize: bool
) -> tuple[bytes, list[str]]:
    """Fit the estimator of `spec` on one BLAS thread, so that its bits do not depend on their number.

    Args:
        rows: (n, features) float64.
        values: (n, targets) float64.
        spec: The estimator's `_target_` and parameters.
        standardize: Whether a StandardScaler comes first.

    Returns:
        The fitted estimator as a joblib file, and the texts of the warnings that fitting gave. Bytes, for
        an estimator that comes out of a cache is pickled to other bytes than the one that went in.

    Raises:
        MlrqError: If a parameter or the data does not suit the estimator.
    """
    estimator = build_estimator(spec, standardize)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator.fit(rows, values[:, 0] if values.shape[1] == 1 else values)
        except (ValueError, TypeError) as error:
            name = spec["_target_"].rpartition(".")[2]
            raise MlrqError(f"{name} cannot be fitted: {str(error).splitlines()[0]}") from error
    notices = [f"{item.category.__name__}: {str(item.message).splitlines()[0]}" for item in caught]
    return dump(estimator), sorted(set(notices))


def fit_once(folder: Path) -> Fit:
    """`fit`, remembering its results in `folder` between the jobs of a sweep, in any process."""
    import joblib

    remembered = joblib.Memory(folder, verbose=0).cache(fit)

    def locked(*args: Any) -> tuple[bytes, list[str]]:
        with lock(folder / "lock"):  # jobs that start together wait for the first to fit
            result: tuple[bytes, list[str]] = remembered(*args)
            return result

    return locked


def dump(estimator: Any) -> bytes:
    """`estimator` as a joblib file."""
    import joblib

    stream = io.BytesIO()
    joblib.dump(estimator, stream)
    return stream.getvalue()


def load(fitted: bytes) -> Any:
    """The estimator that `fit` returned. Loading runs the code in it: never give it bytes from elsewhere."""
    import joblib

    return joblib.load(io.BytesIO(fitted))


def versions() -> dict[str, str]:
    """Of the packages that decide a float model's bits."""
    import sklearn

    from mlrq import __version__

    return {"mlrq": __version__, "numpy": np.__version__, "scikit-learn": sklearn.__version__}
