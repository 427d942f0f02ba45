"""Which models have standard errors, and why others have none."""

import pickle

import numpy as np
import pytest
from conftest import LINEAR_REGRESSION

from mlrq.pipeline.statistics import statistics
from mlrq.pipeline.train import adopt, train


def of(data, standardize=False, **estimator):
    model = {**LINEAR_REGRESSION, "standardize": standardize}
    model["estimator"] = model["estimator"] | estimator
    return statistics(data.summary, train(data, model).artifact)


def test_standardized_features_change_no_statistic(data):
    (plain,), (scaled,) = of(data), of(data, standardize=True)
    for name in ("coefficients", "errors", "p", "inflation", "r2", "f", "aic"):
        np.testing.assert_allclose(getattr(scaled, name), getattr(plain, name), rtol=1e-9, err_msg=name)


def test_they_are_of_the_training_rows(data, parts):
    sm = pytest.importorskip("statsmodels.api")
    (found,) = of(data)
    results = sm.OLS(parts.train_values[:, 0], sm.add_constant(parts.train_rows, prepend=False)).fit()
    np.testing.assert_allclose(found.errors, results.bse, rtol=1e-10)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        ({"_target_": "sklearn.linear_model.Ridge"}, "Ridge is not least squares"),
        ({"_target_": "sklearn.linear_model.Lasso"}, "Lasso is not least squares"),
        ({"_target_": "sklearn.linear_model.HuberRegressor"}, "HuberRegressor is not least squares"),
        ({"positive": True}, "LinearRegression with positive=true is not least squares"),
    ],
)
def test_what_is_not_least_squares_has_none(data, estimator, reason):
    assert of(data, **estimator).startswith(reason)


def test_a_scaler_without_an_intercept_has_none(data):
    assert "an intercept" in of(data, standardize=True, fit_intercept=False)


def test_a_model_that_was_fitted_elsewhere_has_none(data, parts, tmp_path):
    from sklearn.linear_model import LinearRegression

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(LinearRegression().fit(parts.train_rows, parts.train_values[:, 0])))
    assert statistics(data.summary, adopt(data, path).artifact).startswith(
        "LinearRegression was fitted elsewhere"
    )
