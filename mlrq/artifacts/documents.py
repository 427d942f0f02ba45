"""The two models as JSON documents, with where they came from: `float.json` and `quantized.json`.

Everything read is checked, because a hash proves only that a file is whole, not that it makes sense: each
field by `mlrq.artifacts.schema`, each against the others here, and in the end by writing it again, which must
give the same bytes.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts import schema
from mlrq.artifacts.consistency import (
    array,
    distinct,
    require,
    require_excess,
    require_first,
    require_interval,
    require_model,
    require_settings,
    require_training,
)
from mlrq.artifacts.json_document import encode, read_document, seal
from mlrq.artifacts.schema import PLAIN_SCHEMA, SCHEMA, Training
from mlrq.errors import MlrqError
from mlrq.models.linear import LinearModel
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import Interval, QuantizedLinear
from mlrq.quantization.settings import Settings
from mlrq.solvers.problem import Certificate

ESTIMATOR, FLOAT, QUANTIZED = "model.joblib", "float.json", "quantized.json"  # in the output folder
OPTIONAL = ("columns", "calibration_rows")  # of the training, which is plain without them
MAKE_FLOAT = "`mlrq train`"
MAKE_QUANTIZED = "`mlrq quantize`"


@dataclass(frozen=True, eq=False)
class FloatArtifact:
    """A float model, where it came from, and what its estimator predicts for the first test rows.

    Attributes:
        first_predictions: (up to 5, targets) float64, of the estimator itself.
    """

    model: LinearModel
    training: Training
    first_predictions: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class QuantizedArtifact:
    """An integer model, where it came from, the settings that made it, and how good its codes are.

    Attributes:
        excess: Mean squared difference from the best float model of the same inputs, on training rows.
        certificate: Of the codes; None where each weight was rounded by itself.
    """

    model: QuantizedLinear
    training: Training
    settings: Settings
    excess: float
    certificate: Certificate | None


def _float_body(artifact: FloatArtifact) -> dict[str, Any]:
    model = artifact.model
    return {
        "coefficients": model.coefficients.tolist(),
        "features": list(model.features),
        "first_predictions": artifact.first_predictions.tolist(),
        "intercept": model.intercept.tolist(),
        "targets": list(model.targets),
        "training": _training_body(artifact.training),
    }


def _training_body(training: Training) -> dict[str, Any]:
    body = asdict(training)
    return {key: value for key, value in body.items() if value is not None or key not in OPTIONAL}


def _schema(artifact: FloatArtifact | QuantizedArtifact) -> int:
    plain = all(getattr(artifact.training, key) is None for key in OPTIONAL)
    return PLAIN_SCHEMA if plain else SCHEMA


def encode_float(artifact: FloatArtifact) -> bytes:
    """`artifact` as its file has it."""
    return encode(seal("float", _schema(artifact), _float_body(artifact)))


def _float(told: schema.Float) -> FloatArtifact:
    width, count = len(told.features), len(told.targets)
    require_training(told.training, told.features, count)
    require_first(told)
    model = LinearModel(
        array("coefficients", told.coefficients, (count, width), np.float64),
        array("intercept", told.intercept, (count,), np.float64),
        distinct("features", told.features),
        distinct("targets", told.targets),
    )
    first, rows = told.first_predictions, (len(told.first_predictions), count)
    return FloatArtifact(model, told.training, array("first_predictions", first, rows, np.float64))


def _accumulator_body(model: QuantizedLinear) -> dict[str, int | None]:
    return {"bits": model.accumulator_bits, "bound": model.accumulator_bound}


def _quantized_body(artifact: QuantizedArtifact) -> dict[str, Any]:
    model = artifact.model
    return {
        "accumulator": _accumulator_body(model),
        "bits": model.bits,
        "certificate": asdict(artifact.certificate) if artifact.certificate else None,
        "codes": model.codes.tolist(),
        "excess": artifact.excess,
        "factor": model.factor.tolist() if model.factor_bits else None,
        "factor_bits": model.factor_bits,
        "features": list(model.features),
        "inputs": _input_body(model.inputs),
        "intercept": model.intercept.tolist(),
        "intercept_format": str(model.intercept.dtype),
        "offset": model.offset.tolist(),
        "output_range": None if model.output_range is None else model.output_range.tolist(),
        "scale": model.scale.tolist(),
        "settings": asdict(artifact.settings),
        "targets": list(model.targets),
        "training": _training_body(artifact.training),
        "zero_point": model.zero_point.tolist(),
        **_interval_body(model.interval),
    }


def _interval_body(interval: Interval | None) -> dict[str, Any]:
    """The interval by its key; nothing without one."""
    if interval is None:
        return {}
    return {"interval": {"half_width": interval.half_width.tolist(), "level": interval.level}}


def encode_quantized(artifact: QuantizedArtifact) -> bytes:
    """`artifact` as its file has it."""
    return encode(seal("quantized", _schema(artifact), _quantized_body(artifact)))


def sha256(artifact: FloatArtifact | QuantizedArtifact) -> str:
    """The hash that its file has: what is exported from `artifact` names it."""
    if isinstance(artifact, FloatArtifact):
        return str(seal("float", _schema(artifact), _float_body(artifact))["sha256"])
    return str(seal("quantized", _schema(artifact), _quantized_body(artifact))["sha256"])


def _input_body(inputs: InputGrid | None) -> dict[str, Any] | None:
    if inputs is None:
        return None
    return {"bits": inputs.bits, "offset": inputs.offset.tolist(), "scale": inputs.scale.tolist()}


def _inputs(told: schema.Inputs | None, count: int) -> InputGrid | None:
    if told is None:
        return None
    scale = array("inputs.scale", told.scale, (count,), np.float32)
    return InputGrid(told.bits, scale, array("inputs.offset", told.offset, (count,), np.float32))


def _quantized(told: schema.Quantized) -> QuantizedArtifact:
    width, count, settings = len(told.features), len(told.targets), told.settings
    channels, columns = (count,), (width,)
    require_settings(told)
    require_training(told.training, told.features, count)
    factor, limits = told.factor or [1.0] * width, told.output_range
    interval = None
    if isinstance(told.interval, schema.Within):
        require_interval(told.interval, told)
        kind = np.int64 if told.inputs else np.float64
        half_width = array("interval.half_width", told.interval.half_width, channels, kind)
        interval = Interval(told.interval.level, half_width)
    model = QuantizedLinear(
        features=distinct("features", told.features),
        targets=distinct("targets", told.targets),
        bits=told.bits,
        scheme=settings.scheme,
        granularity=settings.granularity,
        rounding=settings.rounding,
        codes=array("codes", told.codes, (count, width), np.int32),
        scale=array("scale", told.scale, channels, np.float32),
        zero_point=array("zero_point", told.zero_point, channels, np.int32),
        offset=array("offset", told.offset, channels, np.float32),
        intercept=array("intercept", told.intercept, channels, np.dtype(told.intercept_format)),
        factor=array("factor", factor, columns, np.float32),
        factor_bits=told.factor_bits,
        inputs=_inputs(told.inputs, width),
        output_range=None if limits is None else array("output_range", limits, (2, count), np.float32),
        interval=interval,
    )
    require_model(model)
    require_excess(model, told)
    certificate = Certificate(**msgspec.structs.asdict(told.certificate)) if told.certificate else None
    return QuantizedArtifact(model, told.training, settings, told.excess, certificate)


Artifact = TypeVar("Artifact", FloatArtifact, QuantizedArtifact)
Told = TypeVar("Told", schema.Float, schema.Quantized)


def _read(
    path: Path,
    how: str,
    kind: type[Told],
    parse: Callable[[Told], Artifact],
    body: Callable[[Artifact], dict[str, Any]],
) -> Artifact:
    """The artifact at `path`, a document of the type `kind`; written again it must be the same."""
    found = read_document(path, kind.__name__.lower(), SCHEMA, how, PLAIN_SCHEMA)
    try:
        artifact = parse(msgspec.convert(found, kind))
        require([(found["schema"] == _schema(artifact), "training: is not what the schema says")])
        for key, value in body(artifact).items():
            require(
                [(encode(value) == encode(found[key]), f"{key}: is not what the rest and its format give")]
            )
    except ValueError as error:
        raise MlrqError(f"{path}: makes no sense: {error}; {how} makes it anew") from None
    return artifact


def read_float(path: Path) -> FloatArtifact:
    """The float model at `path`. Raises MlrqError, one line, for anything else."""
    return _read(path, MAKE_FLOAT, schema.Float, _float, _float_body)


def read_quantized(path: Path) -> QuantizedArtifact:
    """The integer model at `path`. Raises MlrqError, one line, for anything else."""
    return _read(path, MAKE_QUANTIZED, schema.Quantized, _quantized, _quantized_body)
