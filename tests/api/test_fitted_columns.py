"""Pipelines with a one-hot encoder, fitted elsewhere, on the DataFrame that they were fitted to."""

import numpy as np
import pandas
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler

import mlrq
from mlrq.errors import MlrqError

chance = np.random.default_rng(5)
ROWS = 150
X = pandas.DataFrame(
    {
        "area": chance.integers(20, 150, ROWS),
        "home city": chance.choice(["Bonn", "Köln", "NA", "Ulm"], ROWS, p=[0.4, 0.3, 0.2, 0.1]),
        "furnished": chance.choice([True, False], ROWS),
        "age": np.where(np.arange(ROWS) % 7 == 0, np.nan, chance.normal(40, 10, ROWS)),
        "zip": chance.choice([10, 20, 30], ROWS),
    }
)
Y = 10 * X["area"] + 50 * X["furnished"] + X["zip"] ** 2 + chance.normal(0, 30, ROWS)
Y = (Y + X["home city"].map({"Bonn": 0, "Köln": 100, "NA": -50, "Ulm": 20})).rename("price")
HOW = {"missing": "indicator", "columns": {"zip": "categorical"}}


def fitted(last=None, encoder=None, imputer=None, target=Y):
    numbers = make_pipeline(imputer or SimpleImputer(strategy="median"), StandardScaler())
    encoder = encoder or OneHotEncoder(handle_unknown="ignore")
    steps = [(encoder, ["home city", "zip"]), (numbers, ["age", "area"]), ("passthrough", ["furnished"])]
    return make_pipeline(make_column_transformer(*steps), Ridge() if last is None else last).fit(X, target)


@pytest.mark.parametrize(
    ("encoder", "imputer"),
    [
        (None, None),
        (OneHotEncoder(drop="first"), SimpleImputer(add_indicator=True)),
        (OrdinalEncoder(), SimpleImputer(strategy="constant", fill_value=-7)),
    ],
)
def test_the_folded_model_predicts_what_the_pipeline_does(encoder, imputer):
    pipeline = fitted(None, encoder, imputer)
    model = mlrq.quantize(pipeline, X, Y, bits=16, **HOW)
    assert model.predict(X) == pytest.approx(pipeline.predict(X), abs=0.05)
    assert model.verify(X, Y).startswith("PROVEN")
    assert len([name for name in model.features if name.startswith("zip=")]) == 2


def test_a_pipeline_of_least_squares_has_the_codes_of_least_squares():
    model = mlrq.quantize(fitted(LinearRegression(), None, SimpleImputer(add_indicator=True)), X, Y, **HOW)
    assert model.codes.tolist() == mlrq.quantize("linear_regression", X, Y, **HOW).codes.tolist()


def test_a_mean_that_the_imputer_took_is_the_mean_here():
    pipeline = fitted(imputer=SimpleImputer())
    columns = {"zip": "categorical"}
    model = mlrq.quantize(pipeline, X, Y, bits=16, missing="mean", columns=columns)
    assert model.predict(X) == pytest.approx(pipeline.predict(X), abs=0.05)
    with pytest.raises(MlrqError, match=r"is not linear: for row \d+ .* \(missing='indicator' allows"):
        mlrq.quantize(fitted(), X, Y, missing="mean", columns=columns)


def test_several_targets_and_other_columns_in_another_order():
    both = np.stack([Y, -Y], axis=1)
    shuffled = X[X.columns[::-1]].assign(other="text")
    model = mlrq.quantize(fitted(target=both), shuffled, both, bits=16, granularity="per_channel", **HOW)
    assert model.predict(X) == pytest.approx(fitted(target=both).predict(X), abs=0.05)
    assert model.columns == tuple(X.columns)


@pytest.mark.parametrize(
    ("last", "where"),
    [
        (RandomForestRegressor(3, random_state=0), "RandomForestRegressor"),
        (make_pipeline(PolynomialFeatures(), LinearRegression()), "Pipeline"),
    ],
)
def test_what_is_not_linear_is_refused_with_the_row(last, where):
    with pytest.raises(MlrqError, match=rf"{where}\) is not linear: for row \d+ it predicts .* away from"):
        mlrq.quantize(fitted(last), X, Y, **HOW)


def test_a_number_that_is_a_category_of_the_pipeline_has_to_be_named():
    with pytest.raises(
        MlrqError, match=r"is not linear: for row \d+ .*columns=\{'zip': 'categorical'\}, say"
    ):
        mlrq.quantize(fitted(), X, Y, missing="indicator")
    strict = fitted(encoder=OneHotEncoder())
    with pytest.raises(MlrqError, match=r"cannot predict: .*columns=\{'zip': 'categorical'\}, say"):
        mlrq.quantize(strict, X, Y, missing="indicator")


def test_refusals_are_one_line():
    pipeline = fitted()
    with pytest.raises(MlrqError, match="on other columns: X lacks age"):
        mlrq.quantize(pipeline, X.drop(columns="age"), Y, **HOW)
    with pytest.raises(MlrqError, match="y: required where columns of X are no numbers"):
        mlrq.quantize(pipeline, X, **HOW)
    with pytest.raises(MlrqError, match="missing=drop: not with a fitted estimator"):
        mlrq.quantize(pipeline, X, Y, missing="drop")
    with pytest.raises(MlrqError, match="was fitted without names of columns"):
        mlrq.quantize(Ridge().fit(X[["area"]].to_numpy(), Y), X, Y, **HOW)
    with pytest.raises(MlrqError, match=r"column 'age': row 1, is missing: dataset\.missing=mean"):
        mlrq.quantize(pipeline, X, Y)
