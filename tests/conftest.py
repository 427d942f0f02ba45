"""What the tests share: the real data, one run of the whole pipeline, and two ways to run the program."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
from omegaconf import DictConfig
from support.tables import Parts, shuffled, split_by_scikit_learn

from mlrq import cli
from mlrq.cli import main
from mlrq.config import composition
from mlrq.datasets import california_housing
from mlrq.datasets.parts import Stream
from mlrq.kernel import build, native
from mlrq.pipeline.results import Trained
from mlrq.pipeline.train import train
from mlrq.streaming import reductions
from mlrq.streaming.scores import Score
from mlrq.streaming.train_test import TrainTest

PROJECT = Path(__file__).parent.parent
# Whatever process a test starts, it runs this checkout, installed or not, and finds the tests' own modules.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(PROJECT), str(PROJECT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
)
os.environ.pop("FORCE_COLOR", None)
os.environ["ORT_DISABLE_TELEMETRY"] = (
    "1"  # ONNX Runtime would report what is run, and write to the home folder
)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what is in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)
# A slow machine is no fault of an example. The same examples everywhere; `make test-all` looks for new ones.
PATIENT = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("same", derandomize=True, **PATIENT)
hypothesis.settings.register_profile("search", derandomize=False, print_blob=True, **PATIENT)
hypothesis.settings.load_profile("same")

LINEAR_REGRESSION = {
    "name": "linear_regression",
    "standardize": False,
    "estimator": {"_target_": "sklearn.linear_model.LinearRegression", "fit_intercept": True},
}


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the cases of a test that is marked few(n), mark all but n slow, which are evenly spread."""
    cases = defaultdict(list)
    for item in items:
        if item.get_closest_marker("few") and not item.get_closest_marker("slow"):
            cases[item.nodeid.partition("[")[0]].append(item)
    for each in cases.values():
        (count,) = each[0].get_closest_marker("few").args
        taken = {i * len(each) // count for i in range(count)}
        for i, item in enumerate(each):
            if i not in taken:
                item.add_marker("slow")


@dataclass
class Outcome:
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    @property
    def faults(self) -> list[str]:
        """The lines on standard error that announce an error, without the program's name."""
        head = "mlrq: error: "
        return [line[len(head) :] for line in self.err.splitlines() if line.startswith(head)]

    def refused(self, *words: str, code: int = 1) -> None:
        """Hold that the run failed with one line on standard error, and that it has `words`."""
        assert self.code == code, self
        assert len(self.err.splitlines()) == 1, self.err
        assert len(self.faults) == 1, self.err
        for word in words:
            assert word in self.faults[0], self.faults[0]


Run = Callable[..., Outcome]


PROGRESS = re.compile(r"[A-Z][\w ]+( \.\.\.|(, pass \d+)?: [\d,]+( of [\d,]+)? rows.*)\n")


def settled(err: str) -> str:
    """Standard error without the lines of progress that a slow or busy machine gets after a second."""
    return "".join(line for line in err.splitlines(True) if not PROGRESS.fullmatch(line))


@pytest.fixture(scope="session")
def published() -> dict:
    """The figures that the reference system publishes, as printed."""
    return json.loads((Path(__file__).parent / "data" / "published_figures.json").read_text())


@pytest.fixture(scope="session")
def california() -> Stream:
    return california_housing.load("embedded")


@pytest.fixture(scope="session")
def data(california: Stream) -> TrainTest:
    """California Housing with the reference system's split."""
    return shuffled(california)


@pytest.fixture(scope="session")
def parts(california: Stream) -> Parts:
    """The rows of `data`, split by scikit-learn."""
    return split_by_scikit_learn(california)


@pytest.fixture(scope="session")
def trained(data: TrainTest) -> Trained:
    """The default float model."""
    return train(data, LINEAR_REGRESSION)


@pytest.fixture(scope="session")
def float_score(data: TrainTest, trained: Trained) -> Score:
    """How good the default float model is."""
    return data.score((trained.artifact.model,))[0]


@contextmanager
def inside(folder: Path) -> Iterator[Run]:
    """`python -m mlrq` in this process, in `folder`: every line of it but the start-up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NO_COLOR", "1")
        patch.setenv("COLUMNS", "200")
        patch.setenv("HYDRA_FULL_ERROR", "1")
        # Drawing takes longer than a small sweep, and matplotlib need not be there.
        patch.setattr(cli, "plots", SimpleNamespace(sweep=lambda outcomes: b"a plot"), raising=False)

        def call(*arguments: object, stdin: str | bytes = "") -> Outcome:
            raw = stdin.encode() if isinstance(stdin, str) else stdin
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
            patch.setattr(sys, "argv", ["mlrq", *map(str, arguments)])
            out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
            code = 0
            with redirect_stdout(out), redirect_stderr(err):
                try:
                    main.main()
                except SystemExit as end:
                    code = end.code if isinstance(end.code, int) else int(end.code is not None)
            printed = [(stream.flush(), stream.buffer.getvalue().decode())[1] for stream in (out, err)]
            return Outcome(code, printed[0], settled(printed[1]))

        yield call


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """`inside` an empty folder."""
    with inside(tmp_path) as call:
        yield call


@dataclass
class Command:
    """`python -m mlrq` as a process of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict:
        """What every process is started with."""
        environment = {**os.environ, "NO_COLOR": "1", **self.environment}
        environment.pop("HYDRA_FULL_ERROR", None)
        return {"cwd": self.folder, "env": environment}

    def __call__(self, *arguments: object, stdin: str = "") -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "mlrq", *map(str, arguments)],
            input=stdin, capture_output=True, encoding="utf-8", **self.settings,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, settled(done.stderr))

    def python(self, code: str, *arguments: object, stdin: str = "") -> Outcome:
        """Run `code` instead, with `arguments` in sys.argv."""
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            input=stdin, capture_output=True, encoding="utf-8", **self.settings,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, settled(done.stderr))

    def start(self, *arguments: object, **settings: object) -> subprocess.Popen:
        """Start it and return at once."""
        return subprocess.Popen(
            [sys.executable, "-m", "mlrq", *map(str, arguments)], **(self.settings | settings)
        )


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `python -m mlrq` has run once; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    done = Command(folder)()
    assert done.code == 0, done.err
    (folder / "stdout.txt").write_text(done.out)
    return folder


@pytest.fixture
def outputs(finished: Path, tmp_path: Path) -> Path:
    """A fresh copy of the outputs of one run, where `run` and `command` look for them."""
    shutil.copytree(finished / "outputs", tmp_path / "outputs")
    return tmp_path / "outputs"


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first rows of the parts that a first pass has read, in order."""
    read = []
    scan = reductions._scan

    def counted(reader, part):
        read.append(part.start)
        return scan(reader, part)

    monkeypatch.setattr(reductions, "_scan", counted)
    return read


def composed(*overrides: str) -> DictConfig:
    """The configuration of a command line, as Hydra composes it."""
    return composition.separate(composition.compose(overrides))


def rows_csv(dataset: Stream, rows: np.ndarray) -> str:
    """`rows` as a CSV text whose cells read back to the same doubles."""
    lines = [",".join(dataset.features), *(",".join(map(repr, row)) for row in rows.tolist())]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> native.Native:
    """The kernel in C: the checkout's own library, or one that is compiled now."""
    found = native.load()
    if found is None:
        library = tmp_path_factory.mktemp("kernel") / "kernel.so"
        assert build.build(library) is None
        found = native.load(library)
    return found
