"""Brackets, aliases and interpolations without end: one line that names the place."""

import os
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from mlrq.config import composition, limits

LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{level}: &a{level} {{{', '.join(f'k{i}: *a{level - 1}' for i in range(9))}}}\n"
    for level in range(1, 10)
)


def option(folder: Path, text: str) -> Path:
    """A folder of YAML files in which one option of the model is `text`."""
    (folder / "more" / "model").mkdir(parents=True)
    path = folder / "more" / "model" / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS, "line 6: stands for over 100,000 values"),
        (MERGES, "line 6: stands for over 100,000 values"),
        ("a: &a [*a]\n", "*a is part of what it stands for"),
        ("a: " + "[" * 100_000, "line 1: nested over 32 deep"),
        ("a: " + "[" * 100_000 + "]" * 100_000, "line 1: nested over 32 deep"),
        ("a: " + "{a: " * 100_000, "line 1: nested over 32 deep"),
        ("".join(f"{' ' * i}a:\n" for i in range(1_000)), "line 33: nested over 32 deep"),
        ("name: x\nother: '" + "${a:" * 50_000 + "'\n", "line 2: nested over 32 deep"),
        ("# " + "x" * (1 << 20), "has 1,048,578 bytes, and at most 1,048,576 are read"),
    ],
    ids=["laughs", "mappings", "itself", "open", "closed", "braces", "indented", "interpolations", "long"],
)
@pytest.mark.parametrize("way", ["--config-dir={}", "hydra.searchpath=[{}]"])
def test_yaml_without_end_is_one_line_that_names_the_file(run, tmp_path, text, why, way):
    option(tmp_path, text)
    run(way.format("more"), "model=mine").refused(f"more/model/mine.yaml: {why}", code=2)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_or_a_device_is_no_yaml(run, tmp_path, linked):
    path = option(tmp_path, "")
    path.unlink()
    os.mkfifo(path)
    folder = "more"
    if linked:
        (tmp_path / "links").mkdir()
        (tmp_path / "links" / "model").symlink_to(path.parent)
        (path.parent / "again").symlink_to(tmp_path / "links")  # a folder within itself
        folder = "links"
    run("--config-dir", folder, "model=mine").refused("mine.yaml: is no file but a pipe", code=2)


def test_a_folder_of_anything_is_not_searched_for_yaml(run, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MOST_FILES", 3)
    option(tmp_path, "")
    for name in "abcd":
        (tmp_path / "more" / name).touch()
    run("--config-dir=more").refused("more: has over 3 files", code=2)


def test_aliases_and_merges_of_a_few_values_are_read(tmp_path):
    text = "base: &base {alpha: 1.0, list: [1, 2]}\nother:\n  <<: *base\n  again: *base\n"
    assert yaml.safe_load(text)["other"]["list"] == [1, 2]
    assert limits.folder_faults(option(tmp_path, text).parents[1]) == []


@pytest.mark.few(4)
@pytest.mark.parametrize("before", [(), ("-m",), ("--cfg=job",), ("--help",), ("quantize",)], ids=str)
@pytest.mark.parametrize(
    "text", ["model.name=" + "[" * 30_000, "+a=" + "[" * 30_000 + "]" * 30_000, "a=" + "${a:" * 30_000]
)
def test_brackets_without_end_in_an_override_are_one_line_that_names_it(run, before, text):
    run(*before, text).refused(f"{text.partition('=')[0]}: nested over 32 deep", code=2)


def test_brackets_in_the_sweep_of_another_are_refused(run, tmp_path):
    (tmp_path / "more" / "experiment").mkdir(parents=True)
    inside = f"hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      model.name: '{'[' * 30_000}'\n"
    (tmp_path / "more" / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{inside}")
    run("--config-dir=more", "experiment=mine").refused("mine.yaml: line 6: nested over 32 deep", code=2)


LISTED = ",".join(map(str, range(2_001)))


@pytest.mark.few(4)
@pytest.mark.parametrize("before", [(), ("-m",), ("--cfg=job",), ("--help",), ("quantize",)], ids=str)
@pytest.mark.parametrize(
    "text", [f"quantization.bits={LISTED}", f"dataset.features=[{LISTED}]", f"+x={LISTED}"]
)
def test_values_without_end_in_an_override_are_refused_before_they_are_parsed(run, monkeypatch, before, text):
    parse = OverridesParser.parse_override

    def short(parser, text):
        assert len(text) < 1_000
        return parse(parser, text)

    monkeypatch.setattr(OverridesParser, "parse_override", short)
    run(*before, text).refused(f"{text.partition('=')[0]}: lists values until they are over 2,000", code=2)


def test_values_without_end_over_several_overrides_are_one_line(run):
    each = [f"+a{i}=[{','.join('1' * 500)}]" for i in range(5)]
    done = run(*each)
    assert done.code == 2
    assert done.faults[0].startswith("+a4: lists values until they are over 2,000")


@pytest.mark.parametrize(
    "text",
    [
        "range(0,300000000)",
        "range(0,1e300)",
        "shuffle(range(0,300000000))",
        "range(0,1,1e-300)",
        "range(0,inf)",
    ],
)
@pytest.mark.parametrize("before", [(), ("-m",)], ids=str)
def test_a_sweep_over_a_range_without_end_is_one_line(run, before, text):
    run(*before, f"dataset.seed={text}").refused("dataset.seed: sweeps over more than 10,000 values", code=2)


@pytest.mark.parametrize("text", ["range(0,5,0)", "range(0,5,0.0)", "range(nan,5)"])
def test_a_range_that_is_none_is_one_line(run, text):
    run("-m", f"dataset.seed={text}").refused("dataset.seed=", code=2)


def test_a_sweep_of_more_jobs_than_are_begun_is_one_line(run, tmp_path):
    many = "the sweep has 1,000,000 jobs, and may have 10,000"
    hundred = "range(0,100)"
    run(*(f"{key}={hundred}" for key in ("dataset.seed", "samples", "quantization.bits")), "-m").refused(
        many, code=2
    )
    (tmp_path / "more" / "experiment").mkdir(parents=True)
    inside = "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      dataset.seed: range(0,300000000)\n"
    (tmp_path / "more" / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{inside}")
    run("--config-dir=more", "experiment=mine").refused("dataset.seed: sweeps over more than", code=2)
    (tmp_path / "more" / "experiment" / "mine.yaml").write_text(f"samples: '{LISTED}'\n")
    run("--config-dir=more", "experiment=mine").refused("line 1: a text that lists over 2,000 values", code=2)


def test_a_thousand_jobs_are_a_sweep_like_any_other():
    found = composition.asked("dataset.seed=range(0,10000)")
    assert len(found.values) == 10_000
    composition.check_jobs([found], [], {})


BOMB = ("dataset=csv", "dataset.path=" + "${model.name}" * 9, "model.name=" + "${dataset.target}" * 9)


@pytest.mark.parametrize("before", [(), ("-m",), ("--cfg=job", "--resolve"), ("quantize",)], ids=str)
def test_interpolations_that_multiply_are_refused_before_they_are_resolved(run, before):
    more = ("dataset.target=" + "${output_dir}" * 9, "output_dir=" + "${report}" * 9)
    run(*before, *BOMB, *more).refused("has 36 interpolations ${...}, and may have 20", code=2)


@pytest.mark.slow
def test_interpolations_that_multiply_in_one_job_of_a_sweep_are_refused(run):
    done = run("-m", *BOMB, "dataset.target=a," + "${report}" * 9)
    assert done.code == 1
    assert "has 27 interpolations" in done.err
