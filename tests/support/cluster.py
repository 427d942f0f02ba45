"""A dask scheduler and workers as processes of their own, on the loopback interface, to stop and to kill."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from support.processes import HANG, wait


class Worker:
    """A `dask worker` of one thread."""

    def __init__(self, process: subprocess.Popen, address: str) -> None:
        self.process, self.address = process, address

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Cluster:
    """A `dask scheduler` and two `dask worker`s, and a client that asks how they are."""

    def __init__(self, folder: Path, settings: dict) -> None:
        self._file, self._settings, self._started = folder / "scheduler.json", settings, []
        try:
            self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
            wait(self._listens)
            self.address: str = json.loads(self._file.read_text())["address"]
            from distributed import Client

            self.client = Client(self.address, set_as_default=False)
            self.workers = self.start_workers(2)
        except BaseException:
            self.close()
            raise

    def start_workers(self, count: int) -> list[Worker]:
        """Workers that have worked: one that is stopped before it says it is ready would be given nothing."""
        before = self.addresses()
        arguments = ("--host", "127.0.0.1", "--nthreads", "1", "--no-nanny")
        processes = [self._start("worker", *arguments) for _ in range(count)]
        wait(lambda: len(self.addresses() - before) == count)
        addresses = {
            self.client.submit(os.getpid, workers=[address], pure=False).result(HANG): address
            for address in self.addresses() - before
        }
        return [Worker(process, addresses[process.pid]) for process in processes]

    def addresses(self) -> set[str]:
        """Of the workers that the scheduler has."""
        return set(self.client.nthreads())

    def held(self, worker: Worker) -> int:
        """How many tasks the scheduler has given to `worker` and not got back."""
        return len(self.client.processing().get(worker.address, ()))

    def done(self) -> int:
        """How many results the workers hold."""
        return sum(map(len, self.client.has_what().values()))

    def close(self) -> None:
        """End every process, stopped or not."""
        if hasattr(self, "client"):
            self.client.close(timeout=2)
        for process in self._started:
            process.kill()
            process.wait()

    def _listens(self) -> bool:
        """Whether the scheduler has written its file to the end."""
        return self._file.exists() and self._file.read_text().endswith("\n}")

    def _start(self, kind: str, *arguments: str) -> subprocess.Popen:
        code = f"from distributed.cli.dask_{kind} import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, "--scheduler-file", str(self._file), "--no-dashboard", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._settings,
        )  # fmt: skip
        self._started.append(process)
        return process
