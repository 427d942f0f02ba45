"""Diabetes against scikit-learn's own table."""

from sklearn.datasets import load_diabetes
from support.tables import rows_of, values_of

from mlrq.datasets import diabetes


def test_diabetes_is_scikit_learns():
    ours, theirs = diabetes.load(), load_diabetes()
    assert rows_of(ours).tolist() == theirs.data.tolist()
    assert values_of(ours)[:, 0].tolist() == theirs.target.tolist()
    assert ours.features == tuple(theirs.feature_names)
