"""What was exported belongs to its model: it carries its hash, is listed, and goes when the model does."""

import hashlib
import json
import shlex

import pytest

SMALL = ("dataset=synthetic", "dataset.rows=40", "dataset.features=2")


@pytest.fixture
def exported(run, tmp_path):
    """The output folder of a model with integer inputs, exported to all formats, and a file of the user's."""
    assert run(*SMALL, "quantization.inputs=int8").code == 0
    for what in (["export=c"], ["export=onnx"], ["export=onnx", "export.model=float"]):
        assert run("export", *what).code == 0
    out = tmp_path / "outputs"
    (out / "export" / "main.c").write_text('#include "mlrq.h"\n')
    return out


def names(out) -> set[str]:
    return {path.name for path in (out / "export").iterdir()}


def listed(out) -> set[str]:
    """The names in the list of checksums, each of which is right."""
    lines = [line.split("  ", 1) for line in (out / "SHA256SUMS").read_text().splitlines()]
    for sha256, name in lines:
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == sha256
    return {name for _, name in lines}


def contents(out) -> dict[str, bytes]:
    """Of every file but the one that tells runs apart."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name != "run.json")
    return {str(path): path.read_bytes() for path in files}


LISTED = {"float.json", "quantized.json", "certificate.json", "export/float.onnx"}
OF_THE_INTEGER_MODEL = {"mlrq.h", "mlrq.c", "mlrq_self_test.c", "model.onnx"}


def test_every_export_carries_the_hash_of_its_artifact_and_is_listed(exported):
    integer = json.loads((exported / "quantized.json").read_text())["sha256"].encode()
    exact = json.loads((exported / "float.json").read_text())["sha256"].encode()
    for name in OF_THE_INTEGER_MODEL:
        assert integer in (exported / "export" / name).read_bytes()
    assert exact in (exported / "export" / "float.onnx").read_bytes()
    assert listed(exported) == {*LISTED, "evaluation.json"} | {
        f"export/{name}" for name in OF_THE_INTEGER_MODEL
    }


def test_another_integer_model_takes_the_exports_of_the_one_before_with_it(run, exported):
    done = run("quantize", *SMALL, "quantization.inputs=int8", "quantization.bits=4")
    assert done.code == 0
    removed = ", ".join(f"export/{name}" for name in sorted(OF_THE_INTEGER_MODEL))
    told = f"removed {removed}, exported from the model before: the stage export makes them anew"
    assert done.err == f"mlrq: note: {told}\n"
    assert names(exported) == {"main.c", "float.onnx"}
    assert listed(exported) == LISTED


@pytest.mark.slow
def test_another_float_model_takes_only_its_own_export_with_it(run, exported):
    assert "removed export/float.onnx," in run("train", *SMALL, "model=ridge").err
    assert names(exported) == {"main.c", *OF_THE_INTEGER_MODEL}


@pytest.mark.slow
def test_the_same_model_again_takes_nothing(run, exported):
    before = contents(exported)
    assert run(*SMALL, "quantization.inputs=int8").err == ""
    assert contents(exported) == before


def test_c_of_float_inputs_names_the_command_that_makes_it(run, tmp_path):
    settings = ("quantization.bits=4", "quantization.granularity=per_feature", "quantization.scheme=affine")
    assert run(*SMALL, *settings).code == 0
    done = run("export", "export=c")
    done.refused("the model has float inputs, and C starts from integers: `mlrq quantize ")
    command = done.err.partition("`")[2].partition("`")[0]
    first, second = (shlex.split(part)[1:] for part in command.split(" && "))
    wanted = ("bits=4", "inputs=int8", "scheme=affine")
    assert first == ["quantize", *(f"quantization.{word}" for word in wanted)]
    assert run(*first, *SMALL).code == 0
    assert run(*second).code == 0
    assert (tmp_path / "outputs" / "export" / "mlrq.c").exists()
