"""The ends of an interval in C and in ONNX: the numbers of Python, `==`, at the ends of all grids too."""

import json
import subprocess
from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.columns import feeds, rentals, trained
from support.compiling import C99, COMPILERS, STRICT, compiled, library, written
from support.exporting import TRAINING, artifact, random_model
from support.streams import ROWS, VALUES

import mlrq
from mlrq.errors import MlrqError
from mlrq.export import carried
from mlrq.export.c import export as export_c
from mlrq.export.fixed_point import ACCUMULATOR_LIMIT, fixed_point
from mlrq.export.golden import edge_codes, edge_rows, random_codes, random_rows
from mlrq.quantization.model import Interval

onnxruntime = pytest.importorskip("onnxruntime")

BATCH = """
void mlrq_ends_batch(long rows, const mlrq_input *inputs, int32_t *low, int32_t *high);
void mlrq_floats_batch(long rows, const float *features, float *low, float *high);
void mlrq_ends_batch(long rows, const mlrq_input *inputs, int32_t *low, int32_t *high)
{
    while (rows--) {
        mlrq_accumulator accumulators[MLRQ_TARGETS];

        mlrq_accumulate(inputs, accumulators);
        mlrq_interval(accumulators, low, high);
        inputs += MLRQ_FEATURES, low += MLRQ_TARGETS, high += MLRQ_TARGETS;
    }
}
void mlrq_floats_batch(long rows, const float *features, float *low, float *high)
{
    while (rows--) {
        mlrq_input inputs[MLRQ_FEATURES];
        mlrq_accumulator accumulators[MLRQ_TARGETS];

        mlrq_quantize(features, inputs);
        mlrq_accumulate(inputs, accumulators);
        mlrq_interval_f(accumulators, low, high);
        features += MLRQ_FEATURES, low += MLRQ_TARGETS, high += MLRQ_TARGETS;
    }
}
"""


def with_interval(model, half_width):
    return replace(
        model, interval=Interval(0.9, np.broadcast_to(np.int64(half_width), (len(model.targets),)))
    )


def rows_and_codes(model, count=300):
    rows = np.concatenate([edge_rows(model.inputs), random_rows(model.inputs, count)])
    codes = np.concatenate([edge_codes(model, model.inputs), random_codes(model, model.inputs, count)])
    return rows, codes


def exact(model, sums):
    """Outputs by their definition, in fractions: to nearest, ties away from zero."""
    found = []
    for line in sums.tolist():
        pairs = zip(line, model.scale.tolist(), fixed_point(model).exponents, strict=True)
        values = [total * Fraction(scale) / Fraction(2) ** exponent for total, scale, exponent in pairs]
        found.append([int(abs(value) + Fraction(1, 2)) * (-1 if value < 0 else 1) for value in values])
    return found


def agrees_in_c(loaded, prefix, model):
    rows, codes = rows_and_codes(model)
    shape = len(rows), len(model.targets)
    low, high = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
    call(loaded[f"{prefix}_floats_batch"], rows, low, high)
    with np.errstate(over="ignore"):
        expected = model.ends(rows.astype(np.float64))
    for ours, theirs in zip((low, high), expected, strict=True):
        assert np.array_equal(ours.astype(np.float64), theirs)
    codes = codes.astype(f"int{model.inputs.bits}")
    low, high = (np.empty((len(codes), shape[1]), dtype=np.int32) for _ in range(2))
    call(loaded[f"{prefix}_ends_batch"], codes, low, high)
    sums, half = model.accumulators(codes).astype(np.int64), model.interval.half_width
    assert low.tolist() == exact(model, sums - half)
    assert high.tolist() == exact(model, sums + half)


def agrees_in_onnx(model, rows):
    from mlrq.export.onnx import export

    session = onnxruntime.InferenceSession(export(artifact(model)), providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()][1:] == ["low", "high"]
    middle, low, high = session.run(None, {"features": rows})
    wide = rows.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = (model.predict(wide), *model.ends(wide))
    for ours, theirs in zip((middle, low, high), expected, strict=True):
        assert np.array_equal(ours.astype(np.float64), theirs)


def call(function, first, *others):
    import ctypes

    arrays = [np.ascontiguousarray(first), *others]
    function(ctypes.c_long(len(first)), *(ctypes.c_void_p(one.ctypes.data) for one in arrays))


CASES = [
    pytest.param(bits, input_bits, targets, half_width, id=f"w{bits}a{input_bits}-{targets}-{half_width}")
    for bits, input_bits in ((8, 8), (4, 16), (16, 16))
    for targets in (1, 3)
    for half_width in (0, 1, 12_345, 2**31 - 1, 2**40)
]


def made_of(bits, input_bits, targets, half_width, seed=0):
    made = random_model(np.random.default_rng(seed), bits=bits, input_bits=input_bits, targets=targets)
    return with_interval(made, half_width)


def test_c_gives_the_ends_of_python_packed_or_not_of_one_target_and_of_three(tmp_path):
    models = {}
    for index, case in enumerate(CASES):
        models |= {f"m{index}": (made_of(*case.values), False), f"p{index}": (made_of(*case.values), True)}
    loaded = library(tmp_path, models, "-O2", BATCH)
    for prefix, (model, _) in models.items():
        agrees_in_c(loaded, prefix, model)


@pytest.mark.parametrize(("bits", "input_bits", "targets", "half_width"), CASES)
def test_onnx_runtime_gives_the_ends_of_python(bits, input_bits, targets, half_width):
    model = made_of(bits, input_bits, targets, half_width)
    agrees_in_onnx(model, rows_and_codes(model)[0])


def test_at_the_ends_of_the_grids_nothing_saturates_or_wraps(tmp_path):
    """An end beyond what 32 bits hold widens the accumulator; one beyond 2^62 is refused."""
    plain = made_of(8, 8, 1, 0)
    most = max(fixed_point(plain).bounds)
    last = with_interval(plain, 2**31 - 1 - most)
    first = with_interval(plain, 2**31 - most)
    far = with_interval(plain, ACCUMULATOR_LIMIT - 1 - most)
    assert [fixed_point(one).accumulator_bits for one in (plain, last, first, far)] == [32, 32, 64, 64]
    assert [one.accumulator_bits for one in (plain, last, first, far)] == [32, 32, 64, 64]
    loaded = library(
        tmp_path, {"last": (last, False), "first": (first, True), "far": (far, False)}, "-O2", BATCH
    )
    for prefix, model in (("last", last), ("first", first), ("far", far)):
        agrees_in_c(loaded, prefix, model)
        agrees_in_onnx(model, rows_and_codes(model)[0])
    with pytest.raises(MlrqError, match="which overflows 64 bits"):
        export_c(artifact(with_interval(plain, ACCUMULATOR_LIMIT - most)))


@given(
    seed=st.integers(0, 2**32),
    bits=st.integers(2, 16),
    input_bits=st.sampled_from([8, 16]),
    targets=st.integers(1, 4),
    half_width=st.integers(0, 2**60),
    packed=st.booleans(),
)
@settings(max_examples=25, deadline=None)
@pytest.mark.slow
def test_any_interval_is_the_same_in_python_c_and_onnx(
    tmp_path_factory, seed, bits, input_bits, targets, half_width, packed
):
    model = made_of(bits, input_bits, targets, half_width, seed)
    agrees_in_c(library(tmp_path_factory.mktemp("any"), {"any": (model, packed)}, "-O1", BATCH), "any", model)
    agrees_in_onnx(model, rows_and_codes(model)[0])


@pytest.mark.parametrize("language", COMPILERS)
def test_it_compiles_without_a_warning_and_passes_its_own_test(tmp_path, language):
    for prefix, packed, half_width in (("a", False, 77), ("b", True, 2**40)):
        files = written(tmp_path, made_of(8, 8, 3, half_width), prefix=prefix, packed=packed)
        for flags in ((), (f"-D{prefix.upper()}_NO_FLOAT",)):
            compiled(tmp_path, *COMPILERS[language], *STRICT, "-O2", *flags, *files, "-o", "self_test")
            done = subprocess.run([tmp_path / "self_test"], capture_output=True, text=True)
            assert (done.returncode, done.stdout) == (0, f"{prefix}_self_test: 0 differ from Python\n")


@pytest.mark.parametrize("number", ["half_width", "vector_low", "vector_high", "row_low", "row_high"])
def test_the_self_test_sees_a_wrong_end(tmp_path, number):
    files = export_c(artifact(made_of(8, 8, 1, 77)))
    for name, text in files.items():
        head, found, rest = text.partition(f"mlrq_{number}[MLRQ_")
        place = rest.index("= {") + 3 if found else 0
        broken = rest[:place] + rest[place:].replace("7", "6", 1) if found else rest
        (tmp_path / name).write_text(head + found + broken)
    compiled(tmp_path, *C99, "mlrq.c", "mlrq_self_test.c", "-o", "self_test")
    assert subprocess.run([tmp_path / "self_test"], capture_output=True).returncode == 1


def test_without_an_interval_nothing_of_it_is_written():
    for text in export_c(artifact(random_model(np.random.default_rng(0)))).values():
        assert "interval" not in text
        assert "half_width" not in text


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("inputs", ["float", "int8", "int16"])
def test_a_model_of_data_gives_the_same_ends_in_all(tmp_path, inputs, targets):
    values = VALUES[:, :targets]
    model = mlrq.quantize("linear_regression", ROWS, values, bits=5, inputs=inputs, interval=0.9)
    low, high = (one.reshape(len(ROWS), -1) for one in model.predict_interval(ROWS))
    path = model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kind = np.float64 if inputs == "float" else np.float32
    found = session.run(["low", "high"], {"features": ROWS.astype(kind)})
    assert np.array_equal(found[0].astype(np.float64), low)
    assert np.array_equal(found[1].astype(np.float64), high)
    properties = {one.key: one.value for one in onnx.load(path).metadata_props}
    assert json.loads(properties["interval"]) == {"level": 0.9}
    assert carried.faults("model.onnx", path.read_bytes(), model.artifact) == []
    if inputs == "float":
        return
    loaded = library(tmp_path, {"m": (model.artifact.model, targets == 2)}, "-O2", BATCH)
    ends = [np.empty(low.shape, dtype=np.float32) for _ in range(2)]
    call(loaded["m_floats_batch"], ROWS.astype(np.float32), *ends)
    assert np.array_equal(ends[0].astype(np.float64), low)
    assert np.array_equal(ends[1].astype(np.float64), high)


def test_verify_sees_an_export_with_another_half_width(tmp_path):
    model = mlrq.quantize("linear_regression", ROWS, VALUES[:, 0], bits=5, inputs="int8", interval=0.9)
    other = replace(
        model.artifact.model, interval=replace(model.artifact.model.interval, half_width=np.array([9]))
    )
    texts = export_c(model.artifact)
    assert [carried.faults(name, text.encode(), model.artifact) for name, text in texts.items()] == [
        [],
        [],
        [],
    ]
    wrong = replace(model.artifact, model=other)
    assert "half_width" in carried.faults("mlrq.c", texts["mlrq.c"].encode(), wrong)
    path = model.to_onnx(tmp_path / "model.onnx")
    assert "half_width" in carried.faults("model.onnx", path.read_bytes(), wrong)


def test_of_the_columns_of_a_table_c_and_onnx_have_the_ends_too(tmp_path):
    frame = rentals(2000)
    model = trained(frame, columns={"postal code": "categorical"}, bits=8, interval=0.9)
    files = model.to_c(tmp_path)
    compiled(tmp_path, *C99, *STRICT, "-O1", *[one for one in files if one.suffix == ".c"], "-o", "self_test")
    assert subprocess.run([tmp_path / "self_test"], capture_output=True).returncode == 0
    assert "mlrq_accumulate_cells" in (tmp_path / "mlrq.h").read_text()
    path = model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    properties = {one.key: one.value for one in onnx.load(path).metadata_props}
    rows = rentals(500, seed=1)
    found = session.run(["low", "high"], feeds(json.loads(properties["inputs"]), rows))
    for ours, theirs in zip(found, model.predict_interval(rows), strict=True):
        assert np.array_equal(ours[:, 0].astype(np.float64), theirs)
    for name in ("mlrq.h", "mlrq.c"):
        assert carried.faults(name, (tmp_path / name).read_bytes(), model.artifact) == []
    assert carried.faults("model.onnx", path.read_bytes(), model.artifact) == []


def test_a_target_called_low_keeps_the_names_of_the_outputs(tmp_path):
    model = replace(made_of(8, 8, 1, 5), targets=("low",))
    agrees_in_onnx(model, rows_and_codes(model)[0])
    assert TRAINING.columns is None
