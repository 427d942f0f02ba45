"""Diabetes (Efron et al., 2004): 442 patients, ten features; ships inside scikit-learn."""

from mlrq.datasets.dataset import Dataset
from mlrq.errors import MlrqError


def load() -> Dataset:
    """The table as `sklearn.datasets.load_diabetes` gives it.

    Raises:
        MlrqError: If scikit-learn is not installed, as in the container image.
    """
    try:
        from sklearn.datasets import load_diabetes
    except ImportError as error:
        raise MlrqError(f"dataset=diabetes needs scikit-learn: {error}") from error
    table = load_diabetes()
    return Dataset(
        "diabetes",
        "scikit-learn's load_diabetes",
        tuple(table.feature_names),
        ("progression",),
        table.data,
        table.target[:, None],
    )
