"""From a checked configuration to the stages it asks for."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlrq.cli import signals
from mlrq.cli.progress import Progress
from mlrq.cli.session import Known, Session
from mlrq.config.schema import Config
from mlrq.errors import MlrqError

if TYPE_CHECKING:  # importing them takes a second, which predicting need not wait
    from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact
    from mlrq.pipeline.predictions import Options
    from mlrq.pipeline.results import Evaluation, Quantized, Trained
    from mlrq.stats.regression import Regression
    from mlrq.streaming.scores import Score
    from mlrq.streaming.train_test import TrainTest

PIPELINE = ("train", "quantize", "evaluate")


@dataclass(eq=False)
class Results:
    """What the stages that ran have made; None for the others.

    Attributes:
        data: The rows.
        trained: The float model.
        float_score: How good the float model is, where it was trained now.
        quantized: The integer model.
        evaluated: The two compared.
        sure: What the training rows can tell of the float model's coefficients, or why they cannot.
        seconds: That reading the rows and each stage took.
        saved: The files that were written.
        removed: Names of the exports that were removed, for they were of the model before.
        uncertified: Whether a certificate was asked for, and none could be made.
    """

    data: "TrainTest"
    trained: "Trained | None" = None
    float_score: "Score | None" = None
    quantized: "Quantized | None" = None
    evaluated: "Evaluation | None" = None
    sure: "list[Regression] | str" = ""
    seconds: dict[str, float] = field(default_factory=dict)
    saved: list[Path] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    uncertified: bool = False

    @property
    def notices(self) -> list[str]:
        """What the stages have to say that is not a result."""
        made = (self.data, self.trained, self.evaluated)
        found = [text for one in made if one for text in one.notices]
        if self.uncertified:
            found.append(
                "quantization.certificate=true: none was made, for nothing is claimed or it is too large"
            )
        if self.removed:
            names = ", ".join(self.removed)
            found.append(f"removed {names}, exported from the model before: the stage export makes them anew")
        return found


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    """Note how long the block takes."""
    start = time.perf_counter()
    yield
    seconds[what] = time.perf_counter() - start


def predict(config: Config, folder: Path, notify: Callable[[str], None]) -> None:
    """Predict the rows that the configuration names. Imports no scikit-learn, and no tables to print."""
    from mlrq.artifacts.documents import QUANTIZED, read_quantized
    from mlrq.datasets.parquet_files import is_parquet
    from mlrq.files import digest
    from mlrq.pipeline.predict import predict
    from mlrq.pipeline.predictions import Options

    path = Path(config.artifact or folder / QUANTIZED)
    artifact = read_quantized(path)
    wanted = Options(**asdict(config.predict) | {"keep": config.predict.keep or []})
    if is_parquet(wanted.input, wanted.format):
        _predict_parquet(config, artifact, wanted, digest(path.read_bytes()), notify)
        return
    typed = wanted.input == "-" and sys.stdin.isatty()
    if typed:
        notify("reading rows from the terminal; predict.input=FILE reads a file, Ctrl-D ends")
    progress = Progress()
    # Drawing among the rows or the predictions on a terminal would garble both.
    shown = typed or (wanted.output == "-" and sys.stdout.isatty())
    with nullcontext() if shown else progress.activity("Predicting"):
        aside = progress.aside(notify)
        predict(artifact, wanted, aside, progress.count)


def _predict_parquet(
    config: Config,
    artifact: "QuantizedArtifact",
    wanted: "Options",
    identity: str,
    notify: Callable[[str], None],
) -> None:
    """Predict Parquet files through the engine that the configuration names."""
    from mlrq.pipeline import predict_parquet
    from mlrq.streaming import engines

    if wanted.output == "-":
        raise MlrqError("predict.output=-: predictions of Parquet need a folder")
    progress = Progress()
    aside = progress.aside(notify)
    with progress.activity("Predicting"), ExitStack() as stack:
        with signals.put_off():
            engine = stack.enter_context(engines.opened(**asdict(config.engine), notify=aside))
        watched = progress.watched(engine)
        predict_parquet.predict(artifact, identity, wanted, watched, aside)


def export(config: Config, folder: Path) -> list[Path]:
    """Write the model in the form that `config.export` names; the paths of the files.

    Raises:
        MlrqError: If there is no such model, or it cannot take that form.
    """
    from mlrq.artifacts import documents
    from mlrq.pipeline import save

    wanted = config.export
    if wanted.format == "sklearn" or wanted.model == "float":
        exact = documents.read_float(folder / documents.FLOAT)
        if wanted.format == "sklearn":
            from mlrq.export import sklearn

            return save.estimator(folder, exact, sklearn.export(exact))
        return save.exports(folder, {"float.onnx": _onnx().export_float(exact)})
    artifact = documents.read_quantized(Path(config.artifact or folder / documents.QUANTIZED))
    if wanted.format == "onnx":
        return save.exports(folder, {"model.onnx": _onnx().export(artifact)})
    from mlrq.export import c

    texts = c.export(artifact, prefix=wanted.prefix, packed=wanted.packed)
    return save.exports(folder, {name: text.encode() for name, text in texts.items()})


def _onnx() -> Any:
    """The module that writes ONNX."""
    with signals.put_off():
        from mlrq.export import onnx
    return onnx


def verify(config: Config, folder: Path, session: Session, notify: Callable[[str], None]) -> str:
    """Check the certificate against the training rows, and the files that go with the integer model.

    Returns:
        PROVEN or INCOMPLETE, a line for what is proven of each scale, and one for the files.

    Raises:
        MlrqError: If there are better codes, the certificate does not hold, a file is of another model, or
            the rows are not the training data.
    """
    from mlrq.artifacts import documents
    from mlrq.artifacts.json_document import read_document
    from mlrq.pipeline.save import CERTIFICATE
    from mlrq.pipeline.verify import MAKE_CERTIFICATE, check_files, verify

    path = Path(config.artifact or folder / documents.QUANTIZED)
    integer = documents.read_quantized(path)
    exact, proof = path.parent / documents.FLOAT, path.parent / CERTIFICATE
    origin = documents.read_float(exact) if exact.exists() else None
    found = read_document(proof, "certificate", 1, MAKE_CERTIFICATE) if proof.exists() else None
    with signals.put_off():  # it imports onnx, where there is such a file
        files, training = check_files(path.parent, integer), integer.training
    data = session.known(config, notify, training.calibration_rows is not None, training.columns).data
    with session.progress.activity("Verifying"):
        word, why = verify(data, origin, integer, found)
    if word == "REFUTED":
        raise MlrqError(f"{word}: {why}")
    return "\n".join(filter(None, (word, why, files)))


def run(
    config: Config, folder: Path, session: Session, cache: Path | None, notify: Callable[[str], None]
) -> Results:
    """Run `config.stage`, or all of train, quantize and evaluate, in one process, and save what they made.

    What one stage makes is at hand for the next; what it does not make is read from `folder`.

    Args:
        config: The configuration.
        folder: Where artifacts are, and are written unless `config.save` is false.
        session: What earlier jobs of a sweep have read and trained.
        cache: Folder in which the jobs of a sweep in other processes remember fitted estimators.
        notify: Told what cannot wait for the end.
    """
    from mlrq.pipeline.evaluate import evaluate
    from mlrq.pipeline.intervals import require_enough
    from mlrq.pipeline.quantize import quantize_model
    from mlrq.pipeline.record import record
    from mlrq.pipeline.save import save
    from mlrq.pipeline.statistics import robust, statistics

    wanted = PIPELINE if config.stage == "all" else (config.stage,)
    # What is not there is found out before a long read.
    origin, integer = _artifacts(config, folder, wanted)
    seconds: dict[str, float] = {}
    first, level = origin or integer, config.quantization.interval
    columns = first.training.columns if first else None
    calibrate = first.training.calibration_rows is not None if first else level is not None
    with _timed(seconds, "read"):
        known = session.known(config, notify, calibrate, columns)
    data, results = known.data, Results(known.data, seconds=seconds)
    if level is not None and wanted != ("evaluate",):
        require_enough(data, level)
    if "train" in wanted or (config.model_path and "quantize" in wanted):
        with _timed(seconds, "train"):
            results.trained = _trained(config, known, session.progress, cache)
        origin = results.trained.artifact
    if "quantize" in wanted:
        assert origin is not None
        chosen = config.quantization
        limits = chosen.max_r2_drop, chosen.strict
        # The jobs of a sweep write one where it is asked for.
        certificate = chosen.certificate is True or (session.sweep is None and chosen.certificate)
        with _timed(seconds, "quantize"), session.progress.activity("Quantizing"):
            results.quantized = quantize_model(
                data, origin, chosen, *limits, certificate, chosen.wanted, level
            )
        results.uncertified = chosen.certificate is True and results.quantized.certificate is None
        integer = results.quantized.artifact
    with session.progress.activity("Evaluating"):
        if "evaluate" in wanted:
            assert integer is not None
            with _timed(seconds, "evaluate"):
                results.evaluated = evaluate(data, integer, origin, config.samples)
        if results.trained:
            (results.float_score,) = data.score((results.trained.artifact.model,))
        if origin and (results.trained or results.quantized):
            results.sure = robust(data, statistics(data.summary, origin), config.standard_errors)
    if config.save:
        ran = record(asdict(config.dataset), seconds)
        saved = save(folder, results.trained, results.quantized, results.evaluated, ran)
        results.saved, results.removed = saved.files, saved.removed
    return results


def _artifacts(
    config: Config, folder: Path, wanted: tuple[str, ...]
) -> tuple["FloatArtifact | None", "QuantizedArtifact | None"]:
    """The models that the first of the wanted stages begins with, read from the output folder.

    Raises:
        MlrqError: If one is not there, damaged, or they do not belong together.
    """
    from mlrq.artifacts import documents

    float_path = folder / documents.FLOAT
    if wanted == ("quantize",) and not config.model_path:
        origin = documents.read_float(float_path)
        if config.quantization.interval is not None:
            from mlrq.pipeline.intervals import require_set_aside

            require_set_aside(origin.training, config.quantization.interval)
        return origin, None
    if wanted != ("evaluate",):
        return None, None
    path = Path(config.artifact or folder / documents.QUANTIZED)
    integer = documents.read_quantized(path)
    if config.artifact or not float_path.exists():
        return None, integer
    origin = documents.read_float(float_path)
    if origin.training != integer.training:
        raise MlrqError(f"{path} was not made from {float_path}: run stage=quantize")
    return origin, integer


def _trained(config: Config, known: Known, progress: Progress, cache: Path | None) -> "Trained":
    """The float model that the configuration names, fitted or loaded now or by an earlier job."""
    if config.model_path:
        from mlrq.pipeline.adopt import adopt

        path = Path(config.model_path)
        with progress.activity(f"Loading {path}"):
            return known.trained(path, lambda: adopt(known.data, path))
    from mlrq.pipeline.train import train

    model: dict[str, Any] = asdict(config.model)
    with progress.activity(f"Fitting {config.model.name}"):
        return known.trained(model, lambda: train(known.data, model, cache))
