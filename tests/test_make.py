"""Make rebuilds what changed, and nothing else."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from conftest import PROJECT, rows_csv

from mlrq.artifacts.documents import read_float

pytestmark = [
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
    pytest.mark.xdist_group("make"),  # which is one process after another, and not to be crowded by its like
]


class Make:
    """make in the project's folder, with its outputs elsewhere and the Python that runs the tests."""

    def __init__(self, out: Path) -> None:
        self.out, self.python = out, shlex.quote(sys.executable)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess:
        # -o: the environment is there, for it runs this; making it anew would pull it from under us.
        # The tests may be run by `make test ARGS=...`, which must not reach these.
        inherited = {
            key: value
            for key, value in os.environ.items()
            if key not in ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "ARGS", "OUT")
        }
        return subprocess.run(
            ["make", "-o", ".venv/.ready", f"PY={self.python}", f"OUT={self.out}", *arguments],
            cwd=PROJECT, env=inherited | {"NO_COLOR": "1"}, capture_output=True, encoding="utf-8",
        )  # fmt: skip

    def stamps(self) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in self.out.iterdir()}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return Make(tmp_path / "out")


def test_evaluate_makes_the_chain_and_a_second_run_does_nothing(make, tmp_path, california, parts):
    first = make("train", "evaluate")
    assert first.returncode == 0, first.stderr
    stamps = make.stamps()
    assert {"model.joblib", "float.json", "quantized.json", "evaluation.json"} <= set(stamps)
    for target in ("train", "quantize", "evaluate"):
        again = make(target)
        assert (again.returncode, again.stderr) == (0, "")
        assert "Train:" not in again.stdout
        assert "saved" not in again.stdout
    (tmp_path / "rows.csv").write_text(rows_csv(california, parts.test_rows[:3]))
    overrides = f"predict.input={tmp_path / 'rows.csv'} predict.output={tmp_path / 'p.csv'}"
    assert make("predict", f"ARGS={overrides}").returncode == 0
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 4
    assert make.stamps() == stamps


def test_other_overrides_remake_only_the_stages_that_they_reach(make):
    assert make("train", "evaluate").returncode == 0
    before = make.stamps()
    trained = (make.out / "float.json").read_bytes()

    assert make("quantize", "ARGS=quantization.bits=4").returncode == 0
    after = make.stamps()
    assert after["float.json"] == before["float.json"]
    assert after["model.joblib"] == before["model.joblib"]
    assert after["quantized.json"] != before["quantized.json"]
    assert b'"bits":4' in (make.out / "quantized.json").read_bytes()

    assert make("evaluate", "ARGS=quantization.bits=4 samples=3").returncode == 0
    last = make.stamps()
    assert last["float.json"] == before["float.json"]
    assert last["quantized.json"] == after["quantized.json"]
    assert last["evaluation.json"] != before["evaluation.json"]

    assert make("train", "ARGS=model=ridge model.estimator.alpha=1000").returncode == 0
    assert (make.out / "float.json").read_bytes() != trained
    ridge = read_float(make.out / "float.json").model.coefficients
    assert np.array_equal(joblib.load(make.out / "model.joblib").coef_, ridge[0])

    # What scikit-learn fits is there already, and stays.
    assert make("train", "ARGS=model=lasso").returncode == 0
    assert [type(step).__name__ for _, step in joblib.load(make.out / "model.joblib").steps][-1] == "Lasso"
    fitted = make.stamps()
    assert make("train", "ARGS=model=lasso").returncode == 0
    assert make.stamps() == fitted


def test_a_stage_that_fails_fails_make_and_keeps_what_was_there(make):
    assert make("quantize").returncode == 0
    kept = (make.out / "quantized.json").read_bytes()
    failed = make("quantize", "ARGS=quantization.bits=17")
    assert failed.returncode != 0
    assert "quantization.bits=17: must be from 2 to 16" in failed.stderr
    assert (make.out / "quantized.json").read_bytes() == kept
    # The failure is not taken for done.
    assert make("quantize", "ARGS=quantization.bits=17").returncode != 0


def test_a_sweep_goes_on_through_make(make):
    assert make("sweep", "ARGS=quantization.bits=4,8").returncode == 0
    (folder,) = (make.out / "sweeps").iterdir()
    before = (folder / "sweep.csv").read_bytes()
    (folder / "1" / "outcome.json").unlink()
    done = make("sweep", "ARGS=resume=last")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(done before)") == 1
    assert len((folder / "sweep.csv").read_bytes().splitlines()) == len(before.splitlines())


def test_help_lists_every_target_with_what_it_does(make):
    done = make("help")
    listed = {line.split()[0]: line.split(None, 1)[1] for line in done.stdout.splitlines() if line.strip()}
    for target in (
        "all",
        "train",
        "quantize",
        "evaluate",
        "predict",
        "sweep",
        "docker",
        "docker-test",
        "test",
        "lint",
        "clean",
        "help",
    ):
        assert len(listed[target]) > 10
    assert not make.out.exists()


@pytest.mark.parametrize("target", ["all", "sweep", "docker", "test", "lint", "clean"])
def test_every_verb_has_a_recipe(make, target):
    done = make("--dry-run", target)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_no_lock_file_names_an_index():
    for name in ("requirements.lock", "requirements-image.lock"):
        text = (PROJECT / name).read_text()
        assert "--hash=sha256:" in text
        assert "index-url" not in text
        assert "http" not in text
