"""SIGINT and SIGTERM at random instants: an exit code, one line, whole files."""

import hashlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import settled

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells by /proc who heeds a signal"),
    pytest.mark.slow,
]

SMALL = ("dataset=synthetic", "dataset.rows=2000", "dataset.features=4")
STREAMED = (
    "dataset=csv", "dataset.path=t.csv", "dataset.target=y", "dataset.stream_above=0", "model=ridge",
)  # fmt: skip
KINDS = {
    "run": SMALL,
    "sweep": ("-m", "quantization.bits=2,3", *SMALL),
    "export": ("export", "export=onnx"),
    "stream": ("engine=threads", *STREAMED),
    "dask": ("engine=dask", "engine.workers=1", *STREAMED),
}
# Signals of each kind and number, 200 of each number in all, or as many of each kind as MLRQ_SIGNALS says.
TIMES = {"run": 48, "sweep": 48, "export": 48, "stream": 48, "dask": 8}


def heeds(process: subprocess.Popen) -> bool:
    """Whether the process has begun to heed SIGTERM, or ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return True
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt")), "SigCgt: 0")
    return process.poll() is not None or bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def whole(outputs: Path) -> None:
    """Hold that the checksums are those of the files, and no temporary file is left."""
    assert not list(outputs.rglob(".*.tmp"))
    for sums in outputs.rglob("SHA256SUMS"):
        for line in sums.read_text().splitlines():
            sha256, name = line.split("  ", 1)
            assert hashlib.sha256((sums.parent / name).read_bytes()).hexdigest() == sha256


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_at_any_instant_is_an_exit_code_and_one_line(command, outputs, tmp_path, kind, number):
    if kind == "dask":
        pytest.importorskip("distributed")
    rows = np.random.default_rng(0).normal(size=(20_000, 5))
    np.savetxt(tmp_path / "t.csv", rows, "%.6g", ",", header="a,b,c,d,y", comments="")
    instants, ended, lasts = random.Random(kind + str(int(number))), 0, 0.0
    for turn in range(1 + int(os.environ.get("MLRQ_SIGNALS", TIMES[kind]))):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = command.start(*KINDS[kind], **pipes)
        while not heeds(process):
            time.sleep(0.001)
        began = time.monotonic()
        if turn == 0:  # how long it lasts here
            process.wait()
            lasts = time.monotonic() - began
        time.sleep(instants.uniform(0, lasts) if turn else 0)
        if process.poll() is None:
            os.kill(process.pid, number)
        _, err = process.communicate()
        faults = settled(err.decode())
        assert process.returncode in (0, 128 + number), faults
        if process.returncode:
            ended += 1
            assert len(faults.splitlines()) == 1, faults
            assert faults.startswith("mlrq: error: "), faults
        whole(outputs)
    assert ended
