"""From what was typed to flags and overrides."""

import pytest

from mlrq.cli.arguments import parse


def test_flags_and_overrides_may_be_mixed():
    line = parse(["quantization.bits=4", "-m", "train", "--cfg", "job", "--config-dir=a b", "-v"])
    assert line.switches == ["--multirun"]
    assert line.values == {"--cfg": "job", "--config-dir": "a b"}
    assert line.overrides == ["quantization.bits=4", "stage=train", "hydra.verbose=true"]
    assert line.for_hydra() == ["--multirun", "--cfg=job", "--config-dir=a b", *line.overrides]
    assert line.faults == ["--multirun and --cfg: one at a time"]


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (["--info"], "all"),
        (["--info", "defaults"], "defaults"),
        (["-i", "samples=3"], "all"),
        (["-i=config"], "config"),
    ],
)
def test_the_value_of_info_may_be_left_out(typed, value):
    line = parse(typed)
    assert (line.values, line.faults) == ({"--info": value}, [])
    assert line.command == "--info"


def test_what_is_wrong_with_flags_is_listed_at_once():
    assert parse(["--multrun", "--cfg", "--resolve", "--config-name=x", "train", "predict"]).faults == [
        "--multrun: no such flag; did you mean --multirun?",
        "--cfg=--resolve: must be one of job, hydra, all",
        "--config-name: refused; mlrq has its own configuration; --config-dir adds to it",
        "stage: one at a time; train, quantize and evaluate together are stage=all",
    ]


def test_a_switch_has_no_value():
    assert parse(["--multirun=2"]).faults == ["--multirun: no such flag; did you mean --multirun?"]
