"""ONNX from the columns of a table on computes what Python computes of the same cells."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator
from support.columns import by_pandas, encoded_artifact, feeds, random_encoding, rentals, trained
from support.exporting import TRAINING, session
from support.hostile import texts
from support.tables import rows_of

import mlrq
from mlrq.artifacts.documents import FloatArtifact
from mlrq.datasets import csv
from mlrq.datasets.column_rules import ColumnRules
from mlrq.datasets.encoding import Column, Encoding, category, coded
from mlrq.export import carried
from mlrq.export.onnx import ACCUMULATOR, export, export_float
from mlrq.models.linear import LinearModel
from mlrq.quantization.settings import Settings


def told(blob: bytes) -> list[dict]:
    (found,) = (one.value for one in onnx.load_model_from_string(blob).metadata_props if one.key == "inputs")
    return json.loads(found)


def everywhere(blob: bytes, given: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What ONNX Runtime, without its optimizations too, and the standard's reference evaluator predict."""
    reference = ReferenceEvaluator(onnx.load_model_from_string(blob))
    with np.errstate(all="ignore"):
        return [
            session(blob).run(None, given)[0],
            session(blob, optimize=False).run(None, given)[0],
            reference.run(None, given)[0],
        ]


SETTINGS = [
    {"bits": 8},
    {"bits": 4, "inputs": "int16"},
    {"bits": 12, "inputs": "int16", "scheme": "affine", "rounding": "nearest"},
    {"bits": 6, "missing": "mean", "output_range": "train"},
    {"inputs": "float"},
    {"inputs": "float", "scheme": "affine", "rounding": "nearest", "bits": 4},
    {"inputs": "float", "granularity": "per_feature", "missing": "mean", "missing_values": ["NA", "3.1"]},
]


@pytest.mark.parametrize("chosen", SETTINGS, ids=str)
def test_a_table_with_categories_and_holes_is_equal_in_two_runtimes(chosen):
    frame = rentals()
    model = trained(frame, columns={"postal code": "categorical"}, **chosen)
    rows = rentals(2000, seed=1)
    blob = export(model.artifact)
    given = feeds(told(blob), rows if "missing_values" not in chosen else rows.replace("NA", None))
    for found in everywhere(blob, given):
        assert found.shape == (2000, 1)
        assert found[:, 0].astype(float).tolist() == model.predict(rows).tolist()
        if chosen.get("inputs") != "float" and "output_range" not in chosen:
            assert found.tolist() == by_pandas(model, rows).tolist()


def test_a_float_model_takes_the_columns_too(run, tmp_path):
    frame = rentals()
    frame.to_csv(tmp_path / "rentals.csv", index=False)
    wanted = ["dataset=csv", "dataset.path=rentals.csv", "dataset.target=rent", "dataset.missing=indicator"]
    assert run(*wanted).code == 0
    assert run("export", "export=onnx", "export.model=float").code == 0
    from mlrq.artifacts.documents import read_float

    made = read_float(tmp_path / "outputs/float.json")
    rules = ColumnRules(missing="indicator", known=made.training.columns)
    expected = made.model.predict(
        rows_of(csv.load(str(tmp_path / "rentals.csv"), ["rent"], None, ",", 1 << 30, rules=rules))
    )
    blob = (tmp_path / "outputs/export/float.onnx").read_bytes()
    for found in everywhere(blob, feeds(told(blob), frame)):
        assert found.tolist() == expected.tolist()


def cells_of(
    encoding: Encoding, entries: list[dict], rows: int, rng: np.random.Generator
) -> tuple[list, dict]:
    """Random rows as Python reads them, and as ONNX does; missing and unknown ones among them."""
    in_python, given = [], {}
    for column, entry in zip(encoding.columns, entries, strict=True):
        assert (entry["column"], entry["kind"]) == (column.name, column.kind)
        holes = (rng.random(rows) < 0.3) & (column.fill is not None)
        if column.kind == "numeric":
            numbers = (rng.normal(size=rows) * 10.0 ** rng.integers(-3, 4, rows)).astype(np.float32)
            numbers = np.where(holes, np.float32(np.nan), numbers)
            if encoding.missing_values and column.fill is not None:
                numbers[rng.random(rows) < 0.2] = -999
            in_python.append(numbers.astype(np.float64))
            given[entry["input"]] = numbers.astype(entry["type"])[:, None]
            continue
        known = [*entry["values"], *entry.get("rare_values", ())]
        known += ["no such category"] if column.kind == "categorical" else []
        chosen = ["" if hole else str(one) for hole, one in zip(holes, rng.choice(known, rows), strict=True)]
        in_python.append(coded(chosen))
        places = {text: place for place, text in enumerate(entry["values"])} | {"": entry["missing"]}
        places |= dict.fromkeys(entry.get("rare_values", ()), entry.get("rare"))
        found = [places.get(one, entry.get("unknown")) for one in chosen]
        given[entry["input"]] = np.array(found, dtype=np.int64)[:, None]
    return in_python, given


KINDS = [
    {"bits": bits, "input_bits": input_bits, "scheme": scheme, "targets": targets, "intercept": intercept}
    for bits, input_bits, scheme, targets, intercept in (
        (8, 8, "symmetric", 1, 2**15), (16, 16, "affine", 3, 2**15), (2, 8, "affine", 3, 2**40),
        (5, 16, "symmetric", 1, 1), (9, 8, "affine", 1, 2**15), (3, 16, "affine", 2, 2**30),
        (16, 8, "symmetric", 2, 2**60), (8, 8, "affine", 3, 2**15),
    )
]  # fmt: skip


@pytest.mark.few(4)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_any_columns_and_any_model_are_equal_in_two_runtimes(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    for number in range(5):
        encoding = random_encoding(
            rng, [f"column {i}" for i in range(1 + 2 * number)], ["a", "b", "c", "d", "e"]
        )
        made = encoded_artifact(rng, encoding, clamped=number % 2 == 1, **kind)
        blob = export(made)
        in_python, given = cells_of(encoding, told(blob), 300, rng)
        rows = np.ascontiguousarray(encoding.encode(in_python, unknown="baseline").T)
        expected = made.model.predict(rows).tolist()
        for found in everywhere(blob, given):
            assert found.astype(float).tolist() == expected
        graph = onnx.load_model_from_string(blob)
        graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(ACCUMULATOR))
        (sums,) = session(graph.SerializeToString()).run([ACCUMULATOR], given)
        assert sums.dtype == np.dtype(f"int{made.model.accumulator_bits}")
        assert sums.tolist() == made.model.accumulators(made.model.inputs.encode(rows)).tolist()


@pytest.mark.parametrize("seed", range(6))
def test_any_float_model_of_columns_is_equal_in_two_runtimes(seed):
    rng = np.random.default_rng(seed)
    encoding = random_encoding(rng, [f"column {i}" for i in range(1 + seed)], ["a", "b", "c", "d", "e"])
    coefficients = rng.normal(size=(2, len(encoding.features)))
    model = LinearModel(coefficients, rng.normal(size=2), encoding.features, ("y", "z"))
    training = replace(TRAINING, columns=encoding)
    blob = export_float(FloatArtifact(model, training, np.zeros((0, 2))))
    in_python, given = cells_of(encoding, told(blob), 300, rng)
    rows = np.ascontiguousarray(encoding.encode(in_python, unknown="baseline").T)
    for found in everywhere(blob, given):
        assert found.tolist() == model.predict(rows).tolist()


@pytest.mark.parametrize("inputs", ["int8", "float"])
def test_a_place_that_is_none_is_an_error_of_the_runtime(inputs):
    model = trained(rentals(), inputs=inputs)
    blob = export(model.artifact)
    given = feeds(told(blob), rentals(5))
    (town,) = (one for one in told(blob) if one["column"] == "home town")
    given[town["input"]][2] = town["unknown"]
    baseline = session(blob).run(None, given)
    given[town["input"]][2] = 0
    assert np.array_equal(baseline, session(blob).run(None, given))
    given[town["input"]][2] = town["unknown"] + 1
    with pytest.raises(Exception, match="out of data bounds"):
        session(blob).run(None, given)


@pytest.mark.parametrize("inputs", ["int8", "float"])
def test_a_missing_number_that_was_not_learned_is_the_smallest_code_or_not_a_number(inputs):
    frame = rentals()[["int", "has lift", "rent"]].dropna()
    model = trained(frame, inputs=inputs, missing="error", missing_values=["-7"])
    blob = export(model.artifact)
    assert told(blob)[0]["missing"] is None
    assert told(blob)[0]["missing_values"] == [-7]
    rows = pandas.DataFrame({"int": [np.nan, -7, -np.inf], "has lift": True})
    for found in everywhere(blob, feeds(told(blob), rows)):
        if inputs == "float":
            assert np.isnan(found[:2]).all()
            continue
        row = np.array([[-1e30, 1.0]])
        assert found[:, 0].tolist() == [model.artifact.model.predict(row)[0, 0]] * 3


@pytest.mark.parametrize("chosen", SETTINGS, ids=str)
def test_it_has_standard_operators_and_inputs_named_after_the_columns(chosen):
    model = trained(rentals(), **chosen)
    blob = export(model.artifact)
    loaded = onnx.load_model_from_string(blob)
    assert not {node.domain for node in loaded.graph.node} - {""}
    for node in loaded.graph.node:
        assert onnx.defs.get_schema(node.op_type, 13).since_version <= 13
    running = session(blob)
    kind = "tensor(double)" if chosen.get("inputs") == "float" else "tensor(float)"
    assert [(one.name, one.type, one.shape) for one in running.get_inputs()] == [
        (name, kind if number else "tensor(int64)", ["rows", 1])
        for name, number in (
            ("living_area_m2", True), ("home_town", False), ("level", False), ("level_2", True),
            ("has_lift", False), ("postal_code", True), ("int_column", True),
        )
    ]  # fmt: skip
    assert [one["column"] for one in told(blob)] == list(model.columns)
    assert [one.name for one in running.get_outputs()] == ["rent"]
    rows = feeds(told(blob), rentals(3))
    empty = {name: values[:0] for name, values in rows.items()}
    assert running.run(None, empty)[0].shape == (0, 1)


@settings(max_examples=25, deadline=None)
@given(
    names=st.lists(texts(), min_size=1, max_size=6, unique=True),
    labels=st.lists(texts().map(category), min_size=2, max_size=6, unique=True),
    target=texts(),
    seed=st.integers(0, 2**32),
)
def test_any_names_of_columns_and_categories_make_a_valid_file(names, labels, target, seed):
    rng = np.random.default_rng(seed)
    encoding = random_encoding(rng, names, labels)
    made = encoded_artifact(rng, encoding)
    made = replace(made, model=replace(made.model, targets=(target,)))
    blob = export(made)
    found = told(blob)
    assert [one["column"] for one in found] == names
    for one, column in zip(found, encoding.columns, strict=True):
        assert one.get("values", []) == [*column.categories] or one["values"] == ["false", "true"]
    running = session(blob)
    given = [one.name for one in running.get_inputs()]
    assert len({*given, running.get_outputs()[0].name}) == len(names) + 1
    assert all(name.isascii() and name.isidentifier() for name in given)


def test_columns_that_are_called_as_tensors_of_the_graph_are():
    names = [
        "codes",
        "scale",
        "base",
        "numbers",
        "number",
        "accumulator",
        "price",
        "features",
        "rows",
        "lost",
    ]
    rng = np.random.default_rng(0)
    encoding = Encoding(tuple(Column(name, "numeric", (), (), 0.5, True) for name in names))
    made = encoded_artifact(rng, encoding)
    blob = export(made)
    in_python, given = cells_of(encoding, told(blob), 50, rng)
    rows = np.ascontiguousarray(encoding.encode(in_python).T)
    for found in everywhere(blob, given):
        assert found.astype(float).tolist() == made.model.predict(rows).tolist()


@pytest.mark.parametrize("kind", KINDS[:4], ids=str)
def test_a_file_carries_its_tables_and_no_others(kind):
    rng = np.random.default_rng(1)
    columns = [
        Column("n", "numeric", fill=0.5, indicator=True),
        Column("x", "categorical", ("a", "b")),
        Column("f", "boolean"),
    ]  # fmt: skip
    made = encoded_artifact(rng, Encoding(tuple(columns)), **kind)
    blob = export(made)
    assert carried.faults("model.onnx", blob, made) == []
    for name in ("base", "by_n", "by_x", "by_f", "codes", "scale", "step", "minus_offset"):
        loaded = onnx.load_model_from_string(blob)
        (tensor,) = (one for one in loaded.graph.initializer if one.name == name)
        values = onnx.numpy_helper.to_array(tensor).copy()
        values.flat[-1] = values.flat[-1] * 2 if values.dtype.kind == "f" else values.flat[-1] ^ 1
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))
        assert carried.faults("model.onnx", loaded.SerializeToString(), made) == [name]
    alone = encoded_artifact(rng, Encoding((columns[1],)), **kind)
    assert carried.faults("model.onnx", export(alone), alone) == []


def test_settings_are_those_of_the_artifact():
    model: mlrq.QuantizedModel = trained(rentals())
    read = session(export(model.artifact)).get_modelmeta().custom_metadata_map
    assert json.loads(read["settings"])["inputs"] == Settings(inputs="int8").inputs
    assert json.loads(read["columns"])["columns"][1]["name"] == "home town"
