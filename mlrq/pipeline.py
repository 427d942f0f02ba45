"""The stages, train, quantize and evaluate: plain objects and paths in, artifacts and results out."""

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq import documents, foreign, training
from mlrq.artifacts import forget_checksums, write, write_checksums, write_document
from mlrq.datasets import Dataset, split
from mlrq.documents import ESTIMATOR, FLOAT, QUANTIZED, FloatArtifact, QuantizedArtifact, Training
from mlrq.errors import MlrqError
from mlrq.guard import check
from mlrq.linear import LinearModel, fold
from mlrq.metrics import measure, verdict
from mlrq.quantization.quantize import quantize
from mlrq.results import Data, Evaluation, Quantized, Trained, summary
from mlrq.settings import Settings

EVALUATION = "evaluation.json"
FILES = (ESTIMATOR, FLOAT, QUANTIZED, EVALUATION)
FIRST_ROWS = 5  # test rows compared one by one, and judged


def prepare(dataset: Dataset, test_size: float, seed: int) -> Data:
    """Split `dataset` for the stages."""
    return Data(dataset, split(dataset, test_size, seed), test_size, seed)


def train(
    data: Data, estimator: dict[str, Any], out: Path | None, fit: training.Fit = training.fit
) -> Trained:
    """Fit `estimator`, fold it into a `LinearModel`, and save both.

    Args:
        data: Rows to learn from and to test on.
        estimator: The model group of the configuration: name, standardize, estimator.
        out: Folder for `model.joblib` and `float.json`; None writes nothing.
        fit: `training.fit`, or one that remembers.

    Raises:
        MlrqError: If the estimator does not suit the data, or is not linear.
    """
    dataset, parts = data.dataset, data.parts
    packed, notices = fit(
        parts.train_rows, parts.train_values, estimator["estimator"], estimator["standardize"]
    )
    fitted = training.load(packed)
    model = fold(fitted, dataset.features, dataset.targets, parts.train_rows)
    first = np.asarray(fitted.predict(parts.test_rows[:FIRST_ROWS]), dtype=np.float64)
    made = _trained(data, model, estimator, first.reshape(-1, len(dataset.targets)), notices)
    if out is not None:
        forget_checksums(out)
        write(out / ESTIMATOR, packed)
        documents.write_float(out / FLOAT, made.artifact)
        write_checksums(out, FILES)
    return made


def adopt(data: Data, path: Path, out: Path | None) -> Trained:
    """Take a model that was trained elsewhere for the float model, and save it as `float.json`.

    Args:
        data: Rows to quantize it with, and to test it on.
        path: The fitted estimator, a joblib or skops file. Loading a joblib file runs the code in it.
        out: Folder for `float.json`; None writes nothing.

    Raises:
        MlrqError: If the file holds no linear regressor, or one of other features or targets.
    """
    dataset, parts = data.dataset, data.parts
    found = foreign.load(path)
    model, first = foreign.linear(
        found, dataset.features, dataset.targets, parts.train_rows, parts.test_rows[:FIRST_ROWS]
    )
    unseen = f"{path} was trained elsewhere: it may have seen the test rows"
    made = _trained(data, model, found.description, first, [*found.notices, unseen])
    if out is not None:
        forget_checksums(out)
        documents.write_float(out / FLOAT, made.artifact)
        write_checksums(out, FILES)
    return made


def _trained(
    data: Data,
    model: LinearModel,
    estimator: dict[str, Any],
    first: NDArray[np.float64],
    notices: list[str],
) -> Trained:
    """A float model with where it came from, measured."""
    dataset, parts = data.dataset, data.parts
    artifact = FloatArtifact(
        model=model,
        training=Training(
            dataset=dataset.name,
            source=dataset.source,
            sha256=dataset.sha256,
            test_size=data.test_size,
            seed=data.seed,
            train_rows=len(parts.train_rows),
            test_rows=len(parts.test_rows),
            target_spread=parts.train_values.std(axis=0).tolist(),
            estimator=estimator,
            versions=training.versions(),
        ),
        first_predictions=first,
    )
    return Trained(
        artifact,
        train=measure(parts.train_values, model.predict(parts.train_rows)),
        test=measure(parts.test_values, model.predict(parts.test_rows)),
        notices=notices,
    )


def _same_training(origin: Training, data: Data, path_hint: str) -> None:
    """Raise MlrqError unless `data` is what the float model was trained on."""
    here = (data.dataset.sha256, data.test_size, data.seed)
    if here != (origin.sha256, origin.test_size, origin.seed):
        raise MlrqError(
            f"{path_hint} was trained on {origin.dataset} (sha256 {origin.sha256[:12]}, "
            f"test_size {origin.test_size:g}, seed {origin.seed}), but this is {data.dataset.name} "
            f"(sha256 {here[0][:12]}, test_size {here[1]:g}, seed {here[2]}): "
            "name that dataset, or run stage=train on this one"
        )


def _is_least_squares(training: Training) -> bool:
    """Whether the float model is the least squares fit of the training rows, with nothing held back."""
    chosen = training.estimator["estimator"]
    plain = chosen.get("fit_intercept", True) and not chosen.get("positive", False)
    return "file" not in training.estimator and plain and chosen["_target_"].endswith(".LinearRegression")


def quantize_model(
    data: Data,
    origin: FloatArtifact,
    settings: Settings,
    out: Path | None,
    max_r2_drop: float | str | None = "auto",
    strict: bool = False,
) -> Quantized:
    """Make the integer model of a float model, guard it, save it, and compare first predictions.

    Args:
        data: What the float model was trained on.
        origin: The float model.
        settings: How to quantize.
        out: Folder for `quantized.json`; None writes nothing.
        max_r2_drop: For the guard; see `mlrq.guard.check`.
        strict: Whether what the guard objects to is an error.

    Raises:
        MlrqError: If `data` is not the training data, a number does not fit its format, or the guard
            objects and is strict; then nothing is written.
    """
    _same_training(origin.training, data, FLOAT)
    parts, exact = data.parts, origin.model
    # Ordinary least squares is fitted to the data once more, as integers; any other model is followed, and
    # so is one that was fitted elsewhere, to rows that we do not know.
    goal = parts.train_values if _is_least_squares(origin.training) else exact.predict(parts.train_rows)
    made = quantize(exact, parts.train_rows, parts.train_values, settings, goal)
    model = made.model
    guard = check(model, exact, parts, goal, max_r2_drop)
    if strict and guard.notices:
        raise MlrqError("quantization.strict: " + "; ".join(guard.notices))
    certificate = asdict(made.certificate) if made.certificate else None
    recorded = {item.name: getattr(settings, item.name) for item in fields(Settings)}
    artifact = QuantizedArtifact(model, origin.training, recorded, made.excess, certificate)
    if out is not None:
        forget_checksums(out)
        documents.write_quantized(out / QUANTIZED, artifact)
        write_checksums(out, FILES)
    first_rows = parts.test_rows[:FIRST_ROWS]
    first = {
        "estimator": origin.first_predictions,
        "formula": exact.predict(first_rows),
        "integer": model.predict(first_rows),
    }
    difference = first["integer"] - first["formula"]
    return Quantized(
        artifact,
        origin,
        weight_error=model.weights - exact.coefficients,
        intercept_excess=made.intercept_excess,
        intercept_error=model.intercept_value - made.intercept,
        first=first,
        verdict=verdict(difference, np.array(origin.training.target_spread)),
        guard=guard,
    )


def evaluate(
    data: Data,
    artifact: QuantizedArtifact,
    origin: FloatArtifact | None,
    samples: int,
    out: Path | None,
    float_bytes: int | None = None,
    quantized_bytes: int | None = None,
) -> Evaluation:
    """Measure an integer model, beside the float model where that is at hand.

    Args:
        data: Rows with the model's features and targets.
        artifact: The integer model.
        origin: The float model that it was made from, or None.
        samples: How many of the first test rows to show.
        out: Folder for `evaluation.json`; None writes nothing.
        float_bytes: Size on disk of the float model, where it is there.
        quantized_bytes: Size on disk of the integer model, where it is there.

    Raises:
        MlrqError: If the dataset has other features or targets than the model.
    """
    model, parts = artifact.model, data.parts
    if (data.dataset.features, data.dataset.targets) != (model.features, model.targets):
        raise MlrqError(
            f"the model predicts {', '.join(model.targets)} from {', '.join(model.features)}, but "
            f"{data.dataset.name} has {', '.join(data.dataset.targets)} and "
            f"{', '.join(data.dataset.features)}: name the dataset that it was trained on, "
            f"{artifact.training.dataset}"
        )
    notices = []
    if data.dataset.sha256 == artifact.training.sha256:
        _same_training(artifact.training, data, "the model")
    else:
        notices.append(f"{data.dataset.name} is not the data that the model was trained on")
    predicted = model.predict(parts.test_rows)
    result = Evaluation(
        model=model,
        train=measure(parts.train_values, model.predict(parts.train_rows)),
        test=measure(parts.test_values, predicted),
        float_train=None,
        float_test=None,
        max_difference=None,
        float_bytes=float_bytes,
        quantized_bytes=quantized_bytes,
        actual=parts.test_values[:samples],
        predicted=predicted[:samples],
        unclamped=None,
        excess=artifact.excess,
        certificate=artifact.certificate,
        notices=notices,
    )
    if model.output_range is not None:
        free = replace(model, output_range=None).predict(parts.test_rows)
        result = replace(result, unclamped=measure(parts.test_values, free))
    if origin is not None:
        exact = origin.model.predict(parts.test_rows)
        result = replace(
            result,
            float_train=measure(parts.train_values, origin.model.predict(parts.train_rows)),
            float_test=measure(parts.test_values, exact),
            max_difference=float(np.abs(predicted - exact).max()),
        )
    if out is not None:
        forget_checksums(out)
        write_document(out / EVALUATION, "evaluation", 1, summary(result))
        write_checksums(out, FILES)
    return result
