"""What the stages hand to each other and to the report: plain frozen objects."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact
from mlrq.pipeline import intervals
from mlrq.pipeline.guard import Guard
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.width import Width
from mlrq.solvers.problem import Certificate
from mlrq.stats.metrics import Metrics


@dataclass(frozen=True, eq=False)
class Trained:
    """What training made.

    Attributes:
        artifact: The float model.
        notices: What to know of it.
        estimator: The fitted estimator as a joblib file; None where it was trained elsewhere, or the model
            fitted without one.
    """

    artifact: FloatArtifact
    notices: list[str]
    estimator: bytes | None = None


@dataclass(frozen=True, eq=False)
class Quantized:
    """What quantizing made, and how far it is from the float model.

    Attributes:
        artifact: The integer model.
        origin: The float model.
        certificate: The body of `certificate.json`; None without one.
        weight_error: (targets, features) float64, quantized minus float.
        intercept_excess: The part of the excess that the intercept has.
        intercept_error: (targets,) float64, what storing the intercept changed of the value meant.
        first: Predictions for the first test rows, or training rows where there are none, by the estimator,
            the float formula and the integer model, each (up to 5, targets).
        deviations: Largest difference from the float model's predictions, in standard deviations of the
            target: over all test rows, or over the first training rows where there are none.
        guard: The comparison on the training rows.
        width: Why it has as many bits as it has, where they were to be found.
    """

    artifact: QuantizedArtifact
    origin: FloatArtifact
    certificate: dict[str, Any] | None
    weight_error: NDArray[np.float64]
    intercept_excess: float
    intercept_error: NDArray[np.float64]
    first: dict[str, NDArray[np.float64]]
    deviations: float
    guard: Guard
    width: Width | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Float against integer on the same rows.

    Attributes:
        model: The integer model.
        train: The integer model's errors on the training rows.
        test: The integer model's errors on the test rows; None where there are none.
        float_train: The float model's, where it is at hand.
        float_test: The float model's, where it is at hand and there are test rows.
        max_difference: Largest difference between the two models' predictions on the test rows.
        quantized_bytes: Size of `quantized.json`.
        actual: (samples, targets) of the first test rows, or training rows where there are none.
        predicted: (samples, targets) by the integer model.
        unclamped: The integer model's errors on the test rows without its output range, if it has one.
        excess: Of the codes; see `QuantizedArtifact`.
        certificate: Of the codes; see `QuantizedArtifact`.
        notices: What to know before trusting the figures.
        interval: How many test rows the interval covers; None where the model has none.
    """

    model: QuantizedLinear
    train: Metrics
    test: Metrics | None
    float_train: Metrics | None
    float_test: Metrics | None
    max_difference: float | None
    quantized_bytes: int
    actual: NDArray[np.float64]
    predicted: NDArray[np.float64]
    unclamped: Metrics | None
    excess: float
    certificate: Certificate | None
    notices: list[str]
    interval: intervals.Coverage | None = None


def measured(train: Metrics, test: Metrics | None) -> dict[str, Any]:
    """The errors of a model as JSON; null where there are no test rows."""
    return {"train": asdict(train), "test": asdict(test) if test else None}


def summary(result: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON: every digit of every metric, the samples, the sizes."""
    model = result.model
    return {
        "quantized": measured(result.train, result.test),
        "float": measured(result.float_train, result.float_test) if result.float_train else None,
        "max_difference": result.max_difference,
        "bits": model.bits,
        "scheme": model.scheme,
        "granularity": model.granularity,
        "rounding": model.rounding,
        "payload_bits": model.payload_bits,
        "float_payload_bits": model.float_payload_bits,
        "accumulator": {"bits": model.accumulator_bits, "bound": model.accumulator_bound},
        "excess": result.excess,
        "certificate": asdict(result.certificate) if result.certificate else None,
        "unclamped": asdict(result.unclamped) if result.unclamped else None,
        "bytes": result.quantized_bytes,
        "samples": {"actual": result.actual.tolist(), "predicted": result.predicted.tolist()},
        **({"interval": intervals.summary(result.interval)} if result.interval else {}),
    }
