"""A stage that starts from a model takes the dataset that the model was made from."""

import json
from pathlib import Path

import pytest
from conftest import rows_csv

MADE = ("quantized.json", "evaluation.json")
TABLE = ("dataset=csv", "dataset.target=AveRooms", "dataset.seed=7")


@pytest.fixture
def trained(run, tmp_path, california, parts):
    """Artifacts of a table of its own, in a folder with a space in its name."""
    (tmp_path / "my data").mkdir()
    (tmp_path / "my data" / "it's.csv").write_text(rows_csv(california, parts.test_rows[:300]))
    done = run(*TABLE, 'dataset.path="my data/it\'s.csv"', "dataset.test_size=0.3")
    assert done.code == 0, done.err
    return {
        name: (tmp_path / "outputs" / name).read_bytes() for name in ("quantized.json", "evaluation.json")
    }


def test_quantize_evaluate_and_verify_need_no_dataset(run, tmp_path, trained):
    for stage in ("evaluate", "quantize", "verify"):
        done = run(stage)
        assert done.code == 0, done.err
    assert {name: (tmp_path / "outputs" / name).read_bytes() for name in trained} == trained


def test_the_file_is_found_from_another_folder(run, tmp_path, trained, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for where in (f"output_dir={tmp_path}/outputs", f"artifact={tmp_path}/outputs/quantized.json"):
        done = run("evaluate", where, "save=false")
        assert done.code == 0, done.err
        assert "it's.csv" in done.out


def test_what_is_given_goes_on_top(run, tmp_path, trained):
    run("evaluate", "dataset.seed=8").refused("seed 8")
    run("evaluate", "dataset=california_housing").refused("name the dataset that it was trained on, it's.csv")
    (tmp_path / "moved.csv").write_bytes((tmp_path / "my data" / "it's.csv").read_bytes())
    (tmp_path / "my data" / "it's.csv").unlink()
    run("evaluate").refused("my data/it's.csv: the model was made from it", "dataset.path=FILE")
    assert run("evaluate", "dataset.path=moved.csv").code == 0


def test_a_file_that_has_changed_is_refused(run, tmp_path, trained):
    with (tmp_path / "my data" / "it's.csv").open("a") as file:
        file.write(",".join("1" * 8) + "\n")
    run("quantize").refused("was trained on it's.csv", "but this is it's.csv")
    assert "it's.csv is not the data that the model was trained on" in run("evaluate").err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        "{}",
        '{"stages": []}',
        '{"stages": {"train": {"dataset": {"_target_": "os.system"}, "directory": "/"}}}',
        '{"stages": {"train": {"dataset": {"_target_": ["x"]}, "directory": "/"}}}',
        '{"stages": {"train": {"dataset": "csv", "directory": "/"}}}',
    ],
)
def test_a_record_of_no_dataset_is_one_line(run, tmp_path, trained, text):
    (tmp_path / "outputs" / "run.json").write_text(text)
    run("evaluate").refused("outputs/run.json: names no dataset of mlrq: add dataset=NAME")


@pytest.mark.slow
def test_what_is_recorded_is_checked_as_what_is_typed(run, tmp_path, trained):
    path = tmp_path / "outputs" / "run.json"
    record = json.loads(path.read_text())
    told = record["stages"]["quantize"]["dataset"]
    told |= {"target": ["${oc.env:HOME}"], "seed": {"_target_": "os.system"}, "delimiter": "${now:}"}
    path.write_text(json.dumps(record))
    done = run("evaluate")
    assert done.code == 2
    assert done.faults
    assert all(fault.startswith("dataset.") for fault in done.faults)


@pytest.mark.parametrize(
    "path", ["${oc.env:HOME}", "a\0b", None, ["a"], {"a": 1}, "", "x" * 5000, "a\nb", "."]
)
def test_a_recorded_path_is_a_path_and_nothing_more(run, tmp_path, trained, path):
    place = tmp_path / "outputs" / "run.json"
    record = json.loads(place.read_text())
    record["stages"]["quantize"]["dataset"]["path"] = path
    place.write_text(json.dumps(record))
    done = run("evaluate")
    done.refused()
    assert "fault of mlrq" not in done.err
    assert str(Path.home()) not in done.err


def test_a_name_that_looks_like_an_interpolation_is_found_again(run, tmp_path, california, parts):
    (tmp_path / "${x}.csv").write_text(rows_csv(california, parts.test_rows[:300]))
    assert run(*TABLE, "dataset.path='\\${x}.csv'").code == 0
    done = run("evaluate")
    assert done.code == 0, done.err
