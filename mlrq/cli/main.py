"""The command line: compose the configuration, check it, run a stage, report what failed, exit."""

import gc
import os
import sys
import warnings
from functools import partial
from pathlib import Path

from hydra.types import RunMode
from omegaconf import DictConfig

from mlrq import __version__
from mlrq.cli import arguments, run
from mlrq.cli.arguments import CommandLine
from mlrq.cli.exits import INCOMPLETE, explained, notice
from mlrq.cli.session import Session
from mlrq.config import composition, validation
from mlrq.config.schema import Config
from mlrq.errors import ConfigError, MlrqError, printable


def main() -> None:
    """`python -m mlrq` and `mlrq`."""
    line = arguments.parse(sys.argv[1:])
    # What Hydra warns of, such as a folder that is not there, ends as an error of one line.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(hydra|omegaconf)\.")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises what it would print over many lines
    # And what NumPy warns of would make a result that means nothing.
    warnings.filterwarnings("error", message=".* encountered in ", category=RuntimeWarning)
    with explained(partial(_faults, line)), Session() as session:
        if "--version" in line.switches:
            print(f"mlrq {__version__}", flush=True)
            return
        _require_directory()
        if any(item.startswith("resume=") for item in line.overrides):
            from mlrq.cli import resume

            line.overrides = resume.command(line.overrides)
            line.switches.append("--multirun")
        sys.argv[:] = ["mlrq", *line.for_hydra()]
        if line.faults:
            raise ConfigError(line.faults + _faults(line))
        if "--help" in line.switches:
            from mlrq.cli import help

            print(help.text(line.overrides))
        elif "--shell-completion" in line.switches:
            from mlrq.cli import completion
            from mlrq.cli.jobs import by_hydra

            completion.complete_stages(line.overrides)
            by_hydra(session)
        else:
            _run(line, session)
        sys.stdout.flush()


def _require_directory() -> None:
    """Raise MlrqError where the working directory is no more: relative paths are in it."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise MlrqError("the working directory was removed: change to one that is there") from None


def _run(line: CommandLine, session: Session) -> None:
    """Do what a command line asks for, once that is known to be allowed."""
    if not line.command and any(text.startswith("stage=") for text in line.overrides):
        from mlrq.cli import recorded

        line.overrides = [*recorded.overrides(line.overrides), *line.overrides]
    composed, sweeps = _composed(line)
    if not gc.isenabled():  # as mlrq.__main__ left it
        gc.freeze()  # what the start has made
        gc.enable()
    if sweeps or line.command:
        from mlrq.cli.jobs import by_hydra

        by_hydra(session)
    else:
        _single(validation.check(composed), session)


def _faults(line: CommandLine) -> list[str]:
    """Every fault of a command line that does not compose."""
    from mlrq.config import explain

    return explain.find(line.overrides, line.values.get("--config-dir"), "--multirun" in line.switches)


def _composed(line: CommandLine) -> tuple[DictConfig, bool]:
    """The configuration of a command line, of the first job if it is a sweep; and whether it is one.

    Raises:
        ConfigError: If Hydra is to do what it may not, in any job.
    """
    folders, overrides = composition.folders(line.values.get("--config-dir"), line.overrides)
    asked = [composition.asked(text) for text in overrides]
    composed = composition.compose([one.values[0] for one in asked], folders)
    sweeps = "--multirun" in line.switches or composed.hydra.mode == RunMode.MULTIRUN
    if sweeps:
        composition.check_jobs(asked, folders, composed.hydra.sweeper.params or {})
    elif several := [one for one in asked if one.swept]:
        raise ConfigError([one.several for one in several])
    composition.separate(composed)
    if {"--resolve", "--package"} & {*line.switches, *line.values}:
        validation.check(composed)  # what is shown is resolved, and may not be the environment's
    return composed, sweeps


def _single(checked: Config, session: Session) -> None:
    """One run: the stages, and what they made, on the terminal."""
    folder = Path(checked.output_dir)
    if checked.stage == "predict":
        run.predict(checked, folder, notice)
        return
    if checked.stage == "export":
        for path in run.export(checked, folder):
            print(f"saved {printable(path)} ({path.stat().st_size:,} B)")
        return
    if checked.stage == "verify":
        told = run.verify(checked, folder, session, notice).splitlines()
        for line in told:
            print(printable(line))
        if told[0] != "PROVEN":
            sys.stdout.flush()
            sys.exit(INCOMPLETE)
        return
    results = run.run(checked, folder, session, None, notice)
    from mlrq.cli import report

    for text in results.notices:
        notice(text)
    if checked.report == "json":
        report.as_json(results)
    else:
        report.as_text(results)
