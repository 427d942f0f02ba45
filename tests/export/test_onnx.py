"""ONNX: what ONNX Runtime computes is what Python computes, bit for bit."""

import importlib
import json
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator
from support.exporting import TRAINING, session
from support.tables import rows_of

from mlrq.artifacts.documents import (
    FloatArtifact,
    QuantizedArtifact,
    encode_float,
    encode_quantized,
    read_quantized,
)
from mlrq.errors import MlrqError
from mlrq.export.onnx import ACCUMULATOR, export, export_float
from mlrq.files import write
from mlrq.models.linear import LinearModel
from mlrq.pipeline.quantize import quantize_model
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.settings import Settings

OPERATORS = {
    "integer": {"IsNaN", "Where", "Add", "Clip", "Div", "Round", "Cast", "Mul", "Max", "Min"},
    "narrow": {"QuantizeLinear", "MatMulInteger"},
    "wide": {"MatMul", "Sub"},
    "float": {"Unsqueeze", "Mul", "CumSum", "Gather", "Add", "Cast", "Sub", "Div", "Max", "Min"},
}
EDGES = (0.0, -0.0, 1e-45, -1e-45, 1.1754942e-38, -1.1754942e-38, 3.4028235e38, -3.4028235e38)
NOT_FINITE = (np.inf, -np.inf, np.nan)


def artifact(model: QuantizedLinear) -> QuantizedArtifact:
    return QuantizedArtifact(model, TRAINING, Settings(scheme=model.scheme), 0.0, None)


def generated(
    seed: int, bits: int, input_bits: int, scheme: str, targets: int, features: int = 5, extreme: bool = False
) -> QuantizedLinear:
    """Any integer model with integer inputs: random, or with every code at the end of its range."""
    generator = np.random.default_rng(seed)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    codes = generator.integers(low, high, (targets, features), endpoint=True)
    zero_point = generator.integers(low, high, targets, endpoint=True)
    limits = np.sort(generator.normal(scale=1e3, size=(2, targets)), axis=0).astype(np.float32)
    return QuantizedLinear(
        features=tuple(f"x{i}" for i in range(features)),
        targets=tuple(f"y{i}" for i in range(targets)),
        bits=bits,
        scheme=scheme,
        granularity="per_channel",
        rounding="nearest",
        codes=np.full_like(codes, low, dtype=np.int32) if extreme else codes.astype(np.int32),
        scale=np.exp(generator.uniform(-12, 6, targets)).astype(np.float32),
        zero_point=(zero_point if scheme == "affine" else np.zeros(targets)).astype(np.int32),
        offset=np.zeros(targets, dtype=np.float32),
        intercept=generator.integers(-(2**20), 2**20, targets).astype(np.int32),
        factor=np.ones(features, dtype=np.float32),
        inputs=InputGrid(
            input_bits,
            np.exp(generator.uniform(-12, 12, features)).astype(np.float32),
            generator.choice([0.0, 1.0, -114.0, 1e6], features).astype(np.float32),
        ),
        output_range=limits if seed % 2 else None,
    )


def edges(grid: InputGrid) -> np.ndarray:
    """(n, features) float32: range ends, ties and their neighbours, what saturates, what is not finite."""
    generator = np.random.default_rng(0)
    places = generator.integers(grid.low, grid.high, 40, endpoint=True)
    positions = np.concatenate([places, places + 0.5, grid.low + np.arange(-2, 3) / 2])
    positions = np.concatenate(
        [positions, grid.high + np.arange(-2, 3) / 2, [2.0 * grid.low, 2.0 * grid.high]]
    )
    ties = (positions[:, None] * grid.scale.astype(np.float64) + grid.offset).astype(np.float32)
    single = np.array([*EDGES, *NOT_FINITE], dtype=np.float32)
    same = np.broadcast_to(single[:, None], (len(single), len(grid.scale)))
    with np.errstate(over="ignore"):
        near = [np.nextafter(ties, np.float32(end)) for end in (-np.inf, np.inf)]
    mixed = generator.choice(single, (60, len(grid.scale)))
    return np.concatenate([ties, *near, same, mixed])


def inputs(grid: InputGrid, count: int) -> np.ndarray:
    """(count, features) float32: random rows, of which a quarter saturates somewhere, and all edges."""
    generator = np.random.default_rng(1)
    at_edges = edges(grid)
    half = 1 << (grid.bits - 1)
    positions = generator.uniform(-1.1 * half, 1.1 * half, (max(count - len(at_edges), 0), len(grid.scale)))
    return np.concatenate([at_edges, (positions * grid.scale + grid.offset).astype(np.float32)])


def in_python(model: QuantizedLinear, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accumulators and predictions; what is not a number is what lies below every range."""
    known = np.where(np.isnan(rows), -np.inf, rows).astype(np.float64)
    with np.errstate(over="ignore"):
        sums = model.accumulators(model.inputs.encode(known)) if model.inputs else None
        return sums, model.predict(known)


def with_accumulator(blob: bytes, model: QuantizedLinear) -> bytes:
    """The same graph with the accumulator as an output."""
    made = onnx.load_model_from_string(blob)
    kind = {32: onnx.TensorProto.INT32, 64: onnx.TensorProto.INT64}[model.accumulator_bits]
    shape = ["rows", len(model.targets)]
    made.graph.output.append(onnx.helper.make_tensor_value_info(ACCUMULATOR, kind, shape))
    return made.SerializeToString()


def assert_parity(model: QuantizedLinear, rows: np.ndarray) -> None:
    blob = export(artifact(model))
    sums, predicted = in_python(model, rows)
    (alone,) = session(blob).run(None, {"features": rows})
    beside, found = session(with_accumulator(blob, model)).run(None, {"features": rows})
    assert found.dtype == sums.dtype
    assert np.array_equal(found, sums)
    assert alone.dtype == np.float32
    assert np.array_equal(alone, predicted)
    assert np.array_equal(beside, predicted)


@pytest.fixture(scope="module")
def w8a8(data, trained) -> QuantizedArtifact:
    """California Housing with 8-bit codes and 8-bit inputs."""
    return quantize_model(data, trained.artifact, Settings(inputs="int8")).artifact


@pytest.mark.parametrize("optimize", [True, False])
def test_all_of_california_is_equal(california, w8a8, optimize):
    rows = rows_of(california).astype(np.float32)
    (found,) = session(export(w8a8), optimize).run(["MedHouseVal"], {"features": rows})
    assert found.shape == (20640, 1)
    assert np.array_equal(found, w8a8.model.predict(rows_of(california)))


def test_california_in_8_bits_takes_less_than_1700_bytes(w8a8):
    assert len(export(w8a8)) < 1700


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
@pytest.mark.parametrize("input_bits", [8, 16])
@pytest.mark.parametrize("bits", range(2, 17))
def test_accumulators_and_outputs_are_equal(bits, input_bits, scheme, targets):
    model = generated(bits, bits, input_bits, scheme, targets)
    rows = inputs(model.inputs, 10_000)
    assert len(rows) == 10_000
    assert_parity(model, rows)


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
@pytest.mark.parametrize("input_bits", [8, 16])
@pytest.mark.parametrize("bits", [2, 4, 8, 9, 16])
def test_codes_at_the_ends_of_their_ranges_are_equal(bits, input_bits, scheme, targets):
    # 64 products of -128 and -128 would saturate a sum in 16 bits.
    model = generated(3, bits, input_bits, scheme, targets, features=64, extreme=True)
    assert_parity(model, inputs(model.inputs, 300))


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.integers(2, 16),
    input_bits=st.sampled_from([8, 16]),
    scheme=st.sampled_from(["symmetric", "affine"]),
    targets=st.integers(1, 4),
    features=st.integers(1, 70),
    extreme=st.booleans(),
    intercept=st.one_of(st.none(), st.integers(-(2**62) + 1, 2**62 - 1)),
    rows=st.lists(st.floats(width=32), max_size=40),
)
def test_any_model_is_equal_on_any_input(
    seed, bits, input_bits, scheme, targets, features, extreme, intercept, rows
):
    model = generated(seed, bits, input_bits, scheme, targets, features, extreme)
    if intercept is not None:
        model = replace(model, intercept=np.full(targets, intercept, dtype=np.int64))
    table = np.resize(np.array([*rows, 0.0], dtype=np.float32), (len(rows) + 1, features))
    assert_parity(model, np.concatenate([table, inputs(model.inputs, 0)]))


@pytest.mark.parametrize(("room", "width"), [(0, 32), (1, 64)])
def test_an_accumulator_at_its_bound_is_equal_in_the_width_that_is_proven(room, width):
    model = generated(0, 8, 8, "symmetric", 1, extreme=True)
    products = 5 * 128 * 128
    model = replace(model, intercept=np.array([2**31 - 1 - products + room], dtype=np.int64))
    assert model.accumulator_bits == width
    rows = np.full((7, 5), -np.inf, dtype=np.float32)
    assert in_python(model, rows)[0].tolist() == [[2**31 - 1 + room]] * 7
    assert_parity(model, rows)


@pytest.mark.parametrize("input_bits", [8, 16])
@pytest.mark.parametrize("features", [1, 3, 4, 7, 8, 16, 17, 33])
def test_nan_is_the_smallest_code_and_infinities_saturate_at_every_place(input_bits, features):
    model = replace(generated(2, 8, input_bits, "symmetric", 1, features), output_range=None)
    running = session(with_accumulator(export(artifact(model)), model))
    grid = model.inputs
    for value, code in ((np.nan, grid.low), (-np.inf, grid.low), (np.inf, grid.high)):
        rows = np.tile(grid.offset, (features + 1, 1))  # code 0
        rows[np.arange(features), np.arange(features)] = value
        expected = [model.intercept[0] + code * step for step in [*model.steps[0].tolist(), 0]]
        assert running.run([ACCUMULATOR], {"features": rows})[0][:, 0].tolist() == expected


def test_the_graph_is_the_formula_and_says_itself_what_nan_is(w8a8):
    # The standard does not say what QuantizeLinear makes of NaN. x86 makes the smallest code of it anyway,
    # so that no result here would show that the first two nodes were missing.
    nodes = [node.op_type for node in onnx.load_model_from_string(export(w8a8)).graph.node]
    encoding = ["IsNaN", "Where", "Add", "Clip", "Div", "Clip", "Round", "QuantizeLinear"]
    assert nodes == [*encoding, "MatMulInteger", "Add", "Cast", "Mul"]


def test_no_rows_and_one_row_are_batches_too(w8a8):
    running = session(export(w8a8))
    assert running.run(None, {"features": np.empty((0, 8), dtype=np.float32)})[0].shape == (0, 1)
    assert running.run(None, {"features": np.zeros((1, 8), dtype=np.float32)})[0].shape == (1, 1)


FLOAT_INPUTS = [
    {},
    {"scheme": "affine", "rounding": "nearest"},
    {"scheme": "offset", "rounding": "truncate", "bits": 16},
    {"scheme": "offset", "rounding": "nearest", "intercept": "int32"},
    {"granularity": "per_feature", "bits": 4},
    {"granularity": "per_feature", "feature_scale": "pow2", "output_range": "train", "bits": 16},
]  # fmt: skip


@pytest.mark.parametrize("chosen", FLOAT_INPUTS, ids=str)
def test_a_model_of_float_inputs_is_equal_in_onnx_runtime(california, data, trained, chosen):
    made = quantize_model(data, trained.artifact, Settings(**chosen)).artifact
    (found,) = session(export(made)).run(["MedHouseVal"], {"features": rows_of(california)})
    assert found.dtype == np.float64
    assert np.array_equal(found, made.model.predict(rows_of(california)))


def test_a_float_model_is_equal_in_onnx_runtime(california, trained):
    (found,) = session(export_float(trained.artifact)).run(["MedHouseVal"], {"features": rows_of(california)})
    assert np.array_equal(found, trained.artifact.model.predict(rows_of(california)))


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    targets=st.integers(1, 4),
    features=st.integers(1, 40),
    rows=st.lists(st.floats(), min_size=1, max_size=40),
)
def test_any_float_model_is_equal_on_any_input(seed, targets, features, rows):
    generator = np.random.default_rng(seed)
    names = tuple(f"x{i}" for i in range(features)), tuple(f"y{i}" for i in range(targets))
    model = LinearModel(
        generator.normal(size=(targets, features)) * 10.0 ** generator.integers(-9, 9, features),
        generator.normal(size=targets),
        *names,
    )
    table = np.resize(np.array(rows), (len(rows), features))
    (found,) = session(export_float(FloatArtifact(model, TRAINING, np.zeros((0, targets))))).run(
        None, {"features": table}
    )
    with np.errstate(all="ignore"):
        assert np.array_equal(found, model.predict(table), equal_nan=True)


@pytest.mark.parametrize("options", [{"inputs": "int8"}, {"inputs": "int16", "bits": 12}, {}], ids=str)
def test_the_standards_own_reference_agrees(california, data, trained, options):
    made = quantize_model(data, trained.artifact, Settings(output_range="train", **options)).artifact
    kind = np.float32 if made.model.inputs else np.float64
    rows = rows_of(california)[:500].astype(kind)
    (found,) = ReferenceEvaluator(onnx.load_model_from_string(export(made))).run(None, {"features": rows})
    assert np.array_equal(found, made.model.predict(rows_of(california)[:500]))


def both(blob: bytes, rows: np.ndarray) -> list[np.ndarray]:
    """What ONNX Runtime and the standard's reference evaluator predict."""
    with np.errstate(all="ignore"):
        reference = ReferenceEvaluator(onnx.load_model_from_string(blob)).run(None, {"features": rows})
    return [*session(blob).run(None, {"features": rows}), *reference]


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
@pytest.mark.parametrize(("bits", "input_bits"), [(4, 8), (8, 8), (9, 8), (3, 16), (16, 16)])
def test_ten_thousand_hostile_rows_are_equal_in_two_runtimes(bits, input_bits, scheme, targets):
    model = generated(bits + targets, bits, input_bits, scheme, targets)
    rows = inputs(model.inputs, 10_000)
    specials = np.array([*EDGES, *NOT_FINITE, 1e30, -1e30], dtype=np.float32)
    generator = np.random.default_rng(bits)
    rows = np.where(generator.random(rows.shape) < 0.2, generator.choice(specials, rows.shape), rows)
    _, expected = in_python(model, rows)
    for found in both(export(artifact(model)), rows):
        assert found.dtype == np.float32
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("chosen", [*FLOAT_INPUTS, None], ids=str)
def test_ten_thousand_hostile_rows_of_float_inputs_are_equal_in_two_runtimes(
    california, data, trained, chosen
):
    made = trained.artifact
    if chosen is not None:
        made = quantize_model(data, trained.artifact, Settings(**chosen)).artifact
    specials = [*EDGES, *NOT_FINITE, 1e30, -1e30, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7e308]
    generator = np.random.default_rng(0)
    rows = rows_of(california)[:10_000]
    rows = np.where(generator.random(rows.shape) < 0.1, generator.choice(specials, rows.shape), rows)
    with np.errstate(all="ignore"):
        expected = made.model.predict(rows)
    for found in both(export_float(made) if chosen is None else export(made), rows):
        assert found.dtype == np.float64
        assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("input_bits", "bits", "kinds"),
    [
        (8, 8, ("integer", "narrow")),
        (8, 9, ("integer", "wide")),
        (16, 8, ("integer", "wide")),
        (None, 8, ("float",)),
    ],
)
def test_the_file_has_one_opset_and_standard_operators(input_bits, bits, kinds):
    model = generated(1, bits, input_bits or 8, "affine", 2)
    made = artifact(model if input_bits else replace(model, inputs=None))
    loaded = onnx.load_model_from_string(export(made))
    assert [(one.domain, one.version) for one in loaded.opset_import] == [("", 13)]
    assert not {node.domain for node in loaded.graph.node} - {""}
    assert {node.op_type for node in loaded.graph.node} <= set().union(*(OPERATORS[kind] for kind in kinds))
    for node in loaded.graph.node:
        assert onnx.defs.get_schema(node.op_type, 13).since_version <= 13


def test_inputs_and_outputs_are_named_and_shaped_for_batches(w8a8):
    running = session(export(w8a8))
    (entry,), (result,) = running.get_inputs(), running.get_outputs()
    assert (entry.name, entry.type, entry.shape) == ("features", "tensor(float)", ["rows", 8])
    assert (result.name, result.type, result.shape) == ("MedHouseVal", "tensor(float)", ["rows", 1])


@pytest.mark.parametrize(
    ("targets", "name"),
    [
        (("price", "rent"), "price_rent"),
        (("median value ($)",), "median_value____"),
        (("2nd",), "_2nd"),
        (("Höhe",), "H_he"),
        (("features",), "features_"),
        (("scale",), "scale_"),
    ],
)
def test_the_output_is_named_after_the_targets_as_the_standard_allows(targets, name):
    model = replace(generated(0, 8, 8, "symmetric", len(targets)), targets=targets)
    blob = export(artifact(model))
    assert session(blob).get_outputs()[0].name == name
    assert json.loads(session(blob).get_modelmeta().custom_metadata_map["targets"]) == list(targets)


def test_the_metadata_say_where_the_model_came_from(w8a8, trained, tmp_path):
    write(tmp_path / "quantized.json", encode_quantized(w8a8))
    write(tmp_path / "float.json", encode_float(trained.artifact))
    for name, blob in (("quantized", export(w8a8)), ("float", export_float(trained.artifact))):
        document = json.loads((tmp_path / f"{name}.json").read_text())
        found = session(blob).get_modelmeta()
        assert found.producer_name == "mlrq"
        assert "inear regression" in found.description
        read = found.custom_metadata_map
        assert read["artifact"] == document["sha256"]
        assert read["dataset_sha256"] == document["training"]["sha256"]
        for key in ("features", "targets"):
            assert json.loads(read[key]) == document[key]
        assert json.loads(read.get("settings", "null")) == document.get("settings")


def test_the_same_artifact_gives_the_same_bytes(w8a8, tmp_path):
    write(tmp_path / "quantized.json", encode_quantized(w8a8))
    assert export(read_quantized(tmp_path / "quantized.json")) == export(w8a8)


def test_without_onnx_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "mlrq.export.onnx")
    with pytest.raises(MlrqError, match=r"^export=onnx needs onnx, which is not installed: pip install -e "):
        importlib.import_module("mlrq.export.onnx")
