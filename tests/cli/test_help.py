"""Help that fits a terminal, and completion that knows the stages."""

import re

import pytest

from mlrq.cli import help
from mlrq.cli.arguments import REFUSED, SWITCHES, VALUED
from mlrq.config.groups import choices
from mlrq.config.schema import GROUPS, STAGES


def test_the_overview_names_stages_groups_options_and_keys(run):
    done = run("--help")
    assert (done.code, done.err) == (0, "")
    for word in (
        *STAGES,
        *GROUPS,
        "california_housing",
        "int4",
        "ridge",
        "output_dir=outputs",
        "--config-dir",
    ):
        assert word in done.out
    assert "schema" not in done.out
    assert run("-h").out == run("train", "--help").out == done.out


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_explained_key_by_key(run, group):
    done = run("--help", group)
    assert (done.code, done.err) == (0, "")
    assert run(group, "--help").out == done.out
    for one in choices(group):
        assert f"  {one.name}" in done.out
    assert f"{group}." in done.out


def test_every_line_fits_80_columns():
    for topics in ([], *([group] for group in GROUPS)):
        assert max(map(len, help.text(topics).splitlines())) < 80


def test_an_override_is_explained_by_its_group(run):
    assert run("--help", "dataset=csv").out == run("--help", "dataset").out
    assert run("--help", "quantization.bits=3").out == run("--help", "quantization").out


def test_what_is_no_group_is_said(run):
    run("--help", "quantisation").refused("no such group; did you mean quantization?", code=2)


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mlrq tr", {"train"}),
        ("mlrq ev", {"evaluate"}),
        ("mlrq exp", {"export", "export=", "export.", "experiment="}),
        ("mlrq train quantization=int1", {"quantization=int16"}),
        ("mlrq -v quantization.bi", {"quantization.bits="}),
        ("mlrq train ev", set()),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_word_is_completed(command, line, expected, shell):
    command.environment["COMP_LINE"] = line
    done = command("-sc", f"query={shell}")
    assert (done.code, done.err) == (0, "")
    assert set(done.out.split()) == expected


def test_bash_is_told_how(command):
    done = command("-sc", "install=bash")
    assert done.code == 0
    assert "complete" in done.out


@pytest.mark.slow
def test_every_flag_that_hydra_has_is_known_or_refused(run):
    flags = set(re.findall(r"^(--[a-z-]+)", run("--hydra-help").out, re.MULTILINE))
    assert len(flags) > 10
    assert flags <= {*SWITCHES, *VALUED, *REFUSED}
