"""Least squares against the certified values of the National Institute of Standards and Technology."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.streams import LINEAR

from mlrq.datasets.memory import of_arrays
from mlrq.datasets.parquet import load
from mlrq.datasets.split import Split
from mlrq.models import closed_form
from mlrq.stats.metrics import from_summary
from mlrq.stats.summarize import summarize
from mlrq.stats.summary import combine
from mlrq.streaming.train_test import TrainTest

PROBLEMS = json.loads((Path(__file__).parents[1] / "data/nist_strd.json").read_text())
DIGITS = {"longley": 13, "wampler1": 9, "wampler2": 9, "wampler3": 9, "wampler4": 7, "wampler5": 7}


def given(name):
    """Features (n, f), targets (n,), certified coefficients (intercept first) and residual deviation."""
    problem = PROBLEMS[name]
    rows = problem.get("rows") or [[x**power for power in range(1, 6)] for x in problem["x"]]
    return np.array(rows, float), np.array(problem["y"], float), problem["certified"], problem["residual_sd"]


def names_of(x):
    return tuple(f"x{i}" for i in range(x.shape[1]))


def fitted(summary, names):
    model = closed_form.fit(summary, LINEAR, False, names, ("y",)).model
    return model, np.array([*model.intercept, *model.coefficients[0]])


def correct_digits(found, certified):
    """The least number of correct significant digits: the logarithm of the relative error."""
    error = np.abs(found - certified) / np.abs(certified)
    return -np.log10(max(error.max(), 1e-16))


@pytest.mark.parametrize("name", DIGITS)
def test_a_fit_of_rows_in_memory_has_the_certified_digits(name):
    x, y, certified, deviation = given(name)
    stream = of_arrays(name, "NIST", names_of(x), ("y",), x, y[:, None])
    data = TrainTest(stream, Split("hash", 0.0, 0))
    model, found = fitted(data.summary, names_of(x))
    assert correct_digits(found, certified) >= DIGITS[name]
    if deviation:
        mse = from_summary(data.summary, model.coefficients, model.intercept).mse
        assert mse * len(y) / (len(y) - len(certified)) == pytest.approx(deviation**2, rel=1e-13)


@pytest.mark.parametrize("rows", [1, 2, 5, 8])
@pytest.mark.parametrize("name", DIGITS)
def test_a_fit_of_a_stream_in_parts_has_them_too(tmp_path, name, rows):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    x, y, certified, _ = given(name)
    table = pa.table(dict(zip(names_of(x), x.T, strict=True)) | {"y": y})
    for start in (0, 9):
        pq.write_table(table.slice(start, 9 if start == 0 else None), tmp_path / f"{start}.parquet", rows)
    data = TrainTest(load(str(tmp_path), ["y"], None, None, 10**9), Split("hash", 0.0, 0))
    assert data.train_count == len(y)
    _, found = fitted(data.summary, names_of(x))
    assert correct_digits(found, certified) >= DIGITS[name]


@pytest.mark.parametrize("name", DIGITS)
def test_the_order_of_rows_and_features_does_not_matter(name):
    x, y, certified, _ = given(name)
    generator = np.random.default_rng(0)
    for _ in range(20):
        order, columns = generator.permutation(len(x)), generator.permutation(x.shape[1])
        shuffled, cut = x[order][:, columns], generator.integers(1, len(x))
        parts = [summarize(shuffled[part], y[order][part]) for part in (slice(cut), slice(cut, None))]
        _, found = fitted(combine(parts), names_of(x))
        expected = np.array([certified[0], *np.array(certified[1:])[columns]])
        assert correct_digits(found, expected) >= DIGITS[name]
