"""From a checked configuration to the stages it asks for."""

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlrq.cli.session import Known, Shared
from mlrq.config.schema import Config
from mlrq.errors import MlrqError

EXPORTS = "export"  # in the output folder
PIPELINE = ("train", "quantize", "evaluate")


@dataclass
class Results:
    """What the stages that ran have made; None for the others."""

    data: Any
    trained: Any = None
    quantized: Any = None
    evaluated: Any = None
    seconds: float | None = None  # that quantizing took


def predict(config: Config, folder: Path, notify: Callable[[str], None]) -> None:
    """Predict the rows that the configuration names. Imports no scikit-learn, and no tables to print."""
    from mlrq.artifacts.documents import QUANTIZED, read_quantized
    from mlrq.cli.progress import Progress
    from mlrq.files import digest
    from mlrq.pipeline.predict import predict
    from mlrq.pipeline.predict_parquet import is_parquet

    path = Path(config.artifact or folder / QUANTIZED)
    model = read_quantized(path).model
    wanted = config.predict
    if is_parquet(wanted.input, wanted.format):
        _predict_parquet(config, model, digest(path.read_bytes()), notify)
        return
    typed = wanted.input == "-" and sys.stdin.isatty()
    if typed:
        notify("reading rows from the terminal; predict.input=FILE reads a file, Ctrl-D ends")
    progress = Progress()
    # Drawing among the rows or the predictions on a terminal would garble both.
    shown = typed or (wanted.output == "-" and sys.stdout.isatty())
    with nullcontext() if shown else progress.activity("Predicting"):
        aside = progress.aside(notify)
        predict(model, wanted.input, wanted.output, wanted.format, wanted.delimiter, aside, progress.count)


def _predict_parquet(config: Config, model: Any, identity: str, notify: Callable[[str], None]) -> None:
    """Predict Parquet files through the engine that the configuration names."""
    from mlrq.cli.progress import Progress
    from mlrq.pipeline import predict_parquet
    from mlrq.streaming import engines

    wanted = config.predict
    if wanted.output == "-":
        raise MlrqError("predict.output=-: predictions of Parquet need a folder")
    folder = Path(wanted.output).absolute()  # workers may have been started elsewhere
    progress = Progress()
    aside = progress.aside(notify)
    opened = engines.opened(**asdict(config.engine), notify=aside)
    with progress.activity("Predicting"), opened as engine:
        watched = progress.watched(engine)
        predict_parquet.predict(model, identity, wanted.input, folder, watched, aside)


def export(config: Config, folder: Path) -> list[Path]:
    """Write the model in the form that `config.export` names; the paths of the files.

    Raises:
        MlrqError: If there is no such model, or it cannot take that form.
    """
    from mlrq.artifacts import documents
    from mlrq.files import write

    wanted = config.export
    path = Path(config.artifact or folder / documents.QUANTIZED)
    if wanted.format == "c":
        from mlrq.export import c

        artifact = documents.read_quantized(path)
        texts = c.export(artifact, prefix=wanted.prefix, packed=wanted.packed)
        files = {name: text.encode() for name, text in texts.items()}
    elif wanted.format == "sklearn":
        from mlrq.export import sklearn

        files = {documents.ESTIMATOR: sklearn.export(documents.read_float(folder / documents.FLOAT))}
    else:
        from mlrq.export import onnx

        if wanted.model == "float":
            data = onnx.export_float(documents.read_float(folder / documents.FLOAT))
        else:
            data = onnx.export(documents.read_quantized(path))
        files = {"float.onnx" if wanted.model == "float" else "model.onnx": data}
    for name, content in files.items():
        write(folder / EXPORTS / name, content)
    return [folder / EXPORTS / name for name in files]


def source(config: Config, shared: Shared, notify: Callable[[str], None]) -> Known:
    """The rows that `config` names, read unless an earlier job has."""
    with shared.progress.activity("Reading the dataset"):
        return shared.known(config, shared.progress.aside(notify))


def run(
    config: Config,
    folder: Path,
    shared: Shared,
    memory: Path | None = None,
    notify: Callable[[str], None] = lambda text: None,
) -> Results:
    """Run `config.stage`, or all of train, quantize and evaluate, in one process.

    What one stage makes is at hand for the next; what it does not make is read from `folder`.

    Args:
        config: The configuration.
        folder: Where artifacts are, and are written unless `config.save` is false.
        shared: What earlier jobs of a sweep have read and trained.
        memory: Folder in which the jobs of a sweep in other processes remember fitted estimators.
        notify: Told what cannot wait for the end.
    """
    from mlrq.artifacts import documents
    from mlrq.models import estimators
    from mlrq.pipeline import stages

    activity = shared.progress.activity
    wanted = PIPELINE if config.stage == "all" else (config.stage,)
    out = folder if config.save else None
    float_path = folder / documents.FLOAT
    quantized_path = Path(config.artifact or folder / documents.QUANTIZED)

    # What is not there is found out before a long read.
    origin = documents.read_float(float_path) if wanted == ("quantize",) and not config.model_path else None
    integer = documents.read_quantized(quantized_path) if wanted == ("evaluate",) else None
    known = source(config, shared, notify)
    data = known.data
    results = Results(data)
    if config.model_path and wanted != ("evaluate",):
        path = Path(config.model_path)
        with activity(f"Loading {path}"):
            results.trained = known.trained(path, lambda: stages.adopt(data, path, None))
    elif "train" in wanted:
        fit, model = estimators.fit_once(memory) if memory else estimators.fit, asdict(config.model)
        with activity(f"Fitting {config.model.name}"):
            results.trained = known.trained(model, lambda: stages.train(data, model, None, fit))
    if results.trained:
        origin = results.trained.artifact
        if config.stage == "train":  # no later stage measures it, and what is written has been measured
            with activity("Evaluating"):
                results.trained.score()
        if out:
            stages.save(results.trained, out)
    if "quantize" in wanted:
        assert origin is not None
        chosen, start = config.quantization, time.perf_counter()
        with activity("Quantizing"):
            results.quantized = stages.quantize_model(
                data, origin, chosen, out, chosen.max_r2_drop, chosen.strict
            )
        results.seconds = time.perf_counter() - start
        integer = results.quantized.artifact
    if "evaluate" in wanted:
        assert integer is not None
        on_disk = "quantize" not in wanted or out is not None
        if origin is None and not config.artifact and float_path.exists():
            origin = documents.read_float(float_path)
            if origin.training != integer.training:
                raise MlrqError(f"{quantized_path} was not made from {float_path}: run stage=quantize")
        paths = (_float_file(config, folder, origin), quantized_path)
        sizes = [path.stat().st_size if on_disk and path and path.exists() else None for path in paths]
        with activity("Evaluating"):
            results.evaluated = stages.evaluate(data, integer, origin, config.samples, out, *sizes)
    return results


def _float_file(config: Config, folder: Path, origin: Any) -> Path | None:
    """The estimator that `origin` was made from, or `float.json` where it was made without one.

    None if there is no float model, or it came from a file of an earlier run.
    """
    from mlrq.artifacts.documents import ESTIMATOR, FLOAT

    if config.model_path:
        return Path(config.model_path)
    if origin is None or "file" in origin.training.estimator:
        return None
    return folder / (ESTIMATOR if (folder / ESTIMATOR).exists() else FLOAT)


def notices(results: Results) -> list[str]:
    """What the wanted have to say that is not a result."""
    made = (results.data, results.trained, results.evaluated)
    return [text for one in made if one for text in one.notices]
