"""The table, its hash, and the split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from mlrq.datasets import Dataset, diabetes, split
from mlrq.errors import MlrqError


def table(rows: int, features: int = 2, targets: int = 1, seed: int = 0) -> Dataset:
    generator = np.random.default_rng(seed)
    return Dataset(
        "t",
        "made here",
        tuple(f"x{i}" for i in range(features)),
        tuple(f"y{i}" for i in range(targets)),
        generator.normal(size=(rows, features)),
        generator.normal(size=(rows, targets)),
    )


def assert_split_as_scikit_learn(dataset: Dataset, test_size: float, seed: int) -> None:
    parts = split(dataset, test_size, seed)
    expected = train_test_split(dataset.rows, dataset.values, test_size=test_size, random_state=seed)
    found = (parts.train_rows, parts.test_rows, parts.train_values, parts.test_values)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.tolist() == theirs.tolist()


@given(st.integers(3, 300), st.floats(0.001, 0.999), st.integers(0, 2**32 - 1))
def test_the_split_is_that_of_scikit_learn_row_for_row(rows, test_size, seed):
    dataset = table(rows)
    if rows - np.ceil(test_size * rows) < 2:
        with pytest.raises(MlrqError, match="for training"):
            split(dataset, test_size, seed)
    elif np.ceil(test_size * rows) < 2:
        with pytest.raises(MlrqError, match="1 for the test, but R2 needs 2"):
            split(dataset, test_size, seed)
    else:
        assert_split_as_scikit_learn(dataset, test_size, seed)


@pytest.mark.parametrize("test_size", [0.1, 0.2, 0.25, 0.3, 0.5])
@pytest.mark.parametrize("seed", [0, 42])
def test_the_split_of_california_is_that_of_scikit_learn(california, test_size, seed):
    assert_split_as_scikit_learn(california, test_size, seed)


def test_no_row_is_lost_or_in_both_parts():
    dataset = table(101)
    parts = split(dataset, 0.2, 42)
    together = np.concatenate([parts.train_rows, parts.test_rows])
    assert sorted(together.tolist()) == sorted(dataset.rows.tolist())


@pytest.mark.parametrize(("rows", "features"), [(0, 1), (1, 1), (2, 1), (5, 8), (10, 9)])
def test_too_few_rows_are_refused(rows, features):
    with pytest.raises(MlrqError, match=rf"t: {rows} rows? leaves? .* for training") as caught:
        split(table(rows, features), 0.2, 42)
    assert len(str(caught.value).splitlines()) == 1


def test_as_many_training_rows_as_features_are_enough():
    assert len(split(table(10, 8), 0.2, 42).train_rows) == 8


@pytest.mark.parametrize("kind", ["feature", "target"])
def test_a_constant_column_is_refused_by_name(kind):
    dataset = table(50, 3, 2)
    column, name = (dataset.rows, "x2") if kind == "feature" else (dataset.values, "y1")
    column[:, -1] = 7.5
    with pytest.raises(MlrqError, match=rf"constant {kind} .*'{name}' \(always 7\.5\)"):
        split(dataset, 0.2, 42)


def test_a_column_that_is_constant_only_in_the_training_rows_is_refused():
    dataset = table(50)
    dataset.rows[:, 0] = 1.0
    order = np.arange(50)
    _, test = train_test_split(order, test_size=0.2, random_state=42)
    dataset.rows[test[0], 0] = 2.0
    with pytest.raises(MlrqError, match="constant feature"):
        split(dataset, 0.2, 42)


def test_the_hash_tells_every_change_and_only_changes():
    dataset = table(5)
    same = Dataset("other name", "other source", dataset.features, dataset.targets,
                   np.asfortranarray(dataset.rows), dataset.values.copy())  # fmt: skip
    assert same.sha256 == dataset.sha256
    hashes = {dataset.sha256}
    changed = dataset.rows.copy()
    changed[3, 1] = np.nextafter(changed[3, 1], np.inf)
    hashes.add(Dataset("t", "", dataset.features, dataset.targets, changed, dataset.values).sha256)
    hashes.add(Dataset("t", "", ("x0", "z"), dataset.targets, dataset.rows, dataset.values).sha256)
    hashes.add(Dataset("t", "", dataset.features, ("z",), dataset.rows, dataset.values).sha256)
    assert len(hashes) == 4


def test_diabetes_is_scikit_learns():
    ours, theirs = diabetes.load(), load_diabetes()
    assert ours.rows.tolist() == theirs.data.tolist()
    assert ours.values[:, 0].tolist() == theirs.target.tolist()
    assert ours.features == tuple(theirs.feature_names)
    assert_split_as_scikit_learn(ours, 0.2, 42)
