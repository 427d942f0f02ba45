"""The two models as JSON documents, with where they came from: `float.json` and `quantized.json`.

Everything read is checked, because a hash proves only that a file is whole, not that it makes sense.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts.checks import finite, keyed, names, one_of, positive, single, typed, whole
from mlrq.artifacts.json_document import encode, read_document, seal
from mlrq.datasets.split import RULES, Split
from mlrq.errors import MlrqError
from mlrq.models.linear import LinearModel
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import Intercept, QuantizedLinear
from mlrq.quantization.options import FEATURE_SCALES, INPUTS, SCHEMES
from mlrq.quantization.settings import Settings
from mlrq.solvers.problem import Certificate

SCHEMA = 2
FACTOR_BITS = tuple(scale.bits for scale in FEATURE_SCALES.values())
ESTIMATOR, FLOAT, QUANTIZED = "model.joblib", "float.json", "quantized.json"  # in the output folder
MAKE_FLOAT = "`mlrq train`"
MAKE_QUANTIZED = "`mlrq quantize`"


@dataclass(frozen=True)
class Training:
    """Where a float model came from.

    Attributes:
        dataset: Its name.
        source: Where its numbers came from.
        sha256: Hash of its numbers and names.
        split: The rule of it; see `mlrq.datasets.split.Split`.
        test_size: Fraction of the rows held out.
        seed: Of the split.
        train_rows: Number of training rows.
        test_rows: Number of test rows.
        target_spread: Standard deviation of each target over the training rows.
        input_range: (2, features) smallest and largest number of each feature over the training rows.
        estimator: The model group of the configuration; of a model trained elsewhere, the same with
            `before`, the steps of its pipeline, and `file`, the name and hash of what was loaded.
    """

    dataset: str
    source: str
    sha256: str
    split: str
    test_size: float
    seed: int
    train_rows: int
    test_rows: int
    target_spread: list[float]
    input_range: list[list[float]]
    estimator: dict[str, Any]

    @property
    def rows_split(self) -> Split:
        """How the rows were divided into training and test rows."""
        return Split(self.split, self.test_size, self.seed)


@dataclass(frozen=True)
class FloatArtifact:
    """A float model, where it came from, and what its estimator predicts for the first test rows.

    Attributes:
        first_predictions: (up to 5, targets) float64, of the estimator itself.
    """

    model: LinearModel
    training: Training
    first_predictions: NDArray[np.float64]


@dataclass(frozen=True)
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


def _training(body: Any, features: int, targets: int) -> Training:
    types = {name: get_origin(hint) or hint for name, hint in get_type_hints(Training).items()}
    training = Training(**typed(body, types))
    one_of(training.split, RULES)
    if not (0 <= training.test_size < 1 and 0 <= training.seed < 2**32):
        raise ValueError("expected a split")
    positive(np.float32(finite(training.target_spread, (targets,))), (targets,))
    low, high = finite(training.input_range, (2, features))
    if (low > high).any():
        raise ValueError("expected the low ends of input_range before the high ones")
    return training


def _float_body(artifact: FloatArtifact) -> dict[str, Any]:
    model = artifact.model
    return {
        "coefficients": model.coefficients.tolist(),
        "features": list(model.features),
        "first_predictions": artifact.first_predictions.tolist(),
        "intercept": model.intercept.tolist(),
        "targets": list(model.targets),
        "training": asdict(artifact.training),
    }


def encode_float(artifact: FloatArtifact) -> bytes:
    """`artifact` as its file has it."""
    return encode(seal("float", SCHEMA, _float_body(artifact)))


def _float(body: dict[str, Any]) -> FloatArtifact:
    features, targets = names(body["features"]), names(body["targets"])
    model = LinearModel(
        finite(body["coefficients"], (len(targets), len(features))),
        finite(body["intercept"], (len(targets),)),
        features,
        targets,
    )
    first = body["first_predictions"]
    training = _training(body["training"], len(features), len(targets))
    return FloatArtifact(model, training, finite(first, (len(first), len(targets))))


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
        "training": asdict(artifact.training),
        "zero_point": model.zero_point.tolist(),
    }


def encode_quantized(artifact: QuantizedArtifact) -> bytes:
    """`artifact` as its file has it."""
    return encode(seal("quantized", SCHEMA, _quantized_body(artifact)))


def sha256(artifact: FloatArtifact | QuantizedArtifact) -> str:
    """The hash that its file has: what is exported from `artifact` names it."""
    if isinstance(artifact, FloatArtifact):
        return str(seal("float", SCHEMA, _float_body(artifact))["sha256"])
    return str(seal("quantized", SCHEMA, _quantized_body(artifact))["sha256"])


def _input_body(inputs: InputGrid | None) -> dict[str, Any] | None:
    if inputs is None:
        return None
    return {"bits": inputs.bits, "offset": inputs.offset.tolist(), "scale": inputs.scale.tolist()}


def _inputs(body: Any, count: int) -> InputGrid | None:
    if body is None:
        return None
    bits = one_of(body["bits"], tuple(kind.bits for kind in INPUTS.values() if kind.bits))
    return InputGrid(bits, positive(body["scale"], (count,)), single(body["offset"], (count,)))


def _intercept(table: Any, kind: str, shape: tuple[int, ...]) -> Intercept:
    match kind:
        case "int32":
            return whole(table, shape, -(2**31), 2**31 - 1).astype(np.int32)
        case "int64":
            return whole(table, shape, -(2**62), 2**62)
        case "float32":
            return single(table, shape)
        case "float64":
            return finite(table, shape)
    raise ValueError("expected an intercept of float32, float64, int32 or int64")


def _settings(body: Any) -> Settings:
    settings = Settings(**keyed(body, [item.name for item in fields(Settings)]))
    for fault in settings.faults():
        raise ValueError(f"settings.{fault}")
    return settings


def _certificate(body: Any) -> Certificate | None:
    return None if body is None else Certificate(**typed(body, get_type_hints(Certificate)))


def _quantized(body: dict[str, Any]) -> QuantizedArtifact:
    features, targets = names(body["features"]), names(body["targets"])
    channels, columns = (len(targets),), (len(features),)
    settings = _settings(body["settings"])
    bits = one_of(body["bits"], tuple(range(2, 17)))
    low, high = SCHEMES[settings.scheme].limits(bits)
    factor, limits = body["factor"], body["output_range"]
    inputs = _inputs(body["inputs"], len(features))
    kind = one_of(body["intercept_format"], ("int32", "int64") if inputs else ("float32", "float64", "int32"))
    model = QuantizedLinear(
        features=features,
        targets=targets,
        bits=bits,
        scheme=settings.scheme,
        granularity=settings.granularity,
        rounding=settings.rounding,
        codes=whole(body["codes"], (len(targets), len(features)), low, high).astype(np.int32),
        scale=positive(body["scale"], channels),
        zero_point=whole(body["zero_point"], channels, min(low, 0), high).astype(np.int32),
        offset=single(body["offset"], channels),
        intercept=_intercept(body["intercept"], kind, channels),
        factor=np.ones(columns, dtype=np.float32) if factor is None else positive(factor, columns),
        factor_bits=one_of(body["factor_bits"], (0,) if factor is None else FACTOR_BITS),
        inputs=inputs,
        output_range=None if limits is None else single(limits, (2, len(targets))),
    )
    if body["accumulator"] != _accumulator_body(model):
        raise ValueError("the accumulator's bound is not what the codes give")
    return QuantizedArtifact(
        model,
        _training(body["training"], len(features), len(targets)),
        settings,
        typed({"excess": body["excess"]}, {"excess": float})["excess"],
        _certificate(body["certificate"]),
    )


Artifact = TypeVar("Artifact", FloatArtifact, QuantizedArtifact)


def _read(path: Path, kind: str, how: str, parse: Callable[[dict[str, Any]], Artifact]) -> Artifact:
    body = read_document(path, kind, SCHEMA, how)
    try:
        return parse(body)
    except KeyError as error:
        raise MlrqError(f"{path}: has no {error}; {how} makes it anew") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise MlrqError(f"{path}: makes no sense: {error}; {how} makes it anew") from None


def read_float(path: Path) -> FloatArtifact:
    """The float model at `path`. Raises MlrqError, one line, for anything else."""
    return _read(path, "float", MAKE_FLOAT, _float)


def read_quantized(path: Path) -> QuantizedArtifact:
    """The integer model at `path`. Raises MlrqError, one line, for anything else."""
    return _read(path, "quantized", MAKE_QUANTIZED, _quantized)
