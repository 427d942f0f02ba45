"""The command line: compose the configuration, check it, run a stage, report what failed, exit."""

import gc
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from mlrq import __version__
from mlrq.cli import arguments, run
from mlrq.cli.session import Session
from mlrq.config import schema, validation
from mlrq.errors import MESSAGE, ConfigError, MlrqError, printable

_HERE = Path(__file__).resolve().parents[1]
# Inside the package in a wheel, beside it in a checkout.
CONF = next(folder for folder in (_HERE / "conf", _HERE.parent / "conf") if folder.is_dir())
NEEDS_ARTIFACT = ("quantize", "evaluate", "predict", "export")  # unless stage=all makes it
# Exit codes: a stage, the command line, Ctrl-C, SIGTERM.
FAILURE, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143


def notice(text: str) -> None:
    """One line on standard error that is not an error."""
    print(f"mlrq: note: {printable(text)}", file=sys.stderr)


def _fail(code: int, *lines: str) -> NoReturn:
    for line in lines:
        print(f"mlrq: error: {printable(line)}", file=sys.stderr)
    sys.exit(code)


def _interrupted(session: Session | None = None) -> NoReturn:
    """Say how a sweep goes on, or that nothing was lost, and exit."""
    if session and session.sweep:
        _fail(INTERRUPTED, f"interrupted; resume={session.sweep} goes on with this sweep")
    _fail(INTERRUPTED, "interrupted; what was written before is whole")


def _single(checked: schema.Config, session: Session) -> None:
    """One run: the stages, and what they made, on the terminal."""
    folder = Path(checked.output_dir)
    if checked.stage == "predict":
        run.predict(checked, folder, notice)
        return
    if checked.stage == "export":
        for path in run.export(checked, folder):
            print(f"saved {printable(path)} ({path.stat().st_size:,} B)")
        return
    results = run.run(checked, folder, session, None, notice)
    from mlrq.cli import report

    for text in results.notices:
        notice(text)
    if checked.report == "json":
        report.as_json(results)
    else:
        report.as_text(results)


def _job(composed: DictConfig, session: Session) -> None:
    """One job of a sweep: its outcome goes to a file, whether it succeeds or fails."""
    from mlrq.cli import resume, sweep

    job = HydraConfig.get()
    folder, sweep_folder = Path(job.runtime.output_dir), Path(job.sweep.dir)

    def work(outcome: dict[str, Any]) -> str:
        checked = validation.check(composed)
        if checked.stage in NEEDS_ARTIFACT and not (checked.artifact or checked.model_path):
            raise MlrqError(
                f"stage={checked.stage} finds nothing in a job's own folder: "
                "sweep stage=all, or name artifact=FILE"
            )
        if checked.stage == "predict":
            run.predict(checked, folder, notice)
            return ""
        if checked.stage == "export":
            run.export(checked, folder)
            return ""
        outcome["origin"] = origin = resume.origin(checked)

        def data() -> str:
            return session.known(checked, notice).data.sha256

        earlier, remark = resume.take(sweep_folder, folder, origin, data, checked.save)
        if earlier is not None:
            outcome |= earlier
            return remark
        results = run.run(checked, folder, session, sweep_folder / "cache", notice)
        for text in results.notices + (results.quantized.guard.notices if results.quantized else []):
            notice(f"job {job.job.num}: {text}")
        labels = {"model": checked.model.name, "dataset": results.data.name}
        if results.evaluated:
            outcome |= sweep.facts(results.evaluated, {**labels, "seconds": results.seconds})
        origin["data"] = results.data.sha256
        return remark

    # The experiment is the same for all jobs; what it sweeps over is listed anyway.
    hidden = ("experiment=", "resume=")
    overrides = [item for item in job.overrides.task if not item.startswith(hidden)]
    sweep.run_job(folder, job.job.num, overrides, work, trace=bool(job.verbose))


def _task(composed: DictConfig, session: Session) -> None:
    """One configuration, composed by Hydra."""
    job = HydraConfig.get()
    if job.mode == RunMode.MULTIRUN:
        session.sweep = job.sweep.dir
        try:
            _job(composed, session)
        except KeyboardInterrupt:
            _interrupted(session)
    else:
        with _explained():
            _single(validation.check(composed), session)


class SweepReport(Callback):
    """Hydra tells it when a sweep begins and ends."""

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Note what is asked for; keep what an earlier sweep left in the same folder only to resume it."""
        from mlrq.cli import resume, sweep

        with _explained():
            if any(item.startswith("output_dir=") and "," in item for item in config.hydra.overrides.task):
                raise MlrqError("output_dir cannot be swept: each job has a folder of its own in it already")
            folder, asked = Path(config.hydra.sweep.dir), config.hydra.overrides
            if config.resume:
                resume.set_aside(folder)
            else:
                sweep.forget(folder)
            resume.record(folder, [*asked.hydra, *asked.task])

    def on_multirun_end(self, config: DictConfig, **_: object) -> None:
        """Print and save the table of all jobs; leave with exit code 1 if one failed."""
        from mlrq.cli import sweep

        with _explained():  # Hydra swallows a callback's exceptions, but lets SystemExit through
            failures = sweep.finish(Path(config.hydra.sweep.dir), notice)
            if failures:
                _fail(FAILURE, *failures)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what goes wrong into lines on standard error and an exit code.

    Hydra keeps a task's exception and announces it in its own words, but lets SystemExit through: so
    this goes around the task as well as around Hydra.
    """
    try:
        yield
    except KeyboardInterrupt:
        _interrupted()
    except BrokenPipeError:
        # The reader of our output left, as `head` does; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILURE)
    except Exception as error:
        if "hydra.verbose=true" in sys.argv:
            _trace()
        _explain(error)


def _trace() -> None:
    """Print the stack of the exception that is handled, each of its lines as one."""
    for line in traceback.format_exc().splitlines():
        print(printable(line, None), file=sys.stderr)


def _explain(error: Exception) -> NoReturn:
    """One line for each fault that an exception stands for, and exit."""
    if isinstance(error, ConfigError):
        _fail(USAGE, *error.faults)
    if isinstance(error, MlrqError):
        _fail(FAILURE, str(error))
    from mlrq.config import explain

    if isinstance(error, explain.REFUSED) or (type(error) is ValueError and "override" in str(error)):
        found = explain.find(CONF, get_args_parser().parse_args())
        _fail(USAGE, *(found or [" ".join(str(error).split())]))
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        _fail(FAILURE, f"{place}{error.strerror or error}")
    if isinstance(error, MemoryError):
        _fail(FAILURE, "out of memory: fewer rows or features at a time are needed")
    name = type(error).__name__
    _fail(FAILURE, f"{name}: {printable(error, MESSAGE // 2)} (a fault of mlrq: -v shows where)")


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the block as an exception does, so that nothing is left lying about."""

    def end(*_: object) -> NoReturn:
        _fail(TERMINATED, "terminated")

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main() -> None:
    """`python -m mlrq` and `mlrq`."""
    with _explained():
        sys.argv[1:] = arguments.arguments(sys.argv[1:])
    if "--version" in sys.argv:
        print(f"mlrq {__version__}")
        return
    sys.argv[0] = "mlrq"
    # What Hydra warns of, such as a folder that is not there, ends as an error of one line.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"hydra\.")
    schema.register()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises what it would print over many lines
    with _terminable(), _explained(), Session() as session:

        def task(composed: DictConfig) -> None:
            """What Hydra calls with every configuration, in whatever process its launcher chose."""
            if not gc.isenabled():  # as mlrq.__main__ left it
                gc.freeze()  # what the start has made
                gc.enable()
            # In another process `session` is None, and a job has all to itself.
            with nullcontext(session) if session is not None else Session() as own:
                _task(composed, own)

        try:
            hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(task)()
        except KeyboardInterrupt:  # between two jobs
            _interrupted(session)
        sys.stdout.flush()
