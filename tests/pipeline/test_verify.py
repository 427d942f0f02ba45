"""`verify` shows from the training rows that the codes are the best ones."""

import json

import numpy as np
import pytest

from mlrq.artifacts import documents
from mlrq.solvers import verify as checker


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
    from mlrq.datasets import diabetes

    stream = diabetes.load()
    table = np.concatenate(
        [np.stack(list(batch)) for part in stream.parts for batch in stream.batches(part)], 1
    )
    names = ",".join([*stream.features, *stream.targets])
    lines = [",".join(map(repr, row)) for row in table.T.tolist()]
    (tmp_path / "rows.csv").write_text("\n".join([names, *lines]) + "\n")
    paths = [str(tmp_path / "outputs" / name) for name in ("quantized.json", "certificate.json")]
    word, why = checker.main(*paths, str(tmp_path / "rows.csv"))
    assert (word, why) == ("PROVEN", done.out.split("\n")[1])


def test_nearest_codes_are_claimed_to_be_nothing(run):
    for stage in ("train", "quantize"):
        assert run(stage, "dataset=diabetes", "quantization.rounding=nearest").code == 0
    assert run("verify", "dataset=diabetes").out.startswith("INCOMPLETE\n")


def test_codes_that_are_not_the_best_are_refuted(run, tmp_path):
    for stage in ("train", "quantize"):
        assert run(stage, "dataset=diabetes", "quantization.bits=4").code == 0
    path = tmp_path / "outputs" / "quantized.json"
    artifact = documents.read_quantized(path)
    artifact.model.codes[0, 0] += 1
    path.write_bytes(documents.encode_quantized(artifact))
    assert json.loads(path.read_bytes())["certificate"]["optimal"]
    run("verify", "dataset=diabetes").refused("REFUTED", "are better")
