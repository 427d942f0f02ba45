"""`mlrq.quantize` and what it returns: the command's artifact, from tables as people have them."""

import doctest
import importlib
import inspect
import subprocess
import sys
from dataclasses import fields

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlrq
from mlrq.config.schema import QuantizationConfig

pd = pytest.importorskip("pandas")
X, Y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
NAMED = {"name": "rows.csv", "source": "rows.csv (CSV, 1 piece)", "test_size": 0.2}
CSV = ("dataset=csv", "dataset.path=rows.csv", "dataset.target=target")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder where the table is a file too, every number as text that reads as the same double."""
    monkeypatch.chdir(tmp_path)
    pd.concat([X, Y], axis=1).to_csv("rows.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "overrides"),
    [
        ({"bits": 4}, ()),
        ({"bits": 4, "inputs": "int8", "granularity": "per_channel"}, ()),
        ({"bits": 3, "split": "shuffle", "seed": 7}, ("dataset.split=shuffle", "dataset.seed=7")),
    ],
)
def test_the_artifact_of_a_trained_model_has_the_bytes_of_the_command(run, folder, given, overrides):
    settings = [f"quantization.{key}={value}" for key, value in given.items() if key not in ("split", "seed")]
    done = run(*CSV, "model=ridge", *settings, *overrides)
    assert done.code == 0, done.err
    mlrq.quantize("ridge", X, Y, **given, **NAMED).save("api")
    for name in ("quantized.json", "float.json", "certificate.json"):
        expected, found = folder / "outputs" / name, folder / "api" / name
        assert expected.exists() == found.exists()
        assert not expected.exists() or expected.read_bytes() == found.read_bytes()


def test_the_artifact_of_a_fitted_model_has_the_bytes_of_the_command(run, folder):
    fitted = make_pipeline(StandardScaler(), Ridge(alpha=2.0)).fit(X, Y)
    joblib.dump(fitted, "model.joblib")
    done = run(*CSV, "model_path=model.joblib", "quantization.bits=5")
    assert done.code == 0, done.err
    mlrq.quantize(fitted, X, Y, bits=5, **NAMED).save("api.json")
    assert (folder / "api.json").read_bytes() == (folder / "outputs/quantized.json").read_bytes()


def test_it_takes_every_key_of_the_group_with_its_default():
    taken = inspect.signature(mlrq.quantize).parameters
    for item in fields(QuantizationConfig):
        assert taken[item.name].kind is inspect.Parameter.KEYWORD_ONLY
        assert taken[item.name].default == item.default


@pytest.mark.parametrize("kind", ["array", "lists", "pandas", "arrow", "capsule"])
def test_tables_of_all_kinds_give_the_same_codes_and_predictions(kind):
    if kind in ("arrow", "capsule"):
        pa = pytest.importorskip("pyarrow")

    class Capsule:
        def __init__(self, table):
            self._table = table

        def __arrow_c_stream__(self, requested_schema=None):
            return self._table.__arrow_c_stream__(requested_schema)

    given = {
        "array": lambda: (X.to_numpy(), Y.to_numpy()),
        "lists": lambda: (X.to_numpy().tolist(), Y.tolist()),
        "pandas": lambda: (X, Y),
        "arrow": lambda: (pa.table(X), pa.array(Y)),
        "capsule": lambda: (Capsule(pa.table(X)), Capsule(pa.table(Y.to_frame()))),
    }[kind]
    rows, values = given()
    model = mlrq.quantize("ridge", rows, values, bits=4)
    expected = mlrq.quantize("ridge", X, Y, bits=4)
    assert (model.codes == expected.codes).all()
    assert (model.predict(rows) == expected.predict(X)).all()
    assert model.features == (expected.features if kind not in ("array", "lists") else X_NUMBERED)
    assert model.score(rows, values) == pytest.approx(r2_score(Y, model.predict(rows)), abs=1e-12)


X_NUMBERED = tuple(f"x{i}" for i in range(X.shape[1]))


def test_columns_are_matched_by_name():
    model = mlrq.quantize("ridge", X, Y)
    mixed = X[X.columns[::-1]].assign(more=1.0)
    assert (model.predict(mixed) == model.predict(X)).all()
    with pytest.raises(mlrq.MlrqError, match=r"X: lacks bmi; it has age, sex, bp"):
        model.predict(X.drop(columns="bmi"))
    with pytest.raises(mlrq.MlrqError, match="X: has 9 features, but the model has 10"):
        model.predict(X.to_numpy()[:, 1:])


def test_a_fitted_model_of_other_columns_is_refused():
    with pytest.raises(mlrq.MlrqError, match="was fitted on the same features in another order"):
        mlrq.quantize(Ridge().fit(X, Y), X[X.columns[::-1]], Y)
    assert mlrq.quantize(Ridge().fit(X, Y), X.to_numpy(), Y).features == tuple(X.columns)


def test_without_targets_the_codes_are_the_same():
    fitted = LinearRegression().fit(X, Y)
    with_them, without = mlrq.quantize(fitted, X, Y, bits=3), mlrq.quantize(fitted, X, bits=3)
    assert (with_them.codes == without.codes).all()
    assert without.excess == pytest.approx(np.mean((without.predict(X) - fitted.predict(X)) ** 2))
    assert without.verify(X).startswith("PROVEN")
    with pytest.raises(mlrq.MlrqError, match="y: required"):
        mlrq.quantize("ridge", X)


def test_several_targets():
    both = np.stack([Y, Y**2], axis=1)
    model = mlrq.quantize(LinearRegression().fit(X, both), X, both, bits=6, granularity="per_channel")
    assert model.targets == ("y0", "y1")
    assert model.predict(X).shape == both.shape
    assert model.score(X, both) == pytest.approx(r2_score(both, model.predict(X)))


def test_what_is_saved_is_what_is_read(tmp_path):
    model = mlrq.quantize("ridge", X, Y, bits=4)
    for place in (tmp_path / "folder", tmp_path / "one.json"):
        model.save(place)
        found = mlrq.load(place)
        assert repr(found) == repr(model)
        assert (found.predict(X) == model.predict(X)).all()
    assert mlrq.load(tmp_path / "folder").verify(X, Y).startswith("PROVEN")
    assert mlrq.load(tmp_path / "one.json").verify(X, Y).startswith("INCOMPLETE")
    with pytest.raises(mlrq.MlrqError, match="was trained on table"):
        model.verify(X, Y + 1)


def test_exports_are_those_of_the_artifact(tmp_path):
    model = mlrq.quantize("ridge", X, Y, inputs="int8")
    names = [path.name for path in model.to_c(tmp_path / "c", prefix="sugar")]
    assert names == ["sugar.h", "sugar.c", "sugar_self_test.c"]
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    session = ort.InferenceSession(model.to_onnx(tmp_path / "model.onnx").read_bytes())
    (found,) = session.run(None, {"features": X.to_numpy().astype(np.float32)})
    assert (found[:, 0] == model.predict(X.astype(np.float32))).all()


def test_it_is_shown_on_one_screen():
    wide = np.random.default_rng(0).normal(size=(200, 60))
    model = mlrq.quantize(LinearRegression().fit(wide, wide.sum(axis=1)), wide, rounding="nearest")
    lines = repr(model).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 110
    assert "and 48 more features" in lines[-1]
    hostile = X.rename(columns={"bmi": "<script>"})
    shown = mlrq.quantize("ridge", hostile, Y)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bits": 17}, r"quantization\.bits=17: must be from 2 to 16"),
        ({"bits": 4, "rounding": "best"}, r"quantization\.rounding=best: must be truncate"),
        ({"scheme": "offset"}, r"quantization\.scheme=offset: not with rounding=exact"),
        ({"test_size": 1}, r"dataset\.test_size=1"),
    ],
)
def test_settings_are_refused_in_the_words_of_the_command(change, said):
    with pytest.raises(mlrq.MlrqError, match=said):
        mlrq.quantize("ridge", X, Y, **change)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (X.assign(city="Rome"), r"constant feature in the training rows: 'city' \(always 'Rome'\)"),
        (X.assign(day=pd.Timestamp("2020-01-01")), "X, column 'day': holds dates or times"),
        (X.assign(bmi=X.bmi.where(X.index != 2)), "column 'bmi': row 3, nan, is not a finite number"),
        (X.assign(one=1), r"constant feature in the training rows: 'one' \(always 1\)"),
        (X.iloc[:5], "y: has 442 rows, but X has 5"),
    ],
)
def test_tables_that_do_not_serve_are_refused_by_column(rows, said):
    with pytest.raises(mlrq.MlrqError, match=said):
        mlrq.quantize("ridge", rows, Y)


def test_models_that_do_not_serve_are_refused():
    with pytest.raises(mlrq.MlrqError, match="model: RandomForestRegressor is not linear: for row"):
        mlrq.quantize(RandomForestRegressor(3, random_state=0).fit(X, Y), X, Y)
    with pytest.raises(mlrq.MlrqError, match="model: Ridge cannot predict: NotFittedError"):
        mlrq.quantize(Ridge(), X, Y)
    with pytest.raises(mlrq.MlrqError, match="model=rige: no such option; did you mean ridge"):
        mlrq.quantize("rige", X, Y)


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        (np.full(len(X), -1.0), "column 'sample_weight': row 1, -1, is a negative weight"),
        (np.where(X.index == 3, np.nan, 1.0), "column 'sample_weight': row 4, nan, is not a finite number"),
        (np.zeros(len(X)), "no row counts: every weight in column 'sample_weight' is 0"),
        (np.ones(5), "sample_weight: has 5 rows, but X has 442 rows"),
    ],
)
def test_weights_that_do_not_serve_are_refused(weight, said):
    with pytest.raises(mlrq.MlrqError, match=said):
        mlrq.quantize("ridge", X, Y, sample_weight=weight)
    with pytest.raises(mlrq.MlrqError):
        mlrq.quantize("ridge", X, Y).score(X, Y, sample_weight=weight)


def test_with_weights_codes_minimize_the_weighted_mean():
    weight = np.random.default_rng(0).exponential(size=len(X)) * (X.index % 5 > 0)
    model = mlrq.quantize("linear_regression", X, Y, sample_weight=weight, bits=4)
    exact = LinearRegression().fit(X, Y, sample_weight=weight)
    apart = model.predict(X) - exact.predict(X)
    assert model.excess == pytest.approx(np.average(apart**2, weights=weight))
    expected = r2_score(Y, model.predict(X), sample_weight=weight)
    assert model.score(X, Y, weight) == pytest.approx(expected, rel=1e-12)
    plain = mlrq.quantize(exact, X, Y, bits=4)
    assert np.average((plain.predict(X) - exact.predict(X)) ** 2, weights=weight) > model.excess
    assert model.verify(X, Y, weight).startswith("INCOMPLETE")
    widths = mlrq.sweep("linear_regression", X, Y, sample_weight=weight, bits=[4])
    assert (widths.models[4].codes == model.codes).all()


def test_importing_it_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import mlrq; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = {name.strip(" []'\n") for name in done.stdout.split(",")}
    assert {name for name in found if name.startswith("mlrq")} == {"mlrq"}
    assert not found & {"numpy", "sklearn", "hydra", "omegaconf"}


def test_what_is_public_is_there_and_nothing_else_is():
    assert dir(mlrq) == sorted(mlrq.__all__)
    assert all(getattr(mlrq, name) is not None for name in mlrq.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'quantise'"):
        _ = mlrq.quantise


@pytest.mark.parametrize("module", ["quantize", "model"])
def test_the_examples_in_docstrings_run(module):
    found = doctest.testmod(importlib.import_module(f"mlrq.api.{module}"))
    assert found.attempted
    assert not found.failed


def test_without_a_certificate_it_says_which_argument_makes_one():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    said = mlrq.quantize("ridge", X, y, bits=4, certificate=False).verify(X, y)
    assert said == "INCOMPLETE\nthere is no certificate; certificate=True makes it"


@pytest.mark.parametrize("inputs", ["int8", "int16"])
@pytest.mark.parametrize("output_range", [None, "train"])
@pytest.mark.parametrize("targets", [1, 2])
def test_codes_predict_what_their_rows_do(inputs, output_range, targets):
    values = np.column_stack([Y, -Y])[:, :targets]
    model = mlrq.quantize("linear_regression", X, values, bits=6, inputs=inputs, output_range=output_range)
    codes = model.artifact.model.inputs.encode(X.to_numpy(dtype=np.float64))
    found = model.predict_codes(codes)
    assert found.dtype == np.float32
    assert found.tolist() == model.predict(X).tolist()


def test_what_are_no_codes_of_the_model_is_one_line():
    model = mlrq.quantize("linear_regression", X, Y, bits=6, inputs="int8")
    for codes in (
        np.zeros((2, 10)),
        np.zeros((2, 9), np.int8),
        np.zeros(10, np.int8),
        np.zeros((2, 10), np.int16),
    ):
        with pytest.raises(mlrq.MlrqError, match="codes: must be int8"):
            model.predict_codes(codes)
    with pytest.raises(mlrq.MlrqError, match="float inputs"):
        mlrq.quantize("linear_regression", X, Y, bits=6).predict_codes(np.zeros((2, 10), np.int8))
