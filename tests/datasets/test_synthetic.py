"""Tables made from a seed."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from support.tables import rows_of, values_of

from mlrq.datasets.synthetic import load


@pytest.mark.parametrize("targets", [1, 3])
def test_the_table_has_the_shape_asked_for(targets):
    table = load(rows=7, features=2, targets=targets, noise=0.1, seed=0)
    assert rows_of(table).shape == (7, 2)
    assert values_of(table).shape == (7, targets)
    assert table.features == ("x1", "x2")
    assert table.targets == (("y",) if targets == 1 else ("y1", "y2", "y3"))


def test_the_seed_makes_the_table():
    made = [rows_of(load(50, 3, 2, 0.1, seed)).tolist() for seed in (1, 1, 2)]
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_without_noise_the_targets_are_linear_in_the_features():
    table = load(200, 5, 2, 0.0, 3)
    fitted = LinearRegression().fit(rows_of(table), values_of(table))
    assert np.abs(fitted.predict(rows_of(table)) - values_of(table)).max() < 1e-12


def test_noise_is_in_units_of_the_noiseless_spread():
    clean, noisy = (load(20_000, 4, 2, noise, 5) for noise in (0.0, 0.5))
    assert rows_of(clean).tolist() == rows_of(noisy).tolist()
    ratio = (values_of(noisy) - values_of(clean)).std(axis=0) / values_of(clean).std(axis=0)
    assert np.abs(ratio - 0.5).max() < 0.02
