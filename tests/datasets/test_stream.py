"""Which rows are test rows depends on their positions and the seed, and on nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlrq.datasets.stream import Part
from mlrq.streaming.source import Cut


class Cuts:
    """A table of row numbers in batches of any size."""

    features, targets = ("row",), ("half",)

    def __init__(self, size):
        self.size = size

    def batches(self, part):
        for start in range(part.start, part.start + part.rows, self.size):
            rows = np.arange(start, min(start + self.size, part.start + part.rows), dtype=float)
            yield np.stack([rows, rows / 2])


def split(groups, size, test_size, seed):
    """Numbers of the training and of the test rows of a table in row groups, read in batches of `size`."""
    starts = np.cumsum([0, *groups]).tolist()
    parts = [Part("f", i, starts[i], rows, None) for i, rows in enumerate(groups)]
    cut = Cut(Cuts(size), test_size, seed)
    found = []
    for test in (False, True):
        pairs = [pair for part in parts for pair in cut.rows(part, test)]
        assert all(np.array_equal(x / 2, y) for x, y in pairs)
        found.append(np.concatenate([x[:, 0] for x, _ in pairs]).astype(int).tolist())
    return found


@given(
    groups=st.lists(st.integers(1, 90), min_size=1, max_size=8),
    others=st.lists(st.integers(1, 90), min_size=1, max_size=8),
    sizes=st.tuples(st.integers(1, 100), st.integers(1, 100)),
    test_size=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_split_is_of_rows_and_not_of_batches_or_row_groups(groups, others, sizes, test_size, seed):
    train, test = split(groups, sizes[0], test_size, seed)
    assert sorted(train + test) == list(range(sum(groups)))
    both = min(sum(groups), sum(others))  # as far as the two tables are the same rows
    for one, two in zip((train, test), split(others, sizes[1], test_size, seed), strict=True):
        assert [row for row in one if row < both] == [row for row in two if row < both]
