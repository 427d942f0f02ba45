"""From what was typed to what Hydra takes."""

from hydra._internal.hydra import Hydra
from hydra.types import RunMode

from mlrq.config import schema
from mlrq.errors import ConfigError

CONFIG_FLAGS = ("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd")
FLAGS_WITH_VALUE = (*CONFIG_FLAGS, "--cfg", "-c", "--package", "-p", "--info", "-i", "--experimental-rerun")
MAY_SET_MODE = ("experiment", "hydra")  # how an override begins that can make a run a sweep


def arguments(typed: list[str]) -> list[str]:
    """The command line as Hydra takes it; that of an earlier sweep, where it names one to resume.

    Raises:
        ConfigError: If there are two stages.
        MlrqError: If there is no sweep to resume.
    """
    flags, overrides = _parted(typed)
    if any(item.startswith("resume=") for item in overrides):
        from mlrq.cli import resume

        overrides = resume.command(overrides)
        flags.append("--multirun")
    foreign = any(flag.partition("=")[0] in CONFIG_FLAGS for flag in flags)
    Hydra.get_mode = _composed_mode if foreign else _mode  # type: ignore[method-assign, assignment]
    return [*flags, *overrides]  # argparse takes overrides on one side of its flags only


def _parted(typed: list[str]) -> tuple[list[str], list[str]]:
    """Hydra's flags and its overrides: a bare stage is stage=..., -v is hydra.verbose=true."""
    flags, overrides = [], []
    for before, item in zip(["", *typed], typed, strict=False):
        if item in ("-v", "--verbose"):
            overrides.append("hydra.verbose=true")
        elif item.startswith("-") or before in FLAGS_WITH_VALUE:
            flags.append(item)
        else:
            overrides.append(f"stage={item}" if item in schema.STAGES else item)
    if sum(item.startswith("stage=") for item in overrides) > 1:
        raise ConfigError(["stage: one at a time; train, quantize and evaluate together are stage=all"])
    return flags, overrides


_composed_mode = Hydra.get_mode


def _mode(hydra: Hydra, config_name: str | None, overrides: list[str]) -> RunMode | None:
    """What `hydra.mode` is; None where nothing sets it.

    Hydra composes all there is a second time to see that, which is a sixth of the start of every command. Our
    own configuration does not set it, and must not; an experiment may.
    """
    if any(item.lstrip("+~").startswith(MAY_SET_MODE) for item in overrides):
        found: RunMode | None = _composed_mode(hydra, config_name, overrides)
        return found
    return None
