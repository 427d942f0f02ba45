"""export=sklearn: an estimator that predicts what float.json does."""

import importlib
import io
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import check_is_fitted
from support.exporting import TRAINING

from mlrq.artifacts.documents import FloatArtifact, encode_float, read_float
from mlrq.errors import MlrqError
from mlrq.export.sklearn import export
from mlrq.files import write
from mlrq.models.linear import LinearModel

ROWS = np.random.default_rng(9).normal(size=(50, 4)) * [1, 10, 0.1, 1000] + [0, -40, 5, 1000]
NAMES = ("a", "b b", "coef_", "d")
UNNAMED = "X does not have valid feature names"


def artifact(targets):
    generator = np.random.default_rng(targets)
    model = LinearModel(
        generator.normal(size=(targets, 4)),
        generator.normal(size=targets),
        NAMES,
        tuple(f"y{i}" for i in range(targets)),
    )
    training = replace(TRAINING, target_spread=[1.0] * targets, input_range=[[0.0] * 4, [1.0] * 4])
    return FloatArtifact(model, training, np.zeros((2, targets)))


def loaded(blob):
    return joblib.load(io.BytesIO(blob))


def close(a, b):
    assert np.shape(a) == np.shape(b)
    assert np.linalg.norm(np.subtract(a, b)) <= 1e-13 * np.linalg.norm(b)


@pytest.mark.filterwarnings(f"ignore:{UNNAMED}")
@pytest.mark.parametrize("targets", [1, 3])
def test_it_predicts_what_the_float_model_predicts_in_scikit_learns_shapes(targets):
    made = artifact(targets)
    found = loaded(export(made))
    expected = made.model.predict(ROWS)
    close(found.predict(ROWS), expected[:, 0] if targets == 1 else expected)
    # Shapes, types and names of attributes are those of one that scikit-learn fitted.
    theirs = LinearRegression().fit(ROWS, expected[:, 0] if targets == 1 else expected)
    assert type(found) is type(theirs)
    check_is_fitted(found)
    for name in ("coef_", "intercept_"):
        assert type(getattr(found, name)) is type(getattr(theirs, name))
        assert np.shape(getattr(found, name)) == np.shape(getattr(theirs, name))
    assert type(found.n_features_in_) is type(theirs.n_features_in_)
    assert found.n_features_in_ == 4
    assert found.feature_names_in_.dtype == object
    assert found.feature_names_in_.tolist() == list(NAMES)
    # Names, and the hash of the model that it is of, are ours to add.
    assert set(vars(found)) - {"feature_names_in_", "mlrq_artifact_"} <= set(vars(theirs))


def test_an_array_has_no_names_and_is_told_so():
    found = loaded(export(artifact(1)))
    with pytest.warns(UserWarning, match=UNNAMED):
        found.predict(ROWS)


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("kind", ["pandas.DataFrame", "pyarrow.table"])
def test_a_data_frame_is_held_to_the_names(targets, kind):
    package, _, name = kind.partition(".")
    frame = getattr(pytest.importorskip(package), name)
    made, columns = artifact(targets), dict(zip(NAMES, ROWS.T, strict=True))
    found = loaded(export(made))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        close(found.predict(frame(columns)).reshape(len(ROWS), -1), made.model.predict(ROWS))
    with pytest.raises(ValueError, match="same order"):
        found.predict(frame(dict(reversed(columns.items()))))


@pytest.mark.parametrize("targets", [1, 2])
def test_the_same_document_gives_the_same_bytes(tmp_path, targets):
    path = tmp_path / "float.json"
    write(path, encode_float(artifact(targets)))
    assert export(read_float(path)) == export(read_float(path))


@pytest.mark.few(1)
@pytest.mark.filterwarnings(f"ignore:{UNNAMED}")
@pytest.mark.parametrize(
    ("model", "place"), [("linear_regression", "."), ("ridge", "."), ("elastic_net", "export")]
)
def test_the_program_exports_any_float_model_and_takes_it_back(run, tmp_path, model, place):
    wanted = ("dataset=diabetes", f"model={model}", "model.standardize=true")
    assert run("train", *wanted).code == 0
    before = read_float(tmp_path / "outputs" / "float.json").model
    done = run("export", "export=sklearn")
    path = Path("outputs", place, "model.joblib")  # training's own estimator stays where it is
    assert (done.code, done.err) == (0, "")
    assert done.out == f"saved {path} ({path.stat().st_size:,} B)\n"
    assert "model.joblib" in (tmp_path / "outputs" / "SHA256SUMS").read_text()
    rows = np.random.default_rng(9).normal(size=(9, 10))
    close(joblib.load(path).predict(rows), before.predict(rows)[:, 0])
    assert run("train", "dataset=diabetes", f"model_path={path}").code == 0
    after = read_float(tmp_path / "outputs" / "float.json").model
    assert np.array_equal(after.coefficients, before.coefficients)
    assert np.array_equal(after.intercept, before.intercept)


def test_what_cannot_be_exported_is_one_line(run):
    run("export", "export=sklearn").refused("float.json: no such file")
    run("export", "export=sklearn", "export.model=quantized").refused("export.model=quantized", code=2)
    run("export", "export=c", "export.model=float").refused("export.model=float: must be quantized", code=2)


@pytest.mark.parametrize("name", ["sklearn.linear_model", "joblib"])
def test_without_scikit_learn_one_line_says_what_to_install(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "mlrq.export.sklearn")
    words = f"^export=sklearn needs scikit-learn, and {name} is not installed here: pip install scikit-learn$"
    with pytest.raises(MlrqError, match=words):
        importlib.import_module("mlrq.export.sklearn")
