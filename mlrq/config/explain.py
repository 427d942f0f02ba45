"""What is wrong with a command line that Hydra refuses to compose: every fault, one line each.

Hydra stops at the first fault and explains it over several lines. Here every override is tried by
itself on top of the group choices, which costs a composition each, but only after something failed.
"""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from mlrq.config import schema, validation
from mlrq.errors import ConfigError, not_installed, unknown_key

REFUSED = (HydraException, OmegaConfBaseException)
# Hydra raises a plain ValueError for a group set to null.
NOT_COMPOSED = (*REFUSED, ValueError)
HINTS = {"hydra/launcher=joblib": "; " + not_installed("it", "hydra-joblib-launcher", "joblib")}


def _plain(overrides: list[str], multirun: bool) -> Iterator[tuple[str, Override | str]]:
    """Each override by itself, a sweep as one override a value; a fault where it makes no sense."""
    parser = OverridesParser.create()
    for text in overrides:
        try:
            override = parser.parse_override(text)
        except HydraException as error:
            reason = str(error).splitlines()[0] if "=" in text else "neither a stage nor key=value"
            if reason.startswith("token"):
                key, _, value = text.partition("=")
                reason = f"quote the value, for Hydra and for the shell: '{key}=\"{value}\"'"
            yield text, f"{text}: {reason}"
            continue
        if override.is_sweep_override() and not multirun:
            key = override.get_key_element()
            yield text, f"{text}: several values: -m sweeps over them, {key}=[...] is a list"
        elif override.is_sweep_override():
            for value in override.sweep_string_iterator():
                single = f"{override.get_key_element()}={value}"
                yield single, parser.parse_override(single)
        else:
            yield text, override


def _explain(text: str, error: Exception, base: DictConfig | None) -> str:
    """One line for what Hydra said of the override `text`."""
    key, _, _ = text.lstrip("+~").partition("=")
    cause = error.__cause__ or error
    if isinstance(error, MissingConfigException) and error.options is not None:
        hint = HINTS.get(text, "")
        return f"{text}: no such option; {key} has {', '.join(sorted(error.options))}{hint}"
    first = next((line for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    if isinstance(cause, ValidationError):
        return f"{text}: {first}"
    parent = key.rpartition(".")[0]
    node = OmegaConf.select(base, parent) if base is not None and parent else base
    name = key.rpartition(".")[2]
    if isinstance(node, DictConfig) and name not in node:
        allowed = [str(item) for item in node if item != "_target_"]
        return unknown_key(key, allowed)
    return f"{text}: {first}"


def find(folder: Path, arguments: Namespace) -> list[str]:
    """Every fault of a command line on top of the configuration in `folder`; may be empty.

    Args:
        folder: With `config.yaml`.
        arguments: The command line as Hydra's parser has it.
    """
    faults: list[str] = []
    groups: list[str] = []
    values: list[str] = []
    search = [f"hydra.searchpath=[{Path(arguments.config_dir).absolute()}]"] if arguments.config_dir else []
    GlobalHydra.instance().clear()  # still there if the fault showed only when a value was read
    with initialize_config_dir(config_dir=str(folder), version_base="1.3"):
        base = compose("config", overrides=search)
        for text, override in _plain(arguments.overrides, arguments.multirun):
            if isinstance(override, str):
                faults.append(override)
            else:
                (groups if override.key_or_group in schema.GROUPS else values).append(text)
        good: list[str] = []
        for text in groups + values:
            chosen = [item for item in good if item in groups]
            try:
                candidate = compose("config", overrides=[*search, *chosen, text])
                good.append(text)
                if text in groups:
                    base = candidate
            except NOT_COMPOSED as error:
                faults.append(_explain(text, error, base))
        try:
            validation.check(compose("config", overrides=[*search, *good]))
        except ConfigError as error:
            faults.extend(error.faults)
        except NOT_COMPOSED as error:
            faults.append(str(error).splitlines()[0])
    return list(dict.fromkeys(faults))  # the values of a sweep share their key's fault
