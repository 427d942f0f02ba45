"""`QuantizedModel.summary`: statsmodels' figures, rounding beside them, and reasons where there are none."""

import pickle
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import HuberRegressor, LinearRegression, Ridge

import mlrq

pd = pytest.importorskip("pandas")
X, Y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)


@pytest.mark.parametrize("model", ["linear_regression", "fitted", "statsmodels"])
def test_its_tables_are_those_of_statsmodels(model):
    sm = pytest.importorskip("statsmodels.api")
    influence = pytest.importorskip("statsmodels.stats.outliers_influence")
    table = sm.add_constant(X, prepend=False)
    results = sm.OLS(Y, table).fit()
    given = {"fitted": LinearRegression().fit(X, Y), "statsmodels": sm.OLS(Y, sm.add_constant(X)).fit()}
    found = mlrq.quantize(given.get(model, model), X, Y, bits=6).summary()
    assert found.reason == found.rounding_reason == ""
    shown = found.to_pandas()
    assert shown.feature.tolist() == [*X.columns, "(intercept)"]
    expected = {
        "weight": results.params,
        "std_error": results.bse,
        "t": results.tvalues,
        "p": results.pvalues,
        "low": results.conf_int()[0],
        "high": results.conf_int()[1],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(shown[name], values, rtol=1e-9, err_msg=name)
    vif = [influence.variance_inflation_factor(table.to_numpy(), i) for i in range(X.shape[1])]
    np.testing.assert_allclose(shown.vif[:-1], vif, rtol=1e-9)
    (fit,) = found.fits
    theirs = {"r2": "rsquared", "adjusted_r2": "rsquared_adj", "f": "fvalue", "f_p": "f_pvalue"}
    theirs |= {"variance": "scale", "aic": "aic", "bic": "bic", "condition": "condition_number"}
    for name, of in theirs.items():
        assert getattr(fit, name) == pytest.approx(getattr(results, of), rel=1e-9), name
    assert (fit.rows, fit.freedom, fit.model_freedom) == (442, results.df_resid, results.df_model)
    assert found.to_pandas("fits").iloc[0].to_dict() == asdict(fit)


def test_rounding_is_in_standard_errors_of_each_weight():
    model = mlrq.quantize("linear_regression", X, Y, bits=5)
    found = model.summary()
    *weights, last = found.coefficients
    for one, quantized, code in zip(weights, model.weights[0], model.codes[0], strict=True):
        assert (one.quantized, one.code) == (quantized, code)
        assert one.rounding == pytest.approx((quantized - one.weight) / one.std_error)
    assert last.code is last.rounding is last.vif is None
    worst = max(weights, key=lambda one: abs(one.rounding))
    assert f"largest rounding error: {abs(worst.rounding):#.2g} standard errors ({worst.feature})" in repr(
        found
    )


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("ridge", "Ridge is not least squares, whose errors are known"),
        ("lasso", "Lasso is not least squares, whose errors are known"),
        (
            Ridge(1.0),
            "Ridge was fitted elsewhere, and its weights are not those of least squares on these rows",
        ),
        (HuberRegressor(max_iter=10_000), "HuberRegressor was fitted elsewhere"),
    ],
)
def test_what_is_not_least_squares_says_so_and_shows_weights_alone(model, reason):
    given = model if isinstance(model, str) else model.fit(X / X.std(), Y)
    quantized = mlrq.quantize(given, X / X.std(), Y, bits=6)
    found = quantized.summary()
    assert found.reason.startswith(reason)
    assert found.rounding_reason == found.reason
    assert found.fits == ()
    assert [one.quantized for one in found.coefficients[:-1]] == quantized.weights[0].tolist()
    assert all(one.weight is not None and one.std_error is one.rounding is None for one in found.coefficients)
    for text in (repr(found), found._repr_html_()):
        assert f"no standard errors: {reason}" in text
        assert "std error" not in text
    assert len(found.to_pandas("fits")) == 0


def test_where_inputs_saturate_rounding_is_not_in_standard_errors():
    clipped = {"inputs": "int8", "calibration": "percentile", "percentile": 2}
    found = mlrq.quantize("linear_regression", X, Y, **clipped).summary()
    assert found.reason == ""
    assert found.rounding_reason.startswith("inputs saturate")
    assert all(one.rounding is None and one.std_error for one in found.coefficients)
    whole = mlrq.quantize("linear_regression", X, Y, inputs="int8").summary()
    assert all(one.rounding is not None for one in whole.coefficients[:-1])


def test_a_model_that_was_read_knows_no_errors(tmp_path):
    model = mlrq.quantize("linear_regression", X, Y)
    model.save(tmp_path / "folder")
    model.save(tmp_path / "one.json")
    found = mlrq.load(tmp_path / "folder").summary()
    assert found.reason.startswith("it was read from a file")
    assert [one.weight for one in found.coefficients] == [one.weight for one in model.summary().coefficients]
    assert all(one.weight is None for one in mlrq.load(tmp_path / "one.json").summary().coefficients)
    assert repr(pickle.loads(pickle.dumps(model)).summary()) == repr(model.summary())


def test_it_is_one_screen_whatever_the_names_and_the_size():
    random = np.random.default_rng(0)
    wide = pd.DataFrame(random.normal(size=(300, 60)), columns=[f"<b>{i}</b>" for i in range(60)])
    targets = random.normal(size=(300, 7))
    found = mlrq.quantize("linear_regression", wide, targets, rounding="nearest").summary()
    lines = repr(found).splitlines()
    assert len(lines) < 32
    assert max(map(len, lines)) <= 120
    assert f"and {7 * 61 - 15} more coefficients" in repr(found)
    assert "<b>" not in found._repr_html_()
    assert "&lt;b&gt;0" in found._repr_html_()
    assert len(found.to_pandas()) == 7 * 61


def test_without_an_intercept_its_line_has_no_error():
    found = mlrq.quantize(
        LinearRegression(fit_intercept=False).fit(X, Y), X, Y, refit_intercept=False
    ).summary()
    sm = pytest.importorskip("statsmodels.api")
    results = sm.OLS(Y, X).fit()
    np.testing.assert_allclose([one.std_error for one in found.coefficients[:-1]], results.bse, rtol=1e-9)
    assert found.coefficients[-1].std_error is None
    assert found.fits[0].r2 == pytest.approx(results.rsquared, rel=1e-10)


def test_with_weights_they_are_those_of_weighted_least_squares():
    sm = pytest.importorskip("statsmodels.api")
    weight = np.random.default_rng(0).exponential(size=len(Y)) * (np.arange(len(Y)) % 7 > 0)
    counts = weight > 0
    results = sm.WLS(Y[counts], sm.add_constant(X[counts], prepend=False), weights=weight[counts]).fit()
    for found in (
        mlrq.quantize("linear_regression", X, Y, sample_weight=weight).summary(),
        mlrq.QuantizedRegressor().fit(X, Y, sample_weight=weight).quantized_.summary(),
    ):
        shown, (fit,) = found.to_pandas(), found.fits
        for name, values in {
            "weight": results.params,
            "std_error": results.bse,
            "p": results.pvalues,
        }.items():
            np.testing.assert_allclose(shown[name], values, rtol=1e-9, err_msg=name)
        names = {"r2": "rsquared", "adjusted_r2": "rsquared_adj", "f": "fvalue", "variance": "scale"}
        names |= {"aic": "aic", "bic": "bic", "condition": "condition_number"}
        for name, of in names.items():
            assert getattr(fit, name) == pytest.approx(getattr(results, of), rel=1e-10), name
        assert (fit.rows, fit.freedom) == (counts.sum(), results.df_resid)


def test_a_table_by_another_name_is_refused():
    with pytest.raises(mlrq.MlrqError, match="table=rows: must be coefficients or fits"):
        mlrq.quantize("ridge", X, Y).summary().to_pandas("rows")
