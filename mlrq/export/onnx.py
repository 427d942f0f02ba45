"""ONNX: a linear model as a graph of standard operators, for any runtime.

With integer inputs the graph is the arithmetic of `QuantizedLinear`, operator by operator, on float32 rows:

    Where(IsNaN)            not a number becomes minus infinity, and so the smallest code
    Add, Clip, Div          position = (x - offset) / scale
    Clip, Round             input code = rint(saturate(position)), to nearest, ties to even
    QuantizeLinear          with a scale of 1: the whole number as int8
    MatMulInteger, Add      accumulator = sum of (code - zero_point) * input code + intercept, exactly
    Cast, Mul               prediction = float32(accumulator) * scale
    Max, Min                the output range, where there is one
    Sub, Add                low and high: the same of accumulator - half-width and accumulator + half-width,
                            where there is an interval

so a runtime that follows the standard predicts the bits that Python does. QuantizeLinear could divide, round
and saturate by itself, but the standard leaves open what it makes of NaN and infinity, and not every runtime
divides there. MatMulInteger takes codes of 8 bits and sums in int32; beyond either, Cast and MatMul do the
same in the integers that the accumulator's bound asks for.

With float inputs rows are float64, and CumSum adds the products one feature after the other, as `affine`
does: ONNX leaves the order of a MatMul's sum, and whether it is fused, to the runtime. ONNX Runtime then
gives Python's bits; a runtime that adds in another order agrees to rounding. docs/onnx.md has the runtimes
that were tried.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq import __version__
from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact, sha256
from mlrq.errors import MlrqError, not_installed, printable
from mlrq.export.onnx_columns import Columns, add_features, add_lookups, columns_of, narrowed
from mlrq.export.onnx_graph import Graph
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.options import SCHEMES

try:
    from onnx import ModelProto, checker, helper, numpy_helper
except ModuleNotFoundError as error:
    raise MlrqError(not_installed("export=onnx", "onnx", "onnx")) from error

ACCUMULATOR = "accumulator"  # the tensor that holds the exact sums, for whoever wants to see them
OPSET, IR_VERSION = 13, 7  # of one ONNX release
ROWS, INPUT = "rows", "features"
ENDS = ("low", "high")  # outputs beside the predictions, with an interval


def export(artifact: QuantizedArtifact) -> bytes:
    """The ONNX file of an integer model; the same artifact gives the same bytes.

    With integer inputs it takes (rows, features) float32 and gives (rows, targets) float32; with float
    inputs both are float64. With an interval there are two more outputs, `low` and `high`. Where columns of
    a table become the features, it takes these instead; see `onnx_columns`.
    """
    model, graph, columns = artifact.model, Graph(), columns_of(artifact.training.columns)
    kind: np.dtype[Any]
    if model.inputs is None:
        kind = np.dtype(np.float64)
        rows = INPUT if columns is None else add_features(graph, columns)
        moved = [one.intercept_value for one in model.moved] if model.interval else ()
        result = _float_sum(graph, rows, _weights(graph, model), model.intercept_value, moved)
    else:
        sums = (
            _accumulate(graph, model, model.inputs)
            if columns is None
            else _of_columns(graph, artifact, columns)
        )
        scale = graph.constant("scale", model.scale)
        if model.interval:
            _add_ends(graph, model, sums, scale)
        sums = graph.cast("sums", sums, np.dtype(np.float32))
        result = graph.add("scaled", "Mul", sums, scale)
        kind = np.dtype(np.float32)
    if model.output_range is not None:
        graph.clamp(result, model.output_range.astype(kind))
    inputs = f"{model.inputs.bits}-bit inputs; NaN is the smallest code" if model.inputs else "float inputs"
    about = f"Linear regression, {model.bits}-bit {model.scheme} codes, {inputs}"
    more = {"settings": asdict(artifact.settings)} | (
        {"interval": {"level": model.interval.level}} if model.interval else {}
    )
    return _file(graph, artifact, kind, about, more, columns)


def export_float(artifact: FloatArtifact) -> bytes:
    """The ONNX file of a float model: (rows, features) float64 in, (rows, targets) float64 out."""
    model, graph, columns = artifact.model, Graph(), columns_of(artifact.training.columns)
    rows = INPUT if columns is None else add_features(graph, columns)
    _float_sum(graph, rows, graph.constant("weights", model.coefficients.T), model.intercept)
    return _file(graph, artifact, np.dtype(np.float64), "Linear regression", {}, columns)


def _accumulate(graph: Graph, model: QuantizedLinear, inputs: InputGrid) -> str:
    """The exact accumulators of float32 rows, int32 or int64 as their bound asks for."""
    # The standard does not say what becomes of NaN and infinities as integers, and processors differ: none
    # of them is left.
    number = graph.add(
        "number",
        "Where",
        graph.add("nan", "IsNaN", INPUT),
        graph.constant("lowest", np.array(-np.inf, dtype=np.float32)),
        INPUT,
    )
    kind = np.dtype(f"int{model.accumulator_bits}")
    products = _products(graph, model, inputs, _encode(graph, inputs, number), kind)
    return graph.add(ACCUMULATOR, "Add", products, graph.constant("intercept", model.intercept.astype(kind)))


def _of_columns(graph: Graph, artifact: QuantizedArtifact, columns: Columns) -> str:
    """The same of the columns of a table."""
    kind = np.dtype(f"int{artifact.model.accumulator_bits}")
    numbers, others = add_lookups(graph, artifact, columns, kind)
    if numbers is None:
        return graph.add(ACCUMULATOR, "Identity", others)
    model = narrowed(artifact)
    assert model.inputs
    codes = _encode(graph, model.inputs, numbers)
    return graph.add(ACCUMULATOR, "Add", _products(graph, model, model.inputs, codes, kind), others)


def _add_ends(graph: Graph, model: QuantizedLinear, sums: str, scale: str) -> None:
    """Add the ends of the intervals of exact accumulators."""
    assert model.interval
    kind = np.dtype(f"int{model.accumulator_bits}")
    half_width = graph.constant("half_width", model.interval.half_width.astype(kind))
    for end, operator in zip(ENDS, ("Sub", "Add"), strict=True):
        moved = graph.add(f"{end}_accumulator", operator, sums, half_width)
        graph.add(end, "Mul", graph.cast(f"{end}_sums", moved, np.dtype(np.float32)), scale)


def _encode(graph: Graph, inputs: InputGrid, number: str) -> str:
    """Input codes of float32 numbers, as whole float32 numbers; see `InputGrid.encode`."""
    shifted = graph.add("shifted", "Add", number, graph.constant("minus_offset", -inputs.offset))
    # Keeps runtimes from folding the sum and the quotient into one product and one sum of other roundings.
    kept = graph.add("kept", "Clip", shifted, graph.constant("least", np.array(np.finfo(np.float32).min)))
    position = graph.add("position", "Div", kept, graph.constant("step", inputs.scale))
    low, high = (np.array(end, dtype=np.float32) for end in (inputs.low, inputs.high))
    ends = graph.constant("smallest_code", low), graph.constant("largest_code", high)
    return graph.add("whole", "Round", graph.add("clipped", "Clip", position, *ends))


def _products(
    graph: Graph, model: QuantizedLinear, inputs: InputGrid, codes: str, kind: np.dtype[Any]
) -> str:
    """The exact sums of the products of weights and input codes, as `kind`."""
    if kind == np.int32 and model.bits <= 8 and inputs.bits == 8:
        unit = graph.constant("unit", np.array(1, dtype=np.float32))
        zero = graph.constant("zero", np.array(0, dtype=np.int8))
        narrow = graph.add("input_codes", "QuantizeLinear", codes, unit, zero)
        operands = [narrow, graph.constant("codes", model.codes.T.astype(np.int8))]
        if model.zero_point.any():  # `zero` of the inputs could be left out, but not every runtime allows it
            operands += [zero, graph.constant("zero_point", model.zero_point.astype(np.int8))]
        return graph.add("products", "MatMulInteger", *operands)
    wide = graph.cast("input_codes", codes, kind)
    return graph.add("products", "MatMul", wide, _steps(graph, model, kind))


def _steps(graph: Graph, model: QuantizedLinear, kind: np.dtype[Any]) -> str:
    """(features, targets) code - zero_point as `kind`, from codes stored as narrow as ONNX has them."""
    sign = "" if SCHEMES[model.scheme].signed else "u"
    codes = model.codes.T.astype(f"{sign}int{8 if model.bits <= 8 else 16}")
    steps = graph.cast("steps", graph.constant("codes", codes), kind)
    if not model.zero_point.any():
        return steps
    zero_point = graph.constant("zero_point", model.zero_point.astype(kind))
    return graph.add("moved", "Sub", steps, zero_point)


def _weights(graph: Graph, model: QuantizedLinear) -> str:
    """(features, targets) float64 weights of raw features; see `QuantizedLinear.weights`."""
    double = np.dtype(np.float64)
    if SCHEMES[model.scheme].offset:
        single = _steps(graph, model, np.dtype(np.float32))
        single = graph.add("product", "Mul", single, graph.constant("scale", model.scale))
        single = graph.add("value", "Add", single, graph.constant("offset", model.offset))
        weights = graph.cast("weights", single, double)
    else:
        scale = graph.constant("scale", model.scale.astype(double))
        weights = graph.add("weights", "Mul", _steps(graph, model, double), scale)
    if not model.factor_bits:
        return weights
    factor = graph.constant("factor", model.factor.astype(double)[:, None])
    return graph.add("raw_weights", "Div", weights, factor)


def _float_sum(
    graph: Graph,
    rows: str,
    weights: str,
    intercept: NDArray[np.float64],
    moved: Sequence[NDArray[np.float64]] = (),
) -> str:
    """rows @ weights + intercept in float64, added in the order of the features.

    `moved` are the intercepts of the ends of intervals; none without.
    """
    one, last = (graph.constant(*pair) for pair in (("one", np.array(1)), ("last", np.array(-1))))
    columns = graph.add("columns", "Unsqueeze", rows, graph.constant("axes", np.array([2])))
    sums = graph.add("sums", "CumSum", graph.add("products", "Mul", columns, weights), one)
    total = graph.add("total", "Gather", sums, last, axis=1)
    for end, other in zip(ENDS, moved, strict=False):
        graph.add(end, "Add", total, graph.constant(f"intercept_{end}", other))
    return graph.add("shifted", "Add", total, graph.constant("intercept", intercept))


def _identifier(names: Sequence[str], taken: set[str]) -> str:
    """One C identifier for the output, as the standard asks of names, that no other tensor has."""
    name = re.sub(r"\W", "_", "_".join(names), flags=re.ASCII)
    name = name if re.match("[A-Za-z_]", name) else f"_{name}"
    while name in taken:
        name += "_"
    return name


def _file(
    graph: Graph,
    artifact: FloatArtifact | QuantizedArtifact,
    kind: np.dtype[Any],
    about: str,
    more: dict[str, Any],
    columns: Columns | None,
) -> bytes:
    """The checked model whose first output is what the last node makes, with names and provenance."""
    model, training = artifact.model, artifact.training
    taken = {INPUT, *(constant.name for constant in graph.constants)}
    taken |= {name for node in graph.nodes for name in node.output}
    output = _identifier(model.targets, taken)
    graph.nodes[-1].output[:] = [output]
    tensor = helper.np_dtype_to_tensor_dtype(kind)
    inputs = [helper.make_tensor_value_info(INPUT, tensor, [ROWS, len(model.features)])]
    if columns is not None:
        names = columns.final({*taken, output})
        graph.rename(names)
        told = columns.told(names, kind)
        kinds = [helper.np_dtype_to_tensor_dtype(np.dtype(one["type"])) for one in told]
        inputs = [
            helper.make_tensor_value_info(one["input"], own, [ROWS, 1])
            for one, own in zip(told, kinds, strict=True)
        ]
        more = {**more, "inputs": told}
    ends = ENDS if isinstance(artifact, QuantizedArtifact) and artifact.model.interval else ()
    made: ModelProto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "mlrq",
            inputs,
            [
                helper.make_tensor_value_info(name, tensor, [ROWS, len(model.targets)])
                for name in (output, *ends)
            ],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mlrq",
        producer_version=__version__,
        doc_string=about,
    )
    provenance = {
        "artifact": sha256(artifact),
        "dataset": training.dataset,
        "dataset_sha256": training.sha256,
        "estimator": training.estimator["estimator"]["_target_"],  # the artifact has its parameters
        "features": list(model.features),
        "targets": list(model.targets),
        **({"columns": asdict(training.columns)} if training.columns else {}),
        **more,
    }
    helper.set_model_props(made, {key: _text(value) for key, value in sorted(provenance.items())})
    checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString(deterministic=True))


def constants(content: bytes) -> dict[str, NDArray[Any]]:
    """The constant tensors of an ONNX file, by name."""
    made = ModelProto.FromString(content)
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}


def _text(value: Any) -> str:
    """A string made printable, anything else as compact JSON in ASCII."""
    if isinstance(value, str):
        return printable(value, None)
    return json.dumps(value, sort_keys=True, separators=(",", ":")).replace("\x7f", "\\u007f")
