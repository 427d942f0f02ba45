"""The stages, train, quantize and evaluate: plain objects and paths in, artifacts and results out."""

from collections.abc import Callable
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts import documents
from mlrq.artifacts.documents import ESTIMATOR, FLOAT, QUANTIZED, FloatArtifact, QuantizedArtifact, Training
from mlrq.artifacts.json_document import write_document
from mlrq.datasets import Dataset, split
from mlrq.datasets.stream import Stream
from mlrq.errors import MlrqError
from mlrq.files import digest, forget_checksums, write, write_checksums
from mlrq.models import estimators, pretrained
from mlrq.models.estimators import Fitted
from mlrq.pipeline.guard import check
from mlrq.pipeline.results import Evaluation, Quantized, Trained, summary
from mlrq.quantization.quantize import quantize_rows
from mlrq.quantization.settings import Settings
from mlrq.stats.metrics import verdict
from mlrq.streaming.engines import Engine
from mlrq.streaming.protocol import Data, Source
from mlrq.streaming.source import Streamed

EVALUATION = "evaluation.json"
FILES = (ESTIMATOR, FLOAT, QUANTIZED, EVALUATION)
FIRST_ROWS = 5  # test rows compared one by one, and judged


def prepare(dataset: Dataset, test_size: float, seed: int) -> Data:
    """Split a dataset in memory for the stages."""
    return Data(dataset, split(dataset, test_size, seed), test_size, seed)


def source(
    dataset: Dataset | Stream,
    test_size: float,
    seed: int,
    notify: Callable[[str], None] = lambda text: None,
    engine: Engine = map,
    shelf: Path | None = None,
) -> Source:
    """Split what a loader returned for the stages; a stream is read once.

    Args:
        dataset: A table in memory, or a stream.
        test_size: Fraction of test rows.
        seed: Of the split.
        notify: Told before rows of a stream are all read into memory.
        engine: Where the parts of a stream are worked on.
        shelf: A folder for the test rows of a stream; without one they are read again when asked for.
    """
    if isinstance(dataset, Dataset):
        return prepare(dataset, test_size, seed)
    return Streamed(dataset, test_size, seed, engine, notify, shelf)


def train(
    data: Source, estimator: dict[str, Any], out: Path | None, fit: estimators.Fit = estimators.fit
) -> Trained:
    """Fit the linear model that `estimator` describes, and save it.

    Args:
        data: Rows to learn from and to test on.
        estimator: The model group of the configuration: name, standardize, estimator.
        out: Folder for `float.json`, and `model.joblib` where scikit-learn fits; None writes nothing.
        fit: `estimators.fit`, or one that remembers.

    Raises:
        MlrqError: If the estimator does not suit the data, or is not linear.
    """
    fitted = data.fit(estimator["estimator"], estimator["standardize"], fit)
    made = _trained(data, fitted, estimator, fitted.predict(data.first(FIRST_ROWS)[0]))
    if out is not None:
        save(made, out)
    return made


def adopt(data: Source, path: Path, out: Path | None) -> Trained:
    """Take a model that was trained elsewhere for the float model, and save it as `float.json`.

    Args:
        data: Rows to quantize it with, and to test it on.
        path: The fitted estimator, a joblib or skops file. Loading a joblib file runs the code in it.
        out: Folder for `float.json`; None writes nothing.

    Raises:
        MlrqError: If the file holds no linear regressor, or one of other features or targets.
    """
    dataset = data.dataset
    found = pretrained.load(path)
    model, first = pretrained.linear(
        found, dataset.features, dataset.targets, data.typical(), data.first(FIRST_ROWS)[0]
    )
    unseen = f"{path} was trained elsewhere: it may have seen the test rows"
    fitted = Fitted(model, [*found.notices, unseen], estimators.versions("scikit-learn"))
    made = _trained(data, fitted, found.description, first)
    if out is not None:
        save(made, out)
    return made


def save(trained: Trained, out: Path) -> None:
    """Write `float.json` to the folder `out`, and `model.joblib` where there is an estimator.

    What lies there as `model.joblib` otherwise, an earlier model's, is removed: it is that of `float.json`
    or it is not there.
    """
    forget_checksums(out)
    if trained.estimator is not None:
        write(out / ESTIMATOR, trained.estimator)
    elif not _came_from(trained, out / ESTIMATOR):
        (out / ESTIMATOR).unlink(missing_ok=True)
    documents.write_float(out / FLOAT, trained.artifact)
    write_checksums(out, FILES)


def _came_from(trained: Trained, path: Path) -> bool:
    """Whether the model was trained elsewhere, and `path` is the file that it came in, or a copy."""
    file = trained.artifact.training.estimator.get("file")
    return file is not None and path.is_file() and digest(path.read_bytes()) == file["sha256"]


def _trained(data: Source, fitted: Fitted, estimator: dict[str, Any], first: NDArray[np.float64]) -> Trained:
    """A float model with where it came from, and what its estimator predicts for the `first` rows."""
    dataset, model = data.dataset, fitted.model
    artifact = FloatArtifact(
        model=model,
        training=Training(
            dataset=dataset.name,
            source=dataset.source,
            sha256=dataset.sha256,
            test_size=data.test_size,
            seed=data.seed,
            train_rows=data.train_count,
            test_rows=data.test_count,
            target_spread=data.target_spread(),
            input_range=[end.tolist() for end in data.training(None).range()],
            estimator=estimator,
            versions=fitted.versions,
        ),
        first_predictions=first,
    )
    return Trained(artifact, fitted.notices, cache(lambda: data.score((model,))[0]), fitted.estimator)


def _same_training(origin: Training, data: Source, path_hint: str) -> None:
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
    data: Source,
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
        max_r2_drop: For the guard; see `mlrq.pipeline.guard.check`.
        strict: Whether what the guard objects to is an error.

    Raises:
        MlrqError: If `data` is not the training data, a number does not fit its format, or the guard
            objects and is strict; then nothing is written.
    """
    _same_training(origin.training, data, FLOAT)
    exact = origin.model
    # Ordinary least squares is fitted to the data once more, as integers; any other model is followed, and
    # so is one that was fitted elsewhere, to rows that we do not know.
    rows = data.training(None if _is_least_squares(origin.training) else exact)
    made = quantize_rows(exact, rows, settings)
    model = made.model
    guard = check(model, exact, data, rows, max_r2_drop)
    if strict and guard.notices:
        raise MlrqError("quantization.strict: " + "; ".join(guard.notices))
    certificate = asdict(made.certificate) if made.certificate else None
    recorded = {item.name: getattr(settings, item.name) for item in fields(Settings)}
    artifact = QuantizedArtifact(model, origin.training, recorded, made.excess, certificate)
    if out is not None:
        forget_checksums(out)
        documents.write_quantized(out / QUANTIZED, artifact)
        write_checksums(out, FILES)
    first_rows = data.first(FIRST_ROWS)[0]
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
    data: Source,
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
    model = artifact.model
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
    scores = data.score((origin.model, model) if origin else (model,))
    rows, values = data.first(samples)
    result = Evaluation(
        model=model,
        train=scores[-1].train,
        test=scores[-1].test,
        float_train=None,
        float_test=None,
        max_difference=None,
        float_bytes=float_bytes,
        quantized_bytes=quantized_bytes,
        actual=values,
        predicted=model.predict(rows),
        unclamped=None,
        excess=artifact.excess,
        certificate=artifact.certificate,
        notices=notices,
    )
    if model.output_range is not None:
        (free,) = data.score((replace(model, output_range=None),))
        result = replace(result, unclamped=free.test)
    if origin is not None:
        result = replace(
            result,
            float_train=scores[0].train,
            float_test=scores[0].test,
            max_difference=scores[-1].distance,
        )
    if out is not None:
        forget_checksums(out)
        write_document(out / EVALUATION, "evaluation", 1, summary(result))
        write_checksums(out, FILES)
    return result
