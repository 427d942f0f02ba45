"""Tables made from a seed."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from mlrq.datasets.synthetic import load


@pytest.mark.parametrize("targets", [1, 3])
def test_the_table_has_the_shape_asked_for(targets):
    table = load(rows=7, features=2, targets=targets, noise=0.1, seed=0)
    assert table.rows.shape == (7, 2)
    assert table.values.shape == (7, targets)
    assert table.features == ("x1", "x2")
    assert table.targets == (("y",) if targets == 1 else ("y1", "y2", "y3"))


def test_the_seed_makes_the_table():
    made = [load(50, 3, 2, 0.1, seed).sha256 for seed in (1, 1, 2)]
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_without_noise_the_targets_are_linear_in_the_features():
    table = load(200, 5, 2, 0.0, 3)
    fitted = LinearRegression().fit(table.rows, table.values)
    assert np.abs(fitted.predict(table.rows) - table.values).max() < 1e-12


def test_noise_is_in_units_of_the_noiseless_spread():
    clean, noisy = (load(20_000, 4, 2, noise, 5) for noise in (0.0, 0.5))
    assert clean.rows.tolist() == noisy.rows.tolist()
    ratio = (noisy.values - clean.values).std(axis=0) / clean.values.std(axis=0)
    assert np.abs(ratio - 0.5).max() < 0.02
