"""DataFrames with categories and missing cells: the command's artifact, and its predictions."""

import json

import numpy as np
import pandas
import pytest
from support.columns import feeds

import mlrq
from mlrq.artifacts.documents import encode_quantized
from mlrq.errors import MlrqError


def frame(rows: int = 200) -> pandas.DataFrame:
    chance = np.random.default_rng(0)
    made = pandas.DataFrame(
        {
            "area": chance.integers(20, 150, rows).astype(float),
            "home city": chance.choice(["Bonn", "Köln", "NA"], rows, p=[0.5, 0.3, 0.2]),
            "furnished": chance.choice([True, False], rows),
            "age": np.where(np.arange(rows) % 7 == 0, np.nan, chance.normal(40, 10, rows)),
        }
    )
    effect = made["home city"].map({"Bonn": 0, "Köln": 100, "NA": -50})
    made["price"] = 10 * made.area + effect + 50 * made.furnished + chance.normal(0, 30, rows)
    return made


@pytest.fixture
def table() -> pandas.DataFrame:
    return frame()


def made(table: pandas.DataFrame, **more: object) -> mlrq.QuantizedModel:
    keys = {"bits": 6, "missing": "indicator", **more}
    return mlrq.quantize("linear_regression", table.drop(columns="price"), table[["price"]], **keys)


def test_the_artifact_is_that_of_the_command(table, run, tmp_path):
    table.to_csv(tmp_path / "rows.csv", index=False)
    wanted = ["dataset=csv", "dataset.path=rows.csv", "dataset.target=price", "dataset.missing=indicator"]
    done = run(*wanted, "dataset.test_size=0", "quantization.bits=6")
    assert done.code == 0, done.err
    model = made(table, name="rows.csv", source="rows.csv (CSV, 1 piece)")
    assert encode_quantized(model.artifact) == (tmp_path / "outputs/quantized.json").read_bytes()
    loaded = mlrq.load(tmp_path / "outputs")
    assert loaded.columns == ("area", "home city", "furnished", "age")
    assert loaded.predict(table).tolist() == model.predict(table).tolist()
    assert model.verify(table, table[["price"]]).startswith("PROVEN")


def test_predictions_are_those_of_the_formula_on_dummies(table):
    model = made(table, missing="mean")
    dummies = pandas.get_dummies(table, columns=["home city"], prefix_sep="=", dtype=float)
    dummies["age"] = dummies["age"].fillna(dummies["age"].mean())
    rows = dummies[list(model.features)].astype(float).to_numpy()
    expected = rows @ model.weights[0] + model.intercept[0]
    np.testing.assert_allclose(model.predict(table), expected, rtol=1e-10)
    assert model.score(table, table["price"]) > 0.9


@pytest.mark.parametrize("kind", ["category", "object", "string", "arrow", "array", "polars"])
def test_other_tables_give_the_same(table, kind):
    model, rows = made(table), table.drop(columns="price")
    expected = model.predict(rows).tolist()
    if kind == "arrow":
        import pyarrow

        rows = pyarrow.Table.from_pandas(rows)
    elif kind == "polars":
        polars = pytest.importorskip("polars")
        texts = polars.Categorical, polars.String
        told = {name: [None if cell != cell else cell for cell in rows[name].tolist()] for name in rows}
        for dtype in texts:
            rows = polars.DataFrame(told).with_columns(polars.col("home city").cast(dtype))
            alone = mlrq.quantize(
                "linear_regression",
                rows,
                polars.Series("price", table["price"].tolist()),
                bits=6,
                missing="indicator",
            )
            assert encode_quantized(alone.artifact) == encode_quantized(model.artifact)
        regressor = mlrq.QuantizedRegressor("linear_regression", bits=6, missing="indicator")
        assert regressor.fit(rows, table["price"]).predict(rows).tolist() == expected
    elif kind == "array":
        rows = rows.to_numpy(dtype=object)
    else:
        rows = rows.assign(**{"home city": rows["home city"].astype(kind)})
        assert encode_quantized(made(rows.assign(price=table["price"])).artifact) == encode_quantized(
            model.artifact
        )
    assert model.predict(rows).tolist() == expected


def test_faults_name_column_and_row(table):
    model = made(table)
    strange = table.assign(**{"home city": ["Oslo", *table["home city"][1:]]})
    with pytest.raises(MlrqError, match="X, column 'home city': row 1, 'Oslo' is no category"):
        model.predict(strange)
    with pytest.raises(MlrqError, match="X: lacks age"):
        model.predict(table.drop(columns="age"))
    with pytest.raises(MlrqError, match="column 'day': holds dates"):
        made(table.assign(day=pandas.Timestamp("2024-01-01")))
    with pytest.raises(MlrqError, match=r"column 'age': row 1, is missing: dataset\.missing="):
        made(table, missing="error")
    with pytest.raises(MlrqError, match="missing=median: must be error, mean"):
        made(table, missing="median")


def test_numbers_can_be_categories_and_columns_be_dropped(table):
    table["zip"] = np.arange(len(table)) % 3
    model = made(table, columns={"zip": "categorical", "age": "drop"})
    assert [name for name in model.features if name.startswith("zip")] == ["zip=1", "zip=2"]
    assert "age" not in model.columns


def test_what_is_exported_takes_the_columns(table, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    import onnx

    model = made(table, inputs="int8")
    texts = {path.name: path.read_text() for path in model.to_c(tmp_path / "c")}
    assert '"home city": "categorical; 3 categories, each against \'Bonn\'' in texts["mlrq.h"]
    assert "    mlrq_home_city home_city;" in texts["mlrq.h"]
    path = model.to_onnx(tmp_path / "model.onnx")
    told = {one.key: one.value for one in onnx.load(path).metadata_props}
    assert '"name":"home city"' in told["columns"]
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, feeds(json.loads(told["inputs"]), table))
    assert found[:, 0].astype(float).tolist() == model.predict(table).tolist()


def test_nothing_is_said_of_columns_where_they_are_the_features(table, tmp_path):
    numbers = table[["area", "price"]]
    model = made(numbers, missing="error", inputs="int8")
    assert "columns " not in (model.to_c(tmp_path)[0]).read_text()
    assert b"columns" not in encode_quantized(model.artifact)


def test_a_model_of_the_rows_without_missing_cells_is_verified_with_all_rows(table):
    rows, price = table.drop(columns="price"), table[["price"]]
    weight = np.where(np.arange(len(table)) % 2, 1.0, 2.0)
    model = made(table, missing="drop")
    assert model.verify(rows, price).startswith("PROVEN")
    assert model.verify(rows[rows["age"].notna()], price[rows["age"].notna()]).startswith("PROVEN")
    holes = price.where(np.arange(len(price))[:, None] % 5 > 0)
    assert made(rows.assign(price=holes), missing="drop").verify(rows, holes).startswith("PROVEN")
    weighted = mlrq.quantize("ridge", rows, price, sample_weight=weight, missing="drop", bits=4)
    assert weighted.verify(rows, price, weight).startswith("INCOMPLETE")
    with pytest.raises(MlrqError, match="was trained on"):
        model.verify(rows.assign(area=1.0 + rows["area"]), price)


def test_a_sweep_has_the_artifacts_of_quantize(table):
    rows, price = table.drop(columns="price"), table[["price"]]
    rules = {"missing": "indicator", "columns": {"furnished": "categorical"}, "rare_below": 50}
    found = mlrq.sweep("ridge", rows, price, bits=[3, 6], test_size=0.2, **rules)
    for bits, model in found.models.items():
        alone = mlrq.quantize("ridge", rows, price, bits=bits, test_size=0.2, **rules)
        assert encode_quantized(model.artifact) == encode_quantized(alone.artifact)
