"""The C export computes what Python computes: the same codes, accumulators and outputs, not near ones."""

import ctypes
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, Command
from hypothesis import given, settings
from hypothesis import strategies as st
from support.compiling import C99, COMPILERS, STRICT, call, compiled, library, written
from support.exporting import TRAINING, artifact, made_artifact, random_model
from support.quantizing import quantized

from mlrq.errors import MlrqError
from mlrq.export.c import export, pack
from mlrq.export.c_text import quoted
from mlrq.export.fixed_point import fixed_point
from mlrq.export.golden import edge_codes, edge_rows, random_codes, random_rows
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear

ROWS = 10_000


def exact_outputs(model: QuantizedLinear, accumulators: np.ndarray) -> list[list[int]]:
    """Outputs by their definition, in fractions."""
    exponents, result = fixed_point(model).exponents, []
    for line in accumulators.tolist():
        result.append([])
        for target, total in enumerate(line):
            value = total * Fraction(float(model.scale[target]))
            if model.output_range is not None:
                low, high = (Fraction(float(end)) for end in model.output_range[:, target])
                value = min(max(value, low), high)
            value /= Fraction(2) ** exponents[target]
            whole = int(abs(value) + Fraction(1, 2))  # the nearest, ties away from zero
            result[-1].append(min(whole, 2**31 - 1) * (-1 if value < 0 else 1))
    return result


def saturated_by_definition(inputs: InputGrid, rows: np.ndarray) -> np.ndarray:
    """How many features of each row have no code within half a step, ties to even; NaN has none."""
    with np.errstate(over="ignore", invalid="ignore"):
        codes = np.rint((rows - inputs.offset) / inputs.scale)
        return (~((codes >= inputs.low) & (codes <= inputs.high))).sum(axis=1)


def agrees(loaded: ctypes.CDLL, prefix: str, model: QuantizedLinear, rows: np.ndarray, codes: np.ndarray):
    """Hold that C gives Python's integers and floats for float32 `rows` and for input `codes`."""
    fixed, inputs = fixed_point(model), model.inputs
    kind = np.dtype(f"int{inputs.bits}")
    found_inputs = np.empty(rows.shape, dtype=kind)
    predictions = np.empty((len(rows), len(model.targets)), dtype=np.float32)
    saturated = np.empty(len(rows), dtype=np.intc)
    call(loaded[f"{prefix}_rows_batch"], rows, found_inputs, predictions, saturated)
    with np.errstate(over="ignore", under="ignore"):
        wide = rows.astype(np.float64)
        expected = model.predict(wide)
    assert (found_inputs == inputs.encode(wide)).all()
    assert (predictions.astype(np.float64) == expected).all()
    assert (saturated == saturated_by_definition(inputs, rows)).all()

    given_codes = np.concatenate([codes.astype(kind), found_inputs])
    accumulators = np.empty((len(given_codes), len(model.targets)), dtype=f"int{fixed.accumulator_bits}")
    outputs = np.empty(accumulators.shape, dtype=np.int32)
    call(loaded[f"{prefix}_codes_batch"], given_codes, accumulators, outputs)
    assert accumulators.dtype == model.accumulators(given_codes).dtype
    assert (accumulators == model.accumulators(given_codes)).all()
    assert (outputs == fixed.outputs(accumulators)).all()
    some = np.r_[0 : min(len(codes), 60), len(codes) : min(len(codes) + 60, len(given_codes))]
    assert outputs[some].tolist() == exact_outputs(model, accumulators[some])


@pytest.mark.few(2)
@pytest.mark.parametrize("bits", [4, 16, 2, 3, *range(5, 16)])
def test_ten_thousand_rows_and_every_edge_are_the_same_in_c(tmp_path, bits):
    rng = np.random.default_rng(bits)
    models = {}
    for input_bits in (8, 16):
        for scheme in ("symmetric", "affine"):
            for targets in (1, 3):
                model = random_model(
                    rng,
                    bits=bits,
                    input_bits=input_bits,
                    scheme=scheme,
                    targets=targets,
                    clamped=targets == 3,
                )
                models[f"m{len(models)}"] = (model, False)
                models[f"m{len(models)}"] = (model, True)
    loaded = library(tmp_path, models)
    for prefix, (model, _) in models.items():
        rows = np.concatenate([edge_rows(model.inputs), random_rows(model.inputs, ROWS)])
        codes = np.concatenate([edge_codes(model, model.inputs), random_codes(model, model.inputs, ROWS)])
        agrees(loaded, prefix, model, rows, codes)


@st.composite
def models(draw):
    """A model of integer inputs, from everyday to absurd."""
    scheme = draw(st.sampled_from(["symmetric", "affine"]))
    made = random_model(
        np.random.default_rng(draw(st.integers(0, 2**32))),
        bits=draw(st.integers(2, 16)),
        input_bits=draw(st.sampled_from([8, 16])),
        scheme=scheme,
        targets=draw(st.integers(1, 4)),
        features=draw(st.integers(1, 40)),
        clamped=draw(st.booleans()),
        intercept=2 ** draw(st.integers(0, 61)),
        power=draw(st.integers(-125, 127)),
    )
    count, half = made.codes.shape[1], 1 << (made.bits - 1)
    if draw(st.booleans()):
        scale = draw(st.floats(2**-149, 2.0**127, width=32, allow_subnormal=True))
        offset = draw(st.floats(allow_nan=False, allow_infinity=False, width=32))
        grid = InputGrid(
            made.inputs.bits, np.full(count, scale, np.float32), np.full(count, offset, np.float32)
        )
        made = replace(made, inputs=grid)
    if draw(st.booleans()):
        row = draw(st.lists(st.integers(-half, half - 1), min_size=count, max_size=count))
        made = replace(made, codes=np.array([row] * len(made.targets), dtype=np.int32))
    return made


@given(
    several=st.lists(st.tuples(models(), st.booleans()), min_size=1, max_size=4),
    cells=st.lists(st.floats(width=32), min_size=1, max_size=40),
)
@settings(max_examples=30, deadline=None)
@pytest.mark.slow
def test_any_model_gives_the_same_for_any_input(tmp_path_factory, several, cells):
    named = {f"any{index}": pair for index, pair in enumerate(several)}
    loaded = library(tmp_path_factory.mktemp("any"), named, "-O0")
    for prefix, (model, _) in named.items():
        width = len(model.features)
        given_rows = np.resize(np.array(cells, dtype=np.float32), (len(cells), width))
        rows = np.concatenate([given_rows, edge_rows(model.inputs), random_rows(model.inputs, 50)])
        codes = np.concatenate([edge_codes(model, model.inputs), random_codes(model, model.inputs, 50)])
        agrees(loaded, prefix, model, rows, codes)


@pytest.mark.parametrize("language", COMPILERS)
def test_it_compiles_without_a_warning_and_passes_its_own_test(tmp_path, language):
    rng = np.random.default_rng(1)
    for prefix, packed, bits, input_bits in (("a", False, 8, 8), ("b_2", True, 5, 16), ("C", True, 16, 16)):
        model = random_model(
            rng, bits=bits, input_bits=input_bits, scheme="affine", targets=2, clamped=packed
        )
        files = written(tmp_path, model, prefix=prefix, packed=packed)
        for flags in ((), (f"-D{prefix.upper()}_NO_FLOAT",)):
            compiled(tmp_path, *COMPILERS[language], *STRICT, "-O2", *flags, *files, "-o", "self_test")
            done = subprocess.run([tmp_path / "self_test"], capture_output=True, text=True)
            assert (done.returncode, done.stdout) == (0, f"{prefix}_self_test: 0 differ from Python\n")


@pytest.mark.parametrize(
    ("what", "wrong"),
    [("accumulators", 1), ("outputs", 1), ("row_inputs", 1), ("row_saturated", 2), ("predictions", 1)],
)
def test_the_self_test_sees_a_wrong_number(tmp_path, what, wrong):
    files = written(tmp_path, random_model(np.random.default_rng(2)), prefix="m")
    path = tmp_path / "m_self_test.c"
    before, rest = path.read_text().split(f"{what}[", 1)
    row = rest.index("= {\n    ") + 8
    row += rest[row] == "{"
    path.write_text(f"{before}{what}[{rest[:row]}1 + {rest[row:]}")
    compiled(tmp_path, *C99, *files, "-o", "self_test")
    done = subprocess.run([tmp_path / "self_test"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, f"m_self_test: {wrong} differ from Python\n")


def test_nothing_it_does_is_undefined(tmp_path):
    rng, files, calls = np.random.default_rng(3), [], []
    for index, (bits, inputs, intercept) in enumerate([(2, 8, 1), (8, 8, 2**30), (16, 16, 2**61)]):
        for packed in (False, True):
            prefix = f"m{index}{'p' * packed}"
            model = random_model(
                rng, bits=bits, input_bits=inputs, scheme="affine", clamped=packed, intercept=intercept
            )
            files += written(tmp_path, model, prefix=prefix, packed=packed)
            calls.append(prefix)
    text = "".join(f"unsigned long {name}_self_test(void);\n" for name in calls)
    sums = " + ".join(f"{name}_self_test()" for name in calls)
    (tmp_path / "main.c").write_text(f"{text}int main(void) {{ return {sums} != 0; }}\n")
    silent = [f"-D{name.upper()}_NO_MAIN" for name in calls]
    sanitized = ("-fsanitize=undefined,address", "-fno-sanitize-recover=all")
    compiled(tmp_path, *C99, *sanitized, *silent, *files, "main.c", "-o", "all")
    compiled(tmp_path, tmp_path / "all")


def test_the_integer_path_needs_stdint_and_no_function(tmp_path):
    written(tmp_path, random_model(np.random.default_rng(4), targets=2, clamped=True), prefix="m")
    text = (tmp_path / "m.h").read_text() + (tmp_path / "m.c").read_text().split("#ifndef M_NO_FLOAT")[0]
    assert [line for line in text.splitlines() if line.startswith("#include <")] == ["#include <stdint.h>"]
    compiled(tmp_path, *C99, "-c", "-O2", "-DM_NO_FLOAT", "-ffreestanding", "m.c", "-o", "m.o")
    symbols = subprocess.run(["nm", "m.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1] for line in symbols.splitlines() if line.split()[-2] in "TU"}
    assert names == {"m_infer", "m_accumulate"}


@pytest.mark.parametrize("flag", ["-ffast-math", "-ffinite-math-only"])
def test_fast_math_is_refused_by_the_code_itself(tmp_path, flag):
    written(tmp_path, random_model(np.random.default_rng(5)), prefix="m")
    compiled(tmp_path, *C99, flag, "-DM_NO_FLOAT", "-c", "m.c")
    done = subprocess.run([*C99, flag, "-c", "m.c"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "compile without -ffast-math, or define M_NO_FLOAT" in done.stderr


def test_california_housing_is_the_same_on_every_row(tmp_path, data, parts):
    california = {
        "w8a8": quantized(data, inputs="int8"),
        "w4a8": quantized(data, inputs="int8", bits=4, output_range="train"),
        "w16a16": quantized(data, inputs="int16", bits=16, scheme="affine", rounding="nearest"),
    }
    rows = np.concatenate([parts.train_rows, parts.test_rows]).astype(np.float32)
    assert len(rows) == 20_640
    loaded = library(tmp_path, {name: (made.model, True) for name, made in california.items()})
    for name, made in california.items():
        agrees(loaded, name, made.model, rows, made.model.inputs.encode(rows.astype(np.float64)))


def test_fixed_point_is_as_fine_as_int32_allows():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        bits = int(rng.integers(2, 17))
        model = random_model(rng, bits=bits, input_bits=16, intercept=2 ** int(rng.integers(0, 61)))
        fixed = fixed_point(model)
        assert all(2**30 <= multiplier < 2**31 for multiplier in fixed.multipliers)
        scale = fixed.multipliers[0] * Fraction(2) ** (fixed.exponents[0] - fixed.shift)
        assert scale == Fraction(float(model.scale[0]))
        ends = np.array([[fixed.bounds[0]], [-fixed.bounds[0]]])
        largest, least = fixed.outputs(ends)[:, 0].tolist()
        assert largest == -least
        assert largest >= 2**28
        floor = 1 if fixed.accumulator_bits == 32 else 31
        assert fixed.shift == floor or 2 * largest >= 2**31 - 2


def test_ties_go_away_from_zero():
    model = random_model(np.random.default_rng(6), power=0)
    model = replace(model, scale=np.array([1.0], dtype=np.float32), output_range=None)
    fixed = replace(fixed_point(model), multipliers=(2**30,), shift=31)
    assert fixed.outputs(np.array([[1], [-1], [3], [-3], [2]]))[:, 0].tolist() == [1, -1, 2, -2, 1]
    wide = replace(fixed, accumulator_bits=64)
    assert wide.outputs(np.array([[1], [-1], [3], [-3], [2]]))[:, 0].tolist() == [1, -1, 2, -2, 1]


@pytest.mark.parametrize("bits", range(2, 17))
def test_packed_codes_take_their_own_bits_and_read_back(bits):
    half = 1 << (bits - 1)
    codes = [-half, half - 1, 0, -1, 1, *np.random.default_rng(bits).integers(-half, half, 20).tolist()]
    packed = pack(codes, bits)
    assert len(packed) == -(-len(codes) * bits // 8)
    stream = "".join(f"{byte:08b}"[::-1] for byte in packed)
    fields = [int(stream[start : start + bits][::-1], 2) for start in range(0, len(codes) * bits, bits)]
    assert [field - 2 * half * (field >= half) for field in fields] == codes


def test_the_accumulator_is_as_wide_as_the_bound_asks():
    small = random_model(np.random.default_rng(7), intercept=1)
    room = 2**31 - 1 - fixed_point(replace(small, intercept=np.array([0]))).bounds[0]
    for intercept, bits in ((room, 32), (room + 1, 64), (-room, 32), (-room - 1, 64)):
        model = replace(small, intercept=np.array([intercept]))
        assert fixed_point(model).accumulator_bits == bits == model.accumulator_bits
        assert f"typedef int{bits}_t mlrq_accumulator;" in export(artifact(model))["mlrq.h"]


def refused(model: QuantizedLinear, *words: str, **options: object) -> None:
    with pytest.raises(MlrqError) as caught:
        export(artifact(model), **options)
    for word in words:
        assert word in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_accumulator_that_could_overflow_is_refused():
    model = random_model(np.random.default_rng(8))
    refused(replace(model, intercept=np.array([2**62])), "'y0'", "overflows 64 bits", "quantization.bits")
    refused(replace(model, intercept=np.array([-(2**62)])), "overflows 64 bits")


def test_float_inputs_are_refused_with_the_override_that_helps(data):
    refused(quantized(data).model, "float inputs", "quantization.inputs=int8")


def test_codes_wider_than_their_bits_are_refused():
    refused(replace(random_model(np.random.default_rng(9)), bits=4), "-8 .. 7")


@pytest.mark.parametrize(
    ("prefix", "word"),
    [
        *(
            (bad, "identifier")
            for bad in ("", "1a", "_a", "a__b", "a_", "a-b", "a b", "é", "a\n", "../a", "a.c")
        ),
        *((bad, "word of C") for bad in ("int", "class", "restrict", "constexpr")),
        *((bad, "standard header") for bad in ("stdint", "STDINT", "string")),
        ("a" * 21, "longer than 20"),
    ],
)
def test_a_prefix_that_is_no_identifier_is_refused(prefix, word):
    refused(random_model(np.random.default_rng(10)), word, prefix=prefix)


NASTY = [
    "*/ int x; /*",
    "a\\",
    "??/",
    "*??//",
    "a\nb\r\x85\u2028",
    "Größe ☃ 🎈",
    '"quote" \x00\x07\x7f',
    "@SUM@ mlrq_sum MLRQ_H %s {}",
    "*/" * 60 + "long",
    "\ud800",
]


@pytest.mark.parametrize("language", ["gcc", "c++"])
def test_any_name_is_safe_in_a_comment(tmp_path, language):
    model = random_model(np.random.default_rng(11), features=len(NASTY), targets=len(NASTY))
    model = replace(model, features=tuple(NASTY), targets=tuple(NASTY[::-1]))
    training = replace(
        TRAINING,
        dataset=NASTY[0],
        source=NASTY[2],
        estimator={"name": NASTY[3]},
    )
    files = export(replace(artifact(model), training=training), prefix="m", packed=True)
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="ascii")
    sources = [name for name in files if name.endswith(".c")]
    compiled(tmp_path, *COMPILERS[language], "-trigraphs", *STRICT, *sources, "-o", "self_test")
    compiled(tmp_path, tmp_path / "self_test")


def test_a_name_in_a_comment_is_json_and_reads_back():
    import json

    assert [json.loads(quoted(name)) for name in NASTY] == NASTY
    assert quoted("MedInc") == '"MedInc"'


def test_the_same_model_gives_the_same_bytes_and_another_prefix_only_other_names(data):
    made = made_artifact(quantized(data, inputs="int8"))
    first, again = export(made), export(made)
    assert first == again
    other = export(made, prefix="house")
    assert set(other) == {"house.h", "house.c", "house_self_test.c"}
    for name, text in first.items():
        renamed = text.replace("mlrq_", "house_").replace("MLRQ_", "HOUSE_").replace('"mlrq.h"', '"house.h"')
        assert other[name.replace("mlrq", "house")] == renamed


def test_exporting_imports_neither_hydra_nor_scikit_learn(tmp_path):
    above = {"hydra", "omegaconf", "sklearn", "scipy"}
    code = f"import sys, mlrq.export.c; print(sorted({above} & set(sys.modules)))"
    done = Command(tmp_path).python(code)
    assert (done.code, done.out) == (0, "[]\n"), done.err


SIZE = PROJECT / "microcontroller" / "size.py"


def size(folder: Path, *options: object, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = None if path is None else {"PATH": path}
    command = [sys.executable, SIZE, folder, *options]
    return subprocess.run([str(item) for item in command], capture_output=True, text=True, env=environment)


@pytest.fixture
def w8a8(tmp_path, data) -> Path:
    """The C export of California Housing with 8-bit codes and inputs, with 500 more golden vectors."""
    for name, text in export(made_artifact(quantized(data, inputs="int8")), vectors=500).items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="gcc-arm-none-eabi is not installed")
def test_the_integer_path_takes_at_most_400_bytes_of_a_cortex_m0(w8a8):
    done = size(w8a8, "--at-most", 400)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if "integer path" in line)
    text, data = map(int, line.split()[-4:-2])
    assert 100 < text <= 400
    assert data == 0
    tight = size(w8a8, "--at-most", text - 1)
    assert tight.returncode == 1
    assert (
        tight.stderr
        == f"size: the integer path takes {text} bytes of text, and at most {text - 1} are allowed\n"
    )


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None,
    reason="gcc-arm-none-eabi or qemu-system-arm is not installed",
)
def test_an_emulated_cortex_m0_computes_the_same_integers(w8a8, tmp_path_factory):
    wide = tmp_path_factory.mktemp("wide")
    options = {"bits": 13, "input_bits": 16, "scheme": "affine", "targets": 3, "intercept": 2**50}
    written(wide, random_model(np.random.default_rng(12), clamped=True, **options), prefix="w", packed=True)
    for folder in (w8a8, wide):
        done = size(folder)
        assert done.returncode == 0, done.stderr
        assert "self-test on the emulated core: every number is Python's" in done.stdout
    path = w8a8 / "mlrq_self_test.c"
    before, rest = path.read_text().split("outputs[MLRQ_VECTORS]", 1)
    path.write_text(f"{before}outputs[MLRQ_VECTORS]{rest.replace('    {', '    {1 + ', 1)}")
    done = size(w8a8)
    assert done.returncode == 1
    assert done.stderr == "size: self-test on the emulated core: 1 numbers differ from Python's\n"


def test_without_the_compiler_one_line_says_what_is_missing(tmp_path):
    done = size(tmp_path, path=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert "arm-none-eabi-gcc is not installed" in done.stdout
