"""Three runtimes, the same rows: Python, compiled C and ONNX Runtime give the same bits."""

import numpy as np
import onnx
import onnxruntime
import pytest
from support.compiling import call, library
from support.exporting import artifact, random_model
from support.quantizing import quantized
from support.tables import rows_of

from mlrq.artifacts.documents import QuantizedArtifact
from mlrq.export.golden import edge_rows, random_rows
from mlrq.export.onnx import ACCUMULATOR, export
from mlrq.quantization.model import QuantizedLinear

ROWS = 10_000
MODELS = [
    (bits, input_bits, scheme, targets)
    for bits in range(2, 17)
    for input_bits in (8, 16)
    for scheme in ("symmetric", "affine")
    for targets in (1, 3)
]


def onnx_runtime(made: QuantizedArtifact, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accumulators and predictions of ONNX Runtime, the former through an output that the test adds."""
    graph = onnx.load_from_string(export(made))
    name = graph.graph.output[0].name
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(ACCUMULATOR))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    predictions, accumulators = session.run([name, ACCUMULATOR], {"features": rows})
    return accumulators, predictions


def agree(loaded, prefix: str, model: QuantizedLinear, rows: np.ndarray) -> None:
    """Hold that the three agree on float32 `rows`."""
    codes = np.empty(rows.shape, dtype=f"int{model.inputs.bits}")
    in_c = np.empty((len(rows), len(model.targets)), dtype=np.float32)
    beyond = np.empty(len(rows), dtype=np.intc)
    call(loaded[f"{prefix}_rows_batch"], rows, codes, in_c, beyond)
    accumulators, in_onnx = onnx_runtime(artifact(model), rows)
    with np.errstate(over="ignore", under="ignore"):
        in_python = model.predict(rows.astype(np.float64))
    assert codes.tolist() == model.inputs.encode(rows.astype(np.float64)).tolist()
    assert accumulators.tolist() == model.accumulators(codes).tolist()
    assert in_python.tolist() == in_c.astype(np.float64).tolist() == in_onnx.astype(np.float64).tolist()


@pytest.mark.slow  # each of the two exports is held to Python for the same kinds of models
def test_random_and_edge_rows_through_models_of_every_kind(tmp_path):
    generator = np.random.default_rng(4)
    models = {
        f"m{number}": random_model(
            generator,
            bits=bits,
            input_bits=input_bits,
            scheme=scheme,
            targets=targets,
            clamped=number % 2 == 1,
        )
        for number, (bits, input_bits, scheme, targets) in enumerate(MODELS)
    }
    loaded = library(tmp_path, {prefix: (model, False) for prefix, model in models.items()})
    for prefix, model in models.items():
        rows = np.concatenate([random_rows(model.inputs, ROWS), edge_rows(model.inputs)]).astype(np.float32)
        agree(loaded, prefix, model, rows)


@pytest.mark.parametrize("inputs", ["int8", "int16"])
def test_every_row_of_california_housing(tmp_path, california, data, inputs):
    model = quantized(data, inputs=inputs).model
    loaded = library(tmp_path, {"m": (model, False)})
    agree(loaded, "m", model, rows_of(california).astype(np.float32))
