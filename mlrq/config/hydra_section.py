"""What Hydra's own section of a configuration may hold: what ours, its launchers and its sweeper do, no more.

Hydra calls what `hydra.callbacks`, launchers, sweepers and the logging sections name, sets environment
variables, and makes folders, all before a job begins. So this is checked before Hydra is told to run
anything, wherever the values came from.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hydra.conf import HydraConf
from omegaconf import DictConfig, OmegaConf

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
CALLBACK = "mlrq.cli.jobs.SweepReport"
# Interpolations of a place that say when, where and which, and those by which help texts are put together.
PLACE = re.compile(r"\$\{(output_dir|now:[^${}]*|hydra\.job\.num)\}")
WORDS = re.compile(r"\$\{hydra[.:][\w.]+\}")


def _one_of(*values: object) -> Callable[[Any], bool]:
    return lambda value: any(value == one and type(value) is type(one) for one in values)


def _free(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    """Whether a value is text with no interpolation but those of `pattern`."""
    return lambda value: isinstance(value, str) and "${" not in pattern.sub("", value)


def _number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _parameters(value: Any) -> bool:
    """Whether a sweeper's parameters sweep over nothing of Hydra's own."""
    return value is None or (isinstance(value, dict) and not any("hydra" in str(key) for key in value))


def _anything(value: Any) -> bool:
    del value
    return True


_LOGGING = {
    "version": _one_of(1),
    "root": _one_of(None),
    "disable_existing_loggers": _one_of(False),
}
RULES: dict[str, Callable[[Any], bool]] = {
    "mode": _anything,  # of a type of Hydra's own
    "verbose": _one_of(True, False),
    "run.dir": _one_of("."),
    "sweep.dir": _free(PLACE),
    "sweep.subdir": _one_of("${hydra.job.num}"),
    "output_subdir": _one_of(None),
    "callbacks.sweep_report._target_": _one_of(CALLBACK),
    **{f"{name}.{key}": rule for name in ("hydra_logging", "job_logging") for key, rule in _LOGGING.items()},
    "sweeper._target_": _one_of("hydra._internal.core_plugins.basic_sweeper.BasicSweeper"),
    "sweeper.max_batch_size": _number,
    "sweeper.params": _parameters,
    "launcher._target_": _one_of(BASIC, JOBLIB),
    **dict.fromkeys(("launcher.n_jobs", "launcher.verbose", "launcher.timeout"), _number),
    **dict.fromkeys(
        ("launcher.backend", "launcher.require", "launcher.temp_folder", "launcher.max_nbytes"), _one_of(None)
    ),
    "launcher.prefer": _one_of("processes"),
    "launcher.pre_dispatch": _one_of("2*n_jobs"),
    "launcher.batch_size": _one_of("auto"),
    "launcher.mmap_mode": _one_of("r"),
    "job.name": _one_of("mlrq"),
    "job.chdir": _one_of(False),
    "job.env_set": _one_of({}),
    "job.env_copy": _one_of([]),
    **dict.fromkeys(("job.override_dirname", "job.config_name", "job.id", "job.num"), _anything),
    "job.config.override_dirname.kv_sep": _one_of("="),
    "job.config.override_dirname.item_sep": _one_of(","),
    "job.config.override_dirname.exclude_keys": _one_of([]),
    **{f"help.{name}": _free(WORDS) for name in ("app_name", "header", "footer", "template")},
    **{f"hydra_help.{name}": _free(WORDS) for name in ("hydra_help", "template")},
    "env": _one_of({}),
}
WHOLE = ("sweeper.params", "job.env_set", "job.env_copy")  # whose keys are not Hydra's
# Filled in by Hydra: what was chosen, from where; searchpath is checked before anything is composed.
FILLED = ("runtime", "overrides", "searchpath")


def _leaves(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key, dotted, with its value."""
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and value and key not in WHOLE:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def faults(section: DictConfig, overrides: Sequence[str]) -> list[str]:
    """A line for every part of Hydra's section that holds what it may not.

    Args:
        section: `hydra` of a composed configuration.
        overrides: That it was composed with: no others may be in it, for Hydra composes each job with them.
    """
    if OmegaConf.get_type(section) is not HydraConf:
        return ["hydra: is not Hydra's own section"]
    node: Any = OmegaConf.to_container(section, resolve=False)
    wrong: dict[str, list[str]] = {}
    noted = [*node["overrides"]["hydra"], *node["overrides"]["task"]]
    if sorted(noted) != sorted(overrides):
        wrong["overrides"] = ["hydra.overrides, which are those of the command line"]
    for key, value in _leaves({name: one for name, one in node.items() if name not in FILLED}):
        if key not in RULES or not RULES[key](value):
            wrong.setdefault(key.partition(".")[0], []).append(f"hydra.{key}={value}")
    return [
        f"{first}{f' and {len(rest)} more' if rest else ''}: not what mlrq lets Hydra do"
        for first, *rest in wrong.values()
    ]
