"""Rows of six features and two targets as Parquet files, and how commands name them."""

import numpy as np
import pytest

from mlrq.datasets.parquet import load

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

CLI = ("dataset=parquet", "dataset.path=t", "dataset.target=[y0,y1]", "dataset.stream_above=0")
NAMES = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")
WHOLE = (*CLI, "quantization.inputs=int8", "quantization.output_range=train", "dataset.features=[x0,x1,x2]")
GENERATOR = np.random.default_rng(3)
ROWS = GENERATOR.normal(size=(5000, 6)) * [1, 2, 5, 10, 0.1, 100] + [0, 100, -40, 5, 1, 1000]
WEIGHTS = GENERATOR.normal(size=(2, 6))
VALUES = ROWS @ WEIGHTS.T + GENERATOR.normal(size=(5000, 2)) + 7
LINEAR = {"_target_": "sklearn.linear_model.LinearRegression", "fit_intercept": True}
RIDGE = {"_target_": "sklearn.linear_model.Ridge", "alpha": 30.0, "fit_intercept": True}


def written(folder, row_group_size=700, pieces=3):
    columns = {f"x{i}": ROWS[:, i] for i in range(6)} | {f"y{i}": VALUES[:, i] for i in range(2)}
    whole = pa.table(columns)
    folder.mkdir(exist_ok=True)
    size = -(-len(ROWS) // pieces)
    for i in range(pieces):
        pq.write_table(whole.slice(i * size, size), folder / f"{i}.parquet", row_group_size=row_group_size)
    return load(str(folder), ["y0", "y1"], None, None, 10**9)


def close(a, b, tolerance=1e-10):
    assert np.shape(a) == np.shape(b)
    assert np.linalg.norm(np.subtract(a, b)) <= tolerance * np.linalg.norm(b)


def made(folder):
    return {name: (folder / "outputs" / name).read_bytes() for name in NAMES}
