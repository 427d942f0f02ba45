"""What the tests of the exporters share: models of every kind, and where they came from."""

from typing import Any

import numpy as np

from mlrq.artifacts.documents import QuantizedArtifact
from mlrq.artifacts.schema import Training
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.quantize import Quantization
from mlrq.quantization.settings import Settings

TRAINING = Training(
    dataset="made up",
    source="tests",
    sha256="0" * 64,
    split="shuffle",
    test_size=0.2,
    seed=42,
    train_rows=8,
    test_rows=2,
    target_spread=[1.0],
    input_range=[[0.0], [1.0]],
    estimator={"name": "none", "standardize": False, "estimator": {"_target_": "none"}},
)


def session(blob: bytes, optimize: bool = True) -> Any:
    """ONNX Runtime's session of a model, in one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])


def artifact(model: QuantizedLinear, training: Training = TRAINING) -> QuantizedArtifact:
    """`model` as if it had been read from its file."""
    return QuantizedArtifact(model, training, Settings(inputs="int8"), 0.5, None)


def made_artifact(made: Quantization) -> QuantizedArtifact:
    """What `quantize` made, with its certificate."""
    return QuantizedArtifact(made.model, TRAINING, Settings(inputs="int8"), made.excess, made.certificate)


def random_model(
    rng: np.random.Generator,
    *,
    bits: int = 8,
    input_bits: int = 8,
    scheme: str = "symmetric",
    targets: int = 1,
    features: int = 7,
    clamped: bool = False,
    intercept: int = 2**15,
    power: int = -12,
) -> QuantizedLinear:
    """A model of integer inputs with any codes at all, both ends of their range among them.

    Args:
        rng: Where it comes from.
        bits: Width of a weight's code.
        input_bits: Width of an input's code.
        scheme: "symmetric" or "affine".
        targets: How many.
        features: How many.
        clamped: Whether there is an output range, within what accumulators reach.
        intercept: Largest magnitude.
        power: Of two, near the scale.
    """
    half = 1 << (bits - 1)
    codes = rng.integers(-half, half, (targets, features), dtype=np.int32)
    codes[:, 0], codes[:, -1] = -half, half - 1
    zero_point = rng.integers(-half, half, targets) if scheme == "affine" else np.zeros(targets)
    scale = np.ldexp(rng.uniform(0.5, 1.0, targets), power).astype(np.float32)
    biases = rng.integers(-intercept, intercept, targets, endpoint=True)
    inputs = InputGrid(
        input_bits,
        np.exp2(rng.uniform(-12, 4, features)).astype(np.float32),
        rng.uniform(-100, 100, features).astype(np.float32),
    )
    reach = np.minimum(half * 2.0 ** (input_bits - 1) * scale.astype(np.float64), 3e38)
    return QuantizedLinear(
        features=tuple(f"x{index}" for index in range(features)),
        targets=tuple(f"y{index}" for index in range(targets)),
        bits=bits,
        scheme=scheme,
        granularity="per_channel",
        rounding="nearest",
        codes=codes,
        scale=scale,
        zero_point=zero_point.astype(np.int32),
        offset=np.zeros(targets, dtype=np.float32),
        intercept=biases.astype(np.int32 if intercept < 2**31 else np.int64),
        factor=np.ones(features, dtype=np.float32),
        inputs=inputs,
        output_range=np.stack([-0.4 * reach, 0.3 * reach]).astype(np.float32) if clamped else None,
    )
