"""`run.json` holds what is of a run, and the artifacts hold none of it."""

import json
import sys

import numpy as np

RUN = "outputs/run.json"


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


def test_a_record_that_cannot_be_read_is_made_anew(run, tmp_path):
    (tmp_path / "outputs").mkdir()
    for damaged in ("", "[]", '{"stages": 3}', "[" * 100_000):
        (tmp_path / RUN).write_text(damaged)
        assert run("dataset=synthetic").code == 0
        assert set(json.loads((tmp_path / RUN).read_text())["stages"]) == {"train", "quantize", "evaluate"}


def test_nothing_is_recorded_where_nothing_is_saved(run, tmp_path):
    assert run("save=false").code == 0
    assert not (tmp_path / RUN).exists()
