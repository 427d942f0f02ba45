"""Rows of a stream as arrays, and the split that scikit-learn makes of them."""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from mlrq.datasets.parts import Stream
from mlrq.datasets.split import Split
from mlrq.streaming.train_test import TrainTest


@dataclass(frozen=True)
class Parts:
    """Features and targets of training and of test rows, (n, columns) each."""

    train_rows: np.ndarray
    train_values: np.ndarray
    test_rows: np.ndarray
    test_values: np.ndarray


def table_of(stream: Stream) -> np.ndarray:
    """All numbers, (rows, columns), features first."""
    return np.concatenate(
        [np.stack(list(batch)) for part in stream.parts for batch in stream.batches(part)], 1
    ).T


def rows_of(stream: Stream) -> np.ndarray:
    """The features, (rows, features)."""
    return np.ascontiguousarray(table_of(stream)[:, : len(stream.features)])


def values_of(stream: Stream) -> np.ndarray:
    """The targets, (rows, targets)."""
    return np.ascontiguousarray(table_of(stream)[:, len(stream.features) :])


def csv_of(stream: Stream) -> str:
    """The table as CSV, every number with all its digits."""
    lines = (",".join(map(repr, row)) for row in table_of(stream).tolist())
    return "\n".join([",".join([*stream.features, *stream.targets]), *lines]) + "\n"


def split_by_scikit_learn(stream: Stream, test_size: float = 0.2, seed: int = 42) -> Parts:
    """The parts of `dataset.split=shuffle`."""
    train, test, train_values, test_values = train_test_split(
        rows_of(stream), values_of(stream), test_size=test_size, random_state=seed
    )
    return Parts(train, train_values, test, test_values)


def split_as_told(rows: np.ndarray, values: np.ndarray, test: np.ndarray) -> Parts:
    """The parts of which `test` says whether a row is a test row."""
    return Parts(rows[~test], values[~test], rows[test], values[test])


def shuffled(stream: Stream, test_size: float = 0.2, seed: int = 42, **more: object) -> TrainTest:
    """What `dataset.split=shuffle` makes of a table."""
    return TrainTest(stream, Split("shuffle", test_size, seed), **more)


def hashed(stream: Stream, test_size: float = 0.2, seed: int = 42, **more: object) -> TrainTest:
    """What `dataset.split=hash` makes of a table."""
    return TrainTest(stream, Split("hash", test_size, seed), **more)
