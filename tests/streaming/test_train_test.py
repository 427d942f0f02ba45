"""The training and test rows of a table, in memory or read anew: the same models, the same figures."""

import io
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.metrics import mean_squared_error, r2_score
from support.streams import CLI, GENERATOR, LINEAR, RIDGE, ROWS, VALUES, WEIGHTS, close, written
from support.tables import hashed, shuffled, split_as_told

from mlrq.artifacts.documents import read_float
from mlrq.datasets.memory import of_arrays
from mlrq.datasets.parquet import load
from mlrq.datasets.split import Split
from mlrq.datasets.split import hashed as hashed_rows
from mlrq.errors import MlrqError
from mlrq.kernel import reference
from mlrq.models.linear import LinearModel
from mlrq.pipeline.evaluate import evaluate
from mlrq.pipeline.quantize import quantize_model
from mlrq.pipeline.train import train
from mlrq.quantization.settings import Settings
from mlrq.streaming import reductions

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def streamed(tmp_path):
    return hashed(written(tmp_path / "t"))


@pytest.fixture
def memory(streamed):
    """The same rows as arrays."""
    return hashed(of_arrays("t", "arrays", streamed.features, streamed.targets, ROWS, VALUES))


def model_of(spec, standardize=False):
    return {"name": "m", "standardize": standardize, "estimator": spec}


def test_the_split_does_not_depend_on_row_groups_or_files(tmp_path, streamed, memory):
    parts = split_as_told(ROWS, VALUES, hashed_rows(0, len(ROWS), Split("hash", 0.2, 42)))
    for source in (streamed, memory, hashed(written(tmp_path / "other", 123, 1))):
        assert (source.train_count, source.test_count) == (len(parts.train_rows), len(parts.test_rows))
        for found, expected in zip(source.first(50), (parts.test_rows, parts.test_values), strict=True):
            assert np.array_equal(found, expected[:50])
        for found, expected in zip(
            source.training_rows("this test"), (parts.train_rows, parts.train_values), strict=True
        ):
            assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(bits=4, scheme="affine", granularity="per_channel"),
        Settings(bits=5, granularity="per_feature", output_range="train"),
        Settings(inputs="int8"),
        Settings(inputs="int16", calibration="percentile"),
        Settings(inputs="int8", calibration="mse", rounding="nearest"),
    ],
)
@pytest.mark.parametrize("spec", [LINEAR, RIDGE])
def test_every_stage_finds_what_it_finds_in_memory(streamed, memory, settings, spec):
    model = model_of(spec)
    results = []
    for source in (streamed, memory):
        trained = train(source, model)
        made = quantize_model(source, trained.artifact, settings)
        results.append((trained, made, evaluate(source, made.artifact, trained.artifact, 5)))
    (trained, made, done), (trained_m, made_m, done_m) = results
    close(trained.artifact.model.coefficients, trained_m.artifact.model.coefficients)
    assert np.array_equal(made.artifact.model.codes, made_m.artifact.model.codes)
    close(made.artifact.model.weights, made_m.artifact.model.weights, 1e-6)
    assert done.test.r2 == pytest.approx(done_m.test.r2, rel=1e-9)
    assert done.train.mse == pytest.approx(done_m.train.mse, rel=1e-5)
    assert done.max_difference == pytest.approx(done_m.max_difference, rel=1e-5)
    assert np.array_equal(done.actual, done_m.actual)
    assert made.guard.saturated == pytest.approx(made_m.guard.saturated, rel=1e-12)
    assert made.guard.clipped_r2 == pytest.approx(made_m.guard.clipped_r2, rel=1e-9)


def test_what_needs_all_rows_says_so_before_it_starts(tmp_path):
    told = []
    stream = written(tmp_path / "t")
    source = hashed(stream, notify=told.append)
    lasso = model_of({"_target_": "sklearn.linear_model.Lasso", "alpha": 0.1})
    trained = train(source, lasso)
    assert joblib.load(io.BytesIO(trained.estimator)).coef_.shape == (2, 6)
    assert trained.artifact.model.coefficients.shape == (2, 6)
    assert told == [f"Lasso needs all {source.train_count:,} training rows in memory, 0 MB, "
                    "and as much again to work on"]  # fmt: skip
    source = hashed(replace(stream, memory_limit=1000))
    for call in (
        lambda: train(source, lasso),
        lambda: train(source, model_of({**LINEAR, "positive": True})),
        lambda: source.input_grid(Settings(inputs="int8", calibration="mse")),
    ):
        with pytest.raises(MlrqError, match=r"needs all [0-9,]+ training rows in memory, 0 MB, more than"):
            call()


def test_the_same_models_are_measured_once(streamed):
    model = LinearModel(WEIGHTS, np.zeros(2), streamed.features, streamed.targets)
    first = streamed.score((model,))
    streamed._engine = None
    assert streamed.score((model,)) is first


def test_the_first_of_the_models_that_were_measured_are_not_measured_again(streamed):
    names = streamed.features
    models = [LinearModel(WEIGHTS * factor, np.zeros(2), names, ("y0", "y1")) for factor in (1, 2, 3)]
    apart = streamed.score(models[:1])[0]
    other = hashed(streamed._reader.stream)
    together = other.score(models)
    other._engine = None
    for count in (1, 2, 3):
        for found, expected in zip(other.score(models[:count]), together[:count], strict=True):
            assert found is expected
    assert (apart.train, apart.test) == (together[0].train, together[0].test)
    assert apart.distance.tolist() == [0.0, 0.0]
    with pytest.raises(TypeError):  # their distances are from another first model
        other.score(models[1:])


@pytest.mark.parametrize("stage", ["all", "train"])
@pytest.mark.parametrize("report", ["text", "json"])
def test_a_run_makes_one_pass_over_the_test_rows(run, tmp_path, monkeypatch, stage, report):
    parts, measured = written(tmp_path / "t").parts, []
    errors = reductions.errors

    def counted(reader, models, test, part):
        measured.append((test, part.start))
        return errors(reader, models, test, part)

    monkeypatch.setattr(reductions, "errors", counted)
    done = run(stage, *CLI, f"report={report}")
    assert done.code == 0, done.err
    assert sorted(measured) == [(True, part.start) for part in parts]


@pytest.mark.parametrize("stage", ["all", "train"])
def test_a_fault_of_the_pass_over_the_test_rows_is_one_line(run, tmp_path, monkeypatch, stage):
    def lost(reader, models, test, part):
        raise MlrqError("the rows are lost")

    written(tmp_path / "t")
    monkeypatch.setattr(reductions, "errors", lost)
    run(stage, *CLI).refused("the rows are lost")
    assert not (tmp_path / "outputs").exists()  # what is written has been measured


def test_a_float_model_is_measured_beside_the_integer_model(streamed, monkeypatch):
    trained = train(streamed, model_of(LINEAR))
    assert streamed._scores == {}
    made = quantize_model(streamed, trained.artifact, Settings())
    done = evaluate(streamed, made.artifact, trained.artifact, 5)
    monkeypatch.setattr(streamed, "_engine", None)
    (score,) = streamed.score((trained.artifact.model,))
    assert (score.train, score.test) == (done.float_train, done.float_test)


def test_the_test_rows_are_read_once_where_there_is_a_cache(tmp_path):
    stream, cache = written(tmp_path / "t"), tmp_path / "cache"
    cache.mkdir()
    again, kept = hashed(stream), hashed(stream, cache=cache)
    model = LinearModel(WEIGHTS, np.zeros(2), stream.features, stream.targets)
    expected = again.score((model,))[0]
    for file in (tmp_path / "t").iterdir():
        file.rename(tmp_path / file.name)
    found = kept.score((model,))[0]
    assert (found.train, found.test) == (expected.train, expected.test)
    assert found.distance.tolist() == [0.0, 0.0]
    with pytest.raises(MlrqError, match=r"0\.parquet"):
        again.score((model, model))
    for file in tmp_path.glob("*.parquet"):
        file.rename(tmp_path / "t" / file.name)
    for file in cache.iterdir():  # as on a worker that sees another disk
        file.unlink()
    cache.rmdir()
    assert kept.score((model, model))[1].test == expected.test


def test_training_errors_follow_from_the_summary(streamed, memory):
    model = LinearModel(WEIGHTS * 1.01, np.array([3.0, -2.0]), streamed.features, ("y0", "y1"))
    parts = split_as_told(ROWS, VALUES, hashed_rows(0, len(ROWS), Split("hash", 0.2, 42)))
    predicted = parts.train_rows @ model.coefficients.T + model.intercept
    flat = LinearModel(np.zeros((2, 6)), np.ones(2), streamed.features, ("y0", "y1"))
    for source in (streamed, memory):
        (found,) = source.score((model,))
        assert found.train.r2 == pytest.approx(r2_score(parts.train_values, predicted), rel=1e-12)
        assert found.train.mse == pytest.approx(mean_squared_error(parts.train_values, predicted), rel=1e-12)
        assert found.constant.tolist() == [False, False]
        assert source.score((flat,))[0].constant.tolist() == [True, True]
    (found,), (kept,) = streamed.score((model,)), memory.score((model,))
    assert found.train.max_error is found.train.mean_absolute_error is None
    # Absolute errors follow from no summary: rows in memory are looked at.
    error = np.abs(predicted - parts.train_values)
    assert kept.train.max_error == pytest.approx(error.max(), rel=1e-12)
    assert kept.train.mean_absolute_error == pytest.approx(error.mean(), rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e5, 1.7e9])
def test_the_guard_sees_a_streams_training_rows_as_it_sees_them_in_memory(tmp_path, offset):
    """With a target far from zero, float32 leaves little of an integer model's predictions."""
    rows = GENERATOR.normal(size=(4000, 2))
    target = rows @ [1.0, -2.0] + 10 * GENERATOR.normal(size=4000) + offset
    pq.write_table(pa.table({"a": rows[:, 0], "b": rows[:, 1], "y": target}), tmp_path / "t.parquet")
    streamed = hashed(load(str(tmp_path / "t.parquet"), ["y"], None, None, 10**9))
    memory = hashed(of_arrays("t", "arrays", ("a", "b"), ("y",), rows, target[:, None]))
    found = []
    for source in (streamed, memory):
        trained = train(source, model_of(LINEAR))
        made = quantize_model(source, trained.artifact, Settings(inputs="int8"))
        found.append((made.guard, evaluate(source, made.artifact, trained.artifact, 5)))
    (guard, done), (expected, in_memory) = found
    assert done.train.r2 == pytest.approx(in_memory.train.r2, abs=1e-5)
    assert len(guard.notices) == len(expected.notices) == (2 if offset > 1e9 else 0)


@pytest.mark.parametrize("spec", [LINEAR, RIDGE])
def test_integer_inputs_take_few_passes_whatever_is_asked_how_often(streamed, spec, monkeypatch):
    asked = []
    engine = streamed._engine
    monkeypatch.setattr(
        streamed, "_engine", lambda work, parts: (asked.append(work.args[0]), engine(work, parts))[1]
    )
    trained = train(streamed, model_of(spec))
    for bits in (4, 8):
        made = quantize_model(streamed, trained.artifact, Settings(bits=bits, inputs="int8"))
        evaluate(streamed, made.artifact, trained.artifact, 5)
    read = [function for function in asked if function is not reductions.errors]  # which is of the test rows
    # codes and clipped rows, each with the goal and with the targets; and what saturates
    assert len(read) == (3 if spec is LINEAR else 5)


def test_the_hash_of_the_data_does_not_depend_on_row_groups_or_files(tmp_path, streamed):
    for other in (
        hashed(written(tmp_path / "other", 123, 1), 0.3, 7),
        hashed(written(tmp_path / "other", 123, 1), 0.0),
        shuffled(written(tmp_path / "other", 123, 1), 0.3, 7),
        shuffled(of_arrays("t", "arrays", streamed.features, streamed.targets, ROWS, VALUES), 0.1, 1),
    ):
        assert other.sha256 == streamed.sha256


@pytest.mark.parametrize("change", ["sign", "two signs", "last bit", "swap", "columns", "shift"])
def test_a_fingerprint_tells_any_change(change):
    before = ROWS.T.copy()
    after = before.copy()
    if change == "sign":
        after[2, 77] *= -1
    elif change == "two signs":
        after[2, [77, 4000]] *= -1
    elif change == "last bit":
        after[5, 4999] = np.nextafter(after[5, 4999], 0)
    elif change == "swap":
        after[0, [10, 11]] = after[0, [11, 10]]
    elif change == "columns":
        after[[0, 1]] = after[[1, 0]]
    else:
        after = np.roll(after, 1, axis=1)
    assert reference.fingerprint(before, 0).tolist() != reference.fingerprint(after, 0).tolist()


@pytest.mark.parametrize("start", [0, 60_000, 2**40])
@pytest.mark.parametrize("cut", [1, 2500, 4999])
def test_fingerprints_add_up_however_the_rows_are_cut(start, cut):
    table = ROWS.T
    pieces = reference.fingerprint(table[:, :cut], start) + reference.fingerprint(table[:, cut:], start + cut)
    assert pieces.tolist() == reference.fingerprint(table, start).tolist()


def test_the_program_trains_quantizes_and_evaluates(run, tmp_path):
    written(tmp_path / "t")
    whole = run(*CLI, "samples=2")
    assert whole.code == 0, whole.err
    assert "t (3 Parquet files, 9 row groups)" in whole.out
    names = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")
    assert sorted(path.name for path in (tmp_path / "outputs").iterdir()) == sorted((*names, "run.json"))
    before = [(tmp_path / "outputs" / name).read_bytes() for name in names]
    for stage in ("train", "quantize", "evaluate"):
        assert run(stage, *CLI, "samples=2").code == 0
    assert [(tmp_path / "outputs" / name).read_bytes() for name in names] == before
    assert run(*CLI, "samples=0", "quantization.inputs=int8").code == 0


def test_a_fit_from_the_summary_leaves_no_other_models_estimator(run, tmp_path):
    written(tmp_path / "t")
    folder = tmp_path / "outputs"
    assert run("train", *CLI, "model=lasso").code == 0  # which has all rows in memory
    assert "model.joblib" in (folder / "SHA256SUMS").read_text()
    done = run("train", *CLI)
    assert [line.split()[1] for line in done.out.splitlines() if line.startswith("saved ")] == [
        str(Path("outputs") / "float.json")
    ]
    assert not (folder / "model.joblib").exists()
    assert "model.joblib" not in (folder / "SHA256SUMS").read_text()
    assert run("train", *CLI, "model=lasso").code == 0
    assert (folder / "model.joblib").exists()


def test_the_first_predictions_of_a_fit_from_the_summary_are_those_of_its_formula(run, tmp_path, streamed):
    assert run("train", *CLI).code == 0
    origin = read_float(tmp_path / "outputs" / "float.json")
    assert np.array_equal(origin.first_predictions, origin.model.predict(streamed.first(5)[0]))


@pytest.mark.slow
def test_a_bad_parameter_is_explained_as_for_rows_in_memory(run, tmp_path):
    written(tmp_path / "t")
    for wanted, code in (
        (["model=ridge", "model.estimator.alpha=-1"], 1),
        (["model=ridge", "model.estimator.alpha=[1,2,3]"], 1),
        (["model=ridge", "+model.estimator.solver=newton"], 1),
        (["model=ridge", "+model.estimator.max_iters=5"], 2),
        (["model.estimator.fit_intercept=perhaps"], 1),
        (["model.estimator._target_=sklearn.linear_model.x.Ridge"], 2),
        (["+model.estimator._partial_=yes"], 2),
    ):
        streamed = run("train", *CLI, *wanted)
        streamed.refused(code=code)
        memory = run("train", "dataset=synthetic", "dataset.targets=2", *wanted)
        assert streamed.faults == memory.faults
    assert not (tmp_path / "outputs" / "float.json").exists()


def test_a_test_path_gives_the_test_rows(run, tmp_path):
    written(tmp_path / "t")
    done = run(*CLI, "dataset.test_path=t/0.parquet")
    assert done.code == 0, done.err
    assert "5,000 to train, 1,667 to test" in done.out


def test_bad_data_is_one_line(run, tmp_path):
    run(*CLI).refused("t: no such file or folder")
    pq.write_table(pa.table({"a": [1.0] * 50, "y0": range(50), "y1": range(50)}), tmp_path / "t")
    run(*CLI).refused("constant feature in the training rows: 'a' (always 1)")
    pq.write_table(pa.table({"a": [1.0], "y0": [1.0], "y1": [1.0]}), tmp_path / "t")
    run(*CLI).refused("1 row, but 1 feature needs at least 2")
    run(*CLI, "dataset.memory_limit=-1").refused("dataset.memory_limit=-1", code=2)
    run(*CLI, "dataset.test_path=").refused("dataset.test_path=", code=2)


def test_without_pyarrow_one_line_says_what_to_install(run, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    run(*CLI).refused("dataset=parquet needs pyarrow, which is not installed: pip install -e '.[parquet]'")


@pytest.mark.slow
def test_evaluating_imports_no_scikit_learn(command, run, tmp_path):
    written(tmp_path / "t")
    assert run(*CLI).code == 0
    code = "import sys; from mlrq.cli.main import main; main(); print('sklearn' in sys.modules)"
    done = command.python(code, "evaluate", *CLI)
    assert done.code == 0, done.err
    assert done.out.endswith("False\n")
