"""Sweeps: one table at the end, one fit, failures listed."""

import csv
import io
import json
from pathlib import Path

import pytest

from mlrq import cli
from mlrq.models import estimators

BITS = [2, 3, 4, 6, 8, 16]


def sweep_folder(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "outputs" / "sweeps").iterdir()
    return folder


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "sweep.csv").read_text())))


def test_bit_widths_end_in_one_table_with_the_float_model_first(run, tmp_path, float_score):
    done = run("-m", "quantization.bits=16,2,8,3,6,4")
    assert done.code == 0
    found = table(sweep_folder(tmp_path))
    assert [row["bits"] for row in found] == ["float", *map(str, BITS)]
    exact = found[0]
    assert float(exact["test R2"]) == float_score.test.r2
    assert float(exact["train R2"]) == float_score.train.r2
    assert float(exact["MSE"]) == float_score.test.mse
    for row in found[1:]:
        evaluation = json.loads((sweep_folder(tmp_path) / row["job"] / "evaluation.json").read_text())
        artifact = sweep_folder(tmp_path) / row["job"] / "quantized.json"
        assert json.loads(artifact.read_text())["bits"] == int(row["bits"]) == evaluation["bits"]
        assert float(row["test R2"]) == evaluation["quantized"]["test"]["r2"]
        assert float(row["train R2"]) == evaluation["quantized"]["train"]["r2"]
        assert float(row["MSE"]) == evaluation["quantized"]["test"]["mse"]
        assert float(row["max diff"]) == evaluation["max_difference"]
        assert int(row["payload bits"]) == 8 * int(row["bits"]) + 64
        assert int(row["artifact bytes"]) == artifact.stat().st_size
        assert (row["scheme"], row["rounding"]) == ("symmetric", "exact")
    # The same table on the terminal, aligned, and in Markdown.
    lines = done.out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split()[:2] == ["job", "bits"])
    shown = lines[start + 1 : start + 1 + len(found)]
    assert len({len(line) for line in shown}) == 1
    for line, row in zip(shown, found, strict=True):
        assert f"{float(row['test R2']):.4f}" in line.split()
        assert row["bits"] in line.split()
    markdown = (sweep_folder(tmp_path) / "sweep.md").read_text().splitlines()
    assert len(markdown) == 2 + len(found)
    assert len({line.count("|") for line in markdown}) == 1
    for line, row in zip(markdown[2:], found, strict=True):
        assert f" {float(row['MSE']):.4f} |" in line


@pytest.mark.slow
def test_the_plot_is_a_picture(run, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="the plot extra is not installed")
    monkeypatch.delattr(cli, "plots")  # what stands for it
    assert run("-m", "quantization.bits=4,8", "quantization.scheme=symmetric,affine").code == 0
    picture = (sweep_folder(tmp_path) / "sweep.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) > 5000


@pytest.mark.slow
def test_the_float_model_is_fitted_once_a_sweep(run, tmp_path, monkeypatch):
    fitted = []
    build = estimators.build_estimator
    monkeypatch.setattr(estimators, "build_estimator", lambda *given: fitted.append(given) or build(*given))
    assert run("-m", "model=lasso", "quantization.bits=2,8").code == 0
    assert len(fitted) == 1
    assert run("-m", "model=huber,lasso", "quantization.bits=4,8", "hydra.sweep.dir=other").code == 0
    assert len(fitted) == 3


def test_every_job_of_a_sweep_writes_the_bytes_of_a_run_by_itself(run, tmp_path, finished):
    assert run("-m", "samples=10,9").code == 0
    for name in ("float.json", "quantized.json"):
        alone = (finished / "outputs" / name).read_bytes()
        for job in ("0", "1"):
            assert (sweep_folder(tmp_path) / job / name).read_bytes() == alone, (job, name)


@pytest.mark.slow
def test_two_swept_keys_have_a_folder_a_job_and_a_column_each(run, tmp_path):
    assert run("-m", "model=ridge,linear_regression", "quantization.bits=8,4").code == 0
    found = table(sweep_folder(tmp_path))
    floats = [row for row in found if row["bits"] == "float"]
    assert [row["model"] for row in floats] == ["ridge", "linear_regression"]
    assert [(row["bits"], row["model"]) for row in found[2:]] == [
        ("4", "ridge"), ("4", "linear_regression"), ("8", "ridge"), ("8", "linear_regression"),
    ]  # fmt: skip
    assert len({row["job"] for row in found[2:]}) == 4


def test_a_failing_job_leaves_the_others_running_and_all_failures_are_listed(run, tmp_path):
    done = run("-m", "quantization.bits=17,8,1,4")
    assert done.code == 1
    assert done.faults == [
        "job 0 (quantization.bits=17) failed: quantization.bits=17: must be from 2 to 16, or auto",
        "job 2 (quantization.bits=1) failed: quantization.bits=1: must be from 2 to 16, or auto",
    ]
    assert len(done.err.splitlines()) == 2
    assert [row["bits"] for row in table(sweep_folder(tmp_path))] == ["float", "4", "8"]


def test_a_sweep_in_which_every_job_fails_lists_them_and_has_no_table(run, tmp_path):
    done = run("-m", "dataset=csv", "dataset.path=a.csv,b.csv", "dataset.target=y")
    assert done.code == 1
    assert len(done.faults) == 2
    assert "a.csv: no such file" in done.faults[0]
    assert "b.csv: no such file" in done.faults[1]
    assert not (sweep_folder(tmp_path) / "sweep.csv").exists()


@pytest.mark.slow
def test_jobs_may_run_in_processes_side_by_side(command, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the joblib extra is not installed")
    parallel = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "model=lasso")
    done = command("-m", *parallel, "quantization.bits=4,8,17")
    assert done.code == 1
    assert done.faults == [
        "job 2 (quantization.bits=17) failed: quantization.bits=17: must be from 2 to 16, or auto"
    ]
    assert [row["bits"] for row in table(sweep_folder(tmp_path))] == ["float", "4", "8"]
    assert "Traceback" not in done.err
    # Fitted once between them: one entry in the cache.
    assert len(list((sweep_folder(tmp_path) / "cache").rglob("output.pkl"))) == 1


@pytest.mark.slow
def test_a_sweep_of_the_quantizers_shows_the_reference_beside_ours(run, tmp_path, published):
    assert run("-m", "experiment=reference").code == 0
    found = {row["quantization"]: row for row in table(sweep_folder(tmp_path)) if row["bits"] != "float"}
    assert set(found) == {"reference_uint8", "reference_uint16", "int8", "int16"}
    for name in ("uint8", "uint16"):
        assert f"{float(found[f'reference_{name}']['test R2']):.4f}" == published[name]["r2"]


@pytest.mark.parametrize("flags", [pytest.param((), marks=pytest.mark.slow), ("--config-dir", "own")])
@pytest.mark.slow
def test_an_experiment_that_sets_the_mode_is_a_sweep_by_itself(run, tmp_path, flags):
    """Wherever it is; and without one the next run is none."""
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    sweep = "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      quantization.bits: 4,8\n"
    (tmp_path / "own" / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{sweep}")
    assert run(*flags, f"experiment={'mine' if flags else 'bit_widths'}").code == 0
    assert len(table(sweep_folder(tmp_path))) == (3 if flags else 7)
    assert "Evaluate" in run("quantization.bits=4").out


@pytest.mark.slow
def test_a_model_swept_without_its_float_model_has_a_table_all_the_same(run, outputs, tmp_path):
    (outputs / "float.json").unlink()
    done = run("-m", "evaluate", f"artifact={outputs / 'quantized.json'}", "samples=1,2")
    assert (done.code, done.err) == (0, "")
    assert [row["bits"] for row in table(sweep_folder(tmp_path))] == ["8", "8"]


@pytest.mark.slow
def test_a_second_sweep_in_the_same_folder_forgets_the_first(run, tmp_path):
    assert run("-m", "quantization.bits=2,4", "hydra.sweep.dir=s").code == 0
    assert run("-m", "quantization.bits=8", "hydra.sweep.dir=s").code == 0
    assert [row["bits"] for row in table(tmp_path / "s")] == ["float", "8"]
