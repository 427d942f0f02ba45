"""Compose the configuration by Hydra's public API: YAML and overrides in, nothing instantiated."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import RangeSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict

from mlrq.config import environment, hydra_section, limits, schema
from mlrq.errors import ConfigError, quoted

_HERE = Path(__file__).resolve().parents[1]
# Inside the package in a wheel, beside it in a checkout.
CONF = next(folder for folder in (_HERE / "conf", _HERE.parent / "conf") if folder.is_dir())
SEARCH_PATH = "hydra.searchpath"
# One value for a key: what most overrides are, and Hydra's parser takes milliseconds to say so.
PLAIN = re.compile(r"[a-z_]\w*(?:\.[a-z_]\w*)*=[\w./-]*", re.ASCII | re.IGNORECASE)


def compose(overrides: Sequence[str], folders: Sequence[Path] = ()) -> DictConfig:
    """The configuration that `overrides` make of the YAML files, with Hydra's own section, which is checked.

    Args:
        overrides: As on the command line, without sweeps and search paths.
        folders: Of more YAML files, which add options and replace none.

    Raises:
        HydraException: If it does not compose.
        ConfigError: If an option was chosen by the environment, or Hydra is to do what it may not.
    """
    schema.register()
    GlobalHydra.instance().clear()  # still there if an earlier composition failed
    environment.watch()
    places = ",".join(quoted(str(folder.absolute())) for folder in folders)
    given = [f"{SEARCH_PATH}=[{places}]", *overrides] if folders else list(overrides)
    try:
        with (
            warnings.catch_warnings(action="ignore", category=UserWarning),  # what matters of it is an error
            initialize_config_dir(config_dir=str(CONF), job_name="mlrq", version_base="1.3"),
        ):
            composed = hydra_compose("config", given, return_hydra_config=True)
    except (HydraException, OSError):
        raise
    except Exception as error:  # of OmegaConf, of PyYAML, and what slips out of Hydra for some overrides
        raise HydraException(str(error) or type(error).__name__) from error
    if names := environment.asked():
        raise ConfigError([f"an option is chosen by {', '.join(names)} of the environment: name it instead"])
    if faults := hydra_section.faults(composed.hydra, given) + limits.reference_faults(composed):
        raise ConfigError(faults)
    return composed


def separate(composed: DictConfig) -> DictConfig:
    """`composed` without Hydra's section, which is kept where `${hydra:...}` finds it."""
    HydraConfig.instance().set_config(composed)
    with open_dict(composed):
        del composed["hydra"]
    return composed


def folders(config_dir: str | None, overrides: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The folders of more YAML files, and the overrides that do not name one.

    A search path may also name a Python package, which would be imported; that is refused.

    Args:
        config_dir: That of --config-dir.
        overrides: All of them.

    Raises:
        ConfigError: For what is no folder, or has YAML files without end.
    """
    named = [("--config-dir", config_dir)] if config_dir is not None else []
    others = []
    for text in overrides:
        if not text.lstrip("+~").startswith(SEARCH_PATH):
            others.append(text)
            continue
        value = OverridesParser.create().parse_override(text).value()
        listed = value if isinstance(value, list) else [value]
        named += [(SEARCH_PATH, str(item).removeprefix("file://")) for item in listed]
    faults = [f"{key}={place}: no such folder" for key, place in named if not Path(place).is_dir()]
    found = faults or [text for _, place in named for text in limits.folder_faults(Path(place))]
    if found:
        raise ConfigError(found)
    return [Path(place) for _, place in named], others


@dataclass(frozen=True, eq=False)
class Asked:
    """One override of a command line.

    Attributes:
        key: Of what it sets, with its package.
        values: The override by itself; one for each of the values that it sweeps over.
        swept: Whether it is a sweep.
    """

    key: str
    values: list[str]
    swept: bool

    @property
    def several(self) -> str:
        """What is wrong with it where there is no sweep."""
        listed = ",".join(value.partition("=")[2] for value in self.values)
        return f"{self.key}={listed}: several values: -m sweeps over them, {self.key}=[...] is a list"


def asked(text: str) -> Asked:
    """What the override `text` asks for.

    Raises:
        ConfigError: If it is nested too deep, lists too many values, or sweeps over too many.
        HydraException: If it is none, or sweeps over what cannot be listed.
    """
    if limits.nested(text) or limits.too_many(text):
        why = limits.TOO_DEEP if limits.nested(text) else f"lists over {limits.MOST_LISTED:,} values"
        raise ConfigError([f"{text.partition('=')[0]}: {why}"])
    if PLAIN.fullmatch(text):
        return Asked(text.partition("=")[0], [text], swept=False)
    override = OverridesParser.create().parse_override(text)
    key = override.get_key_element()
    if not override.is_sweep_override():
        return Asked(key, [text], swept=False)
    _require_end(key, override.value())
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        override.config_loader = GlobalHydra.instance().config_loader()  # which a glob asks for names
        values = [f"{key}={value}" for value in override.sweep_string_iterator()]
    if not values:
        raise HydraException("sweeps over no value")
    return Asked(key, values, swept=True)


def _require_end(key: str, value: object) -> None:
    """Raise ConfigError for a range of too many numbers, HydraException for one that is none."""
    if not isinstance(value, RangeSweep):
        return
    try:
        several = len(list(islice(value.range(), limits.MOST_JOBS + 1))) > limits.MOST_JOBS
    except (ValueError, ArithmeticError) as error:
        raise HydraException(f"no range of numbers: {error}") from error
    if several:
        raise ConfigError([f"{key}: sweeps over more than {limits.MOST_JOBS:,} values"])


def check_jobs(sweep: Sequence[Asked], folders: Sequence[Path], parameters: Mapping[str, object]) -> None:
    """Hold that a sweep has an end, and compose those jobs in which Hydra might be told what it may not do.

    That it may not do so in the first job is known. Where all YAML files are ours, only what is swept over
    could tell it otherwise in the others.

    Args:
        sweep: The overrides.
        folders: Of more YAML files.
        parameters: What the sweeper of the first job sweeps over beside.

    Raises:
        ConfigError: If it is, or if there are too many jobs.
        HydraException: If one does not compose.
    """
    beside = [asked(f"{key}={value}") for key, value in parameters.items()]
    if faults := limits.jobs_fault(len(one.values) for one in (*sweep, *beside)):
        raise ConfigError(faults)
    if not folders and not any(one.swept and ("@" in one.key or "hydra" in one.key) for one in sweep):
        return
    for job in product(*(one.values for one in sweep)):
        parameters = compose(job, folders).hydra.sweeper.params or {}
        more = [asked(f"{key}={value}") for key, value in parameters.items()]
        if faults := limits.jobs_fault(len(one.values) for one in (*sweep, *more)):
            raise ConfigError(faults)
        for extended in product(*(one.values for one in more)) if more else ():
            compose([*extended, *job], folders)
