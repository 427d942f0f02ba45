"""statsmodels' results are taken as the regressors that they are: the constant is an intercept."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from mlrq.errors import MlrqError
from mlrq.models.affine import fold
from mlrq.models.statsmodels import Regressor, is_results

pandas = pytest.importorskip("pandas")
sm = pytest.importorskip("statsmodels.api")
formula = pytest.importorskip("statsmodels.formula.api")

ROWS, VALUES = load_diabetes(return_X_y=True, scaled=False)
NAMES = tuple(f"x{i}" for i in range(ROWS.shape[1]))
TABLE = pandas.DataFrame(ROWS, columns=NAMES).assign(y=VALUES)

RESULTS = {
    "array": lambda: sm.OLS(VALUES, sm.add_constant(ROWS)).fit(),
    "constant last": lambda: sm.OLS(VALUES, sm.add_constant(ROWS, prepend=False)).fit(),
    "no constant": lambda: sm.OLS(VALUES, ROWS).fit(),
    "table": lambda: sm.OLS(VALUES, sm.add_constant(TABLE[list(NAMES)])).fit(),
    "weighted": lambda: sm.WLS(VALUES, sm.add_constant(ROWS), weights=ROWS[:, 0]).fit(),
    "robust": lambda: sm.RLM(VALUES, sm.add_constant(ROWS)).fit(),
    "formula": lambda: formula.ols("y ~ " + " + ".join(NAMES), TABLE).fit(),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_its_coefficients_are_ours(kind):
    results = RESULTS[kind]()
    assert is_results(results)
    model = fold(Regressor(results), NAMES, ("y",), ROWS)
    close = {"rtol": 1e-9, "atol": 0}
    assert np.allclose(model.predict(ROWS)[:, 0], results.fittedvalues, **close)
    own = [float(value) for value in results.params]
    if kind == "no constant":
        assert np.allclose(model.coefficients[0], own, **close)
        assert abs(model.intercept[0]) < 1e-9
    else:
        constant = own.pop(-1 if kind == "constant last" else 0)
        assert np.allclose(model.coefficients[0], own, **close)
        assert np.allclose(model.intercept[0], constant, **close)


def test_the_names_of_a_table_are_known():
    assert tuple(Regressor(RESULTS["table"]()).feature_names_in_) == NAMES
    assert not hasattr(Regressor(RESULTS["array"]()), "feature_names_in_")


def test_a_formula_that_is_not_affine_is_refused():
    results = formula.ols("y ~ x0 + np.square(x3)", TABLE).fit()
    with pytest.raises(MlrqError, match="is not linear: for row"):
        fold(Regressor(results), NAMES, ("y",), ROWS)
