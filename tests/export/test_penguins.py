"""A real table with categories, dates and holes: from its CSV on, all forms of a model predict the same."""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pandas
import pytest
from conftest import PROJECT
from support.columns import Table, by_pandas, feeds, members, places

import mlrq
from mlrq.artifacts.documents import read_quantized

RAW = PROJECT / "tests" / "data" / "penguins_raw.csv.gz"
SHA256 = "144f623143c9360fd77322a4f86acb06dc198814dbd2669724c63e6457b907bd"
TARGET = "Body Mass (g)"
DROPPED = ("Region", "Stage", "Individual ID", "Date Egg", "Comments", "Sample Number")
WANTED = (
    "dataset=csv", "dataset.path=penguins.csv", f'dataset.target="{TARGET}"', "dataset.missing_values=[NA]",
)  # fmt: skip
COLUMNS = f"dataset.columns={{{', '.join(f'{name}: drop' for name in DROPPED)}, Clutch Completion: boolean}}"
SETTINGS = (
    "dataset.missing=indicator",
    "quantization.inputs=int8",
    "quantization.bits=4",
    "quantization.certificate=true",
)


def table(text: str) -> pandas.DataFrame:
    """The cells of a CSV file as pandas reads them; numbers as Python does."""
    frame = pandas.read_csv(io.StringIO(text), na_values=["NA"], keep_default_na=False, dtype=str)
    for name in frame:
        if name == TARGET or "(" in name:
            frame[name] = frame[name].map(float, na_action="ignore").astype(float)
    return frame.assign(**{"Clutch Completion": frame["Clutch Completion"].map({"Yes": True, "No": False})})


@pytest.fixture(scope="module")
def whole() -> str:
    """The file as the package has it."""
    content = gzip.decompress(RAW.read_bytes())
    assert hashlib.sha256(content).hexdigest() == SHA256
    return content.decode()


@pytest.fixture(scope="module")
def weighed(whole) -> str:
    """Without the two penguins that nobody weighed."""
    header, *lines = whole.splitlines(keepends=True)
    place = header.split(",").index(TARGET)
    kept = [line for line in lines if line.replace('"Adult, 1 Egg Stage"', "Adult").split(",")[place] != "NA"]
    assert (len(lines), len(kept)) == (344, 342)
    return header + "".join(kept)


def test_what_is_no_feature_is_refused_by_name_with_a_way_out(run, tmp_path, whole):
    (tmp_path / "penguins.csv").write_text(whole)
    for more, said in (
        ((COLUMNS,), "column 'Delta 15 N (o/oo)': is missing: dataset.missing="),
        (("dataset.missing=mean",), "constant feature in the training rows: 'Region' (always 'Anvers')"),
        ((COLUMNS, "dataset.missing=mean"), f"line 5, column '{TARGET}': is missing: dataset.missing=drop"),
    ):
        done = run(*WANTED, *more)
        assert done.code == 1
        assert said in done.err
    done = run(*WANTED, COLUMNS, "dataset.missing=drop")
    assert done.code == 0, done.err
    complete = table(whole).drop(columns=[*DROPPED]).dropna()
    assert f"{344 - len(complete)} of 344 rows dropped" in done.err


@pytest.fixture
def trained(run, tmp_path, weighed) -> pandas.DataFrame:
    """A folder in which a model was trained, and the table."""
    (tmp_path / "penguins.csv").write_text(weighed)
    done = run(*WANTED, COLUMNS, *SETTINGS)
    assert done.code == 0, done.err
    return table(weighed)


def in_python(run, tmp_path) -> list[float]:
    done = run("predict", "predict.input=penguins.csv")
    assert done.code == 0, done.err
    return list(map(float, done.out.splitlines()[1:]))


@pytest.mark.slow
def test_from_csv_on_python_c_and_onnx_predict_the_same(run, trained, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    import onnx
    from onnx.reference import ReferenceEvaluator

    expected = in_python(run, tmp_path)
    assert len(expected) == 342
    model = mlrq.load(tmp_path / "outputs")
    assert by_pandas(model, trained)[:, 0].astype(float).tolist() == expected
    for kind in ("c", "onnx"):
        assert run("export", f"export={kind}").code == 0
    done = run("verify")
    assert done.out.startswith("PROVEN\n"), done.out
    assert (
        "export/mlrq.c, export/mlrq.h, export/mlrq_self_test.c, export/model.onnx carry this model"
        in done.out
    )
    (tmp_path / "c").mkdir()
    compiled = Table(model.artifact, tmp_path / "c")
    made, _, _ = compiled.predict(places(compiled.header, trained))
    assert made[:, 0].astype(float).tolist() == expected
    path = tmp_path / "outputs/export/model.onnx"
    running = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = feeds(json.loads(running.get_modelmeta().custom_metadata_map["inputs"]), trained)
    assert running.run(None, given)[0][:, 0].astype(float).tolist() == expected
    assert ReferenceEvaluator(onnx.load(path)).run(None, given)[0][:, 0].astype(float).tolist() == expected


ON_THE_CORE = """
#include "mlrq.h"
static const uint32_t numbers[][@NUMBERS@] = {@FLOATS@};
static const uint8_t values[][@LOOKUPS@] = {@VALUES@};
static const uint32_t expected[] = {@EXPECTED@};
static float real(uint32_t bits)
{
    union { uint32_t bits; float value; } both;
    both.bits = bits;
    return both.value;
}
unsigned long mlrq_self_test(void);
unsigned long mlrq_self_test(void)
{
    unsigned long wrong = 0;
    uint32_t row;
    for (row = 0; row < @ROWS@u; row++) {
        mlrq_columns columns;
        float prediction;
@SET@
        mlrq_predict_columns(&columns, &prediction);
        wrong += !(prediction == real(expected[row]));
    }
    return wrong;
}
"""


def braces(rows: np.ndarray) -> str:
    return ", ".join("{" + ", ".join(map(str, row)) + "}" for row in rows.tolist())


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None,
    reason="gcc-arm-none-eabi or qemu-system-arm is not installed",
)
def test_an_emulated_cortex_m0_predicts_the_same_of_every_penguin(run, trained, tmp_path):
    expected = np.array(in_python(run, tmp_path), dtype=np.float32)
    assert run("export").code == 0
    folder = tmp_path / "outputs/export"
    header = (folder / "mlrq.h").read_text()
    cells, kinds = places(header, trained), members(header)
    floats = [one for one, (kind, _, _) in zip(cells, kinds, strict=True) if kind == "float"]
    others = [one for one, (kind, _, _) in zip(cells, kinds, strict=True) if kind != "float"]
    text, counts = "", {True: 0, False: 0}
    for kind, name, _ in kinds:
        number = kind == "float"
        place = counts[number]
        source = f"real(numbers[row][{place}])" if number else f"({kind})values[row][{place}]"
        text += f"        columns.{name} = {source};\n"
        counts[number] += 1
    marks = {
        "NUMBERS": len(floats), "LOOKUPS": len(others), "ROWS": len(trained), "SET": text,
        "FLOATS": braces(np.stack(floats, axis=1).view(np.uint32)),
        "VALUES": braces(np.stack(others, axis=1)),
        "EXPECTED": ", ".join(map(str, expected.view(np.uint32).tolist())),
    }  # fmt: skip
    pieces = ON_THE_CORE.split("@")
    program = "".join(str(marks[piece]) if place % 2 else piece for place, piece in enumerate(pieces))
    for change, said in (("", "every number is Python's"), ("1 + ", "1 numbers differ from Python's")):
        (folder / "mlrq_self_test.c").write_text(
            program.replace("expected[] = {", f"expected[] = {{{change}")
        )
        size = [sys.executable, PROJECT / "microcontroller" / "size.py", folder, "--at-most", "400"]
        done = subprocess.run(size, capture_output=True, text=True)
        assert said in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("inputs", ["int8", "int16", "float"])
def test_so_does_every_job_of_a_sweep(run, tmp_path, weighed, bits, inputs):
    onnxruntime = pytest.importorskip("onnxruntime")
    from mlrq.export.onnx import export

    (tmp_path / "penguins.csv").write_text(weighed)
    done = run(
        "-m",
        *WANTED,
        COLUMNS,
        "dataset.missing=indicator",
        f"quantization.inputs={inputs}",
        f"quantization.bits={bits}",
    )
    assert done.code == 0, done.err
    (path,) = (tmp_path / "outputs/sweeps").glob("*/0/quantized.json")
    made, frame = read_quantized(path), table(weighed)
    expected = mlrq.load(path.parent).predict(frame).tolist()
    running = onnxruntime.InferenceSession(export(made), providers=["CPUExecutionProvider"])
    given = feeds(json.loads(running.get_modelmeta().custom_metadata_map["inputs"]), frame)
    assert running.run(None, given)[0][:, 0].astype(float).tolist() == expected
    if inputs != "float":
        compiled = Table(made, tmp_path)
        found, _, _ = compiled.predict(places(compiled.header, frame))
        assert found[:, 0].astype(float).tolist() == expected
