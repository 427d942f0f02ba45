"""Diabetes (Efron et al., 2004): 442 patients, ten features; ships inside scikit-learn."""

from mlrq.datasets.memory import of_arrays
from mlrq.datasets.parts import Stream
from mlrq.errors import MlrqError


def load() -> Stream:
    """The table as `sklearn.datasets.load_diabetes` gives it.

    Raises:
        MlrqError: If scikit-learn is not installed, as in the container image.
    """
    try:
        from sklearn.datasets import load_diabetes
    except ImportError as error:
        raise MlrqError(f"dataset=diabetes needs scikit-learn: {error}") from error
    table = load_diabetes()
    return of_arrays(
        "diabetes",
        "scikit-learn's load_diabetes",
        tuple(table.feature_names),
        ("progression",),
        table.data,
        table.target[:, None],
    )
