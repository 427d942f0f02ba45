"""Going on with a sweep that was stopped: what was done, and would come out the same, is not done again.

A job's outcome records what it was made from: the configuration that its numbers depend on, the program, and
the data, each as a hash. A resumed sweep sets earlier outcomes aside by the first, whatever their numbers
were; a job that finds its own, made by the same program from the same data, takes its files over.
"""

import importlib.metadata
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlrq.artifacts.json_document import encode, read_document, write_document
from mlrq.config.schema import Config
from mlrq.errors import ConfigError, MlrqError
from mlrq.files import CHECKSUMS, digest

COMMAND = "sweep.json"
OUTCOME = "outcome.json"
EARLIER = "earlier"  # folder of what was set aside
NO_EFFECT = ("output_dir", "resume", "report", "engine", "predict", "export")  # on a job's numbers
NOT_RECORDED = ("resume", "hydra.sweep.dir", "hydra.mode", "hydra.verbose")


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def record(folder: Path, overrides: list[str]) -> None:
    """Note in `folder` what the sweep was asked for."""
    kept = [item for item in overrides if _key(item) not in NOT_RECORDED]
    write_document(folder / COMMAND, "sweep", 1, {"overrides": kept})


def varying(folder: Path, overrides: list[str]) -> list[str]:
    """Those of a job's overrides that are not the same in every job of the sweep in `folder`."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    asked = read_document(folder / COMMAND, "sweep", 1, "a sweep")["overrides"]
    same = {_key(item) for item in asked if not parser.parse_override(item).is_sweep_override()}
    return [item for item in overrides if _key(item) not in same]


def command(overrides: list[str]) -> list[str]:
    """The overrides of the sweep that `resume` among `overrides` names; the others take their places by key.

    Raises:
        ConfigError: If there is no such sweep.
        MlrqError: If its record is damaged.
    """
    given = {_key(item): item for item in overrides}
    wanted = given.pop("resume").partition("=")[2]
    if wanted == "null":
        return overrides
    folder = Path(wanted)
    if wanted == "last":
        sweeps = Path(given.get("output_dir", "=outputs").partition("=")[2]) / "sweeps"
        found = sorted(sweeps.glob(f"*/{COMMAND}"), key=lambda path: path.stat().st_mtime_ns)
        if not found:
            raise ConfigError([f"resume=last: no sweep in {sweeps}; name its folder by resume=FOLDER"])
        folder = found[-1].parent
    elif not (folder / COMMAND).is_file():
        raise ConfigError([f"resume={wanted}: no sweep there, for there is no {COMMAND}; name its folder"])
    started = read_document(folder / COMMAND, "sweep", 1, "a sweep")["overrides"]
    merged = [given.pop(_key(item), item) for item in started]
    quoted = "'" + str(folder).replace("'", "\\'") + "'"
    return [*merged, *given.values(), f"resume={quoted}", f"hydra.sweep.dir={quoted}"]


def outcomes(folder: Path) -> list[Path]:
    """The outcomes of the sweep in `folder`, but for those set aside."""
    return [path for path in folder.glob(f"**/{OUTCOME}") if EARLIER not in path.relative_to(folder).parts]


def read(path: Path) -> dict[str, Any]:
    """The outcome at `path`. Raises MlrqError for one that is damaged."""
    return read_document(path, "outcome", 1, "the sweep")


def set_aside(folder: Path) -> None:
    """Put the jobs that have an outcome where the jobs to come find them, whatever their numbers will be.

    Outcomes that tell nothing (damaged, or of a configuration that was refused) are removed.
    """
    for path in outcomes(folder):
        try:
            place = folder / EARLIER / read(path)["origin"]["config"]
        except (MlrqError, KeyError):
            path.unlink()
        else:
            _move(path.parent, place)


def _move(source: Path, destination: Path) -> None:
    """Move the files of a job, the outcome last: without it the others are no job's."""
    destination.mkdir(parents=True, exist_ok=True)
    (destination / OUTCOME).unlink(missing_ok=True)
    for file in sorted(source.iterdir(), key=lambda file: file.name == OUTCOME):
        if file.is_file():
            file.replace(destination / file.name)
    with suppress(OSError):  # something of the user's is in it
        source.rmdir()


def origin(config: Config) -> dict[str, str]:
    """Hashes of the configuration that the numbers of a job depend on, and of the program."""
    settings = {key: value for key, value in asdict(config).items() if key not in NO_EFFECT}
    for key in ("artifact", "model_path"):
        path = Path(settings[key] or "")
        settings[key] = digest(path.read_bytes()) if path.is_file() else settings[key]
    return {"config": digest(encode(settings)), "program": _program()}


def _program() -> str:
    """Hash of this program's modules and of the versions of what computes for it."""
    package = Path(__file__).parents[1]
    modules = {str(path.relative_to(package)): digest(path.read_bytes()) for path in package.rglob("*.py")}
    versions = {}
    for name in ("numpy", "scikit-learn"):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return digest(encode({"modules": modules, "versions": versions}))


def take(
    sweep: Path, folder: Path, wanted: dict[str, str], data: Callable[[], str], saved: bool
) -> tuple[dict[str, Any] | None, str]:
    """The outcome that an earlier job has for this one, and a remark on it.

    Args:
        sweep: Folder of the sweep.
        folder: Of this job; it gets the earlier one's files.
        wanted: This job's `origin`.
        data: The hash of its data, which is asked for only where everything else is the same.
        saved: Whether the job has files beside its outcome.

    Returns:
        None where this job has to run; then the remark says why, if there was an earlier one.
    """
    place = sweep / EARLIER / wanted["config"]
    if not (place / OUTCOME).is_file():
        return None, ""
    outcome = read(place / OUTCOME)
    again = ""
    if "error" in outcome:
        again = "failed before"
    elif outcome["origin"]["program"] != wanted["program"]:
        again = "another mlrq did it before"
    elif saved and not _whole(place):
        again = "its files are not what they were"
    elif outcome["origin"]["data"] != data():
        again = "the data changed"
    if again:
        shutil.rmtree(place)
        return None, f" (again: {again})"
    _move(place, folder)
    return outcome, " (done before)"


def _whole(folder: Path) -> bool:
    """Whether the files of a job are those that it wrote."""
    try:
        sums = [line.split("  ", 1) for line in (folder / CHECKSUMS).read_text().splitlines()]
        return all(digest((folder / name).read_bytes()) == sha256 for sha256, name in sums)
    except (OSError, ValueError):
        return False
