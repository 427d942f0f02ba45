"""Models that were trained elsewhere: quantized as they are, and never loaded unasked."""

import pickle
import re
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from conftest import PROJECT, inside, rows_csv
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Lasso, LinearRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler
from support.tables import rows_of

from mlrq.artifacts.documents import read_float, read_quantized
from mlrq.files import digest
from mlrq.models import pretrained

GENERATOR = np.random.default_rng(0)
ROWS = GENERATOR.normal(size=(60, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 1.0]
VALUES = np.column_stack([ROWS @ [2.0, -0.3, 7.0] + 4.0, ROWS @ [-1.0, 0.1, 3.0]])
VALUES += GENERATOR.normal(scale=0.3, size=VALUES.shape)
ELSEWHERE = GENERATOR.normal(size=(50, 3))  # rows that the program never sees
CSV = ("dataset=csv", "dataset.path=mine.csv", "dataset.target=y")
MODELS = {
    "least squares": LinearRegression(),
    "ridge": Ridge(alpha=3),
    "pipeline": make_pipeline(StandardScaler(), MinMaxScaler(feature_range=(-1, 1)), Lasso(alpha=0.01)),
    "passthrough": make_pipeline("passthrough", Ridge()),
}


@dataclass
class Frame:
    """What scikit-learn takes for a pandas DataFrame, as far as names go."""

    columns: list[str]
    values: np.ndarray


def table(path: Path) -> None:
    """A CSV with three features and a target."""
    rows = np.column_stack([ROWS, VALUES[:, :1]]).tolist()
    path.write_text("\n".join(["a,b,c,y", *(",".join(map(repr, row)) for row in rows)]))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with that table."""
    table(tmp_path / "mine.csv")
    return tmp_path


def saved(estimator: object, path: Path) -> object:
    """`estimator`, fitted elsewhere and saved."""
    estimator.fit(ELSEWHERE, ELSEWHERE @ [1.0, 2.0, 3.0] + 10.0)
    skops.io.dump(estimator, path) if path.suffix == ".skops" else joblib.dump(estimator, path)
    return estimator


def outputs_of(folder: Path) -> dict[str, bytes]:
    """The artifacts; what is of the run is not among them."""
    files = (path for path in (folder / "outputs").iterdir() if path.name != "run.json")
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["my.joblib", "my.pkl", "my.skops"])
@pytest.mark.parametrize("kind", MODELS)
def test_a_model_trained_elsewhere_is_followed_not_refitted(run, mine, kind, name):
    estimator = saved(MODELS[kind], mine / name)
    done = run("quantize", f"model_path={name}", *CSV, "quantization.bits=16")
    assert done.code == 0, done.err
    notes = [line for line in done.err.splitlines() if line.startswith("mlrq: ")]
    assert notes == [f"mlrq: note: {name} was trained elsewhere: it may have seen the test rows"]
    exact = read_float(mine / "outputs" / "float.json").model.predict(ROWS)[:, 0]
    made = read_quantized(mine / "outputs" / "quantized.json").model.predict(ROWS)[:, 0]
    goal = estimator.predict(ROWS)
    assert np.abs(exact - goal).max() < 1e-9
    # The data's own least squares lies more than 1 away.
    assert np.abs(made - goal).max() < 0.01
    assert np.abs(VALUES[:, 0] - goal).mean() > 1
    assert not (mine / "outputs" / "model.joblib").exists()


def test_integer_inputs_follow_too(run, mine):
    estimator = saved(LinearRegression(), mine / "my.joblib")
    done = run("quantize", "model_path=my.joblib", *CSV, "quantization.inputs=int16", "quantization.bits=16")
    assert done.code == 0, done.err
    train = np.random.RandomState(42).permutation(60)[12:]
    made = read_quantized(mine / "outputs" / "quantized.json").model.predict(ROWS[train])[:, 0]
    assert np.abs(made - estimator.predict(ROWS[train])).max() < 0.05


def test_several_targets(run, mine):
    lines = ["a,b,c,y,z", *(",".join(map(repr, row)) for row in np.column_stack([ROWS, VALUES]).tolist())]
    (mine / "mine.csv").write_text("\n".join(lines))
    joblib.dump(Ridge().fit(ELSEWHERE, ELSEWHERE[:, :2]), mine / "my.joblib")
    done = run("quantize", "model_path=my.joblib", *CSV[:2], "dataset.target=[y,z]")
    assert done.code == 0, done.err
    assert read_quantized(mine / "outputs" / "quantized.json").model.targets == ("y", "z")


def test_the_artifacts_say_what_was_loaded(run, mine):
    saved(MODELS["pipeline"], mine / "my.joblib")
    assert run("quantize", "model_path=my.joblib", *CSV).code == 0
    for read, name in ((read_float, "float.json"), (read_quantized, "quantized.json")):
        training = read(mine / "outputs" / name).training
        assert training.estimator["file"] == {
            "name": "my.joblib",
            "sha256": digest((mine / "my.joblib").read_bytes()),
        }
        assert training.estimator["name"] == "Lasso"
        last = training.estimator["estimator"]
        assert last["_target_"].startswith("sklearn.linear_model.")
        assert last["_target_"].endswith(".Lasso")
        assert last["alpha"] == 0.01
        before = [step["_target_"].rpartition(".")[2] for step in training.estimator["before"]]
        assert before == ["StandardScaler", "MinMaxScaler"]
        assert training.estimator["before"][1]["feature_range"] == [-1, 1]
        assert (training.dataset, training.test_size, training.seed) == ("mine.csv", 0.2, 42)


def test_the_same_model_gives_the_same_artifacts(run, mine):
    # A random state's repr is its address.
    saved(Ridge(random_state=np.random.RandomState(1)), mine / "my.joblib")
    found = []
    for _ in range(2):
        assert run("quantize", "model_path=my.joblib", *CSV).code == 0
        found.append(outputs_of(mine))
    assert found[0] == found[1]


def test_all_stages_load_the_model_once_and_compare_with_it(run, mine):
    saved(Ridge(), mine / "my.joblib")
    done = run("model_path=my.joblib", *CSV, "report=json")
    assert done.code == 0, done.err
    # What lies in the outputs of an earlier training is not of this model.
    (mine / "outputs" / "model.joblib").write_bytes(b"old")
    again = run("evaluate", *CSV, "report=json")
    assert again.code == 0, again.err
    assert again.out == done.out


def test_a_model_trained_elsewhere_leaves_no_other_models_estimator(run, mine):
    saved(Ridge(), mine / "my.joblib")
    assert run("train", *CSV, "model=lasso").code == 0
    estimator = mine / "outputs" / "model.joblib"
    assert estimator.exists()
    assert run("train", "model_path=my.joblib", *CSV).code == 0
    assert not estimator.exists()
    sums = (mine / "outputs" / "SHA256SUMS").read_text().splitlines()
    assert [line.split()[1] for line in sums] == ["float.json"]


def test_a_model_that_is_named_in_the_outputs_stays_there(run, mine):
    assert run("train", *CSV, "model=lasso").code == 0
    estimator = mine / "outputs" / "model.joblib"
    before = estimator.read_bytes()
    assert run("quantize", "model_path=outputs/model.joblib", *CSV).code == 0
    assert estimator.read_bytes() == before


def test_the_report_names_the_file_and_what_was_saved(run, mine):
    saved(Ridge(alpha=3), mine / "my.joblib")
    done = run("model_path=my.joblib", *CSV)
    assert f"my.joblib, sha256 {digest((mine / 'my.joblib').read_bytes())[:12]}; alpha=3" in done.out
    assert "Load: Ridge" in done.out
    assert "Train:" not in done.out
    assert [line.split()[1] for line in done.out.splitlines() if line.startswith("saved ")] == [
        str(Path("outputs") / name)
        for name in ("float.json", "quantized.json", "certificate.json", "evaluation.json")
    ]


def test_train_takes_the_model_and_quantize_then_follows_it(run, mine):
    saved(LinearRegression(), mine / "my.joblib")
    assert run("train", "model_path=my.joblib", *CSV).code == 0
    assert run("quantize", *CSV).code == 0
    apart = outputs_of(mine)
    assert run("quantize", "model_path=my.joblib", *CSV).code == 0
    assert outputs_of(mine) == apart


@pytest.mark.slow
def test_models_are_swept_over_by_their_files(run, mine):
    saved(Lasso(), mine / "one.joblib")
    saved(Ridge(), mine / "two.joblib")
    done = run("-m", "model_path=one.joblib,two.joblib", *CSV)
    assert done.code == 0, done.err
    (table,) = (mine / "outputs" / "sweeps").glob("*/sweep.csv")
    header, *rows = (line.split(",") for line in table.read_text().splitlines())
    place = header.index("model_path")
    assert [row[place] for row in rows] == ["one.joblib", "two.joblib"] * 2


def test_nothing_is_saved_where_nothing_may_be(run, mine):
    saved(Ridge(), mine / "my.joblib")
    assert run("quantize", "model_path=my.joblib", *CSV, "save=false").code == 0
    assert not (mine / "outputs").exists()


def named(estimator: object, columns: list[str]) -> object:
    """`estimator`, fitted on columns with names, as on a DataFrame."""
    estimator.fit(ELSEWHERE, ELSEWHERE.sum(axis=1))
    first = estimator.steps[0][1] if hasattr(estimator, "steps") else estimator
    first.feature_names_in_ = np.array(columns, dtype=object)
    return estimator


@pytest.mark.parametrize("kind", ["ridge", "pipeline"])
def test_the_names_of_features_are_compared_and_their_order(run, mine, kind):
    def saved_as(*columns: str) -> None:
        joblib.dump(named(MODELS[kind], list(columns)), mine / "my.joblib")

    command = ("quantize", "model_path=my.joblib", *CSV)
    saved_as("c", "a", "b")
    run(*command).refused("my.joblib: ", "another order", "c,a,b", "dataset.features=[...]")
    assert run(*command, "dataset.features=[c,a,b]").code == 0
    saved_as("a", "b", "area")
    run(*command).refused("my.joblib: ", "other features: the dataset lacks area and also has c")
    saved_as("a", "b", "c")
    assert run(*command).code == 0


def test_skops_names_the_types_that_it_does_not_trust(run, mine):
    skops.io.dump(make_pipeline(Unknown(), Ridge()).fit(ELSEWHERE, ELSEWHERE[:, 0]), mine / "my.skops")
    done = run("quantize", "model_path=my.skops", *CSV)
    done.refused("my.skops: holds types that skops does not trust: ", "Unknown")


class Unknown(StandardScaler):
    """A class of neither skops nor scikit-learn."""


class Bomb:
    """Leaves a file when it is loaded."""

    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


class Failing:
    """Cannot be loaded."""

    def __reduce__(self):
        return int, ("many\nlines",)


class Old(Ridge):
    """Lacks what its predict needs, as estimators of other versions may."""

    def predict(self, rows):
        raise AttributeError("'Old' object has no attribute '_new'")


BAD = {
    "missing": (None, "no such file; model_path names"),
    "empty": (b"", "not a joblib file, or cut short: EOFError"),
    "text": (b"a,b\n1,2\n", "not a joblib file, or cut short: "),
    "a script": (b"import joblib, numpy as np\nx = 1\n", "not a joblib file, or cut short: "),
    "cut short": (pickle.dumps(Ridge())[:-20], "not a joblib file, or cut short: "),
    "failing": (pickle.dumps(Failing()), "not a joblib file, or cut short: ValueError: invalid literal"),
    "no module": (b"cnowhere\nThing\n.", "needs the module nowhere, which is not installed here"),
    "an array": (pickle.dumps(ELSEWHERE), "holds a ndarray, not a fitted regressor"),
    "not fitted": (pickle.dumps(Ridge()), "Ridge cannot predict: NotFittedError"),
    "a forest": (RandomForestRegressor(n_estimators=2), "RandomForestRegressor is not linear: for row "),
    "a link": (PoissonRegressor(), "PoissonRegressor is not linear"),
    "a step": (
        make_pipeline(PolynomialFeatures(2), Ridge()),
        "Pipeline (PolynomialFeatures, Ridge) is not linear",
    ),
    "old": (Old(), "Old cannot predict: AttributeError: 'Old' object has no attribute '_new'"),
}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory) -> Path:
    """The outputs of a run on `mine`; not to be changed."""
    folder = tmp_path_factory.mktemp("earlier")
    table(folder / "mine.csv")
    with inside(folder) as run:
        assert run(*CSV).code == 0
    return folder / "outputs"


@pytest.mark.parametrize("case", BAD)
def test_a_model_that_will_not_do_is_one_line_and_loses_nothing(run, mine, earlier, case):
    made, message = BAD[case]
    shutil.copytree(earlier, mine / "outputs")
    before = outputs_of(mine)
    if made is not None:
        if not isinstance(made, bytes):
            made = pickle.dumps(made.fit(np.abs(ELSEWHERE), np.abs(ELSEWHERE).sum(axis=1)))
        (mine / "my.joblib").write_bytes(made)
    run("quantize", "model_path=my.joblib", *CSV).refused("my.joblib: ", message)
    assert outputs_of(mine) == before


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and so on", pickle.dumps(Bomb())])
def test_a_skops_file_is_never_unpickled(run, mine, data):
    (mine / "my.skops").write_bytes(data)
    run("quantize", "model_path=my.skops", *CSV).refused("my.skops: not a skops file, or cut short: ")
    assert not (mine / "exploded").exists()


def test_a_model_of_another_number_of_features_or_targets_is_refused(run, mine):
    name = "Pipeline (StandardScaler, Ridge)"
    for rows, values, fitted in ((ROWS[:, :2], VALUES[:, 0], "2 features"), (ROWS, VALUES, "2 targets")):
        joblib.dump(make_pipeline(StandardScaler(), Ridge()).fit(rows, values), mine / "my.joblib")
        run("quantize", "model_path=my.joblib", *CSV).refused(
            f"my.joblib: {name} was fitted on {fitted}, but"
        )


def test_a_folder_is_not_a_model(run, mine):
    run("quantize", "model_path=.", *CSV).refused(".: cannot be read: Is a directory")


def test_another_version_of_scikit_learn_is_noted(run, mine):
    text = pickle.dumps(Ridge().fit(ELSEWHERE, ELSEWHERE[:, 0]), protocol=0)
    from sklearn import __version__

    version = __version__.encode()
    assert text.count(version) == 1
    (mine / "my.joblib").write_bytes(text.replace(version, b"0.9" + b"0" * (len(version) - 3)))
    done = run("quantize", "model_path=my.joblib", *CSV)
    assert done.code == 0, done.err
    assert any(
        line.startswith("mlrq: note: my.joblib: Ridge was saved by scikit-learn 0.9")
        for line in done.err.splitlines()
    )


def test_without_skops_one_line_says_what_to_install(run, mine, monkeypatch):
    saved(Ridge(), mine / "my.skops")
    monkeypatch.setitem(__import__("sys").modules, "skops.io", None)
    run("quantize", "model_path=my.skops", *CSV).refused(
        "my.skops needs skops, which is not installed: pip install -e '.[skops]'"
    )


@pytest.mark.parametrize("stage", ["evaluate", "predict"])
def test_evaluate_and_predict_refuse_to_load_a_model(run, mine, stage):
    joblib.dump(Bomb(), mine / "my.joblib")
    run(stage, "model_path=my.joblib", *CSV).refused(
        f"model_path=my.joblib: only with stage=train, quantize or all; {stage} never loads", code=2
    )
    assert not (mine / "exploded").exists()


@pytest.mark.slow
def test_no_stage_loads_a_file_that_was_not_named(run, outputs, california):
    joblib.dump(Bomb(), outputs / "model.joblib")
    rows = rows_csv(california, rows_of(california)[:3])
    for stage in ("quantize", "evaluate", "predict"):
        done = run(stage, stdin=rows)
        assert done.code == 0, done.err
    assert not Path("exploded").exists()
    run("quantize", "model_path=outputs/model.joblib").refused("holds a NoneType")  # named
    assert Path("exploded").exists()


def test_only_the_module_for_foreign_models_and_training_can_unpickle():
    words = ("joblib", "pickle", "skops")
    found = {
        path.relative_to(PROJECT / "mlrq").as_posix()
        for path in (PROJECT / "mlrq").rglob("*.py")
        for line in path.read_text().splitlines()
        if line.strip().startswith(("import ", "from ")) and any(word in line for word in words)
    }
    # The engine starts joblib's processes, and the export writes a file; they open none.
    assert found == {
        "export/sklearn.py",
        "models/estimators.py",
        "models/pretrained.py",
        "streaming/engines.py",
    }
    for path in ("streaming/engines.py", "export/sklearn.py"):
        assert not re.search(r"\b(load|loads|open)\(", (PROJECT / "mlrq" / path).read_text())
    image = (PROJECT / "requirements-image.lock").read_text()
    assert not [word for word in words if word in image]


def test_parameters_become_json():
    plain = pretrained._plain
    assert plain(np.float64(0.5)) == 0.5
    assert plain(np.array([1, 2])) == [1, 2]
    assert plain((None, True, "x", float("nan"))) == [None, True, "x", "nan"]
    assert plain(np.random.RandomState(1)) == "<RandomState>"


def test_loading_warns_of_nothing(mine):
    saved(Ridge(), mine / "my.joblib")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pretrained.load(mine / "my.joblib").notices == []
