"""docs/python.md runs, and a user's file that uses the API passes mypy --strict."""

import doctest
import importlib
import subprocess
import sys

import pytest
from conftest import PROJECT
from sklearn.datasets import load_diabetes

import mlrq

pytest.importorskip("pandas")

USER = """
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mlrq


def as_it_comes(table: object, y: list[float]) -> list[str]:
    kinds = {"zip": "categorical"}
    model = mlrq.quantize("ridge", table, y, columns=kinds, missing="indicator", unknown="baseline")
    best = mlrq.sweep("ridge", table, y, bits=[4, 8], columns=kinds, rare_below=3).models[8]
    own = mlrq.QuantizedRegressor("ridge", columns=kinds, missing="mean", interval=0.9).fit(table, y)
    low, high = own.predict_interval(table)
    width: NDArray[np.float64] = high - low
    print(width, str(model.summary()), str(best.verify(table, y)))
    return [*model.columns, *model.features]


def few_bits(X: NDArray[np.float64], y: NDArray[np.float64]) -> list[Path]:
    model: mlrq.QuantizedModel = mlrq.quantize("ridge", X, y, bits=4, inputs="int8")
    predicted: NDArray[np.float64] = model.predict(X)
    codes: NDArray[np.int32] = model.codes
    best: bool = model.certificate is not None and model.certificate.optimal
    print(predicted, codes, best, model.score(X, y), mlrq.load("a.json"))
    rows = mlrq.sweep("ridge", X, y, bits=range(2, 5)).rows
    widths: list[int] = [row.bits for row in rows]
    fitted = mlrq.QuantizedRegressor(bits=4).fit(X, y).predict(X)
    print(widths, fitted.shape)
    try:
        return model.to_c("c")
    except mlrq.MlrqError:
        return []
"""


@pytest.mark.slow
def test_a_users_file_passes_strict_types(tmp_path):
    (tmp_path / "mine.py").write_text(USER)
    checked = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "mine.py"]
    done = subprocess.run(
        checked, cwd=tmp_path, env={"MYPYPATH": str(PROJECT), "PATH": ""}, capture_output=True, text=True
    )
    own = [line for line in done.stdout.splitlines() if line.startswith("mine.py")]
    assert not own, done.stdout
    wrong = USER.replace('bits=4, inputs="int8"', "bits=[4], inputs=8")
    (tmp_path / "mine.py").write_text(wrong)
    done = subprocess.run(
        checked, cwd=tmp_path, env={"MYPYPATH": str(PROJECT), "PATH": ""}, capture_output=True, text=True
    )
    assert sum(line.startswith("mine.py") for line in done.stdout.splitlines()) == 2


def test_the_page_says_what_python_does():
    page = PROJECT / "docs" / "python.md"
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 20
    assert not found.failed


def test_the_examples_of_sweep_run():
    assert not doctest.testmod(importlib.import_module("mlrq.api.sweep")).failed


def test_a_sweep_has_the_models_of_quantize():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    found = mlrq.sweep("ridge", X, y, bits=[3, 5], test_size=0.3)
    for row in found.rows:
        alone = mlrq.quantize("ridge", X, y, bits=row.bits, test_size=0.3)
        assert (found.models[row.bits].codes == alone.codes).all()
        assert (row.excess, row.payload_bits) == (alone.excess, alone.payload_bits)
    assert found.to_pandas().columns.tolist()[0] == "bits"
    pytest.importorskip("matplotlib")
    assert found.plot().png.startswith(b"\x89PNG")
