"""What `scale.py` measures with: the tables, the commands, and each run of each command kept once."""

import os
import shutil
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

from processes import Run, run

JOBS = str(Path(__file__).resolve().with_name("scale_jobs.py"))
Key = tuple[object, ...]  # of a measurement: the table, the workers (0 to read only) and the overrides


@dataclass(frozen=True)
class Table:
    """A Parquet file."""

    path: Path
    rows: int
    features: int
    texts: int

    @property
    def size(self) -> float:
        """Megabytes on disk."""
        return self.path.stat().st_size / 1e6


@dataclass
class Bench:
    """Where the tables and the outputs are, how to measure, and what was measured."""

    folder: Path
    scratch: Path
    repeat: int
    compression: str
    measured: dict[Key, Run] = field(default_factory=dict)

    def table(self, rows: int, features: int, texts: int = 0) -> Table:
        """The table, made if it is not there, and read once so that it is in the page cache."""
        kinds = f"{features}-features" + (f"-{texts}-texts" if texts else "")
        path = self.folder / f"{kinds}-{rows}-rows-{self.compression}.parquet"
        if not path.exists():
            need, free = 8.5 * rows * (features + texts + 1), shutil.disk_usage(self.folder).free
            if need > free:
                raise RuntimeError(
                    f"{path.name} takes {need / 1e9:.1f} GB, {self.folder} has {free / 1e9:.1f}"
                )
            say(f"making {path.name} ...")
            arguments = [str(path), str(rows), str(features), self.compression, str(texts)]
            run([sys.executable, JOBS, "make", *arguments], self.scratch)
            with path.open("rb") as file:
                os.fsync(file.fileno())  # what is not on the disk yet cannot leave the page cache
        table = Table(path, rows, features, texts)
        self.once([sys.executable, JOBS, "read", str(path)])
        return table

    def once(self, command: list[str]) -> Run:
        """One run of a command."""
        return run(command, self.scratch)

    def measure(self, table: Table, workers: list[int], *overrides: str) -> None:
        """Measure the bare read and the pipeline, each as often as asked, in turn."""
        commands: dict[Key, list[str]] = {(table.path, 0): [sys.executable, JOBS, "read", str(table.path)]}
        for count in workers:
            commands[(table.path, count, *overrides)] = self.pipeline(table, count, *overrides)
        missing = {key: command for key, command in commands.items() if key not in self.measured}
        runs: dict[Key, list[Run]] = {key: [] for key in missing}
        for number in range(self.repeat):
            say(f"{table.rows:,} rows x {table.features}: run {number + 1} of {self.repeat}")
            for key, command in missing.items():
                runs[key].append(self.once(command))
        self.measured |= {key: median(found) for key, found in runs.items()}

    def bare(self, table: Table) -> Run:
        """The measured bare read."""
        return self.measured[(table.path, 0)]

    def piped(self, table: Table, workers: int, *overrides: str) -> Run:
        """The measured pipeline."""
        return self.measured[(table.path, workers, *overrides)]

    def cold(self, table: Table, command: list[str]) -> Run:
        """One run with the file out of the page cache."""
        with table.path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return self.once(command)

    def pipeline(self, table: Table, workers: int, *overrides: str) -> list[str]:
        """The command that trains, quantizes and evaluates."""
        engine = ["engine=serial"] if workers == 1 else ["engine=threads", f"engine.workers={workers}"]
        data = ["dataset=parquet", f"dataset.path='{table.path}'", "dataset.target=y"]
        return [sys.executable, "-m", "mlrq", *data, *engine, *overrides]


def median(runs: list[Run]) -> Run:
    """Median times and greatest memory of runs of the same command."""
    largest = max(runs, key=lambda one: one.peak)
    seconds = statistics.median(one.seconds for one in runs)
    cpu = statistics.median(one.cpu for one in runs)
    return Run(seconds, cpu, largest.main, largest.others, largest.peak, runs[0].output)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
