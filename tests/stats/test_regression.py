"""The statistics of least squares, held to statsmodels, to NIST's certified values and to exact fractions."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from support.tables import rows_of, values_of

from mlrq.stats.regression import Regression, regressions
from mlrq.stats.summarize import summarize
from mlrq.stats.summary import combine, fit_least_squares

sm = pytest.importorskip("statsmodels.api")
influence = pytest.importorskip("statsmodels.stats.outliers_influence")

PROBLEMS = json.loads((Path(__file__).parents[1] / "data/nist_strd.json").read_text())
LONGLEY = np.array(PROBLEMS["longley"]["rows"], float), np.array(PROBLEMS["longley"]["y"], float)
NAMES = {
    "r2": "rsquared", "adjusted_r2": "rsquared_adj", "f": "fvalue", "f_p": "f_pvalue", "aic": "aic",
    "bic": "bic", "variance": "scale", "log_likelihood": "llf", "condition": "condition_number",
    "freedom": "df_resid", "model_freedom": "df_model", "coefficients": "params",
    "errors": "bse", "t": "tvalues", "p": "pvalues",
}  # fmt: skip


def fitted(x, y) -> Regression:
    summary = summarize(x, y)
    (found,) = regressions(summary, *fit_least_squares(summary))
    return found


@pytest.fixture(params=["longley", "diabetes", "california"])
def table(request, california):
    if request.param == "california":
        return rows_of(california), values_of(california)[:, 0]
    return LONGLEY if request.param == "longley" else load_diabetes(return_X_y=True, scaled=False)


def hold(found: Regression, results) -> None:
    close = {"rtol": 1e-10, "atol": 1e-300}
    for ours, theirs in NAMES.items():
        np.testing.assert_allclose(getattr(found, ours), getattr(results, theirs), err_msg=ours, **close)
    for level in (0.5, 0.95, 0.99):
        np.testing.assert_allclose(found.interval(level), results.conf_int(1 - level).T, **close)


def inflation(x):
    return [influence.variance_inflation_factor(x, i) for i in range(x.shape[1])]


def test_with_an_intercept_all_is_as_in_statsmodels(table):
    x, y = table
    found = fitted(x, y)
    hold(found, sm.OLS(y, sm.add_constant(x, prepend=False)).fit())
    constant = sm.add_constant(x, prepend=False)
    expected = [influence.variance_inflation_factor(constant, i) for i in range(x.shape[1])]
    np.testing.assert_allclose(found.inflation, expected, rtol=1e-10)


def test_without_an_intercept_all_is_as_in_statsmodels(table):
    x, y = table
    results = sm.OLS(y, x, hasconst=False).fit()
    (found,) = regressions(summarize(x, y), results.params[None], None)
    hold(found, results)
    np.testing.assert_allclose(found.inflation, inflation(x), rtol=1e-10)


@pytest.mark.parametrize("name", ["longley", "wampler3", "wampler4", "wampler5"])
def test_deviations_r2_and_f_have_thirteen_of_the_digits_that_nist_certifies(name):
    problem = PROBLEMS[name]
    rows = problem.get("rows") or [[x**power for power in range(1, 6)] for x in problem["x"]]
    found = fitted(np.array(rows, float), np.array(problem["y"], float))
    constant, *others = problem["deviations"]
    np.testing.assert_allclose(found.errors, [*others, constant], rtol=1e-13)
    for ours, certified in (
        ("variance", problem["residual_sd"] ** 2),
        ("r2", problem["r2"]),
        ("f", problem["f"]),
    ):
        assert getattr(found, ours) == pytest.approx(certified, rel=1e-13), ours


@pytest.mark.parametrize("name", ["wampler1", "wampler2"])
def test_an_exact_fit_has_no_statistics(name):
    problem = PROBLEMS[name]
    summary = summarize([[x**power for power in range(1, 6)] for x in problem["x"]], problem["y"])
    assert regressions(summary, *fit_least_squares(summary)) == "the features explain a target exactly"


def test_each_target_has_its_own():
    x, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, x[:, 0] ** 2 - np.sqrt(y)])
    summary = summarize(x, both)
    for i, found in enumerate(regressions(summary, *fit_least_squares(summary))):
        hold(found, sm.OLS(both[:, i], sm.add_constant(x, prepend=False)).fit())


def test_a_feature_that_others_explain_has_none_and_takes_no_freedom():
    x, y = load_diabetes(return_X_y=True, scaled=False)
    found = fitted(np.insert(x, 3, x[:, 0] - 2 * x[:, 2], axis=1), y)
    other = fitted(x, y)
    assert np.flatnonzero(np.isnan(found.errors)).tolist() == [3]
    assert np.isnan([found.t[3], found.p[3], found.inflation[3]]).all()
    assert found.freedom == other.freedom
    np.testing.assert_allclose(np.delete(found.errors, 3), other.errors, rtol=1e-10)
    assert found.f == pytest.approx(other.f, rel=1e-10)


@pytest.mark.parametrize("rows", [2, 3, 4])
def test_too_few_rows_are_said_to_be_too_few(rows):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(rows, 3)), generator.normal(size=rows)
    summary = summarize(x, y)
    told = regressions(summary, *fit_least_squares(summary))
    assert told == f"{rows} rows leave nothing to tell the errors of {min(rows, 4)} coefficients from"


def test_one_row_more_than_coefficients_is_enough():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(5, 3)), generator.normal(size=5)
    hold(fitted(x, y), sm.OLS(y, sm.add_constant(x, prepend=False)).fit())


def test_forty_million_rows_have_the_errors_of_their_number():
    """A table a hundred thousand times over: its triangle is that of one, times the root of the number."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    once, times = summarize(x, y), 100_000
    many = once
    for _ in range(5):
        many = combine([many] * 10)
    assert many.count == times * once.count
    (found,), (one,) = (regressions(summary, *fit_least_squares(summary)) for summary in (many, once))
    np.testing.assert_allclose(found.errors, one.errors * np.sqrt(one.freedom / found.freedom), rtol=1e-11)
    assert found.r2 == pytest.approx(one.r2, rel=1e-12)
    assert found.condition == pytest.approx(one.condition, rel=1e-10)
