"""Make rebuilds what changed, and nothing else."""

import atexit
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import pytest
from conftest import PROJECT, rows_csv
from support.processes import wait

from mlrq.artifacts.documents import read_float
from mlrq.cli.make import command

pytestmark = [
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
    pytest.mark.xdist_group("make"),  # which is one process after another, and not to be crowded by its like
]


@cache
def up_to_date() -> Path:
    """A folder that make takes for an environment that has everything: it would make the real one anew."""
    folder = Path(tempfile.mkdtemp(prefix="mlrq-make-"))
    atexit.register(shutil.rmtree, folder)
    for stamp in (".packages", ".ready"):
        (folder / stamp).touch()
    return folder


class Make:
    """make in the project's folder, with its outputs elsewhere and the Python that runs the tests."""

    def __init__(self, out: Path) -> None:
        self.out, self.python = out, sys.executable
        self.project, self.environment = PROJECT, {}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess:
        # The tests may be run by `make test ARGS=...`, which must not reach these.
        inherited = {
            key: value
            for key, value in os.environ.items()
            if key not in ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "ARGS", "OUT", "GOALS")
        }
        return subprocess.run(
            ["make", f"PY={self.python}", f"VENV={up_to_date()}", f"OUT={self.out}", *arguments],
            cwd=self.project, env=inherited | {"NO_COLOR": "1"} | self.environment,
            capture_output=True, encoding="utf-8",
        )  # fmt: skip

    def stamps(self) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in self.out.iterdir()}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory) -> Path:
    """What `make train evaluate` makes; not to be changed."""
    make = Make(tmp_path_factory.mktemp("evaluated") / "out")
    done = make("train", "evaluate")
    assert done.returncode == 0, done.stderr
    return make.out


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return Make(tmp_path / "out")


@pytest.fixture
def remake(evaluated: Path, make: Make) -> Make:
    """make where `make train evaluate` was run."""
    shutil.copytree(evaluated, make.out)  # with the times of its files
    return make


def test_evaluate_makes_the_chain_and_a_second_run_does_nothing(remake, tmp_path, california, parts):
    make = remake
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


@pytest.mark.slow
def test_other_overrides_remake_only_the_stages_that_they_reach(remake):
    make = remake
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


@pytest.mark.slow
def test_an_interval_trains_again_for_it_sets_rows_aside(remake):
    make = remake
    before = make.stamps()
    assert make("quantize", "ARGS=quantization.interval=0.9").returncode == 0
    assert make.stamps()["float.json"] != before["float.json"]
    assert read_float(make.out / "float.json").training.calibration_rows
    assert b'"interval":{' in (make.out / "quantized.json").read_bytes()
    after = make.stamps()
    assert make("evaluate").returncode == 0
    assert {name: make.stamps()[name] for name in ("float.json", "quantized.json")} == {
        name: after[name] for name in ("float.json", "quantized.json")
    }


@pytest.mark.slow
def test_evaluating_without_args_keeps_the_model_and_its_dataset(make, tmp_path):
    lines = [f"{i},{i * i % 7},{i + i % 3}" for i in range(60)]
    (tmp_path / "mine.csv").write_text("\n".join(["a,b,c", *lines]))
    overrides = f"dataset=csv dataset.path={tmp_path / 'mine.csv'} dataset.target=c quantization.bits=5"
    assert make("evaluate", f"ARGS={overrides}").returncode == 0
    stamps = make.stamps()
    assert make("evaluate").returncode == 0
    assert make.stamps() == stamps
    assert make("evaluate", "ARGS=samples=3").returncode == 0
    after = make.stamps()
    assert [after[name] for name in ("float.json", "quantized.json")] == [
        stamps[name] for name in ("float.json", "quantized.json")
    ]
    assert len(json.loads((make.out / "evaluation.json").read_text())["samples"]["actual"]) == 3
    assert make("verify").returncode == 0
    assert make.stamps()["quantized.json"] == stamps["quantized.json"]


@pytest.mark.slow
def test_a_stage_that_fails_fails_make_and_keeps_what_was_there(remake):
    make = remake
    kept = (make.out / "quantized.json").read_bytes()
    failed = make("quantize", "ARGS=quantization.bits=17")
    assert failed.returncode != 0
    assert "quantization.bits=17: must be from 2 to 16, or auto" in failed.stderr
    assert (make.out / "quantized.json").read_bytes() == kept
    # The failure is not taken for done.
    assert make("quantize", "ARGS=quantization.bits=17").returncode != 0


@pytest.mark.slow
def test_a_sweep_goes_on_through_make(make):
    assert make("sweep", "ARGS=quantization.bits=4,8").returncode == 0
    (folder,) = (make.out / "sweeps").iterdir()
    before = (folder / "sweep.csv").read_bytes()
    (folder / "1" / "outcome.json").unlink()
    done = make("sweep", "ARGS=resume=last")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(done before)") == 1
    assert len((folder / "sweep.csv").read_bytes().splitlines()) == len(before.splitlines())


@pytest.mark.parametrize(
    ("args", "widths"),
    [
        ("", True),
        ("dataset=diabetes", True),
        ("'dataset.features=[bmi,bp]' quantization.inputs=int8", True),
        ("model=ridge,lasso", False),
        ("quantization.bits=range(2,5)", False),
        ("experiment=reference", False),
        ("resume=last", False),
        ("dataset.path=a[b", False),  # which the sweep refuses
    ],
)
def test_a_sweep_is_over_bit_widths_where_args_say_of_nothing_else(monkeypatch, args, widths):
    monkeypatch.setenv("OUT", "outputs")
    monkeypatch.setenv("ARGS", args)
    own = ["experiment=bit_widths"] if widths else []
    assert command("sweep") == ["output_dir=outputs", "-m", *own, *shlex.split(args)]


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
@pytest.mark.slow
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


HOSTILE = [
    "quantization.bits=4; touch pwned",
    "$(shell touch pwned)",
    "${shell touch pwned}",
    "`touch pwned`",
    "quantization.bits=$(touch pwned)",
    "&& touch pwned #",
    "| touch pwned",
    "x' ; touch pwned ; echo '",
    "x\ntouch pwned\n",
    "$(eval X := $(shell touch pwned))",
    "$$(touch pwned)",
    "> pwned",
]


@pytest.mark.few(1)
@pytest.mark.parametrize("given", HOSTILE)
def test_args_are_never_text_of_make_or_of_a_shell(make, given):
    before = set(PROJECT.iterdir())
    done = make("quantize", f"ARGS={given}")
    assert done.returncode != 0
    assert "mlrq: error: " in done.stderr
    assert set(PROJECT.iterdir()) == before
    assert not (make.out / "float.json").exists()


@pytest.mark.parametrize("options", [["-n", "quantize"], ["-n", "all"], ["-n", "predict"], ["help"]], ids=str)
def test_what_make_only_shows_executes_nothing(make, options):
    before = set(PROJECT.iterdir())
    assert make(*options, f"ARGS={' '.join(HOSTILE)}").returncode == 0
    assert set(PROJECT.iterdir()) == before
    assert not make.out.exists()


@pytest.mark.slow
def test_args_in_the_environment_are_never_text_of_make_either(make, monkeypatch):
    monkeypatch.setattr(make, "environment", {"ARGS": "$(shell touch pwned) `touch pwned`"})
    before = set(PROJECT.iterdir())
    assert make("quantize").returncode != 0
    assert set(PROJECT.iterdir()) == before


@pytest.mark.slow
def test_values_with_spaces_quotes_and_dollars_reach_the_program(make, tmp_path, california, parts):
    name = "a b's $HOME `id`; #1.csv"
    (tmp_path / name).write_text(rows_csv(california, parts.test_rows[:100]))
    path = str(tmp_path / name).replace("'", "\\'")
    quoted = shlex.quote(f"dataset.path='{path}'")
    done = make("quantize", f"ARGS=dataset=csv dataset.target=HouseAge {quoted}")
    assert done.returncode == 0, done.stderr
    assert (make.out / "quantized.json").exists()
    again = make("quantize", f"ARGS=dataset=csv dataset.target=HouseAge {quoted}")
    assert (again.returncode, again.stderr) == (0, "")
    assert "saved" not in again.stdout


def test_a_quote_that_is_not_closed_is_refused_before_anything_runs(make):
    done = make("evaluate", "ARGS=dataset.path='a b")
    assert done.returncode != 0
    assert "mlrq: error: ARGS: no closing quotation" in done.stderr
    assert not make.out.exists()
    assert "the stage is what the target says" in make("train", "ARGS=stage=quantize").stderr


@pytest.mark.slow
def test_the_outputs_and_the_checkout_may_lie_in_folders_with_spaces(make, tmp_path, california, parts):
    checkout = tmp_path / "my checkout"
    checkout.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "hatch_build.py"):
        (checkout / name).symlink_to(PROJECT / name)
    for name in ("mlrq", "conf"):
        shutil.copytree(PROJECT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    make.project, make.out = checkout, checkout / "my out"
    done = make("evaluate")
    assert done.returncode == 0, done.stderr
    assert make("evaluate").stdout == ""
    (checkout / "my rows.csv").write_text(rows_csv(california, parts.test_rows[:3]))
    done = make("predict", "ARGS=predict.input='my rows.csv'")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    assert make("export").returncode == 0
    assert (checkout / "my out" / "export" / "mlrq.c").exists()


@pytest.mark.slow
def test_exporting_c_of_a_model_of_float_inputs_quantizes_with_integer_ones(make):
    assert make("quantize", "ARGS=quantization.bits=4").returncode == 0
    done = make("export", "ARGS=export=c")
    assert done.returncode == 0, done.stderr
    assert "mlrq: note: C starts from integers: quantizing with quantization.inputs=int8" in done.stderr
    assert b'"bits":4' in (make.out / "quantized.json").read_bytes()
    assert (make.out / "export" / "mlrq.c").exists()
    stamps = make.stamps()
    again = make("export")
    assert (again.returncode, again.stderr) == (0, "")
    assert make.stamps()["quantized.json"] == stamps["quantized.json"]


def test_help_fits_eighty_columns(make):
    assert max(map(len, make("help").stdout.splitlines())) <= 80


# Set-up with a Python that only notes what it is asked for, and waits in pip where there is a file `slow`.
SETUP = """#!/bin/sh
here="{folder}"
echo "$*" >> "$here/calls"
case "$1 $2" in
  "-c "*) exec "{python}" -c "import sys; sys.version_info = {version}; exec(sys.argv[1])" "$2" ;;
  "-m venv") rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  "-m pip") while [ -e "$here/slow" ]; do sleep 0.01; done ;;
esac
"""


class Setup:
    """make that sets up an environment of its own, in `folder`."""

    def __init__(self, folder: Path, version: tuple[int, int] = (3, 11)) -> None:
        self.folder, self.python, self.venv = folder, folder / "python3", folder / "venv"
        self.python.write_text(SETUP.format(folder=folder, python=sys.executable, version=version))
        self.python.chmod(0o755)

    def start(self, **settings) -> subprocess.Popen:
        inherited = {key: text for key, text in os.environ.items() if not key.startswith("MAKE")}
        return subprocess.Popen(
            ["make", f"PYTHON={self.python}", f"VENV={self.venv}", f"{self.venv}/.ready"],
            cwd=PROJECT, env=inherited, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings,
        )  # fmt: skip

    @property
    def calls(self) -> list[str]:
        """What the Pythons were asked for, but for the version."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [" ".join(line.split()[:3]) for line in lines if not line.startswith("-c ")]


WHOLE = ["-m venv --clear", "-m pip install", "-m pip install", "-m mlrq.kernel"]


def test_an_environment_that_was_interrupted_is_set_up_anew(tmp_path):
    setup = Setup(tmp_path)
    (tmp_path / "slow").touch()
    process = setup.start(start_new_session=True)
    wait(lambda: setup.calls == WHOLE[:2])
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (setup.venv / ".packages").exists()
    (tmp_path / "slow").unlink()
    process = setup.start()
    assert process.communicate()[1] == ""
    assert process.returncode == 0
    assert setup.calls == [*WHOLE[:2], *WHOLE]
    assert (setup.venv / ".ready").exists()


@pytest.mark.skipif(shutil.which("flock") is None, reason="without flock there is no lock")
def test_two_makes_at_once_set_up_one_environment(tmp_path):
    setup = Setup(tmp_path)
    (tmp_path / "slow").touch()
    first = setup.start()
    wait(lambda: setup.calls == WHOLE[:2])
    second = setup.start()
    assert second.stdout.readline() == f"Waiting for another make to set up {setup.venv} ...\n"
    (tmp_path / "slow").unlink()
    for process in (first, second):
        assert process.communicate()[1] == ""
        assert process.returncode == 0
    assert [call for call in setup.calls if call != WHOLE[-1]] == WHOLE[:3]


def test_a_python_that_is_too_old_is_told_with_what_to_do(tmp_path):
    setup = Setup(tmp_path, (3, 8))
    process = setup.start()
    first, *rest = process.communicate()[1].splitlines()
    assert process.returncode != 0
    assert first == "mlrq needs Python 3.11 or newer; name one with make PYTHON=python3.12"
    assert [line.partition(":")[0] for line in rest] == ["make"]
    assert setup.calls == []


@pytest.mark.slow
def test_makes_at_once_in_one_folder_make_what_one_makes(make, evaluated):
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(make, "-j8", "train", "evaluate") for _ in range(2)]
    for run in runs:
        assert run.result().returncode == 0, run.result().stderr
    for name in ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS"):
        assert (make.out / name).read_bytes() == (evaluated / name).read_bytes()
    assert not list(make.out.glob(".*"))
