"""`Dataset`, and how its rows are split into training and test rows."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError

LARGEST = 1e100  # squares and their sums must stay finite


def chosen(columns: Sequence[str], target: list[str], features: list[str] | None, name: str) -> list[str]:
    """Names of the features: `features`, or for None every one of `columns` that is no target.

    Raises:
        MlrqError: If there is none.
    """
    names = features or [column for column in columns if column not in target]
    if not names:
        raise MlrqError(f"{name}: every column is a target; there is no feature to learn from")
    return names


@dataclass(frozen=True)
class Dataset:
    """A table of numbers.

    Attributes:
        name: What to call it.
        source: Where the numbers came from, for the report.
        features: Names of the columns of `rows`.
        targets: Names of the columns of `values`.
        rows: (n, features) float64, finite.
        values: (n, targets) float64, finite.
    """

    name: str
    source: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    rows: NDArray[np.float64]
    values: NDArray[np.float64]

    @cached_property
    def sha256(self) -> str:
        """Hash of the names and of the numbers as little-endian doubles: the same data, the same hash."""
        names = "\0".join((*self.features, "", *self.targets)).encode()
        sha = hashlib.sha256(names)
        for table in (self.rows, self.values):
            sha.update(np.ascontiguousarray(table, dtype="<f8").data)
        return sha.hexdigest()


@dataclass(frozen=True)
class Split:
    """Training and test rows of one dataset, (rows, features) and (rows, targets) float64."""

    train_rows: NDArray[np.float64]
    train_values: NDArray[np.float64]
    test_rows: NDArray[np.float64]
    test_values: NDArray[np.float64]


def split(dataset: Dataset, test_size: float, seed: int) -> Split:
    """Split as `sklearn.model_selection.train_test_split(..., random_state=seed)` does, row for row.

    Args:
        dataset: The table.
        test_size: Fraction of the rows for the test, rounded up to whole rows.
        seed: Of the permutation.

    Raises:
        MlrqError: If there are too few rows, a value too large to be squared, or a training column that
            is constant: a feature without variance has no coefficient, a target nothing to explain.
    """
    count = len(dataset.rows)
    test_count = math.ceil(test_size * count)
    order = np.random.RandomState(seed).permutation(count)
    test, train = order[:test_count], order[test_count:]
    needed = max(len(dataset.features), 2)
    rows = "1 row leaves" if count == 1 else f"{count} rows leave"
    if len(train) < needed:
        raise MlrqError(
            f"{dataset.name}: {rows} {len(train)} for training, but "
            f"{len(dataset.features)} features need at least {needed}: add rows or drop features"
        )
    if test_count < 2:
        raise MlrqError(
            f"{dataset.name}: {rows} {test_count} for the test, but R2 needs 2: "
            "add rows or raise dataset.test_size"
        )
    parts = Split(dataset.rows[train], dataset.values[train], dataset.rows[test], dataset.values[test])
    for kind, names, table in (
        ("feature", dataset.features, parts.train_rows),
        ("target", dataset.targets, parts.train_values),
    ):
        if np.abs(table).max() > LARGEST:
            raise MlrqError(f"{dataset.name}: a {kind} exceeds {LARGEST:g}: change its unit")
        constant = np.flatnonzero((table == table[0]).all(axis=0))
        if len(constant):
            listed = ", ".join(f"{names[i]!r} (always {table[0, i]:g})" for i in constant)
            raise MlrqError(f"{dataset.name}: constant {kind} in the training rows: {listed}: drop it")
    return parts
