"""Which models have standard errors, and why others have none."""

import pickle

import numpy as np
import pytest
from conftest import LINEAR_REGRESSION
from sklearn.linear_model import Lasso, LinearRegression, Ridge

from mlrq.pipeline.adopt import adopt
from mlrq.pipeline.statistics import statistics
from mlrq.pipeline.train import train


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


def adopted(data, parts, tmp_path, estimator, rows=None):
    """The statistics of an estimator that was fitted to the training rows, or to `rows` of them."""
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(estimator.fit(parts.train_rows[:rows], parts.train_values[:rows, 0])))
    return statistics(data.summary, adopt(data, path).artifact)


@pytest.mark.parametrize("constant", [True, False])
def test_least_squares_that_was_fitted_elsewhere_to_these_rows_has_the_same(data, parts, tmp_path, constant):
    sm = pytest.importorskip("statsmodels.api")
    (found,) = adopted(data, parts, tmp_path, LinearRegression(fit_intercept=constant))
    table = sm.add_constant(parts.train_rows, prepend=False) if constant else parts.train_rows
    results = sm.OLS(parts.train_values[:, 0], table).fit()
    np.testing.assert_allclose(found.errors, results.bse, rtol=1e-10)
    np.testing.assert_allclose(found.r2, results.rsquared, rtol=1e-10)


@pytest.mark.parametrize(
    ("estimator", "rows"), [(LinearRegression(), 1000), (Ridge(alpha=0.1), None), (Lasso(alpha=1e-4), None)]
)
def test_what_was_fitted_elsewhere_to_other_rows_or_with_a_penalty_has_none(
    data, parts, tmp_path, estimator, rows
):
    assert adopted(data, parts, tmp_path, estimator, rows) == (
        f"{type(estimator).__name__} was fitted elsewhere, "
        "and its weights are not those of least squares on these rows"
    )
