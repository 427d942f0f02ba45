"""What make asks about the overrides in ARGS: which of them a stage heeds, and whether they changed.

    python -m mlrq.cli.make stamp STAGE    write the overrides of STAGE to OUT/STAGE.args if they changed
    python -m mlrq.cli.make run TARGET     run the stage or the command of TARGET with its overrides

ARGS, OUT and GOALS come in the environment, so that neither make nor a shell ever reads their text. ARGS is
split into words as a shell would, and nothing in it is expanded.
"""

import os
import re
import shlex
import sys
from pathlib import Path

from mlrq.errors import MlrqError, printable, quoted
from mlrq.files import write

# Keys that a stage does not heed: what it makes stays as it is when they change.
UNHEEDED = {
    "train": ("quantization", "samples", "report", "predict", "export"),
    "quantize": ("samples", "report", "predict", "export"),
    "evaluate": ("model_path", "predict", "export"),
}
# But for this, for which training sets rows aside.
SET_ASIDE = "quantization.interval"
# What these heed, and nothing else.
HEEDED = {
    "predict": ("predict", "artifact", "engine"),
    "export": ("export", "artifact"),
    "verify": ("artifact", "engine"),
}
TAKING = ("evaluate", *HEEDED)  # goals that only take the model
NOT_OF_THE_MODEL = ("samples", "report", "predict", "artifact", "engine", "export")
INTEGER_INPUTS = "quantization.inputs=int8"


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _about(word: str, keys: tuple[str, ...]) -> bool:
    """Whether an override sets one of `keys`, or something in the group of that name."""
    return _key(word).partition(".")[0] in keys


def _heeds(stage: str, word: str) -> bool:
    """Whether what `stage` makes changes with an override."""
    return not _about(word, UNHEEDED[stage]) or _key(word) == SET_ASIDE


def given() -> list[str]:
    """The words of ARGS.

    Raises:
        MlrqError: If a quote is not closed, or a stage is among them.
    """
    try:
        words = shlex.split(os.environ.get("ARGS", ""))
    except ValueError as error:
        raise MlrqError(f"ARGS: {str(error).lower()}; quote values as for a shell") from None
    if any(_key(word) == "stage" for word in words):
        raise MlrqError("ARGS: the stage is what the target says: make train, make quantize, ...")
    return words


def _stamp(stage: str) -> Path:
    return Path(os.environ["OUT"], f"{stage}.args")


def _recorded(stage: str) -> list[str] | None:
    """The overrides that `stage` was made with; None where it never was."""
    try:
        return shlex.split(_stamp(stage).read_text())
    except FileNotFoundError:
        return None


def overrides(stage: str) -> list[str]:
    """The overrides that `stage` is to be made with.

    Where the goal only takes the model, and no override is about the model, they stay what they were. C needs
    integer inputs, so a goal that exports C quantizes with them unless it is told otherwise.
    """
    if stage == "image":
        return [os.environ.get("CONTAINER_ENGINE", ""), os.environ.get("PYTHON_IMAGE", "")]
    words, goals = given(), os.environ.get("GOALS", "").split()
    chosen, before = [word for word in words if _heeds(stage, word)], _recorded(stage)
    takes = any(goal in TAKING or goal.startswith("docker") for goal in goals)
    only_takes = takes and not {"all", "train", "quantize"}.intersection(goals)
    if only_takes and before is not None and all(_about(word, NOT_OF_THE_MODEL) for word in words):
        again = {_key(word) for word in chosen}
        chosen = [*(word for word in before if _key(word) not in again), *chosen]
    told = any(_key(word) in ("quantization.inputs", "experiment") for word in chosen)
    integer = stage != "train" and "export" in goals and _exports_c(words) and not told
    return [*chosen, INTEGER_INPUTS] if integer else chosen


def _exports_c(words: list[str]) -> bool:
    formats = [word.partition("=")[2] for word in words if _key(word) in ("export", "export.format")]
    return (formats or ["c"])[-1] == "c" and not any(_key(word) == "artifact" for word in words)


def stamp(stage: str) -> None:
    """Write the overrides of `stage` to its stamp if they are others than before."""
    chosen, path = overrides(stage), _stamp(stage)
    if chosen == _recorded(stage):
        return
    if chosen[-1:] == [INTEGER_INPUTS] and INTEGER_INPUTS not in given() and stage == "quantize":
        print(f"mlrq: note: C starts from integers: quantizing with {INTEGER_INPUTS}", file=sys.stderr)
    write(path, (shlex.join(chosen) + "\n").encode())  # whole at once, for another make may read it


def command(target: str) -> list[str]:
    """The arguments of `python -m mlrq` that make `target`."""
    out = os.environ["OUT"]
    if target in UNHEEDED:
        return [_folder(out), target, *(_recorded(target) or [])]
    if target in HEEDED:
        return [_folder(out), target, *(word for word in given() if _about(word, HEEDED[target]))]
    if target == "estimator":
        return [_folder(out), "export", "export=sklearn"]
    if target == "sweep":
        words = given()
        return [_folder(out), "-m", *([] if _sweeps(words) else ["experiment=bit_widths"]), *words]
    folder = _folder(f"{out}/size")  # of its own: the size is that of integer inputs, whatever the model has
    if target == "size":
        return [folder, INTEGER_INPUTS, *overrides("quantize")]
    return [folder, "export"]


def _sweeps(words: list[str]) -> bool:
    """Whether overrides say what to sweep over, or cannot be read, which the sweep will tell."""
    from hydra.errors import HydraException

    from mlrq.config.composition import asked

    try:
        return any(_about(word, ("experiment", "resume", "hydra")) or asked(word).swept for word in words)
    except (HydraException, MlrqError):
        return True


def _folder(path: str) -> str:
    """`output_dir` for Hydra, which needs quotes around what is not plain."""
    return f"output_dir={path if re.fullmatch(r'[A-Za-z0-9_./-]+', path) else quoted(path)}"


def main() -> None:
    """Do what the command line says."""
    what, name = sys.argv[1:]
    try:
        if what == "stamp":
            stamp(name)
            return
        arguments = command(name)
    except (MlrqError, OSError) as error:
        print(f"mlrq: error: {printable(error)}", file=sys.stderr)
        sys.exit(2)
    os.execv(sys.executable, [sys.executable, "-m", "mlrq", *arguments])


if __name__ == "__main__":
    main()
