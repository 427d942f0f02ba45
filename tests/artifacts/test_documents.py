"""The two artifacts: round trips, and every kind of damage in one line."""

import json
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import shuffled

from mlrq.artifacts import documents
from mlrq.artifacts.documents import encode_float, encode_quantized, read_float, read_quantized
from mlrq.artifacts.json_document import encode
from mlrq.datasets import synthetic
from mlrq.errors import MlrqError
from mlrq.files import digest
from mlrq.pipeline.quantize import quantize_model
from mlrq.pipeline.train import train
from mlrq.quantization.settings import Settings

KINDS = {"float.json": read_float, "quantized.json": read_quantized}
NEAREST = Settings(rounding="nearest")
DEFAULTS = asdict(Settings())
PROOF = {"optimal": True, "gap": 0.0, "lower_bound": 1e-4, "nodes": 1}


@pytest.fixture(scope="module")
def originals(finished):
    return {name: (finished / "outputs" / name).read_bytes() for name in KINDS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("documents")


def refused(path, read) -> str:
    with pytest.raises(MlrqError) as caught:
        read(path)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert text.startswith(str(path))
    return text


def meaning(artifact) -> str:
    """Everything in an artifact, as text that tells any two apart."""
    return json.dumps(
        artifact,
        sort_keys=True,
        default=lambda part: (
            part.tolist()
            if isinstance(part, np.ndarray)
            else {item.name: getattr(part, item.name) for item in fields(part)}
        ),
    )


def forged(folder, name, original, **changes):
    """The document with `changes` (None removes a key) and a hash that is right."""
    body = json.loads(original) | changes
    removed = {"sha256", *(key for key, value in changes.items() if value is None)}
    body = {key: value for key, value in body.items() if key not in removed}
    path = folder / name
    path.write_bytes(encode({**body, "sha256": digest(encode(body))}))
    return path


@pytest.mark.parametrize("scheme", ["symmetric", "affine", "offset"])
@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel"])
@pytest.mark.parametrize("intercept", ["float32", "float64", "int32"])
@pytest.mark.parametrize("bits", [2, 16])
def test_a_quantized_model_reads_back_as_it_was(
    data, parts, trained, tmp_path, scheme, granularity, intercept, bits
):
    settings = replace(NEAREST, bits=bits, scheme=scheme, granularity=granularity, intercept=intercept)
    made = quantize_model(data, trained.artifact, settings).artifact
    (tmp_path / "q.json").write_bytes(encode_quantized(made))
    back = read_quantized(tmp_path / "q.json")
    assert meaning(back) == meaning(made)
    for name in ("codes", "scale", "zero_point", "offset", "intercept"):
        assert getattr(back.model, name).dtype == getattr(made.model, name).dtype
    rows = parts.test_rows[:50]
    assert back.model.predict(rows).tolist() == made.model.predict(rows).tolist()
    (tmp_path / "again.json").write_bytes(encode_quantized(back))
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "q.json").read_bytes()


def test_a_float_model_reads_back_as_it_was(trained, tmp_path):
    (tmp_path / "f.json").write_bytes(encode_float(trained.artifact))
    back = read_float(tmp_path / "f.json")
    assert meaning(back) == meaning(trained.artifact)


def test_any_name_a_column_can_have_survives(trained, tmp_path):
    names = ('"', "\\", "\n", "ä", "日本", "a,b", "\U0001f600", " ")
    odd = replace(trained.artifact, model=replace(trained.artifact.model, features=names))
    (tmp_path / "f.json").write_bytes(encode_float(odd))
    assert read_float(tmp_path / "f.json").model.features == names


@pytest.mark.parametrize("name", KINDS)
def test_a_document_cut_anywhere_is_refused(originals, folder, name):
    whole = originals[name]
    path = folder / name
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        assert "cut short" in refused(path, KINDS[name])
    path.write_bytes(whole[:-2])
    refused(path, KINDS[name])


@pytest.mark.parametrize("name", KINDS)
@given(drawn=st.data())
def test_a_changed_byte_is_refused_or_changes_no_meaning(originals, folder, name, drawn):
    whole = bytearray(originals[name])
    place = drawn.draw(st.integers(0, len(whole) - 1))
    new = drawn.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    old, whole[place] = whole[place], new
    path = folder / f"changed-{name}"
    path.write_bytes(whole)
    # JSON has a few spellings of the same document: a blank at the end, 1E-05, 52E0 for 52.0.
    if chr(old) == "\n" or (chr(old) in "e." and chr(new) in "eE"):
        try:
            found = KINDS[name](path)
        except MlrqError:
            return
        (folder / "whole.json").write_bytes(originals[name])
        assert meaning(found) == meaning(KINDS[name](folder / "whole.json"))
    else:
        refused(path, KINDS[name])


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_document_says_what_makes_it(tmp_path, name):
    text = refused(tmp_path / name, KINDS[name])
    assert "no such file" in text
    assert "mlrq" in text.partition("no such file")[2]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "raw",
    [b"", b"\0" * 100, b"{}", b"[]", b"null", b"3", b'"mlrq.float"', b"PK\x03\x04", b"\xff\xfe",
     b"a,b\n1,2\n", b'{"format":"other"}', b"[" * 100_000, b'{"a":' * 100_000],
    ids=range(13),
)  # fmt: skip
def test_a_foreign_file_is_refused(tmp_path, name, raw):
    (tmp_path / name).write_bytes(raw)
    assert f"not an mlrq {name.partition('.')[0]} file" in refused(tmp_path / name, KINDS[name])


def test_one_kind_is_not_read_as_the_other(finished):
    outputs = finished / "outputs"
    assert "not an mlrq quantized file" in refused(outputs / "float.json", read_quantized)
    assert "not an mlrq float file" in refused(outputs / "quantized.json", read_float)
    assert "not an mlrq float file" in refused(outputs / "evaluation.json", read_float)
    assert "not an mlrq float file" in refused(outputs / "SHA256SUMS", read_float)


@pytest.mark.parametrize("name", KINDS)
def test_a_folder_in_its_place_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    assert "cannot be read" in refused(tmp_path / name, KINDS[name])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("schema", [documents.SCHEMA + 1, 999, 0, -1, "1", 1.5, [], None])
def test_another_schema_is_refused_before_anything_else(originals, folder, name, schema):
    path = forged(folder, name, originals[name], schema=schema)
    assert f"reads schema {documents.SCHEMA}" in refused(path, KINDS[name])


@pytest.mark.parametrize(
    "key", ["features", "targets", "coefficients", "intercept", "first_predictions", "training"]
)
def test_a_float_model_that_lacks_a_part_is_refused(originals, folder, key):
    path = forged(folder, "float.json", originals["float.json"], **{key: None})
    assert key in refused(path, read_float)


@pytest.mark.parametrize(
    "key",
    [
        "features",
        "targets",
        "codes",
        "scale",
        "zero_point",
        "offset",
        "intercept",
        "bits",
        "settings",
        "training",
    ],
)
def test_a_quantized_model_that_lacks_a_part_is_refused(originals, folder, key):
    path = forged(folder, "quantized.json", originals["quantized.json"], **{key: None})
    assert key in refused(path, read_quantized)


NONSENSE = {
    "features": ["word", 3, [], [1, 2, 3, 4, 5, 6, 7, 8], ["a"] * 7, ["a"] * 8, {}],
    "targets": [[], ["y", "z"], "y", [None]],
    "codes": [[[1.5] * 8], [[1] * 7], [1] * 8, [[128] + [0] * 7], [[-129] + [0] * 7], "x", [[2**70] * 8],
              [["1"] * 8], [[True] * 8], [[1] * 8, [1] * 8], {}],
    "scale": [[0.0], [-1.0], [0.1], [1e300], ["x"], [[1.0]], [1.0, 1.0], 1.0, [1e-60]],
    "zero_point": [[0.5], [1000], [0, 0], 0, ["0"], [1]],
    "offset": [[0.1], [1e300], [], ["x"], [1.0]],
    "intercept": [[0.1], [1e300], [], ["x"], [[1.0]]],
    "bits": [1, 17, 8.0, "8", [], True],
    "settings": [[], "x", {}, {"scheme": "odd"},
                 DEFAULTS | {"scheme": "odd"}, DEFAULTS | {"scheme": []}, DEFAULTS | {"granularity": "odd"},
                 DEFAULTS | {"rounding": "odd"}, DEFAULTS | {"more": 1}, DEFAULTS | {"bits": 7},
                 DEFAULTS | {"rounding": "nearest"}, DEFAULTS | {"granularity": "per_feature"},
                 DEFAULTS | {"inputs": "int8"}, DEFAULTS | {"output_range": "train"},
                 DEFAULTS | {"intercept": "int32"}, DEFAULTS | {"nodes": 0}, DEFAULTS | {"seconds": "1"},
                 DEFAULTS | {"percentile": 0}, DEFAULTS | {"refit_intercept": 1}],
    "intercept_format": ["int8", "int64", "", 3, []],
    "factor": [[1.0] * 7, [0.0] * 8, [-1.0] * 8, [1.0] * 8, "x"],
    "factor_bits": [8, 32, -1, "0"],
    "inputs": [[], {}, {"bits": 8}, {"bits": 4, "scale": [1.0] * 8, "offset": [0.0] * 8},
               {"bits": 8, "scale": [0.0] * 8, "offset": [0.0] * 8}],
    "output_range": [[[0.0]], [[0.0, 1.0]], "x", [["a"], ["b"]]],
    "accumulator": [{}, {"bits": 32, "bound": 1}, 3],
    "excess": ["x", [], {}, "1", True, 1, -0.5, 1e-9, 1.0, 1e300],
    "certificate": [{}, [], {"optimal": True}, "proof", PROOF | {"gap": 1e-6}, PROOF | {"gap": -1e-6},
                    PROOF | {"nodes": 1.0}, PROOF | {"nodes": -1}, PROOF | {"lower_bound": 1.0},
                    PROOF | {"lower_bound": 0.0}, PROOF | {"optimal": 1}, PROOF | {"more": 1}],
    "training": [[], "x", {}, {"dataset": "d"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in NONSENSE.items() for value in values]
)
def test_a_quantized_model_whose_hash_is_right_but_that_makes_no_sense_is_refused(
    originals, folder, key, value
):
    path = forged(folder, "quantized.json", originals["quantized.json"], **{key: value})
    refused(path, read_quantized)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("coefficients", [[1.0] * 7]), ("coefficients", [["x"] * 8]), ("coefficients", [[10**400] * 8]),
        ("coefficients", 1.0), ("intercept", []), ("intercept", ["x"]), ("intercept", {}),
        ("first_predictions", [[1.0, 2.0]]), ("first_predictions", 3), ("first_predictions", ["x"]),
        ("features", ["a"] * 8),
    ],
)  # fmt: skip
def test_a_float_model_whose_hash_is_right_but_that_makes_no_sense_is_refused(originals, folder, key, value):
    path = forged(folder, "float.json", originals["float.json"], **{key: value})
    refused(path, read_float)


TRAINING = [
    ("test_size", "x"), ("seed", "x"), ("sha256", 3), ("train_rows", "many"),
    ("target_spread", [0.0]), ("target_spread", [-1.0]), ("target_spread", [1.0, 2.0]),
    ("target_spread", ["x"]), ("target_spread", 1.0), ("input_range", [[0.0], [1.0]]),
    ("input_range", [[1.0] * 8, [0.0] * 8]), ("input_range", None), ("estimator", []), ("split", "odd"),
    ("split", 1), ("train_rows", 0), ("train_rows", 2.5), ("train_rows", True), ("test_rows", -1),
    ("test_size", 0), ("test_size", 0.0), ("test_size", 1.0), ("seed", 2**32), ("seed", 42.0),
    ("sha256", "0" * 63), ("sha256", "g" * 64), ("target_spread", [True]), ("more", 1),
    ("estimator", {"name": "x", "standardize": False, "estimator": {}}),
    ("estimator", {"name": "x", "standardize": 0, "estimator": {"_target_": "x"}}),
    ("estimator", {"name": "x", "standardize": False, "estimator": {"_target_": "x", "a": {}}}),
    ("estimator", {"name": "x", "standardize": False, "estimator": {"_target_": "x", "a": [[[[[1]]]]]}}),
    ("estimator", {"name": "x", "standardize": False, "estimator": {"_target_": "x"}, "before": [{}]}),
    ("estimator", {"name": "x", "standardize": False, "estimator": {"_target_": "x"}, "file": {"name": "x"}}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), TRAINING)
def test_a_training_record_that_makes_no_sense_is_refused(originals, folder, key, value):
    training = json.loads(originals["float.json"])["training"]
    path = forged(folder, "float.json", originals["float.json"], training=training | {key: value})
    refused(path, read_float)


def test_nothing_in_a_document_is_run(originals, folder):
    training = json.loads(originals["float.json"])["training"]
    estimator = {"name": "x", "standardize": False, "estimator": {"_target_": "os.abort"}}
    path = forged(folder, "float.json", originals["float.json"], training=training | {"estimator": estimator})
    read_float(path)  # still here


def test_several_targets_read_back(tmp_path):
    data = shuffled(synthetic.load(rows=60, features=3, targets=2, noise=0.1, seed=0))
    spec = {
        "name": "ols",
        "standardize": True,
        "estimator": {"_target_": "sklearn.linear_model.LinearRegression"},
    }
    made = train(data, spec).artifact
    small = quantize_model(data, made, replace(NEAREST, granularity="per_channel")).artifact
    (tmp_path / "f.json").write_bytes(encode_float(made))
    (tmp_path / "q.json").write_bytes(encode_quantized(small))
    assert meaning(read_float(tmp_path / "f.json")) == meaning(made)
    assert meaning(read_quantized(tmp_path / "q.json")) == meaning(small)
