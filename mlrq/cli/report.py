"""Print the results of a run: as tables on the terminal, or as one line of JSON."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from mlrq.artifacts.json_document import encode
from mlrq.artifacts.schema import Training
from mlrq.cli import statistics_report
from mlrq.cli.layout import console, cut, labelled, number, room, section, size, table, target_label
from mlrq.cli.run import Results
from mlrq.errors import NAME, printable
from mlrq.pipeline import intervals, width
from mlrq.pipeline.guard import Guard
from mlrq.pipeline.results import Evaluation, Quantized, Trained, measured, summary
from mlrq.quantization.model import QuantizedLinear
from mlrq.solvers.problem import Certificate
from mlrq.stats.metrics import Metrics, verdict
from mlrq.stats.regression import Regression
from mlrq.streaming.scores import Score
from mlrq.streaming.train_test import TrainTest

VERDICT_STYLES = {"good": "green", "acceptable": "yellow", "poor": "red"}


def _metrics(columns: dict[str, Metrics]) -> Table:
    """One column a model or split, one row a measure."""
    made = table("", *columns)
    for label, name in (
        ("R2", "r2"),
        ("mean squared error", "mse"),
        ("mean absolute error", "mean_absolute_error"),
        ("maximum error", "max_error"),
    ):
        made.add_row(label, *(number(getattr(metrics, name)) for metrics in columns.values()))
    return made


def _data(data: TrainTest) -> None:
    """The section on the dataset: source, hash, split, columns."""
    tests = f"{data.test_count:,} to test" if data.test_count else "no test part"
    aside, split = data.calibration_count, replace(data.split, calibrate=False)
    calibrating = f"{aside:,} to calibrate, " if data.split.calibrate else ""
    lines = {
        "source": data.source,
        "sha256": data.sha256,
        "rows": f"{data.train_count:,} to train, {calibrating}{tests} ({split})",
        "columns": f"{len(data.features)} features, target {', '.join(data.targets)}",
    }
    shown = [f"{name:<10}{printable(line, room(12))}" for name, line in lines.items()]
    told = data.encoding.columns if data.encoding else ()
    names = [printable(column.name, NAME) for column in told]
    wide = max(map(len, names), default=0)
    shown += [
        f"  {name:<{wide}}  {printable(str(column), room(wide + 4))}"
        for name, column in zip(names, told, strict=True)
        if str(column) != "numeric"
    ]
    section(f"Data: {data.name}", *shown)


def _splits(score: Score) -> dict[str, Metrics]:
    """Columns of `_metrics`: the errors on training rows, and on test rows where there are any."""
    return {"training rows": score.train, **({"test rows": score.test} if score.test else {})}


def _trained(result: Trained, score: Score, found: list[Regression] | str) -> None:
    """The section on the float model: errors, coefficients and how sure these are, or why that is open."""
    model, origin = result.artifact.model, result.artifact.training
    head = target_label(model.targets, "target")
    sure = [] if isinstance(found, str) else found
    more = statistics_report.HEADINGS if sure else ()
    weights = table(*head, "feature", "weight", *more, left=1 + len(head))
    for target, feature, label in labelled(model.features, model.targets):
        known = statistics_report.beside(sure, target, feature) if sure else []
        weights.add_row(*label, number(model.coefficients[target, feature], 8), *known)
    for target, name in enumerate(model.targets):
        known = statistics_report.beside(sure, target, -1) if sure else []
        label = target_label(model.targets, name)
        weights.add_row(*label, "(intercept)", number(model.intercept[target], 8), *known)
    settings = ", ".join(f"{k}={v}" for k, v in origin.estimator["estimator"].items() if k != "_target_")
    if "file" in origin.estimator:
        file = origin.estimator["file"]
        done, how = "Load", f"{file['name']}, sha256 {file['sha256'][:12]}"
    else:
        done, how = "Train", "standardized features" if origin.estimator["standardize"] else "raw features"
    section(
        f"{done}: {origin.estimator['name']}",
        f"{how}{'; ' if settings else ''}{settings}",
        None,
        _metrics(_splits(score)),
        None,
        *cut(weights, model.coefficients.size, "float.json"),
        *(statistics_report.below(sure, model) if sure else [None, f"no standard errors: {found}"]),
    )


def _quantized(result: Quantized, found: list[Regression] | str) -> None:
    """The section on the integer model: codes, weight errors, bounds; then its first predictions."""
    model, exact = result.artifact.model, result.origin.model
    head = target_label(model.targets, "target")
    if result.guard.saturated[0]:
        found = "inputs saturate, so the integer model's weights are of other numbers"
    shares = None if isinstance(found, str) else statistics_report.shares(found, result.weight_error)
    more = [] if shares is None else ["std errors"]
    weights = table(*head, "feature", "weight", "code", "quantized", "error", *more, left=1 + len(head))
    dequantized = model.weights
    for target, feature, label in labelled(model.features, model.targets):
        weights.add_row(
            *label,
            number(exact.coefficients[target, feature], 6),
            str(model.codes[target, feature]),
            number(dequantized[target, feature], 6),
            number(result.weight_error[target, feature], 6),
            *([] if shares is None else [statistics_report.figure(shares[target, feature], 2)]),
        )
    value, error = model.intercept_value.tolist(), result.intercept_error.tolist()
    for target, name in enumerate(model.targets):
        weights.add_row(
            *target_label(model.targets, name),
            "(intercept)",
            number(value[target] - error[target], 6),
            str(model.intercept[target]) if model.intercept.dtype == np.int32 else str(model.intercept.dtype),
            number(value[target], 6),
            number(error[target], 6),
            *([] if shares is None else ["-"]),
        )
    shared = model.granularity == "per_tensor"
    grids = table(*head, "scale", "zero point", "offset", left=len(head))
    for target, name in enumerate(("all",) if shared else model.targets):
        grids.add_row(
            *target_label(model.targets, name),
            f"{model.scale[target]:.9g}",
            str(model.zero_point[target]),
            f"{model.offset[target]:.9g}",
        )
    section(
        f"Quantize: {model.bits} bits, {model.scheme}, {model.granularity}, {model.rounding}",
        *cut(weights, model.codes.size, "quantized.json"),
        None,
        grids,
        None,
        *_facts(result, statistics_report.largest(found, shares, model)),
    )
    _first(result)


def _facts(result: Quantized, largest: str) -> list[str | Text]:
    """The lines below the codes: errors, the `largest` in standard errors, bounds, accumulator, size."""
    model, artifact, guard = result.artifact.model, result.artifact, result.guard
    part = _intercept_part(result)
    lines = [
        f"largest weight error {number(float(np.abs(result.weight_error).max()), 8)}",
        largest,
        f"excess loss on the training rows {artifact.excess:.6g}{part}",
        f"codes: {_claim(artifact.certificate)}{'; but for the intercept' if part else ''}",
    ]
    if model.inputs:
        lines += [
            f"inputs: {model.inputs.bits}-bit integers; {_saturated(result)} saturate",
            f"accumulator: {model.accumulator_bits} bits, within {model.accumulator_bound:,} for all inputs",
            *_clipping(guard),
        ]
    lines += [*width.told(result), *intervals.told(artifact), _payload(model)]
    warnings = [Text(printable(f"warning: {text}"), style="yellow") for text in guard.notices]
    return [*lines, *warnings]


def _payload(model: QuantizedLinear) -> str:
    """The payload of the integer model beside that of the float model, and their ratio."""
    integer, exact = model.payload_bits, model.float_payload_bits
    ratio, which = max((exact / integer, "less"), (integer / exact, "more"))
    numbers = f"{exact:,} ({exact // 64:,} numbers of 64 bits)"
    return f"payload {integer:,} bits, {ratio:.1f} times {which} than the float model's {numbers}"


def _intercept_part(result: Quantized) -> str:
    """The part of the excess that the intercept has, where it is more than a thousandth."""
    part = result.intercept_excess
    return f", {part:.6g} of it from the intercept" if part > 1e-3 * result.artifact.excess else ""


def _claim(certificate: Certificate | None) -> str:
    """What the solver says of the codes, in words: optimal, or a lower bound. `verify` is what proves it."""
    if certificate is None:
        return "each weight was rounded by itself"
    effort = f"floating point, {certificate.nodes:,} lower bounds computed"
    if certificate.optimal:
        return f"optimal ({effort})"
    return f"the least excess is at least {certificate.lower_bound:.6g} ({effort})"


def _saturated(result: Quantized) -> str:
    train, test = result.guard.saturated
    training, features = result.artifact.training, len(result.artifact.model.features)
    tested = "" if test is None else f" and {share(test, training.test_rows * features)} test cells"
    return f"{share(train, training.train_rows * features)} training cells{tested}"


def share(fraction: float, total: int) -> str:
    """A fraction of `total` in percent, or as a count where it is too small for that."""
    count = round(fraction * total)
    return f"{count:,} of {total:,}" if fraction < 1e-3 else f"{fraction:.2%} of the"


def _clipping(guard: Guard) -> tuple[str, str]:
    """How much of the change in R2 comes from inputs that saturate, and how much from integers."""
    pairs = guard.float_r2, guard.clipped_r2, guard.quantized_r2
    tested = [test for _, test in pairs if test is not None]
    which = "test" if tested else "training"
    exact, clipped, quantized = tested or [train for train, _ in pairs]
    gain = quantized > exact and clipped - exact > abs(quantized - clipped)
    return (
        f"{which} R2: float {exact:.4f}, float on clipped inputs {clipped:.4f}, quantized {quantized:.4f}:",
        f"clipping changes it by {clipped - exact:+.4f}, quantizing by {quantized - clipped:+.4f}"
        + ("; the gain is clipping" if gain else ""),
    )


def _first(result: Quantized) -> None:
    """Predictions for the first rows: those of the test part, or of the training part where there is none."""
    first, targets = result.first, result.artifact.model.targets
    head = target_label(targets, "target")
    made = table("row", *head, *first, "difference", left=1 + len(head))
    difference = first["integer"] - first["formula"]
    for row, target in np.ndindex(difference.shape):
        made.add_row(
            str(row + 1),
            *target_label(targets, targets[target]),
            *(number(float(values[row, target]), 6) for values in (*first.values(), difference)),
        )
    largest, mean = float(np.abs(difference).max()), float(np.abs(difference).mean())
    section(
        f"First predictions on {_part_of(result.artifact.training)} rows",
        made,
        None,
        f"difference from the formula: largest {number(largest)}, mean {number(mean)}",
        _verdict(result),
    )


def _verdict(result: Quantized) -> Text:
    """The verdict on the integer model, with the largest difference that decides it."""
    training, word = result.artifact.training, verdict(result.deviations)
    rows = f"all {training.test_rows:,} test rows" if training.test_rows else "these rows"
    line = Text("verdict: ").append(word, style=VERDICT_STYLES[word])
    return line.append(
        f"; over {rows} it is at most {number(result.deviations, 2)} standard deviations of the target"
    )


def _part_of(training: Training) -> str:
    return "test" if training.test_rows else "training"


def _evaluated(result: Evaluation) -> None:
    """Float against integer on the test rows, or on the training rows where there are none; sample rows."""
    tested = result.test is not None
    integer, exact = (result.test, result.float_test) if tested else (result.train, result.float_train)
    assert integer is not None
    columns = {"float": exact} if exact else {}
    made = _metrics({**columns, "quantized": integer})
    model = result.model
    exact_bits = [f"{model.float_payload_bits:,} bits"] if columns else []
    made.add_row("payload", *exact_bits, f"{model.payload_bits:,} bits")
    parts: list[Any] = [made]
    if result.unclamped is not None:
        parts.append(f"R2 without the output range {number(result.unclamped.r2)}")
    if result.max_difference is not None:
        parts.append(f"largest difference between the two {number(result.max_difference)}")
    parts += intervals.told_of_tests(result.interval, model.targets)
    section("Evaluate: test rows" if tested else "Evaluate: training rows (there is no test part)", *parts)
    if len(result.actual):
        _samples(result.actual, result.predicted, result.model.targets)


def _samples(actual: NDArray[np.float64], predicted: NDArray[np.float64], targets: tuple[str, ...]) -> None:
    head = target_label(targets, "target")
    made = table("row", *head, "actual", "predicted", "difference", left=1 + len(head))
    for row, target in np.ndindex(*actual.shape):
        pair = actual[row, target], predicted[row, target]
        cells = (f"{value:.2f}" for value in (*pair, abs(pair[1] - pair[0])))
        made.add_row(str(row + 1), *target_label(targets, targets[target]), *cells)
    section("Sample predictions of the quantized model", made)


def saved(paths: Iterable[Path]) -> None:
    """Which files were written, and their sizes."""
    for path in paths:
        line = Text("saved ", style="dim").append(printable(path), style="not dim")
        console.print(line.append(f" ({size(path.stat().st_size)})"), soft_wrap=True)


def as_text(results: Results) -> None:
    """Everything that the stages made, as tables, and where it was saved."""
    _data(results.data)
    trained, quantized = results.trained, results.quantized
    found = results.sure
    if trained and results.float_score:
        _trained(trained, results.float_score, found)
    if quantized:
        _quantized(quantized, found)
    if results.evaluated:
        _evaluated(results.evaluated)
    saved(results.saved)


def as_json(results: Results) -> None:
    """The evaluation, else the float model's errors and statistics, as one line of canonical JSON."""
    body: dict[str, Any] = {}
    if results.evaluated:
        body = summary(results.evaluated)
    elif results.float_score:
        assert results.trained
        origin, score = results.trained.artifact, results.float_score
        found = results.sure
        body = {"float": measured(score.train, score.test), "statistics": None}
        if isinstance(found, str):
            body["no_statistics"] = found
        else:
            body["statistics"] = statistics_report.as_json(found, origin.model)
    if results.quantized and results.quantized.width:
        body["width"] = width.summary(results.quantized)
    print(encode(body).decode(), end="")
