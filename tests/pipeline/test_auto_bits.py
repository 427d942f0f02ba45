"""quantization.bits=auto through the stages: reported, certified, verified from the rows, in every form."""

import json

import numpy as np
import pytest
from support.tables import csv_of

import mlrq
from mlrq.artifacts.json_document import encode, seal
from mlrq.datasets import diabetes
from mlrq.solvers import verify as checker

AUTO = "quantization.bits=auto"
DIABETES = ("dataset=diabetes",)


def proof(folder):
    return json.loads((folder / "outputs" / "certificate.json").read_bytes())


def rewritten(folder, body):
    for name in ("sha256", "format", "schema"):
        del body[name]
    (folder / "outputs" / "certificate.json").write_bytes(encode(seal("certificate", 1, body)))
    (folder / "outputs" / "SHA256SUMS").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("quantization.scheme=affine", "quantization.tolerance=0.001"),
        ("quantization.granularity=per_feature", "quantization.tolerance=0.0001"),
        ("quantization.inputs=int8", "quantization.tolerance=0.002"),
        ("model=ridge", "quantization.tolerance=0.001"),
        ("model=ridge", "quantization.inputs=int16"),
    ],
)
def test_the_width_below_is_proven_from_the_rows_and_alone(run, tmp_path, settings):
    done = run(*DIABETES, AUTO, *settings)
    assert done.code == 0, done.err
    told = [line for line in done.out.splitlines() if "bits=auto" in line]
    assert len(told) == 2
    assert "certified; verify shows it in integers" in told[1]
    found = run("verify", *DIABETES, *settings)
    assert found.out.splitlines()[0] == "PROVEN", found.err
    assert "bits or fewer add" in found.out
    (tmp_path / "rows.csv").write_text(csv_of(diabetes.load()))
    paths = [str(tmp_path / "outputs" / name) for name in ("quantized.json", "certificate.json")]
    word, why = checker.main(*paths, str(tmp_path / "rows.csv"))
    assert (word, why) == ("PROVEN", "\n".join(found.out.splitlines()[1:3]))


def test_the_artifact_is_that_of_the_number_of_bits(run, tmp_path):
    line = json.loads(run(*DIABETES, AUTO, "report=json").out)["width"]
    assert (line["bits"], line["proven"], line["below"]["bits"], line["below"]["certified"]) == (
        4,
        True,
        3,
        True,
    )
    assert line["excess"] <= line["limit"] < line["below"]["lower_bound"]
    found = (tmp_path / "outputs" / "quantized.json").read_bytes()
    assert run(*DIABETES, "quantization.bits=4").code == 0
    assert (tmp_path / "outputs" / "quantized.json").read_bytes() == found
    wider = json.loads(run(*DIABETES, "quantization.bits=3", "report=json").out)
    assert wider["excess"] > line["limit"]


def test_a_proof_of_another_limit_or_of_too_little_is_refuted(run, tmp_path):
    assert run(*DIABETES, AUTO).code == 0
    honest = proof(tmp_path)
    changed = json.loads(json.dumps(honest))
    changed["below"]["limit"] = (2 * float.fromhex(honest["below"]["limit"])).hex()
    rewritten(tmp_path, changed)
    run("verify", *DIABETES).refused("REFUTED", "not the tolerance of the residual variance")
    changed = json.loads(json.dumps(honest))
    changed["below"]["tolerance"] *= 2
    changed["below"]["limit"] = (2 * float.fromhex(honest["below"]["limit"])).hex()
    rewritten(tmp_path, changed)
    run("verify", *DIABETES).refused("REFUTED", "codes of 3 bits are not shown to add more than")
    changed = json.loads(json.dumps(honest))
    changed["below"]["tolerance"] /= 8
    changed["below"]["limit"] = (float.fromhex(honest["below"]["limit"]) / 8).hex()
    rewritten(tmp_path, changed)
    run("verify", *DIABETES).refused("REFUTED", "the excess is above the limit")
    changed = json.loads(json.dumps(honest))
    changed["below"]["codes"][0][0] += 1  # not the best of three bits
    rewritten(tmp_path, changed)
    run("verify", *DIABETES).refused("REFUTED")


def test_several_targets_and_streams_find_the_same_bits(run, tmp_path):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(400, 4))
    targets = rows @ rng.normal(size=(4, 2)) + rng.normal(size=(400, 2))
    text = "a,b,c,d,y,z\n" + "".join(
        ",".join(map(repr, row)) + "\n" for row in np.column_stack([rows, targets]).tolist()
    )
    (tmp_path / "t.csv").write_text(text)
    table = ("dataset=csv", "dataset.path=t.csv", "dataset.target=[y,z]", "dataset.split=hash", AUTO)
    for granularity in ("per_tensor", "per_channel"):
        made = []
        for more in ((), ("dataset.stream_above=0",)):
            how = f"quantization.granularity={granularity}"
            assert run(*table, how, "quantization.certificate=true", *more).code == 0
            made.append(
                [
                    (tmp_path / "outputs" / name).read_bytes()
                    for name in ("quantized.json", "certificate.json")
                ]
            )
            found = run("verify", *table, how, *more)
            assert found.out.splitlines()[0] == "PROVEN"
            assert "bits or fewer add" in found.out
        assert made[0] == made[1]


def test_grids_that_are_listed_are_the_ones_that_are_tried(run, tmp_path):
    asked = "quantization.grids=[per_feature/affine,per_tensor/affine]"
    found = json.loads(run(*DIABETES, AUTO, asked, "report=json").out)
    assert [one["grid"] for one in found["width"]["grids"]] == ["per_feature/affine", "per_tensor/affine"]
    made = (tmp_path / "outputs" / "quantized.json").read_bytes()
    assert run(*DIABETES, "quantization.bits=4", "quantization.scheme=affine").code == 0
    assert (tmp_path / "outputs" / "quantized.json").read_bytes() == made
    done = run(*DIABETES, AUTO, "quantization.grids=any")
    assert "per_tensor/symmetric 104 (4 bits); per_tensor/affine 108 (4 bits)" in done.out


def test_where_codes_are_not_sought_nothing_is_said_to_be_proven(run):
    done = run(*DIABETES, AUTO, "quantization.rounding=nearest")
    assert "that no codes serve is not proven, for other codes were not sought" in done.out
    assert "whatever the codes" not in done.out


def test_what_is_out_of_reach_is_one_line(run):
    run(*DIABETES, AUTO, "quantization.tolerance=0").refused("with 16 bits", "more than tolerance=0")


def test_from_python_it_is_the_same(diabetes_table):
    rows, target = diabetes_table
    model = mlrq.quantize("linear_regression", rows, target, bits="auto")
    given = mlrq.quantize("linear_regression", rows, target, bits=model.bits)
    assert model.artifact.settings == given.artifact.settings
    assert mlrq.quantize("linear_regression", rows, target, bits=np.int64(model.bits)).bits == model.bits
    assert (model.codes == given.codes).all()
    assert [text for text in model.notices if text.startswith("bits=auto")]
    assert "bits or fewer add" in model.verify(rows, target)
    narrow = mlrq.quantize("linear_regression", rows, target, bits=model.bits - 1)
    residual = float(np.square(target - given._origin.model.predict(rows)[:, 0]).mean())
    assert given.excess <= 0.01 * residual < narrow.excess
    regressor = mlrq.QuantizedRegressor(bits="auto", tolerance=0.01).fit(rows, target)
    assert (regressor.quantized_.codes == model.codes).all()
    with pytest.raises(mlrq.MlrqError, match="predicts the targets exactly"):
        mlrq.quantize(regressor.estimator_, rows, bits="auto")


@pytest.fixture
def diabetes_table():
    from sklearn.datasets import load_diabetes

    return load_diabetes(return_X_y=True)
