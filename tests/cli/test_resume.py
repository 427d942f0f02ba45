"""A sweep that was stopped goes on: the same table in the end, and nothing done twice or taken for done."""

import csv
import io
import json
import os
import shutil

import pytest
from conftest import inside
from support.streams import CLI, written

from mlrq.cli import resume
from mlrq.errors import ConfigError, MlrqError
from mlrq.models import estimators

WIDE = ("-m", "quantization.bits=2,4,8", "quantization.rounding=nearest,exact")
NAMES = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")


def table(folder):
    """The table without its times."""
    found = list(csv.DictReader(io.StringIO((folder / "sweep.csv").read_text())))
    return [{key: cell for key, cell in row.items() if key != "ms"} for row in found]


def jobs(done):
    """What was said of each job, by its overrides."""
    lines = [line.split(": ", 2) for line in done.out.splitlines() if line.startswith("job ")]
    return {line[1]: line[2] for line in lines if len(line) == 3}


def number(path):
    """Of the job whose outcome it is."""
    return int(path.parent.name)


def before(done):
    """The jobs that were done before."""
    return [name for name, said in jobs(done).items() if said.endswith(" (done before)")]


INTERRUPTED = """
import os, pathlib, signal, sys
from mlrq.cli.main import main
left, rename = 3, pathlib.Path.replace

def interrupted(self, target):
    rename(self, target)
    global left
    left -= pathlib.Path(target).name == "outcome.json"
    if left == 0:
        os.kill(os.getpid(), signal.SIGINT)

pathlib.Path.replace = interrupted
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
@pytest.mark.slow
def test_a_sweep_that_is_interrupted_and_resumed_ends_as_one_that_was_not(command, run, tmp_path):
    done = command.python(INTERRUPTED, *WIDE)
    (folder,) = (tmp_path / "outputs" / "sweeps").iterdir()
    assert done.code == 130
    place = folder.relative_to(tmp_path)
    assert done.err.splitlines()[-1] == f"mlrq: error: interrupted; resume={place} goes on with this sweep"
    said = [line.split(": ")[1] for line in done.out.splitlines() if line.startswith("job ")]
    finished = [resume.read(path)["name"] for path in sorted(folder.glob("*/outcome.json"), key=number)]
    assert len(finished) == 3
    assert finished[: len(said)] == said
    resumed = run("resume=last")
    assert resumed.code == 0, resumed.err
    assert before(resumed) == finished
    assert len(jobs(resumed)) == 6
    whole = run(*WIDE, "hydra.sweep.dir=whole")
    assert whole.code == 0
    assert before(whole) == []
    assert table(folder) == table(tmp_path / "whole")
    for job in map(str, range(6)):
        for name in NAMES:
            assert (folder / job / name).read_bytes() == (tmp_path / "whole" / job / name).read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a sweep over 2, 4 and 8 bits; not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    with inside(folder) as run:
        assert run("-m", "quantization.bits=2,4,8", "hydra.sweep.dir=s").code == 0
    return folder / "s"


@pytest.fixture
def swept(whole, tmp_path):
    """A copy of it, in the folder `s`."""
    return shutil.copytree(whole, tmp_path / "s")


def test_only_what_is_missing_runs(run, tmp_path, swept):
    expected = table(tmp_path / "s")
    for job in "02":
        (tmp_path / "s" / job / "outcome.json").unlink()
    done = run("resume=s")
    assert (done.code, before(done)) == (0, ["quantization.bits=4"])
    assert table(tmp_path / "s") == expected
    assert before(run("resume=s")) == [f"quantization.bits={bits}" for bits in (2, 4, 8)]


@pytest.mark.slow
def test_points_may_be_added_and_keep_their_files_under_other_numbers(run, tmp_path):
    assert run("-m", "quantization.bits=4,8", "model=ridge", "hydra.sweep.dir=s").code == 0
    kept = [(tmp_path / "s" / job / "quantized.json").read_bytes() for job in "01"]
    done = run("-m", "resume=s", "quantization.bits=2,8,3,4")
    assert done.code == 0
    assert before(done) == ["quantization.bits=8", "quantization.bits=4"]
    assert [(tmp_path / "s" / job / "quantized.json").read_bytes() for job in "31"] == kept
    assert run("-m", "quantization.bits=2,8,3,4", "model=ridge", "hydra.sweep.dir=whole").code == 0
    assert table(tmp_path / "s") == table(tmp_path / "whole")
    # A narrower table leaves the other points to one that asks for them.
    assert run("resume=s", "quantization.bits=3").code == 0
    assert [row["bits"] for row in table(tmp_path / "s")] == ["float", "3"]
    assert len(before(run("resume=s", "quantization.bits=2,3,4,8"))) == 4
    assert not (tmp_path / "s" / "earlier").exists()


def outdated(job, tmp_path, monkeypatch, reason):
    """Make what the sweep in `s` did before no longer true, for `reason`."""
    if reason == "the data changed":
        rows = (tmp_path / "mine.csv").read_text()
        (tmp_path / "mine.csv").write_text(rows.replace("\n3,2,", "\n3,2.5,"))
    elif reason == "another mlrq did it before":
        monkeypatch.setattr(resume, "_program", lambda: "another")
    elif reason == "failed before":
        outcome = resume.read(job / "outcome.json") | {"error": "the disk was full"}
        resume.write_document(job / "outcome.json", "outcome", 1, outcome)
    else:
        (job / "quantized.json").write_text("{}")


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param("the data changed", marks=pytest.mark.slow),
        pytest.param("another mlrq did it before", marks=pytest.mark.slow),
        pytest.param("failed before", marks=pytest.mark.slow),
        "its files are not what they were",
    ],
)
@pytest.mark.slow
def test_what_is_no_longer_true_runs_again_and_says_why(run, tmp_path, monkeypatch, reason):
    rows = "a,b,y\n" + "".join(f"{i},{i * i % 7},{2 * i + i % 3}\n" for i in range(60))
    (tmp_path / "mine.csv").write_text(rows)
    asked = ("dataset=csv", "dataset.path=mine.csv", "dataset.target=y")
    assert run("-m", *asked, "quantization.bits=4", "hydra.sweep.dir=s").code == 0
    outdated(tmp_path / "s" / "0", tmp_path, monkeypatch, reason)
    done = run("resume=s")
    assert done.code == 0
    (said,) = jobs(done).values()
    assert said.endswith(f" (again: {reason})")
    assert len(before(run("resume=s"))) == 1
    assert run("-m", *asked, "quantization.bits=4", "hydra.sweep.dir=whole").code == 0
    assert table(tmp_path / "s") == table(tmp_path / "whole")


@pytest.mark.slow
def test_another_setting_is_another_point_and_another_engine_or_place_is_not(run, swept):
    assert before(run("resume=s", "quantization.nodes=1234567")) == []
    assert before(run("resume=s", "dataset.seed=1")) == []
    assert len(before(run("resume=s", "engine=joblib", "report=json", "output_dir=elsewhere"))) == 3


@pytest.mark.slow
def test_a_damaged_outcome_is_not_taken_for_done(run, swept):
    path = swept / "2" / "outcome.json"
    path.write_bytes(path.read_bytes().replace(b'"bits":8', b'"bits":4'))
    assert before(run("resume=s")) == ["quantization.bits=2", "quantization.bits=4"]


@pytest.mark.slow
def test_what_failed_is_listed_again_and_the_rest_is_not_done_again(run, tmp_path):
    assert run("-m", "quantization.bits=17,4", "hydra.sweep.dir=s").code == 1
    done = run("resume=s")
    assert done.code == 1
    assert done.faults == [
        "job 0 (quantization.bits=17) failed: quantization.bits=17: must be from 2 to 16, or auto"
    ]
    assert before(done) == ["quantization.bits=4"]


@pytest.mark.slow
def test_where_all_is_done_the_data_is_read_once_for_its_hash(run, tmp_path, scans, monkeypatch):
    parts = len(written(tmp_path / "t").parts)
    assert run("-m", *CLI, "model=ridge,linear_regression", "quantization.bits=4,8").code == 0
    fitted = []
    monkeypatch.setattr(estimators, "fit", lambda *given: fitted.append(given))
    assert len(before(run("resume=last"))) == 4
    assert (len(scans), fitted) == (2 * parts, [])


@pytest.mark.slow  # that jobs run side by side is a test of sweeps
def test_jobs_side_by_side_are_resumed_too(command, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the joblib extra is not installed")
    parallel = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert command("-m", *parallel, "quantization.bits=4,6,8", "hydra.sweep.dir=s").code == 0
    expected = table(tmp_path / "s")
    (tmp_path / "s" / "1" / "outcome.json").unlink()
    assert command("resume=s").code == 0
    assert table(tmp_path / "s") == expected
    recorded = json.loads((tmp_path / "s" / "sweep.json").read_text())["overrides"]
    assert set(parallel) <= set(recorded)


@pytest.mark.slow
def test_the_newest_sweep_is_the_last(run, tmp_path):
    for name, bits in (("a", 4), ("b", 8)):
        assert run("-m", f"quantization.bits={bits}", f"hydra.sweep.dir=o/sweeps/{name}").code == 0
    assert list(jobs(run("resume=last", "output_dir=o"))) == ["quantization.bits=8 output_dir=o"]
    assert run("resume=o/sweeps/a").code == 0
    assert list(jobs(run("resume=last", "output_dir=o"))) == ["quantization.bits=4 output_dir=o"]


def test_what_is_given_takes_the_place_of_what_was_asked_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "it's mine"
    resume.record(folder, ["model=ridge", "+a.b=1", "samples=3", "hydra.sweep.dir=x", "resume=x"])
    found = resume.command([f"resume={folder}", "+a.b=2", "quantization.bits=2,4"])
    quoted = "'" + str(folder).replace("'", "\\'") + "'"
    assert found == [
        "model=ridge", "+a.b=2", "samples=3", "quantization.bits=2,4",
        f"resume={quoted}", f"hydra.sweep.dir={quoted}",
    ]  # fmt: skip
    assert resume.command(["resume=null", "samples=1"]) == ["resume=null", "samples=1"]


@pytest.mark.slow
def test_a_folder_with_blanks_and_quotes_is_resumed(run, tmp_path):
    assert run("-m", "quantization.bits=4", "hydra.sweep.dir='my \\'s\\' x'").code == 0
    assert len(before(run("resume=my 's' x"))) == 1


def test_what_cannot_be_resumed_is_one_line(run, tmp_path):
    run("resume=last").refused("resume=last: no sweep in outputs/sweeps; name its folder", code=2)
    run("-m", "resume=nowhere").refused("resume=nowhere: no sweep there", "sweep.json", code=2)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "sweep.json").write_text("{")
    run("resume=s").refused("s/sweep.json: not an mlrq sweep file, or cut short")
    with pytest.raises(ConfigError):
        resume.command(["resume=last"])
    with pytest.raises(MlrqError):
        resume.command(["resume=s"])
