"""The two rules by which rows become training and test rows: a permutation, and a hash of the position.

Of the rows that are no test rows, whatever the rule, another hash sets some aside to calibrate intervals on.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mlrq import kernel

RULES = ("shuffle", "hash", "files")
CALIBRATION = 5  # one of so many rows that are no test rows is a calibration row


@dataclass(frozen=True)
class Split:
    """How rows are divided into training and test rows.

    Attributes:
        rule: "shuffle", as scikit-learn's `train_test_split` does, which needs all rows in memory; "hash",
            for any number of rows; or "files", where each file is of one kind, and nothing else counts.
        test_size: Fraction of test rows, 0 to 1; with 0 there are none.
        seed: Of the permutation or of the hash.
        calibrate: Whether rows that are no test rows are set aside; see `set_aside`.
    """

    rule: str
    test_size: float
    seed: int
    calibrate: bool = False

    def __str__(self) -> str:
        how = f"{self.rule}, test_size {self.test_size:g}, seed {self.seed}"
        how = "test rows in files of their own" if self.rule == "files" else how
        return f"{how}, calibration rows set aside" if self.calibrate else how


def shuffled(count: int, split: Split) -> tuple[NDArray[np.int64], int]:
    """The order of `sklearn.model_selection.train_test_split(..., random_state=seed)`, test rows first.

    Args:
        count: Number of rows.
        split: Its test size, in whole rows rounded up, and its seed.

    Returns:
        A permutation (count,) of the positions, and how many of the first are test rows.
    """
    order = np.random.RandomState(split.seed).permutation(count)
    return order, math.ceil(split.test_size * count)


def hashed(start: int, count: int, split: Split) -> NDArray[np.bool_]:
    """Which of the rows at positions start..start + count - 1 are test rows, (count,).

    A row is one if the seeded hash of its position lies below `test_size` of all hashes. So it is the same
    row in whatever batch or process it is read, and about, not exactly, that fraction of the rows.
    """
    return kernel.below(start, count, _key(split.seed), int(split.test_size * 2.0**64))


def set_aside(start: int, count: int, split: Split) -> NDArray[np.bool_]:
    """Which of the rows at positions start..start + count - 1 are calibration rows unless they are test rows.

    A row is one if a hash of its position, seeded with the hash of what seeds that of test rows, lies below a
    fifth of all hashes. So about a fifth of the rows that are no test rows are calibration rows, and neither
    has to do with the other. None are unless `split.calibrate`.
    """
    if not split.calibrate:
        return np.zeros(count, dtype=np.bool_)
    return kernel.below(start, count, _key(_key(split.seed)), 2**64 // CALIBRATION)


@cache
def _key(seed: int) -> int:
    return int(kernel.scrambled(np.array([seed], dtype=np.uint64))[0])
