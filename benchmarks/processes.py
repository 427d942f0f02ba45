"""Runs a command and measures it: wall-clock and processor seconds, and the peak memory of each process.

Linux only: the peaks are the kernel's own (VmHWM in /proc/PID/status). They are exact whenever they are read,
so they are read often, and once more by wait4 for what came after the last look.
"""

import os
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.05  # seconds between two looks


@dataclass(frozen=True)
class Run:
    """What one run of a command took.

    Attributes:
        seconds: Wall-clock time, from before the start to after the end.
        cpu: Processor time of all its processes.
        main: Peak resident megabytes (10^6 bytes) of the process itself.
        others: Those of the processes below it, largest first.
        peak: Of the largest of all; at least that of `main` and `others`.
        output: What it wrote to standard output.
    """

    seconds: float
    cpu: float
    main: float
    others: tuple[float, ...]
    peak: float
    output: str


def run(command: list[str], folder: Path) -> Run:
    """Run a command to its end in `folder`.

    Raises:
        RuntimeError: With the last lines that it wrote, if it fails.
    """
    peaks: dict[int, float] = {}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=errors)
        end = os.pidfd_open(process.pid)  # readable when the process has ended
        try:
            while True:
                for pid in family(process.pid):
                    if (peak := high_water(pid)) is not None:
                        peaks[pid] = peak  # the latest: just after a fork it is still the parent's
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    break
                select.select([end], [], [], EVERY)
        except BaseException:
            process.kill()
            raise
        finally:
            os.close(end)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            last = "".join(errors.readlines()[-3:]).strip()
            raise RuntimeError(f"{' '.join(command[:3])} ... failed ({process.returncode}): {last}")
        main = peaks.pop(process.pid, 0.0)
        others = tuple(sorted(peaks.values(), reverse=True))
        peak = max(main, *others, usage.ru_maxrss * 1024 / 1e6)
        return Run(seconds, usage.ru_utime + usage.ru_stime, main or peak, others, peak, output.read())


def family(pid: int) -> list[int]:
    """The process and all below it that are alive."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue  # it has ended meanwhile
    return found


def high_water(pid: int) -> float | None:
    """Peak resident megabytes of a process so far; None if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    kilobytes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kilobytes[0]) * 1024 / 1e6 if kilobytes else None


def available() -> float:
    """Megabytes of memory that new processes may take."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("MemAvailable:"))


def supported() -> bool:
    """Whether this system tells peaks and children the way they are read here."""
    return sys.platform == "linux" and Path(f"/proc/self/task/{os.getpid()}/children").exists()
