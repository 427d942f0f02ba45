"""Sums of products are what fractions give, whatever the sizes of the numbers."""

from fractions import Fraction

import numpy as np
import pytest

from mlrq.solvers import verify
from mlrq.stats import exact_sums

RNG = np.random.default_rng(5)
TABLES = {
    "decimals": RNG.normal(size=(3, 50)).round(3),
    "sizes": RNG.normal(size=(3, 50)) * [[1e-200], [1.0], [1e150]],
    "one column of all sizes": np.array([[1e150, -1e-150, 3.0, 5e-324, 0.1]]),
    "zeros": np.zeros((2, 4)),
    "several chunks": RNG.integers(-1000, 1000, (2, 2 * exact_sums.ROWS + 3)).astype(float),
}


@pytest.mark.parametrize("name", TABLES)
def test_sums_of_products_are_exact(name):
    table = TABLES[name]
    columns = [[Fraction(1)] * table.shape[1], *([Fraction(x) for x in row] for row in table.tolist())]
    wanted = [
        [sum(map(Fraction.__mul__, one, two)) for two in columns[: i + 1]] for i, one in enumerate(columns)
    ]
    assert exact_sums.products(table) == wanted
    halves = table[:, : table.shape[1] // 2], table[:, table.shape[1] // 2 :]
    assert verify.exact(half.tolist() for half in halves if half.size) == wanted


def test_no_rows_have_sums_of_nothing():
    assert exact_sums.products(np.empty((1, 0))) == [[0], [0, 0]]
