"""`mlrq.QuantizedRegressor` is a scikit-learn regressor."""

import doctest
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlrq
from mlrq.api import regressor

pytest.importorskip("pandas")
X, Y = load_diabetes(return_X_y=True, as_frame=True)
CHECKS = """
import json, mlrq
from sklearn.utils.estimator_checks import check_estimator
found = check_estimator(mlrq.QuantizedRegressor(), on_skip=None)
print(json.dumps([(one["check_name"], one["status"]) for one in found]))
"""


@pytest.mark.slow
def test_scikit_learn_checks_it_and_leaves_no_check_out():
    # One check skips itself where SciPy was imported without this variable.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHECKS],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) >= 50
    assert [name for name, status in found if status != "passed"] == []


def test_its_model_is_that_of_quantize():
    fitted = mlrq.QuantizedRegressor(Ridge(alpha=0.1), bits=4).fit(X, Y)
    expected = mlrq.quantize(Ridge(alpha=0.1).fit(X, Y), X, Y, bits=4)
    assert (fitted.quantized_.codes == expected.codes).all()
    assert (fitted.predict(X) == expected.predict(X)).all()
    assert fitted.score(X, Y) == pytest.approx(expected.score(X, Y), abs=1e-12)
    assert fitted.predict(X) == pytest.approx(X.to_numpy() @ fitted.coef_ + fitted.intercept_)


def test_bits_are_searched_and_it_is_cloned():
    search = GridSearchCV(mlrq.QuantizedRegressor(Ridge(alpha=0.1)), {"bits": [2, 8]}, cv=3).fit(X, Y)
    assert search.best_params_ == {"bits": 8}
    assert clone(search.best_estimator_).bits == 8
    nested = GridSearchCV(mlrq.QuantizedRegressor(Ridge()), {"estimator__alpha": [0.1, 100.0]}, cv=3).fit(
        X, Y
    )
    assert nested.best_params_ == {"estimator__alpha": 0.1}


def test_it_ends_a_pipeline_of_frames():
    pipeline = make_pipeline(StandardScaler(), mlrq.QuantizedRegressor(bits=6)).set_output(transform="pandas")
    assert cross_val_score(pipeline, X, Y, cv=3).min() > 0.4
    assert pipeline.fit(X, Y)[-1].quantized_.features == tuple(X.columns)


def test_a_row_of_weight_three_counts_for_three():
    weight = np.random.default_rng(1).integers(0, 4, len(X))
    weighted = mlrq.QuantizedRegressor(bits=3).fit(X, Y, weight)
    repeated = mlrq.QuantizedRegressor(bits=3).fit(
        X.loc[X.index.repeat(weight)], Y.loc[Y.index.repeat(weight)]
    )
    assert (weighted.quantized_.codes == repeated.quantized_.codes).all()
    halves = mlrq.QuantizedRegressor(bits=3).fit(X, Y, weight / 2)
    assert (halves.quantized_.codes == weighted.quantized_.codes).all()
    assert halves.coef_ == pytest.approx(weighted.coef_, rel=1e-6)
    with pytest.raises(ValueError, match="Pipeline takes no sample weights"):
        mlrq.QuantizedRegressor(make_pipeline(StandardScaler(), Ridge())).fit(X, Y, weight)


def test_several_targets_and_columns_that_do_not_vary():
    rows, both = X.assign(one=1.0), np.stack([Y, -Y], axis=1)
    fitted = mlrq.QuantizedRegressor(granularity="per_channel").fit(rows, both)
    assert fitted.predict(rows).shape == both.shape
    assert fitted.coef_.shape == (2, 11)
    assert not fitted.coef_[:, -1].any()
    assert mlrq.QuantizedRegressor().fit(X, Y.to_frame()).predict(X).shape == (len(X), 1)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (mlrq.QuantizedRegressor(bits=1), r"quantization\.bits=1: must be from 2 to 16"),
        (mlrq.QuantizedRegressor(RandomForestRegressor(2)), "RandomForestRegressor is not linear"),
    ],
)
def test_its_errors_are_those_of_the_command(made, said):
    with pytest.raises(ValueError, match=said):
        made.fit(X, Y)


def test_the_example_in_its_docstring_runs():
    found = doctest.testmod(regressor)
    assert found.attempted
    assert not found.failed
