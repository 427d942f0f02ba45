"""Atomic writes, and documents that tell when they were changed."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from hypothesis import given
from hypothesis import strategies as st

from mlrq.artifacts.json_document import encode, read_document, write_document
from mlrq.errors import MlrqError
from mlrq.files import atomic, digest, replace_together, write

TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # a lone surrogate is no text
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
RESERVED = ("format", "schema", "sha256")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_halfway(path: Path, failure: type[BaseException]) -> None:
    with atomic(path) as stream:
        stream.write(b"half of the n")
        raise failure


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path, failure):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(failure):
        fail_halfway(path, failure)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def test_a_block_that_fails_makes_no_new_file(tmp_path: Path):
    with pytest.raises(RuntimeError):
        fail_halfway(tmp_path / "deep" / "a.json", RuntimeError)
    assert names(tmp_path / "deep") == []


def test_the_old_file_stays_until_the_block_ends(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with atomic(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.json"]


def test_a_file_gets_the_permissions_that_the_mask_leaves(tmp_path: Path):
    old = os.umask(0o027)
    try:
        write(tmp_path / "a", b"x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path):
    # Not permissions: root, who runs tests in containers, has all of them.
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MlrqError) as caught:
        write(tmp_path / "file" / "a.json", b"x")
    assert str(caught.value).startswith(f"{tmp_path / 'file' / 'a.json'}: cannot be written: ")


def test_a_name_of_as_many_bytes_as_there_may_be_is_written(tmp_path: Path):
    for name in ("a" * 255, "日" * 85):
        write(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"


def test_the_root_is_no_file_and_said_so():
    with pytest.raises(MlrqError, match=r"^/: cannot be written: "):
        write(Path("/"), b"x")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_child_that_ends_leaves_its_parents_files_alone(tmp_path: Path):
    code = """
import os, sys, threading, warnings
from pathlib import Path
from mlrq.files import atomic
warnings.simplefilter("ignore")  # of a fork beside threads
begun, forked = threading.Event(), threading.Event()
def write():
    with atomic(Path(sys.argv[1])) as stream:
        begun.set()
        forked.wait()
        stream.write(b"whole")
thread = threading.Thread(target=write)
thread.start()
begun.wait()
child = os.fork()
if child:
    os.waitpid(child, 0)
    forked.set()
    thread.join()
else:
    threading._shutdown = lambda: None  # which waits for a thread that it does not have
"""
    call = [sys.executable, "-c", code, str(tmp_path / "a")]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_a_folder_in_the_place_of_the_file_is_left_alone(tmp_path: Path):
    (tmp_path / "a.json" / "inner").mkdir(parents=True)
    with pytest.raises((MlrqError, OSError)):
        write(tmp_path / "a.json", b"x")
    assert names(tmp_path) == ["a.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_kill_9_at_any_moment_leaves_one_whole_file(tmp_path: Path):
    path = tmp_path / "a.json"
    code = """
import sys
from pathlib import Path
from mlrq.artifacts.json_document import write_document
path, turn = Path(sys.argv[1]), 0
while True:
    write_document(path, "test", 1, {"turn": turn, "filler": [turn] * 50_000})
    print(turn, flush=True)
    turn += 1
"""
    for turns in range(1, 7):
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
            for _ in range(turns):
                process.stdout.readline()
            process.kill()  # in the middle of writing a later one
        assert process.returncode == -signal.SIGKILL
        document = read_document(path, "test", 1, "this test")
        assert document["filler"] == [document["turn"]] * 50_000
        assert document["turn"] >= turns - 1


INTERRUPTED = """
import sys
from pathlib import Path
from mlrq.files import replace_together
# Interrupts the writing of two files before its n-th instruction, for each n there is.
folder, left = Path(sys.argv[1]), 0
def trace(frame, event, argument):
    global left
    frame.f_trace_opcodes = True
    if event == "opcode":
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
    return trace
def write(n):
    global left
    left = n
    sys.settrace(trace)
    try:
        replace_together(folder, [("a", b"%d" % n), ("b", b"%d" % n)], ["a", "b"])
        return True
    except KeyboardInterrupt:
        return False
    finally:
        sys.settrace(None)
n = 1
while not write(n):
    for path in [*folder.glob("a"), *folder.glob("b")]:
        assert path.read_text().isdigit()
    n += 1
    assert n < 100_000
print(n)
"""


def test_an_interrupt_before_any_instruction_leaves_whole_files_and_no_litter(tmp_path: Path):
    """As a signal does, which may come after a file was made and before anything holds its name."""
    call = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 1_000
    assert names(tmp_path) == ["SHA256SUMS", "a", "b"]
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == done.stdout.strip()


KILLED = """
import os, pathlib, signal, sys
# Dies at the n-th rename of a temporary file into its place, just before it or just after.
left, when = int(sys.argv[1]), sys.argv[2]
rename = pathlib.Path.replace
def dying(self, target):
    global left
    left -= 1
    if left == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    rename(self, target)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path.replace = dying
sys.argv[1:] = sys.argv[3:]
from mlrq.cli.main import main
main()
"""


OTHER = ("model=huber", "quantization.bits=4")
DERIVED = {
    "model.joblib": ["float.json"],
    "certificate.json": ["quantized.json"],
    "evaluation.json": ["float.json", "quantized.json"],
}


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """What the killed runs would have written: another model, other bits."""
    folder = tmp_path_factory.mktemp("other")
    assert Command(folder)(*OTHER).code == 0
    return folder / "outputs"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> Path:
    """What they find: a model with an estimator beside it."""
    folder = tmp_path_factory.mktemp("fitted")
    assert Command(folder)("model=lasso").code == 0
    return folder / "outputs"


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("nth", "when"),
    [(3, "after"), (1, "before"), (1, "after"), (2, "after"), (4, "after"), (5, "after")],
)
def test_a_run_killed_at_a_rename_leaves_no_pair_that_does_not_belong_together(
    command, tmp_path, fitted, other, nth, when
):
    outputs = tmp_path / "outputs"
    shutil.copytree(fitted, outputs)
    artifacts = ("float.json", "model.joblib", "quantized.json", "certificate.json", "evaluation.json")
    old = {name: (fitted / name).read_bytes() for name in artifacts}
    new = {name: (other / name).read_bytes() for name in artifacts}
    assert all(old[name] != new[name] for name in artifacts)
    died = command.python(KILLED, nth, when, *OTHER)
    assert died.code == -signal.SIGKILL
    found = {name: (outputs / name).read_bytes() for name in artifacts if (outputs / name).exists()}
    renamed = artifacts[: nth if when == "after" else 0]
    for name in artifacts:
        gone = name in DERIVED and name not in renamed
        assert found.get(name) == (None if gone else new[name] if name in renamed else old[name])
    assert not (outputs / "SHA256SUMS").exists()
    # What it left behind does not disturb the next run.
    assert list(outputs.glob(".*.tmp"))  # run.json at least, which comes last
    assert command(*OTHER).code == 0
    for name in (*artifacts, "SHA256SUMS"):
        assert (outputs / name).read_bytes() == (other / name).read_bytes()


def test_a_stage_that_fails_changes_no_file(run, outputs):
    before = {path: path.read_bytes() for path in outputs.iterdir()}
    run("model=ridge", "quantization=int2", "quantization.max_r2_drop=0", "quantization.strict=true").refused(
        "strict"
    )
    assert {path: path.read_bytes() for path in outputs.iterdir()} == before


def test_an_evaluation_goes_with_the_models_that_it_is_of(run, outputs):
    assert run("quantize").code == 0  # the same
    assert (outputs / "evaluation.json").exists()
    assert run("quantize", "quantization.bits=4").code == 0
    assert not (outputs / "evaluation.json").exists()
    assert "evaluation.json" not in (outputs / "SHA256SUMS").read_text()


def test_the_checksums_are_those_of_sha256(finished: Path):
    lines = (finished / "outputs" / "SHA256SUMS").read_text().splitlines()
    expected = {
        name: hashlib.sha256((finished / "outputs" / name).read_bytes()).hexdigest()
        for name in ("float.json", "quantized.json", "certificate.json", "evaluation.json")
    }
    assert dict(reversed(line.split("  ")) for line in lines) == expected
    assert lines == sorted(lines, key=lambda line: line.split()[1])


def test_checksums_leave_out_what_is_not_there(tmp_path: Path):
    replace_together(tmp_path, [("b", b"x"), ("d", b"y")], ("c", "b", "a"))
    assert (tmp_path / "SHA256SUMS").read_text() == f"{hashlib.sha256(b'x').hexdigest()}  b\n"


@given(st.dictionaries(TEXT.filter(lambda key: key not in RESERVED), JSON, max_size=5))
def test_a_document_reads_back_as_it_was_written(tmp_path_factory, body):
    path = tmp_path_factory.getbasetemp() / "document.json"
    write_document(path, "test", 3, body)
    document = read_document(path, "test", 3, "this test")
    assert document == {**body, "format": "mlrq.test", "schema": 3}
    raw = path.read_bytes()
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == 1
    whole = json.loads(raw)
    claimed = whole.pop("sha256")
    assert hashlib.sha256(encode(whole)).hexdigest() == claimed == digest(encode(whole))


def test_keys_are_sorted_and_numbers_read_back_to_the_same_double():
    assert encode({"b": 1, "a": [0.1, 1e300, 5e-324]}) == b'{"a":[0.1,1e+300,5e-324],"b":1}\n'
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="JSON"):
            encode({"a": value})


def test_a_document_without_its_hash_is_refused_whatever_it_holds(tmp_path: Path):
    path = tmp_path / "a.json"
    for cell in ("1", "NaN", '"\\ud800"', "Infinity", "null"):
        path.write_text('{"format":"mlrq.test","schema":1,"cell":' + cell + "}")
        with pytest.raises(MlrqError, match="damaged"):
            read_document(path, "test", 1, "this test")
