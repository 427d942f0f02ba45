"""The two models as JSON documents, with where they came from: `float.json` and `quantized.json`.

Everything read is checked, because a hash proves only that a file is whole, not that it makes sense.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts import read_document, write_document
from mlrq.errors import MlrqError
from mlrq.linear import LinearModel
from mlrq.quantization import QuantizedLinear
from mlrq.quantization.grid import SCHEMES
from mlrq.quantization.model import Intercept

SCHEMA = 1
MAKE_FLOAT = "`mlrq train`"
MAKE_QUANTIZED = "`mlrq quantize`"


@dataclass(frozen=True)
class Training:
    """Where a float model came from.

    Attributes:
        dataset: Its name.
        source: Where its numbers came from.
        sha256: Hash of its numbers and names.
        test_size: Fraction of the rows held out.
        seed: Of the split.
        train_rows: Number of training rows.
        test_rows: Number of test rows.
        target_spread: Standard deviation of each target over the training rows.
        estimator: The model group of the configuration.
        versions: Of the packages that made the model.
    """

    dataset: str
    source: str
    sha256: str
    test_size: float
    seed: int
    train_rows: int
    test_rows: int
    target_spread: list[float]
    estimator: dict[str, Any]
    versions: dict[str, str]


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
    """An integer model, where it came from, and the settings that made it."""

    model: QuantizedLinear
    training: Training
    settings: dict[str, Any]


def _finite(table: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = np.array(table, dtype=np.float64)
    if values.shape != shape or not np.isfinite(values).all():
        raise ValueError(f"expected finite numbers of shape {shape}")
    return values


def _whole(table: Any, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int32]:
    values = np.array(table)
    inside = values.dtype.kind == "i" and values.shape == shape
    if not inside or (values < low).any() or (values > high).any():
        raise ValueError(f"expected integers of shape {shape} in {low}..{high}")
    return values.astype(np.int32)


def _single(table: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    values = _finite(table, shape)
    single = values.astype(np.float32)
    if (single != values).any():
        raise ValueError("expected float32 numbers")
    return single


def _intercept(table: Any, kind: str, shape: tuple[int, ...]) -> Intercept:
    match kind:
        case "int32":
            return _whole(table, shape, -(2**31), 2**31 - 1)
        case "float32":
            return _single(table, shape)
        case "float64":
            return _finite(table, shape)
    raise ValueError("expected an intercept of float32, float64 or int32")


def _names(names: Any) -> tuple[str, ...]:
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise ValueError("expected a list of names")
    return tuple(names)


def _training(body: Any) -> Training:
    training = Training(**body)
    if not all(isinstance(spread, float) for spread in training.target_spread):
        raise ValueError("expected a spread for each target")
    return training


def write_float(path: Path, artifact: FloatArtifact) -> None:
    """Write `artifact` to `path`, atomically."""
    model = artifact.model
    body = {
        "coefficients": model.coefficients.tolist(),
        "features": list(model.features),
        "first_predictions": artifact.first_predictions.tolist(),
        "intercept": model.intercept.tolist(),
        "targets": list(model.targets),
        "training": asdict(artifact.training),
    }
    write_document(path, "float", SCHEMA, body)


def _float(body: dict[str, Any]) -> FloatArtifact:
    features, targets = _names(body["features"]), _names(body["targets"])
    model = LinearModel(
        _finite(body["coefficients"], (len(targets), len(features))),
        _finite(body["intercept"], (len(targets),)),
        features,
        targets,
    )
    first = body["first_predictions"]
    return FloatArtifact(model, _training(body["training"]), _finite(first, (len(first), len(targets))))


def write_quantized(path: Path, artifact: QuantizedArtifact) -> None:
    """Write `artifact` to `path`, atomically."""
    model = artifact.model
    body = {
        "bits": model.bits,
        "codes": model.codes.tolist(),
        "features": list(model.features),
        "intercept": model.intercept.tolist(),
        "offset": model.offset.tolist(),
        "scale": model.scale.tolist(),
        "settings": artifact.settings,
        "targets": list(model.targets),
        "training": asdict(artifact.training),
        "zero_point": model.zero_point.tolist(),
    }
    write_document(path, "quantized", SCHEMA, body)


def _quantized(body: dict[str, Any]) -> QuantizedArtifact:
    features, targets = _names(body["features"]), _names(body["targets"])
    settings, bits = body["settings"], body["bits"]
    channels = (len(targets),)
    if not (isinstance(bits, int) and 2 <= bits <= 16):
        raise ValueError("expected 2 to 16 bits")
    scheme = settings["scheme"]
    if scheme not in SCHEMES:
        raise ValueError(f"expected a scheme of {', '.join(SCHEMES)}")
    low = 0 if scheme == "offset" else -(2 ** (bits - 1))
    high = low + 2**bits - 1
    scale = _single(body["scale"], channels)
    if (scale <= 0).any():
        raise ValueError("expected positive scales")
    model = QuantizedLinear(
        features=features,
        targets=targets,
        bits=bits,
        scheme=scheme,
        granularity=settings["granularity"],
        rounding=settings["rounding"],
        codes=_whole(body["codes"], (len(targets), len(features)), low, high),
        scale=scale,
        zero_point=_whole(body["zero_point"], channels, min(low, 0), high),
        offset=_single(body["offset"], channels),
        intercept=_intercept(body["intercept"], settings["intercept"], channels),
    )
    return QuantizedArtifact(model, _training(body["training"]), settings)


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
