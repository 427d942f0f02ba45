"""quantization.interval: which rows calibrate it, that nobody else sees them, low and high everywhere."""

import csv
import io
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from conftest import rows_csv
from scipy.stats import binom
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from support.intervals import half_width, set_aside
from support.streams import CLI, ROWS, VALUES, written
from support.tables import split_by_scikit_learn

import mlrq
from mlrq.artifacts.documents import read_float, read_quantized
from mlrq.datasets.memory import of_arrays
from mlrq.datasets.split import Split
from mlrq.datasets.split import hashed as hashed_rows
from mlrq.datasets.split import set_aside as aside_rows
from mlrq.streaming.train_test import TrainTest

INTERVAL = "quantization.interval=0.9"


def quantized(folder):
    return read_quantized(folder / "outputs" / "quantized.json")


def in_memory(split, rows=ROWS, values=VALUES):
    names = tuple(f"x{i}" for i in range(rows.shape[1])), tuple(f"y{i}" for i in range(values.shape[1]))
    return TrainTest(of_arrays("t", "arrays", *names, rows, values), split)


def are_test_rows(rule, count):
    """(count,) which rows are test rows."""
    if rule == "hash":
        return hashed_rows(0, count, Split("hash", 0.2, 42))
    numbered = of_arrays("t", "", ("x",), ("y",), np.arange(float(count))[:, None], np.ones((count, 1)))
    found = np.zeros(count, dtype=bool)
    found[split_by_scikit_learn(numbered, 0.2, 42).test_rows[:, 0].astype(int)] = True
    return found


@pytest.mark.parametrize("rule", ["hash", "shuffle"])
def test_calibration_rows_are_those_of_the_documented_hash_and_neither_training_nor_test_rows(rule):
    tests = are_test_rows(rule, len(ROWS))
    aside = set_aside(len(ROWS), tests)
    data = in_memory(Split(rule, 0.2, 42, calibrate=True))
    assert (data.train_count, data.calibration_count, data.test_count) == (
        (~tests & ~aside).sum(), aside.sum(), tests.sum(),
    )  # fmt: skip
    seen, _ = data.training_rows("this test")
    assert sorted(seen.tolist()) == sorted(ROWS[~tests & ~aside].tolist())
    assert sorted(data.first(10**6)[0].tolist()) == sorted(ROWS[tests].tolist())
    parts = data._reader.stream.parts
    found = [row for part in parts for rows, _ in data._reader.set_aside(part) for row in rows.tolist()]
    assert sorted(found) == sorted(ROWS[aside].tolist())
    least, most = binom.ppf([1e-6, 1 - 1e-6], (~tests).sum(), 0.2)
    assert least < aside.sum() < most


def test_the_hash_of_the_data_does_not_depend_on_rows_set_aside():
    assert len({in_memory(Split(*how)).sha256 for how in [
        ("hash", 0.2, 42, True), ("hash", 0.2, 42), ("shuffle", 0.3, 1, True), ("hash", 0.0, 0, True),
    ]}) == 1  # fmt: skip


@pytest.mark.parametrize("inputs", ["float", "int8", "int16"])
@pytest.mark.parametrize("rule", ["hash", "shuffle"])
def test_the_half_width_is_that_of_the_calibration_rows_and_nobody_else_sees_them(rule, inputs):
    tests = are_test_rows(rule, len(ROWS))
    aside = set_aside(len(ROWS), tests)
    how = {"bits": 4, "inputs": inputs, "split": rule, "test_size": 0.2}
    model = mlrq.quantize("linear_regression", ROWS, VALUES, interval=0.8, **how)
    errors = VALUES[aside] - model.predict(ROWS[aside])
    exact = np.array([half_width(column, "0.8") for column in errors.T])
    found = model.artifact.model.interval.half_width
    if inputs == "float":
        assert found.tolist() == exact.tolist()
    else:
        pairs = zip(exact.tolist(), model.scale.tolist(), strict=True)
        assert found.tolist() == [math.ceil(Fraction(a) / Fraction(b)) for a, b in pairs]
    # What the calibration rows hold changes nothing but the interval.
    spoilt_rows, spoilt = ROWS.copy(), VALUES.copy()
    spoilt_rows[aside] *= 1.5
    spoilt[aside] += 1000.0
    other = mlrq.quantize("linear_regression", spoilt_rows, spoilt, interval=0.8, **how)
    assert np.array_equal(other.codes, model.codes)
    assert np.array_equal(other.intercept, model.intercept)
    assert np.array_equal(other._origin.model.coefficients, model._origin.model.coefficients)
    assert (other.artifact.model.interval.half_width > found).all()
    # The float model is least squares on the other rows.
    left = ~tests & ~aside
    fitted = LinearRegression().fit(ROWS[left], VALUES[left])
    assert model._origin.model.coefficients == pytest.approx(fitted.coef_, rel=1e-9)


@pytest.mark.parametrize("inputs", ["float", "int8"])
def test_the_ends_are_predictions_less_and_more_the_half_width(inputs):
    model = mlrq.quantize("linear_regression", ROWS, VALUES, bits=4, inputs=inputs, interval=0.9)
    low, high = model.predict_interval(ROWS)
    middle, inner = model.predict(ROWS), model.artifact.model
    unit = 1.0 if inputs == "float" else model.scale.astype(float)
    assert model.half_width.tolist() == (inner.interval.half_width * unit).tolist()
    if inputs == "float":
        assert low == pytest.approx(middle - inner.interval.half_width, rel=1e-12)
        assert high == pytest.approx(middle + inner.interval.half_width, rel=1e-12)
        return
    sums, scale = inner.accumulators(inner.inputs.encode(ROWS)).astype(np.int64), inner.scale
    for ends, moved in ((low, sums - inner.interval.half_width), (high, sums + inner.interval.half_width)):
        assert np.array_equal(ends, (moved.astype(np.float32) * scale).astype(np.float64))
    single = mlrq.quantize("linear_regression", ROWS, VALUES[:, 0], inputs=inputs, interval=0.9)
    assert [one.shape for one in single.predict_interval(ROWS)] == [(len(ROWS),)] * 2


class Held(RegressorMixin, BaseEstimator):
    """An integer model as MAPIE takes an estimator that is fitted."""

    is_fitted = True  # what MAPIE looks for

    def __init__(self, model=None):
        self.model = model

    def fit(self, rows, targets):
        """MAPIE asks for it, and does not call it."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, rows):
        """What the integer model predicts."""
        return self.model.predict(rows)


@pytest.mark.parametrize("inputs", ["float", "int8"])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_intervals_are_those_of_mapie_on_the_same_rows(inputs, level):
    regression = pytest.importorskip("mapie.regression", reason="MAPIE is the oracle of this test")
    tests = are_test_rows("hash", len(ROWS))
    aside = set_aside(len(ROWS), tests)
    target = VALUES[:, 0]
    how = {"bits": 4, "inputs": inputs, "test_size": 0.2}
    model = mlrq.quantize("linear_regression", ROWS, target, interval=level, **how)
    theirs = regression.SplitConformalRegressor(Held(model), confidence_level=level, prefit=True)
    theirs.conformalize(ROWS[aside], target[aside])
    _, ends = theirs.predict_interval(ROWS[tests])
    low, high = model.predict_interval(ROWS[tests])
    step = float(model.scale[0]) if inputs == "int8" else 0.0
    assert low == pytest.approx(ends[:, 0, 0], rel=1e-6 if step else 1e-12, abs=step)
    assert high == pytest.approx(ends[:, 1, 0], rel=1e-6 if step else 1e-12, abs=step)
    wide = Fraction((ends[0, 1, 0] - ends[0, 0, 0]) / 2)
    if step:  # theirs, rounded up to the grid
        assert model.artifact.model.interval.half_width[0] == math.ceil(wide / Fraction(step))


def rows_of(names, rows):
    return "\n".join([",".join(names), *(",".join(map(repr, row)) for row in rows.tolist())]) + "\n"


@pytest.mark.parametrize("inputs", ["float", "int8"])
@pytest.mark.parametrize("targets", [1, 2])
def test_predict_writes_the_ends_as_csv_json_lines_and_parquet(run, tmp_path, inputs, targets):
    pq = pytest.importorskip("pyarrow.parquet")
    written(tmp_path / "t")
    wanted = (*CLI, f"quantization.inputs={inputs}", INTERVAL)
    wanted = (
        (*wanted, "dataset.target=y0", "dataset.features=[x0,x1,x2,x3,x4,x5]") if targets == 1 else wanted
    )
    assert run(*wanted).code == 0
    names = ["y0", "low", "high"]
    if targets == 2:
        names = ["y0", "y1", "y0_low", "y0_high", "y1_low", "y1_high"]
    model = mlrq.load(tmp_path / "outputs")
    (low, high), middle = model.predict_interval(ROWS), model.predict(ROWS)
    columns = (
        [middle, low, high] if targets == 1 else [*middle.T, low[:, 0], high[:, 0], low[:, 1], high[:, 1]]
    )
    expected = np.column_stack(columns).tolist()
    inputs_csv = rows_of([f"x{i}" for i in range(6)], ROWS)
    header, *cells = csv.reader(io.StringIO(run("predict", stdin=inputs_csv).out))
    assert header == names
    assert [[float(cell) for cell in row] for row in cells] == expected
    lines = "".join(json.dumps({f"x{i}": x for i, x in enumerate(row)}) + "\n" for row in ROWS.tolist())
    found = [json.loads(line) for line in run("predict", stdin=lines).out.splitlines()]
    assert [list(one) for one in found[:1]] == [names]
    assert [list(one.values()) for one in found] == expected
    assert run("predict", "predict.input=t", "predict.output=p").code == 0
    table = pq.read_table(tmp_path / "p")
    assert table.column_names == names
    assert np.column_stack([table[name].to_numpy() for name in names]).tolist() == expected


@pytest.mark.parametrize("inputs", ["float", "int8"])
def test_streamed_rows_give_the_bytes_of_rows_in_memory(run, tmp_path, inputs):
    written(tmp_path / "t")
    made = []
    for limit in (0, 10**9):
        wanted = (*CLI, INTERVAL, f"quantization.inputs={inputs}", "quantization.certificate=false")
        assert run(*wanted, f"dataset.stream_above={limit}").code == 0
        names = ("float.json", "quantized.json")
        made.append([(tmp_path / "outputs" / name).read_bytes() for name in names])
        found = json.loads((tmp_path / "outputs/evaluation.json").read_text())["interval"]
        made[-1].append(found)
    assert made[0] == made[1]


def test_the_evaluation_counts_the_test_rows_that_are_covered(run, tmp_path):
    written(tmp_path / "t")
    assert run(*CLI, INTERVAL, "quantization.inputs=int8").code == 0
    tests = are_test_rows("hash", len(ROWS))
    low, high = mlrq.load(tmp_path / "outputs").predict_interval(ROWS[tests])
    inside = ((low <= VALUES[tests]) & (VALUES[tests] <= high)).sum(axis=0)
    found = json.loads((tmp_path / "outputs/evaluation.json").read_text())["interval"]
    assert found["covered"] == inside.tolist()
    assert found["level"] == 0.9
    model = quantized(tmp_path).model
    assert found["half_width"] == (model.interval.half_width * model.scale.astype(float)).tolist()
    said = run("evaluate", *CLI).out
    for name, count in zip(("y0", "y1"), inside.tolist(), strict=True):
        assert f"interval of level 0.9 of {name}: covers {count:,} of {tests.sum():,} test rows" in said


def test_without_an_interval_nothing_is_set_aside_and_the_documents_are_of_the_plain_schema(run, tmp_path):
    assert run("dataset=diabetes").code == 0
    for name in ("float", "quantized"):
        body = json.loads((tmp_path / f"outputs/{name}.json").read_text())
        assert body["schema"] == 2
        assert "interval" not in body
        assert "calibration_rows" not in body["training"]
    assert "interval" not in json.loads((tmp_path / "outputs/evaluation.json").read_text())


def test_the_proof_is_of_the_rows_that_are_left(run):
    assert run("dataset=diabetes", INTERVAL).code == 0
    done = run("verify", "dataset=diabetes")
    assert done.out.startswith("PROVEN\n")
    assert " on 287 training rows" in done.out


def test_stages_one_by_one_are_the_same_as_all_at_once(run, tmp_path):
    assert run("dataset=diabetes", INTERVAL).code == 0
    whole = (tmp_path / "outputs/quantized.json").read_bytes()
    assert run("train", "dataset=diabetes", INTERVAL).code == 0
    assert run("quantize", "dataset=diabetes", INTERVAL).code == 0
    assert (tmp_path / "outputs/quantized.json").read_bytes() == whole
    assert run("evaluate", "dataset=diabetes").code == 0
    # Another level is another quantization of the same float model; and none at all is too.
    assert run("quantize", "dataset=diabetes", "quantization.interval=0.5").code == 0
    assert quantized(tmp_path).model.interval.level == 0.5
    assert run("quantize", "dataset=diabetes").code == 0
    assert quantized(tmp_path).model.interval is None
    assert quantized(tmp_path).training.calibration_rows == 66


def test_an_interval_after_a_training_that_set_nothing_aside_is_refused_with_the_way_out(run):
    assert run("train", "dataset=diabetes").code == 0
    run("quantize", "dataset=diabetes", INTERVAL).refused(
        "float.json was trained on every training row", f"`mlrq train {INTERVAL}`"
    )


@pytest.mark.parametrize(
    ("words", "why", "code"),
    [
        (
            ("quantization.interval=0.99",),
            "needs 99 rows to calibrate on, and 66 of diabetes are set aside",
            1,
        ),
        (("quantization.interval=1",), "interval=1.0: must be above 0 and below 1, or null (none)", 2),
        (("quantization.interval=0",), "interval=0.0: must be above 0 and below 1, or null (none)", 2),
        (("quantization.interval=nan",), "interval=nan: must be above 0 and below 1, or null (none)", 2),
        ((INTERVAL, "quantization.output_range=train"), "interval=0.9: not with output_range=train", 2),
    ],
)
def test_what_can_be_no_interval_is_refused_in_a_line(run, words, why, code):
    run("dataset=diabetes", *words).refused(why, code=code)


def test_weights_and_a_target_of_the_name_of_an_end_are_refused():
    rows, target = ROWS[:100], VALUES[:100, :1]
    with pytest.raises(mlrq.MlrqError, match=r"quantization\.interval: not with weights"):
        mlrq.quantize("linear_regression", rows, target, sample_weight=np.ones(100), interval=0.9)
    pandas = pytest.importorskip("pandas")
    for names, taken in ((["low"], "low"), (["y", "y_high"], "y_high")):
        frame = pandas.DataFrame(VALUES[:100, : len(names)], columns=names)
        with pytest.raises(mlrq.MlrqError, match=f"a column '{taken}', as a target is called"):
            mlrq.quantize("linear_regression", rows, frame, interval=0.9)
    with pytest.raises(mlrq.MlrqError, match="y: required, for an interval"):
        mlrq.quantize(LinearRegression().fit(rows, target), rows, interval=0.9)
    with pytest.raises(mlrq.MlrqError, match=r"the model has no interval: make it with interval=0\.9"):
        mlrq.quantize("linear_regression", rows, target).predict_interval(rows)


def test_a_model_that_was_fitted_elsewhere_is_told_of():
    fitted = LinearRegression().fit(ROWS[:500], VALUES[:500])
    model = mlrq.quantize(fitted, ROWS[500:], VALUES[500:], interval=0.9)
    assert any("intervals hold if it has not seen the calibration rows" in one for one in model.notices)


def test_what_is_saved_is_read_and_verified_again(tmp_path):
    model = mlrq.quantize("linear_regression", ROWS, VALUES[:, 0], bits=4, inputs="int8", interval=0.9)
    model.save(tmp_path / "m")
    again = mlrq.load(tmp_path / "m")
    for ours, theirs in zip(model.predict_interval(ROWS), again.predict_interval(ROWS), strict=True):
        assert np.array_equal(ours, theirs)
    assert again.verify(ROWS, VALUES[:, 0]).startswith("PROVEN")
    assert (
        read_float(tmp_path / "m" / "float.json").training.calibration_rows
        == again.artifact.training.calibration_rows
    )
    assert "interval" in repr(again)


def test_categories_are_learned_from_training_rows_alone(run, tmp_path):
    count = 600
    rng = np.random.default_rng(0)
    tests = hashed_rows(0, count, Split("hash", 0.2, 42))
    aside = set_aside(count, tests)
    assert np.array_equal(aside, aside_rows(0, count, Split("hash", 0.2, 42, calibrate=True)) & ~tests)
    city = np.where(aside, "only here", np.array(["a", "b"])[rng.integers(0, 2, count)])
    lines = [
        f"{c},{x!r},{x + rng.normal()!r}" for c, x in zip(city, rng.normal(size=count).tolist(), strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["city,x,y", *lines]) + "\n")
    wanted = ("dataset=csv", "dataset.path=t.csv", "dataset.target=y", INTERVAL, "quantization.bits=8")
    run(*wanted).refused("'only here'")
    done = run(*wanted, "dataset.unknown=baseline")
    assert done.code == 0, done
    assert f"{aside.sum():,} rows have a category of 'city' that no training row has" in done.err


def test_a_regressor_sets_the_same_rows_aside(tmp_path):
    target = VALUES[:, 0]
    model = mlrq.QuantizedRegressor(bits=4, interval=0.9, certificate=True).fit(ROWS, target)
    aside = set_aside(len(ROWS), np.zeros(len(ROWS), dtype=bool))
    fitted = LinearRegression().fit(ROWS[~aside], target[~aside])
    assert np.array_equal(model.estimator_.coef_, fitted.coef_)
    low, high = model.predict_interval(ROWS)
    errors = target[aside] - model.predict(ROWS[aside])
    assert model.quantized_.artifact.model.interval.half_width.tolist() == [half_width(errors, "0.9")]
    assert low.shape == high.shape == target.shape
    with pytest.raises(ValueError, match=r"interval=0\.9: not with sample_weight"):
        model.fit(ROWS, target, sample_weight=np.ones(len(ROWS)))
    with pytest.raises(ValueError, match="needs 9 rows to calibrate on"):
        model.fit(ROWS[:20], target[:20])


def test_a_sweep_takes_an_interval():
    found = mlrq.sweep("linear_regression", ROWS, VALUES[:, 0], bits=[3, 8], interval=0.9, certificate=False)
    widths = [model.artifact.model.interval.half_width[0] for model in found.models.values()]
    assert widths[0] != widths[1]


def test_unreadable_rows_have_no_ends(run, california, parts):
    assert run(INTERVAL, "quantization.certificate=false").code == 0
    text = rows_csv(california, parts.test_rows[:2]) + "1,2,3,4,5,6,7,many\n"
    done = run("predict", "predict.on_error=null", "predict.flag=true", stdin=text)
    assert done.out.splitlines()[0] == "MedHouseVal,low,high,saturated"
    assert done.out.splitlines()[-1] == ",,,"


@pytest.mark.slow
@pytest.mark.parametrize("inputs", ["float", "int8"])
def test_coverage_over_a_thousand_splits_is_within_its_binomial_limits(inputs):
    """One new row a split: a thousand independent draws of all rows; the level is that of the rank."""
    rng, inside, expected = np.random.default_rng(1), 0, []
    for seed in range(1000):
        rows = rng.normal(size=(81, 3))
        target = rows @ [1.0, -2.0, 0.5] + rng.standard_t(3, size=81)
        model = mlrq.quantize(
            "linear_regression", rows[:80], target[:80], bits=3, inputs=inputs, certificate=False,
            interval=0.8, seed=seed,
        )  # fmt: skip
        low, high = model.predict_interval(rows[80:])
        inside += int(low[0] <= target[80] <= high[0])
        count = model.artifact.training.calibration_rows
        expected.append(math.ceil((count + 1) * Fraction("0.8")) / (count + 1))
    assert min(expected) >= 0.8
    least, most = binom.ppf([1e-4, 1 - 1e-4], 1000, np.mean(expected))
    assert least <= inside
    assert inputs == "int8" or inside <= most  # rounding up to the grid may add
