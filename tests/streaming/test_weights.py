"""Rows that count differently: weighted least squares, codes and errors, in memory and streamed."""

import json

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from mlrq.artifacts.documents import read_float, read_quantized
from mlrq.datasets.split import Split, hashed

RANDOM = np.random.default_rng(5)
COUNT = 3000
X = RANDOM.normal(size=(COUNT, 4)) * [1, 20, 0.3, 5] + [0, 100, -3, 2]
Y = X @ [1.0, -0.2, 4.0, 0.5] + RANDOM.normal(size=COUNT) * np.exp(X[:, 0]) + 3
WEIGHT = np.where(RANDOM.random(COUNT) < 0.1, 0.0, RANDOM.exponential(size=COUNT) * 10)
CSV = ("dataset=csv", "dataset.path=t.csv", "dataset.target=y", "dataset.weight=w")
NAMES = ("float.json", "quantized.json", "evaluation.json")


def write(folder, weight=WEIGHT, keep=slice(None)):
    rows = np.column_stack([X, weight, Y])[keep].tolist()  # the weight stands among the others
    lines = ["a,b,c,d,w,y", *(",".join(map(repr, row)) for row in rows)]
    (folder / "t.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def table(tmp_path):
    write(tmp_path)
    return tmp_path


def made(folder, out="outputs"):
    return {name: (folder / out / name).read_bytes() for name in NAMES}


def parts():
    """Which rows are for training, and which for the test."""
    tests = hashed(0, COUNT, Split("hash", 0.2, 42))
    return ~tests & (WEIGHT > 0), tests & (WEIGHT > 0)


@pytest.mark.parametrize(
    ("overrides", "estimator"),
    [
        ((), LinearRegression()),
        (("model.standardize=true",), LinearRegression()),
        (("model.estimator.fit_intercept=false",), LinearRegression(fit_intercept=False)),
        (("model=ridge", "model.estimator.alpha=50"), Ridge(alpha=50)),
    ],
)
def test_the_fit_is_that_of_scikit_learn(run, table, overrides, estimator):
    assert run("train", *CSV, *overrides).code == 0
    train, _ = parts()
    expected = estimator.fit(X[train], Y[train], sample_weight=WEIGHT[train])
    found = read_float(table / "outputs" / "float.json")
    np.testing.assert_allclose(found.model.coefficients[0], expected.coef_, rtol=1e-9)
    np.testing.assert_allclose(found.model.intercept[0], expected.intercept_, rtol=1e-9, atol=1e-12)
    assert found.training.train_rows == train.sum()


@pytest.mark.parametrize(
    "settings",
    [(), ("quantization.inputs=int8",), ("quantization.output_range=train", "quantization.rounding=nearest")],
)
def test_errors_are_weighted(run, table, settings):
    assert run(*CSV, "quantization.bits=4", *settings).code == 0
    told = json.loads((table / "outputs" / "evaluation.json").read_text())
    model = read_quantized(table / "outputs" / "quantized.json")
    exact = read_float(table / "outputs" / "float.json").model
    for part, rows in zip(("train", "test"), parts(), strict=True):
        for name, one in (("quantized", model.model), ("float", exact)):
            predicted, found = one.predict(X[rows])[:, 0], told[name][part]
            given = Y[rows], predicted
            weight = {"sample_weight": WEIGHT[rows]}
            assert found["r2"] == pytest.approx(r2_score(*given, **weight), rel=1e-5)
            assert found["mse"] == pytest.approx(mean_squared_error(*given, **weight), rel=1e-5)
            absolute = mean_absolute_error(*given, **weight)
            assert found["mean_absolute_error"] == pytest.approx(absolute, rel=1e-9)
            assert found["max_error"] == pytest.approx(np.abs(predicted - Y[rows]).max(), rel=1e-9)
    if not settings:
        train, _ = parts()
        apart = model.model.predict(X[train])[:, 0] - exact.predict(X[train])[:, 0]
        assert model.excess == pytest.approx(np.average(apart**2, weights=WEIGHT[train]), rel=1e-6)


def test_codes_are_those_of_rows_that_are_there_as_often(run, tmp_path):
    times = RANDOM.integers(0, 4, COUNT)
    found = {}
    for name, (weight, keep) in {
        "weighted": (times.astype(float), slice(None)),
        "repeated": (np.ones(COUNT), np.repeat(np.arange(COUNT), times)),
    }.items():
        write(tmp_path, weight, keep)
        settings = (*CSV, "dataset.test_size=0", "quantization.bits=3", "quantization.inputs=int8")
        assert run(*settings, f"output_dir={name}").code == 0
        found[name] = read_quantized(tmp_path / name / "quantized.json")
    one, other = found["weighted"], found["repeated"]
    assert (one.model.codes == other.model.codes).all()
    assert one.excess == pytest.approx(other.excess, rel=1e-9)
    assert one.training.train_rows == (times > 0).sum()


@pytest.mark.parametrize("split", ["hash", "shuffle"])
def test_streamed_they_are_the_same_bytes(run, table, split):
    settings = (*CSV, f"dataset.split={split}", "quantization.inputs=int8", "quantization.bits=5")
    assert run(*settings).code == 0
    assert run(*settings, "dataset.stream_above=0", "engine=threads", "output_dir=streamed").code == 0
    for name in NAMES[:2]:
        assert made(table)[name] == made(table, "streamed")[name], name


def test_parquet_is_as_good(run, table):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {name: X[:, i] for i, name in enumerate("abcd")} | {"w": WEIGHT, "y": Y}
    pq.write_table(pa.table(columns), table / "t.parquet", row_group_size=700)
    assert run("train", *CSV).code == 0
    wanted = ("dataset=parquet", "dataset.path=t.parquet", "dataset.target=y", "dataset.weight=w")
    assert run("train", *wanted, "output_dir=other", "dataset.stream_above=0").code == 0
    one, other = (read_float(table / out / "float.json") for out in ("outputs", "other"))
    np.testing.assert_allclose(one.model.coefficients, other.model.coefficients, rtol=1e-12)
    assert one.training.sha256 == other.training.sha256


@pytest.mark.slow
def test_the_kernel_in_numpy_gives_the_same_bytes(command, table):
    for name in ("C", "numpy"):
        command.environment["MLRQ_KERNEL"] = name
        done = command(*CSV, "quantization.inputs=int8", f"output_dir={name}")
        assert done.code == 0, done.err
    assert made(table, "C") == made(table, "numpy")


def test_a_row_of_weight_zero_is_as_good_as_absent(run, table):
    settings = (*CSV, "dataset.test_size=0", "quantization.inputs=int8", "quantization.bits=4")
    assert run(*settings).code == 0
    write(table, keep=WEIGHT > 0)
    assert run(*settings, "output_dir=without").code == 0
    one, other = (read_quantized(table / out / "quantized.json") for out in ("outputs", "without"))
    assert (one.model.codes == other.model.codes).all()
    assert one.model.scale.tolist() == other.model.scale.tolist()
    assert (one.excess, one.training.train_rows) == (other.excess, other.training.train_rows)


def test_weights_of_one_change_digits_only(run, table):
    write(table, np.ones(COUNT))
    assert run(*CSV).code == 0
    assert run(*CSV[:3], "dataset.features=[a,b,c,d]", "output_dir=plain").code == 0
    one, other = (read_float(table / out / "float.json") for out in ("outputs", "plain"))
    np.testing.assert_allclose(one.model.coefficients, other.model.coefficients, rtol=1e-12)
    assert one.training.sha256 != other.training.sha256


def test_standard_errors_are_those_of_statsmodels(run, table):
    sm = pytest.importorskip("statsmodels.api")
    (told,) = json.loads(run("train", *CSV, "report=json").out)["statistics"]
    train, _ = parts()
    results = sm.WLS(Y[train], sm.add_constant(X[train], prepend=False), weights=WEIGHT[train]).fit()
    errors = [told["coefficients"][name]["error"] for name in (*"abcd", "(intercept)")]
    np.testing.assert_allclose(errors, results.bse, rtol=1e-10)
    for name, expected in {"r2": results.rsquared, "f": results.fvalue, "aic": results.aic}.items():
        assert told[name] == pytest.approx(expected, rel=1e-10), name


def test_later_stages_know_the_weights_and_verify_says_that_it_checks_none(run, table):
    assert run(*CSV, "quantization.certificate=true").code == 0
    assert not (table / "outputs" / "certificate.json").exists()
    assert run("quantize", "quantization.bits=4").code == 0
    done = run("verify")
    assert "INCOMPLETE" in done.out
    assert "rows are weighted by 'w', and weighted sums are not checked" in done.out + done.err
    assert read_quantized(table / "outputs" / "quantized.json").training.source.endswith(", weights w")
    assert "trained on" in run("evaluate", "dataset.weight=null", "dataset.features=[a,b,c,d]").err


def test_a_model_that_was_fitted_elsewhere_is_quantized_with_weights(run, table):
    train, _ = parts()
    joblib.dump(LinearRegression().fit(X[train], Y[train], sample_weight=WEIGHT[train]), table / "m.joblib")
    assert run(*CSV, "model_path=m.joblib").code == 0
    done = run("train", *CSV, "model=lasso")
    assert done.code == 1
    assert "Lasso is fitted here without weights, but 'w' weights the rows" in done.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({17: -2.0}, "t.csv, piece 0, column 'w': row 18, -2, is a negative weight"),
        ({17: np.nan}, "t.csv, line 19, column 'w': 'nan' is not a finite number"),
        (dict.fromkeys(range(COUNT), 0.0), "t.csv: no row counts: every weight in column 'w' is 0"),
        ({i: 0.0 for i in range(COUNT) if i > 2}, "3 rows leave"),
    ],
)
def test_weights_that_do_not_serve_are_refused(run, table, change, said):
    weight = np.ones(COUNT)
    weight[list(change)] = list(change.values())
    write(table, weight)
    done = run("train", *CSV)
    assert done.code == 1
    assert said in done.err, done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("name", ["a", "y"])
def test_a_weight_is_no_feature_and_no_target(run, table, name):
    done = run("train", *CSV[:3], f"dataset.weight={name}", "dataset.features=[a,b]")
    assert f"dataset.weight={name}: cannot be a feature or a target too" in done.err
