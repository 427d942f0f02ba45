"""Intervals around the predictions of an integer model, by calibration rows; see `mlrq.stats.conformal`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts.documents import FLOAT, QuantizedArtifact
from mlrq.artifacts.schema import HALF_WIDTH_MOST, Training
from mlrq.errors import NAME, MlrqError, printable
from mlrq.pipeline.predictions import require_names
from mlrq.quantization.model import Interval, QuantizedLinear
from mlrq.stats.conformal import in_steps, needed, rank
from mlrq.streaming.train_test import TrainTest

KEY = "quantization.interval"


@dataclass(frozen=True, eq=False)
class Coverage:
    """How many test rows have a truth within the interval.

    Attributes:
        level: What the interval promises.
        half_width: (targets,) float64, in the target's unit.
        covered: (targets,) how many rows; None where there are no test rows.
        rows: Number of test rows.
    """

    level: float
    half_width: NDArray[np.float64]
    covered: NDArray[np.int64] | None
    rows: int


def require_set_aside(training: Training, level: float) -> None:
    """Raise MlrqError unless rows were set aside when a float model was trained."""
    if training.calibration_rows is None:
        raise MlrqError(
            f"{KEY}={level}: {FLOAT} was trained on every training row, and intervals need some that it has "
            f"not seen: `mlrq train {KEY}={level}` sets them aside"
        )


def require_enough(data: TrainTest, level: float) -> None:
    """Raise MlrqError if there are too few calibration rows for a level, or its ends have a target's name."""
    require_names(data.targets, level)
    count = data.calibration_count
    if rank(level, count) is None:
        raise MlrqError(
            f"{KEY}={level}: needs {needed(level):,} rows to calibrate on, and {count:,} of {data.name} are "
            "set aside, a fifth of those that are not to test: add rows, or lower it"
        )


def with_interval(data: TrainTest, model: QuantizedLinear, level: float) -> QuantizedLinear:
    """`model` with the interval of a level, calibrated on the rows that were set aside.

    Raises:
        MlrqError: If there are too few of them, or a half-width does not fit 64 bits.
    """
    require_enough(data, level)
    count = data.calibration_count
    place = rank(level, count)
    assert place
    errors = data.largest_errors(model, count - place + 1).min(axis=1)
    if not np.isfinite(errors).all():
        raise MlrqError(f"{KEY}={level}: the half-width exceeds what a double holds: change a unit")
    half: NDArray[Any] = errors
    if model.inputs:
        steps = [in_steps(*pair) for pair in zip(errors.tolist(), model.scale.tolist(), strict=True)]
        if max(steps) > HALF_WIDTH_MOST:
            raise MlrqError(f"{KEY}={level}: the half-width takes more than 64 bits: use fewer bits")
        half = np.array(steps, dtype=np.int64)
    return replace(model, interval=Interval(level, half))


def half_width(model: QuantizedLinear) -> NDArray[np.float64]:
    """(targets,) the half-width of a model with an interval, in the target's unit."""
    assert model.interval
    unit = model.scale.astype(np.float64) if model.inputs else 1.0
    return np.asarray(model.interval.half_width * unit)


def coverage(data: TrainTest, artifact: QuantizedArtifact) -> Coverage | None:
    """How many test rows an artifact's interval covers; None where it has no interval."""
    model = artifact.model
    if model.interval is None:
        return None
    covered = data.covered(model) if data.test_count else None
    return Coverage(model.interval.level, half_width(model), covered, data.test_count)


def summary(found: Coverage) -> dict[str, Any]:
    """A coverage as JSON."""
    return {
        "covered": None if found.covered is None else found.covered.tolist(),
        "half_width": found.half_width.tolist(),
        "level": found.level,
    }


def told(artifact: QuantizedArtifact) -> list[str]:
    """A line on the interval of each target: its half-width; none without an interval."""
    model, rows = artifact.model, artifact.training.calibration_rows
    if model.interval is None:
        return []
    head, by = f"interval of level {model.interval.level:g}", f"calibrated on {rows:,} rows"
    return [
        f"{head}{_of(model.targets, name)}: prediction +- {wide:.6g}, {by}"
        for name, wide in zip(model.targets, half_width(model).tolist(), strict=True)
    ]


def told_of_tests(found: Coverage | None, targets: Sequence[str]) -> list[str]:
    """A line for each target on how many test rows its interval covers; none without test rows."""
    if found is None or found.covered is None:
        return []
    head, rows = f"interval of level {found.level:g}", found.rows
    return [
        f"{head}{_of(targets, name)}: covers {count:,} of {rows:,} test rows ({count / rows:.2%})"
        for name, count in zip(targets, found.covered.tolist(), strict=True)
    ]


def _of(targets: Sequence[str], name: str) -> str:
    """The name of a target, where there are several."""
    return f" of {printable(name, NAME)}" if len(targets) > 1 else ""
