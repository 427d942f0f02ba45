"""`verify` shows from the training rows that the codes are the best ones."""

import json

import numpy as np
import pytest
from support.tables import csv_of

from mlrq.artifacts import documents
from mlrq.artifacts.json_document import encode, seal
from mlrq.datasets import diabetes
from mlrq.solvers import verify as checker


@pytest.mark.few(3)
@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("quantization.bits=3", "quantization.scheme=affine"),
        ("quantization.granularity=per_feature", "quantization.bits=4"),
        ("quantization.inputs=int8",),
        ("quantization.inputs=int16", "model=ridge"),
        ("model=ridge", "quantization.bits=4"),
    ],
)
def test_the_best_codes_are_proven_and_the_certificate_is_checked_alone(run, tmp_path, settings):
    assert run("train", "dataset=diabetes", *settings).code == 0
    assert run("quantize", "dataset=diabetes", *settings).code == 0
    done = run("verify", "dataset=diabetes", *settings)
    assert (done.code, done.out.split("\n")[0]) == (0, "PROVEN"), done.err
    (tmp_path / "rows.csv").write_text(csv_of(diabetes.load()))
    paths = [str(tmp_path / "outputs" / name) for name in ("quantized.json", "certificate.json")]
    word, why = checker.main(*paths, str(tmp_path / "rows.csv"))
    assert (word, why) == ("PROVEN", done.out.split("\n")[1])


def test_encoded_columns_are_checked_by_the_command_and_not_refuted_alone(run, tmp_path):
    table = ("dataset=csv", "dataset.path=t.csv", "dataset.target=y")
    lines = [f"{i % 7},{'abc'[i * i % 3]},{i % 11 + i % 3}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["n,kind,y", *lines, ""]))
    hold_that_the_checker_alone_says_incomplete(run, tmp_path, *table)


def test_rows_that_are_set_aside_are_known_to_the_command_and_not_refuted_alone(run, tmp_path):
    lines = [f"{i % 7},{i * i % 11},{i % 11 + i % 3}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["n,m,y", *lines, ""]))
    table = ("dataset=csv", "dataset.path=t.csv", "dataset.target=y")
    hold_that_the_checker_alone_says_incomplete(run, tmp_path, *table, "quantization.interval=0.8")


def hold_that_the_checker_alone_says_incomplete(run, tmp_path, *table):
    for stage in ("train", "quantize"):
        assert run(stage, *table).code == 0
    done = run("verify", *table)
    assert (done.code, done.out.split("\n")[0]) == (0, "PROVEN"), done.err
    paths = [str(tmp_path / "outputs" / name) for name in ("quantized.json", "certificate.json")]
    word, why = checker.main(*paths, str(tmp_path / "t.csv"))
    assert (word, why.split(",")[0]) == ("INCOMPLETE", "columns are encoded or rows set aside")


def test_nearest_codes_are_claimed_to_be_nothing(run):
    for stage in ("train", "quantize"):
        assert run(stage, "dataset=diabetes", "quantization.rounding=nearest").code == 0
    done = run("verify", "dataset=diabetes")
    assert (done.code, done.out.split("\n")[0], done.err) == (3, "INCOMPLETE", "")


def test_codes_that_are_not_the_best_are_refuted(run, tmp_path):
    for stage in ("train", "quantize"):
        assert run(stage, "dataset=diabetes", "quantization.bits=4").code == 0
    outputs = tmp_path / "outputs"
    artifact = documents.read_quantized(outputs / "quantized.json")
    artifact.model.codes[0, 0] += 1
    (outputs / "quantized.json").write_bytes(documents.encode_quantized(artifact))
    assert json.loads((outputs / "quantized.json").read_bytes())["certificate"]["optimal"]
    run("verify", "dataset=diabetes").refused("REFUTED", "quantized.json: not what SHA256SUMS says")
    (outputs / "SHA256SUMS").unlink()
    run("verify", "dataset=diabetes").refused("REFUTED", "of another quantized.json")
    proof = json.loads((outputs / "certificate.json").read_bytes())
    for name in ("sha256", "format", "schema"):
        del proof[name]
    proof["quantized"] = documents.sha256(artifact)
    proof["problems"][0]["tree"] = None
    (outputs / "certificate.json").write_bytes(encode(seal("certificate", 1, proof)))
    run("verify", "dataset=diabetes").refused("REFUTED", "are better")


def test_a_certificate_is_made_where_it_is_asked_for_and_goes_with_its_model(run, tmp_path):
    proof = tmp_path / "outputs" / "certificate.json"
    small = ("dataset=synthetic", "dataset.rows=60", "dataset.features=3")
    assert run(*small, "quantization.certificate=false").code == 0
    assert not proof.exists()
    done = run("verify", *small)
    word, told, _ = done.out.splitlines()
    assert (done.code, word, told.split("; ")[0]) == (3, "INCOMPLETE", "there is no certificate")
    swept = run("-m", "verify", *small, "artifact=outputs/quantized.json")
    swept.refused("INCOMPLETE: there is no certificate")
    assert run("quantize", *small).code == 0
    assert run("verify", *small).out.splitlines()[0] == "PROVEN"
    assert run("quantize", *small, "quantization.bits=3", "quantization.certificate=false").code == 0
    assert not proof.exists()


@pytest.mark.slow
def test_the_jobs_of_a_sweep_make_certificates_only_where_they_are_asked_for(run, tmp_path):
    small = ("-m", "dataset=synthetic", "dataset.rows=60", "dataset.features=3", "quantization.bits=3,4")
    assert run(*small).code == 0
    assert not list(tmp_path.rglob("certificate.json"))
    assert run(*small, "quantization.certificate=true").code == 0
    assert len(list(tmp_path.rglob("certificate.json"))) == 2


def test_the_certificate_of_a_stream_is_made_and_checked_part_by_part(run, tmp_path):
    rng = np.random.default_rng(3)
    table = rng.normal(size=(500, 4)).round(3)
    lines = [",".join(map(repr, row)) for row in table.tolist()]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,c,d", *lines]) + "\n")
    stream = ("dataset=csv", "dataset.path=rows.csv", "dataset.target=d", "dataset.stream_above=0")
    assert run(*stream).code == 0
    assert not (tmp_path / "outputs" / "certificate.json").exists()  # another pass is to be asked for
    assert run("quantize", *stream, "quantization.certificate=true").code == 0
    done = run("verify", *stream)
    assert done.out.splitlines()[0] == "PROVEN"
    paths = [str(tmp_path / "outputs" / name) for name in ("quantized.json", "certificate.json")]
    assert checker.main(*paths, str(tmp_path / "rows.csv")) == tuple(done.out.splitlines()[:2])


def test_files_that_go_with_the_model_are_checked(run, tmp_path):
    small = ("dataset=synthetic", "dataset.rows=60", "dataset.features=3", "quantization.inputs=int8")
    outputs = tmp_path / "outputs"
    assert run(*small).code == 0
    assert run("export", "export=c").code == 0
    told = run("verify", *small).out.splitlines()
    assert told[0] == "PROVEN"
    assert "SHA256SUMS holds; no accumulator exceeds" in told[2]
    assert told[2].endswith("export/mlrq.c, export/mlrq.h, export/mlrq_self_test.c carry this model")
    source = outputs / "export" / "mlrq.c"
    text, sums = source.read_text(), outputs / "SHA256SUMS"
    source.write_text(
        text.replace("mlrq_intercept[MLRQ_TARGETS] = {\n    ", "mlrq_intercept[MLRQ_TARGETS] = {\n    1")
    )
    run("verify", *small).refused("REFUTED", "export/mlrq.c: not what SHA256SUMS says")
    sums.unlink()
    run("verify", *small).refused("REFUTED", "export/mlrq.c: intercept: not of this model")


@pytest.mark.few(6)
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel", "per_feature"])
@pytest.mark.parametrize("inputs", ["float", "int8", "int16"])
@pytest.mark.parametrize("model", ["linear_regression", "ridge"])
def test_every_setting_of_several_targets_is_proven(run, tmp_path, model, inputs, granularity, scheme):
    if inputs != "float" and granularity == "per_feature":
        return  # they exclude each other
    table = np.random.default_rng(1).normal(size=(80, 5)).round(4)
    lines = [",".join(map(repr, row)) for row in table.tolist()]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,c,y,z", *lines]) + "\n")
    settings = (
        f"model={model}",
        f"quantization.inputs={inputs}",
        f"quantization.granularity={granularity}",
        f"quantization.scheme={scheme}",
        "quantization.bits=4",
    )
    rows = ("dataset=csv", "dataset.path=rows.csv", "dataset.target=[y,z]")
    assert run(*rows, *settings).code == 0
    word, told = run("verify", *rows).out.split("\n", 1)
    assert word == "PROVEN"
    paths = [str(tmp_path / "outputs" / name) for name in ("quantized.json", "certificate.json")]
    assert checker.main(*paths, str(tmp_path / "rows.csv")) == (word, told[: told.index("\nSHA256SUMS")])


def test_a_certificate_of_other_goals_is_refused(run, tmp_path):
    for stage in ("train", "quantize"):
        assert run(stage, "dataset=diabetes", "model=ridge").code == 0
    path = tmp_path / "outputs" / "certificate.json"
    proof = json.loads(path.read_bytes())
    for name in ("sha256", "format", "schema"):
        del proof[name]
    path.write_bytes(encode(seal("certificate", 1, {**proof, "goal": None})))
    (tmp_path / "outputs" / "SHA256SUMS").unlink()
    run("verify", "dataset=diabetes").refused("REFUTED", "follow another model than float.json")


def test_a_certificate_that_cannot_be_made_is_told(run):
    small = ("dataset=synthetic", "dataset.rows=60", "dataset.features=3", "quantization.rounding=nearest")
    done = run(*small, "quantization.certificate=true")
    assert (done.code, done.err.splitlines()[-1]) == (
        0,
        "mlrq: note: quantization.certificate=true: none was made, for nothing is claimed or it is too large",
    )
