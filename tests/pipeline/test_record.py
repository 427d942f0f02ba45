"""`run.json` holds what is of a run, and the artifacts hold none of it."""

import json
import sys

import numpy as np
import pytest

RUN = "outputs/run.json"
ARTIFACTS = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")


def test_every_stage_is_recorded_with_its_command_and_its_machine(run, tmp_path):
    assert run().code == 0
    whole = json.loads((tmp_path / RUN).read_text())["stages"]
    assert set(whole) == {"train", "quantize", "evaluate"}
    assert whole["train"]["command"] == ["mlrq"]
    assert whole["train"]["dataset"]["_target_"] == "mlrq.datasets.california_housing.load"
    assert whole["train"]["versions"]["python"] == sys.version.split()[0]
    assert whole["train"]["versions"]["numpy"] == np.__version__
    assert run("quantize", "quantization.bits=4").code == 0
    later = json.loads((tmp_path / RUN).read_text())["stages"]
    assert later["train"] == whole["train"]
    assert later["quantize"]["command"] == ["mlrq", "stage=quantize", "quantization.bits=4"]
    assert later["quantize"]["directory"] == str(tmp_path)
    assert all(set(stage["seconds"]) == {"read", "stage"} for stage in later.values())


def test_an_artifact_knows_nothing_of_when_and_where_it_was_made(run, tmp_path, data):
    table = np.hstack(data.training_rows("this test"))[:300]
    made = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        path = tmp_path / place / "mine.csv"
        np.savetxt(path, table, delimiter=",", fmt="%.17g", comments="", header="a,b,c,d,e,f,g,h,y")
        wanted = ("dataset=csv", f"dataset.path={path}", "dataset.target=y", f"output_dir={place}/outputs")
        assert run(*wanted, "model=ridge").code == 0
        files = [(path.parent / "outputs" / name).read_bytes() for name in ARTIFACTS]
        for word in (str(tmp_path), place, np.__version__):
            assert not any(word.encode() in content for content in files)
        made.append(files)
    assert made[0] == made[1]


@pytest.mark.slow
def test_a_record_that_cannot_be_read_is_made_anew(run, tmp_path):
    (tmp_path / "outputs").mkdir()
    for damaged in ("", "[]", '{"stages": 3}', "[" * 100_000):
        (tmp_path / RUN).write_text(damaged)
        assert run("dataset=synthetic").code == 0
        assert set(json.loads((tmp_path / RUN).read_text())["stages"]) == {"train", "quantize", "evaluate"}


def test_nothing_is_recorded_where_nothing_is_saved(run, tmp_path):
    assert run("save=false").code == 0
    assert not (tmp_path / RUN).exists()
