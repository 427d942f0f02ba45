"""`mlrq.QuantizedRegressor` on tables with categories, truth values and missing cells."""

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline

import mlrq

chance = np.random.default_rng(3)
ROWS = 120
TABLE = pandas.DataFrame(
    {
        "floor area": chance.integers(20, 150, ROWS).astype(float),
        "city": chance.choice(["Bonn", "Köln", "NA"], ROWS, p=[0.5, 0.3, 0.2]),
        "furnished": [[True, False, None][i % 3] for i in range(ROWS)],
        "age": np.where(np.arange(ROWS) % 7 == 0, np.nan, chance.normal(40, 10, ROWS)),
    }
)
PRICE = 10 * TABLE["floor area"] + TABLE["city"].map({"Bonn": 0, "Köln": 100, "NA": -50})
PRICE = (PRICE + chance.normal(0, 20, ROWS)).rename("price")


def made(estimator: object = None, **more: object) -> mlrq.QuantizedRegressor:
    return mlrq.QuantizedRegressor(estimator, missing="indicator", **more)


def dummies(table: pandas.DataFrame) -> pandas.DataFrame:
    """What `missing="indicator"` makes of `TABLE`, by pandas."""
    found = table.assign(furnished=table["furnished"].astype(float), age=table["age"])
    for name in ("furnished", "age"):
        found[f"{name} is missing"] = found[name].isna().astype(float)
        found[name] = found[name].fillna(found[name].mean())
    for city in ("Köln", "NA"):
        found[f"city={city}"] = (table["city"] == city).astype(float)
    return found.drop(columns="city").astype(float)


@pytest.mark.parametrize(
    ("estimator", "oracle"),
    [(None, LinearRegression()), ("ridge", Ridge()), (Ridge(alpha=0.5), Ridge(alpha=0.5))],
)
def test_its_estimator_is_fitted_to_what_columns_become(estimator, oracle):
    fitted = made(estimator, bits=8).fit(TABLE, PRICE)
    rows = dummies(TABLE)[list(fitted.quantized_.features)]
    oracle = clone(oracle).fit(rows, PRICE)
    assert fitted.estimator_.predict(rows) == pytest.approx(oracle.predict(rows), rel=1e-9)
    assert fitted.predict(TABLE) == pytest.approx(rows.to_numpy() @ fitted.coef_ + fitted.intercept_)
    assert fitted.score(TABLE, PRICE) > 0.95
    assert fitted.feature_names_in_.tolist() == TABLE.columns.tolist()
    assert fitted.n_features_in_ == 4


def test_its_model_is_that_of_quantize():
    fitted = made("linear_regression", bits=5).fit(TABLE, PRICE)
    expected = mlrq.quantize("linear_regression", TABLE, PRICE, bits=5, missing="indicator")
    assert fitted.quantized_.features == expected.features
    assert fitted.quantized_.codes.tolist() == expected.codes.tolist()
    assert fitted.quantized_.predict(TABLE).tolist() == fitted.predict(TABLE).tolist()


def test_it_is_searched_validated_and_cloned_in_a_pipeline():
    pipeline = make_pipeline(made("ridge"))
    search = GridSearchCV(pipeline, {"quantizedregressor__bits": [2, 8]}, cv=3).fit(TABLE, PRICE)
    assert search.best_params_ == {"quantizedregressor__bits": 8}
    assert clone(search.best_estimator_)[-1].missing == "indicator"
    assert cross_val_score(pipeline, TABLE, PRICE, cv=3).min() > 0.9


def test_a_category_of_the_validation_fold_alone_is_refused_or_counts_as_the_reference():
    table = TABLE.assign(city=["Oslo", *TABLE["city"][1:]])
    with pytest.raises(ValueError, match="X, column 'city': row 1, 'Oslo' is no category"):
        made().fit(table[1:], PRICE[1:]).predict(table)
    predicted = cross_val_predict(made(unknown="baseline"), table, PRICE, cv=3)
    reference = made().fit(TABLE[40:], PRICE[40:])
    assert reference.quantized_.artifact.training.columns.columns[1].categories[0] == "Bonn"
    assert predicted[0] == reference.predict(TABLE.assign(city="Bonn"))[0]


def test_what_does_not_vary_is_left_out():
    fitted = made().fit(TABLE.assign(one="a", empty=np.nan, three=3), PRICE)
    assert fitted.quantized_.columns == tuple(TABLE.columns)
    assert fitted.n_features_in_ == 7
    constant = pandas.DataFrame({"city": ["a", "a"], "b": [None, None]})
    with pytest.raises(ValueError, match="all constant: nothing to learn from"):
        made().fit(constant, [1.0, 2.0])


def test_rows_with_missing_cells_can_be_dropped_in_fit():
    whole = TABLE.notna().all(axis=1).to_numpy()
    dropped = mlrq.QuantizedRegressor(missing="drop", bits=6, interval=0.8).fit(TABLE, PRICE)
    alone = mlrq.QuantizedRegressor(missing="drop", bits=6, interval=0.8).fit(TABLE[whole], PRICE[whole])
    assert dropped.predict(TABLE[whole]).tolist() == alone.predict(TABLE[whole]).tolist()
    low, high = dropped.predict_interval(TABLE[whole])
    assert float(((low <= PRICE[whole]) & (PRICE[whole] <= high)).mean()) > 0.6
    with pytest.raises(ValueError, match=r"X, column 'furnished': row 2, is empty"):
        dropped.predict(TABLE[whole | (np.arange(ROWS) == 2)].reset_index(drop=True))


def test_a_row_of_weight_two_counts_for_two_and_one_of_none_is_absent():
    weight = np.arange(ROWS) % 3
    weighted = made(bits=4).fit(TABLE, PRICE, weight)
    repeated = made(bits=4).fit(TABLE.loc[TABLE.index.repeat(weight)], PRICE.loc[PRICE.index.repeat(weight)])
    assert weighted.quantized_.features == repeated.quantized_.features
    kept = [i for i, name in enumerate(weighted.quantized_.features) if "missing" not in name]
    assert weighted.coef_[kept[:1]] == pytest.approx(repeated.coef_[kept[:1]], rel=0.2)
    assert weighted.score(TABLE, PRICE, weight) > 0.9


def test_arrays_with_holes_are_learned_from_where_asked_for():
    rows = TABLE[["floor area", "age"]].to_numpy()
    fitted = mlrq.QuantizedRegressor(missing="mean").fit(rows, PRICE)
    filled = np.where(np.isnan(rows), np.nanmean(rows, axis=0), rows)
    assert fitted.quantized_.features == ("x0", "x1")
    assert fitted.predict(rows) == pytest.approx(filled @ fitted.coef_ + fitted.intercept_)
    with pytest.raises(ValueError, match="NaN"):
        mlrq.QuantizedRegressor().fit(rows, PRICE)


def test_several_targets_of_categories():
    both = np.stack([PRICE, -PRICE], axis=1)
    fitted = made(granularity="per_channel").fit(TABLE, both)
    assert fitted.predict(TABLE).shape == both.shape
    assert fitted.coef_.shape == (2, len(fitted.quantized_.features))


def test_faults_are_value_errors():
    with pytest.raises(ValueError, match="column 'furnished': row 3, is empty"):
        mlrq.QuantizedRegressor().fit(TABLE[["furnished", "city"]], PRICE)
    with pytest.raises(ValueError, match="no such option; did you mean ridge"):
        made("rige").fit(TABLE, PRICE)
    with pytest.raises(ValueError, match="missing=median: must be error, mean"):
        mlrq.QuantizedRegressor(missing="median").fit(TABLE, PRICE)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        made().fit(TABLE, PRICE[1:])
    with pytest.raises(ValueError, match="in the same order"):
        made().fit(TABLE, PRICE).predict(TABLE[TABLE.columns[::-1]])
