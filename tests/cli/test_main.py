"""The command line: one clear line for what is wrong, an exit code, nothing lost."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import settled

from mlrq import __version__

CSV = ("dataset=csv", "dataset.path=mine.csv", "dataset.target=y")
GOOD = "a,b,y\n" + "".join(f"{i},{i * i % 7},{2 * i + i % 3}\n" for i in range(30))
CONSTANT = "{}\n" + "".join(f"{i},5,{i * i}\n" for i in range(9))


def test_the_version_is_printed(command):
    done = command("--version")
    assert (done.code, done.out, done.err) == (0, f"mlrq {__version__}\n", "")


@pytest.mark.parametrize("stage", ["train", "quantize", "evaluate"])
def test_a_bare_stage_is_stage_equals(run, outputs, stage):
    bare, spelled = run(stage), run(f"stage={stage}")
    assert bare.code == spelled.code == 0
    assert bare.out == spelled.out


@pytest.mark.slow
def test_the_stages_are_those_of_all(run, outputs):
    whole = run().out
    for stage in ("train", "quantize", "evaluate"):
        body = run(stage).out.split("\n\n", 1)[1].rpartition("\nsaved")[0].split("\nsaved")[0]
        assert body.strip() in whole


# Every case from the outside; what each loader says is held beside it.
BAD = {
    "missing": (None, "mine.csv: no such file"),
    "empty": ("", "mine.csv: empty"),
    "no header": ("1,2,3\n4,5,6\n", "mine.csv: no header line"),
    "ragged": (GOOD + "1,2\n", "mine.csv, line 32: 2 cells, but the header has 3"),
    "not a number": (GOOD + "1,two,3\n", "mine.csv, line 32, column 'b': 'two' is not a number"),
    "nan": (GOOD + "1,2,nan\n", "mine.csv, line 32, column 'y': 'nan' is not a finite number"),
    "infinite": (GOOD + "-inf,2,3\n", "mine.csv, line 32, column 'a': '-inf' is not a finite number"),
    "empty cell": (GOOD + "1,,3\n", "mine.csv, line 32, column 'b': is empty"),
    "no target": ("a,b\n1,2\n", "mine.csv: no column 'y'"),
    "constant feature": (CONSTANT.format("a,b,y"), "constant feature in the training rows: 'b' (always 5)"),
    "constant target": (CONSTANT.format("a,y,b"), "constant target in the training rows: 'y' (always 5)"),
    "fewer rows than features": ("a,b,c,y\n1,2,3,4\n2,3,5,1\n", "features need at least 3"),
    "a single row": ("a,y\n1,2\n", "1 row, but 1 feature needs at least 2"),
    "header only": ("a,y\n", "mine.csv: a header line, but no rows"),
    "too large": (GOOD + "1,2,1e300\n", "mine.csv"),
}  # fmt: skip


@pytest.mark.few(5)
@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_one_line_and_loses_nothing(run, outputs, tmp_path, case):
    text, message = BAD[case]
    if text is not None:
        (tmp_path / "mine.csv").write_text(text)
    before = {path: path.read_bytes() for path in outputs.iterdir()}
    run(*CSV).refused(message)
    assert {path: path.read_bytes() for path in outputs.iterdir()} == before


@pytest.mark.few(1)
@pytest.mark.parametrize("case", ["missing", "nan", "a single row"])
def test_bad_data_is_one_line_from_the_real_command(command, tmp_path, case):
    text, message = BAD[case]
    if text is not None:
        (tmp_path / "mine.csv").write_text(text)
    done = command(*CSV)
    done.refused(message)
    assert "Traceback" not in done.err
    assert done.out == ""


def test_all_faults_of_a_command_line_are_listed_one_a_line(command):
    done = command("quantization.bits=17", "stage=fly", "samples=-1", "+typo=1", "dataset.seed=x", "nosuch=1")
    assert done.code == 2
    assert done.out == ""
    assert len(done.faults) == len(done.err.splitlines()) == 6
    for start in (
        "quantization.bits=17: ",
        "stage=fly: ",
        "samples=-1: ",
        "typo: ",
        "dataset.seed=x: ",
        "nosuch: ",
    ):
        assert len([fault for fault in done.faults if fault.startswith(start)]) == 1


@pytest.mark.few(10)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["quantization.bitz=3"], ["quantization.bitz: no such key", "quantization.bits?"]),
        (["+quantization.bitz=3"], ["quantization.bitz: no such key", "quantization.bits?"]),
        (["quantization.bits=eight"], ["quantization.bits=eight: must be from 2 to 16, or auto"]),
        (["quantization.bits=1"], ["quantization.bits=1: must be from 2 to 16, or auto"]),
        (["quantization.bits=2,3"], ["several values", "-m sweeps"]),
        (["quantization=int5"], ["quantization=int5: no such option", "int4"]),
        (["dataset=iris"], ["dataset=iris: no such option", "california_housing"]),
        (["trian"], ["trian: neither a stage nor key=value", "did you mean train?"]),
        (["model.estimator._target_=os.system"], ["os.system: must be a linear regressor of sklearn"]),
        (["model.estimator._target_=sklearn.linear_model.Rigde"], ["did you mean sklearn.linear_model.R"]),
        (["dataset.path=x.csv"], ["dataset.path: only with dataset=csv or dataset=parquet"]),
        (["export=onnx", "export.packed=true"], ["export.packed: only with export=c"]),
        (["hydra/launcher=lorry"], ["hydra/launcher=lorry: no such option", "basic"]),
        (["-m", "hydra.launcher._target_=os.system"], ["hydra.launcher._target_=os.system: not what"]),
        (["dataset._target_=os.system"], ["must be mlrq.datasets.california_housing.load"]),
        (["+model.estimator._partial_=true"], ["model.estimator._partial_: is no parameter"]),
        (["--foo"], ["--foo: no such flag"]),
        (["--versoin"], ["--versoin: no such flag; did you mean --version?"]),
        (["--cfg"], ["--cfg: needs a value"]),
        (["--cfg=jobs"], ["--cfg=jobs: must be one of job, hydra, all"]),
        (["--run", "--multirun"], ["--run and --multirun: one at a time"]),
        (["--resolve"], ["--resolve: only with --cfg"]),
        (["--config-dir=nowhere"], ["--config-dir=nowhere: no such folder"]),
        (["--config-path=conf"], ["--config-path: refused", "--config-dir"]),
        (["train", "evaluate"], ["stage: one at a time"]),
        (["model.estimator.alpha=1"], ["alpha"]),
        (["~predict"], ["predict"]),
        (["dataset=null"], ["dataset"]),
        (["output_dir=${oc.env:MLRQ_NOT_SET}"], ["output_dir", "MLRQ_NOT_SET"]),
        (["dataset=csv", "dataset.target=y"], ["dataset.path: required; add dataset.path=VALUE"]),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)  # fmt: skip
def test_a_faulty_command_line_is_one_line_and_exit_code_2(run, arguments, words):
    run(*arguments).refused(*words, code=2)


def test_a_parameter_that_does_not_suit_the_estimator_is_one_line(run):
    run("train", "model=ridge", "model.estimator.alpha=-1").refused("Ridge", "alpha")


def test_verbose_shows_the_trace_and_the_line(command):
    quiet, loud = command(*CSV), command("-v", *CSV)
    assert quiet.code == loud.code == 1
    assert "Traceback" in loud.err
    assert loud.faults == quiet.faults == ["mine.csv: no such file"]


def test_verbose_may_stand_anywhere_and_be_spelled_as_hydra_does(run):
    for arguments in (("train", "-v", *CSV), ("--verbose", *CSV), ("hydra.verbose=true", *CSV)):
        assert "Traceback" in run(*arguments).err


def test_output_that_cannot_be_written_is_one_line(run, tmp_path):
    (tmp_path / "file").write_text("")
    run("train", "output_dir=file/below").refused("file/below", "Not a directory")


def test_without_saving_nothing_is_written(run, tmp_path, finished):
    done = run("save=false", "report=json")
    assert done.code == 0
    assert list(tmp_path.iterdir()) == []


def test_a_stage_without_what_it_needs_says_what_makes_it(run):
    run("quantize").refused("outputs/float.json: no such file; `mlrq train` makes it")
    run("evaluate").refused("outputs/quantized.json: no such file; `mlrq quantize` makes it")


@pytest.mark.parametrize("damage", ["cut", "flip", "newer"])
def test_a_damaged_model_is_one_line_in_every_stage_that_reads_it(run, outputs, damage):
    for name, stages in (("float.json", ["quantize"]), ("quantized.json", ["evaluate", "predict"])):
        whole = (outputs / name).read_bytes()
        changed = {
            "cut": whole[:-100],
            "flip": whole[:60] + bytes([whole[60] ^ 1]) + whole[61:],
            "newer": whole.replace(b'"schema":2', b'"schema":3'),
        }[damage]
        assert changed != whole
        (outputs / name).write_bytes(changed)
        # Every damage is refused where the file is read, which is one place for all stages.
        for stage in stages if damage == "flip" else stages[-1:]:
            run(stage).refused(f"outputs/{name}: ")
        assert (outputs / name).read_bytes() == changed
        (outputs / name).write_bytes(whole)


def test_quantizing_with_other_data_than_the_training_rows_is_refused(run, outputs):
    run("quantize", "dataset=diabetes").refused("float.json was trained on california_housing")
    run("quantize", "dataset.seed=1").refused("seed 42", "seed 1")
    run("quantize", "dataset.test_size=0.3").refused("test_size 0.2", "test_size 0.3")


def test_evaluating_on_other_columns_is_refused(run, outputs):
    run("evaluate", "dataset=diabetes").refused("MedHouseVal", "california_housing")


def test_evaluating_on_rows_that_were_trained_on_is_not_done_in_silence(run, outputs):
    done = run("evaluate", "dataset.seed=7")
    assert "seed" in done.err
    assert len(done.err.splitlines()) == 1


def test_a_float_model_that_the_integer_one_was_not_made_from_is_not_compared_with_it(run, outputs):
    for arguments in (["dataset=diabetes"], ["model=ridge", "model.estimator.alpha=1000"]):
        assert run("train", *arguments).code == 0
        done = run("evaluate")
        done.refused("quantized.json was not made from", "float.json", "run stage=quantize")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
@pytest.mark.slow
def test_an_interrupted_stage_is_one_line_and_leaves_the_old_artifacts(command, outputs, tmp_path):
    # In place of the package that parses the dataset: one that waits, as a slow disk would.
    (tmp_path / "pyarrow.py").write_text("import sys\nsys.stdin.read()\n")
    (tmp_path / "mine.csv").write_text(GOOD)
    command.environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    before = {path: path.read_bytes() for path in outputs.iterdir()}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = command.start(*CSV, **pipes)
    assert process.stderr.readline() == b"Reading the dataset ...\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert settled(err.decode()) == "mlrq: error: interrupted; what was written before is whole\n"
    assert {path: path.read_bytes() for path in outputs.iterdir()} == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_an_interrupt_while_it_is_still_being_imported_is_one_line(command, tmp_path):
    # In place of the package that the command line imports first: one that waits, as a slow disk would.
    (tmp_path / "hydra.py").write_text("import sys\nprint('importing', flush=True)\nsys.stdin.read()\n")
    command.environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = command.start(**pipes)
    assert process.stdout.readline() == b"importing\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert err == b"mlrq: error: interrupted; what was written before is whole\n"


@pytest.mark.few(3)
@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("closed", "arguments", "code", "fault"),
    [
        ("<&-", "train save=false", 0, None),
        ("2>&-", "train save=false", 0, None),
        ("2>&-", "no_such_key=1", 2, None),
        ("<&- 2>&-", "train", 0, None),
        ("<&-", "predict", 1, "standard input: empty; expected a header line and rows"),
        (">&-", "train", 1, "standard output is closed: redirect it, to /dev/null for none"),
        ("<&- >&-", "predict", 1, "standard output is closed: redirect it, to /dev/null for none"),
    ],
)
def test_closed_standard_streams_end_cleanly(command, outputs, closed, arguments, code, fault):
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m mlrq {arguments} {closed}', sys.executable],
        capture_output=True, encoding="utf-8", **command.settings,
    )  # fmt: skip
    assert done.returncode == code, done
    assert settled(done.stderr) == (f"mlrq: error: {fault}\n" if fault else "")
    assert ("R2" in done.stdout) == (code == 0), done.stdout
    assert "mlrq: error" not in done.stdout
