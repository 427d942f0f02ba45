"""What is wrong with a command line that Hydra refuses to compose: every fault, one line each.

Hydra stops at the first fault and explains it over several lines. Here every override is tried by
itself on top of the group choices, which costs a composition each, but only after something failed.
"""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ValidationError

from mlrq.config import composition, schema, validation
from mlrq.config.groups import having
from mlrq.errors import ConfigError, nearest, not_installed, quoted, unknown_key
from mlrq.quantization.keys import bounds

NEEDED = {"hydra/launcher=joblib": ("running jobs in parallel", "hydra-joblib-launcher", "joblib")}
# How Hydra's parser begins what it says of a value that is not in its grammar.
SYNTAX = ("token", "extraneous", "mismatched", "missing", "no viable")


def _single(overrides: Sequence[str], sweeps: bool, faults: list[str]) -> Iterator[str]:
    """Each override by itself, a sweep as one override a value; what makes no sense goes to `faults`."""
    for text in overrides:
        try:
            found = composition.asked(text)
        except HydraException as error:
            reason = _first(error)
            if "=" not in text:
                reason = f"neither a stage nor key=value{nearest(text, schema.STAGES)}"
            elif reason.startswith(SYNTAX):
                reason = _quoted(text)
            faults.append(f"{text}: {reason}")
            continue
        if found.swept and not sweeps:
            faults.append(found.several)
        else:
            yield from found.values


def _quoted(text: str) -> str:
    """How to write an override whose value Hydra's grammar does not take as it stands."""
    key, _, value = text.partition("=")
    closed = all(value.count(one) == value.count(other) for one, other in ("()", "[]", "{}"))
    hint = "" if closed else "close its brackets, or "
    shown = shlex.quote(f"{key}=" + quoted(value, '"'))
    return f"{hint}quote the value, for Hydra and for the shell: {shown}"


def _first(error: BaseException) -> str:
    """The first line of what an error says."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _allowed(node: object, name: str) -> str:
    """What the key `name` of `node` must be; empty where that is not known."""
    schema_of = OmegaConf.get_type(node) if isinstance(node, DictConfig) else None
    declared = dataclasses.fields(schema_of) if dataclasses.is_dataclass(schema_of) else ()
    item = next((item for item in declared if item.name == name and item.metadata), None)
    return f"must be {bounds(item)}" if item and bounds(item) else ""


def _explain(text: str, error: Exception, base: DictConfig | None) -> str:
    """One line for what Hydra said of the override `text`."""
    key, _, _ = text.lstrip("+~").partition("=")
    cause = error.__cause__ or error
    if isinstance(error, MissingConfigException) and error.options is not None:
        hint = f"; {not_installed(*NEEDED[text])}" if text in NEEDED else ""
        return f"{text}: no such option; {key} has {', '.join(sorted(error.options))}{hint}"
    first = _first(cause)
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(base, parent) if base is not None and parent else base
    if isinstance(cause, ValidationError):
        return f"{text}: {_allowed(node, name) or first}"
    if isinstance(node, DictConfig) and name not in node:
        if others := having(parent, name):
            return f"{key}: only with {' or '.join(f'{parent}={other}' for other in others)}"
        return unknown_key(key, [str(item) for item in node if item != "_target_"])
    return f"{text}: {first}"


def find(overrides: Sequence[str], config_dir: str | None, sweeps: bool) -> list[str]:
    """Every fault of a command line; may be empty.

    Args:
        overrides: All of them.
        config_dir: The folder of more YAML files, where one is named.
        sweeps: Whether it may sweep.
    """
    faults: list[str] = []
    try:
        folders, others = composition.folders(config_dir, overrides)
    except ConfigError as error:
        faults, folders, others = error.faults, [], list(overrides)
    each = list(_single(others, sweeps, faults))
    groups = [text for text in each if text.partition("=")[0].lstrip("+~") in schema.GROUPS]
    try:
        base = composition.separate(composition.compose([], folders))
    except HydraException as error:  # a YAML file among those folders
        return [*faults, f"{_first(error)}: {_first(error.__cause__ or error)}"]
    good: list[str] = []
    for text in groups + [text for text in each if text not in groups]:
        chosen = [item for item in good if item in groups]
        try:
            candidate = composition.compose([*chosen, text], folders)
            good.append(text)
            if text in groups:
                base = composition.separate(candidate)
        except ConfigError as error:
            faults.extend(error.faults)
        except HydraException as error:
            faults.append(_explain(text, error, base))
    told = {text.lstrip("+~").partition("=")[0] for text in others if text not in good}
    absent = [f"{key}: required" for key in told]
    faults.extend(fault for fault in _of_all(good, folders) if not fault.startswith(tuple(absent)))
    return list(dict.fromkeys(faults))  # the values of a sweep share their key's fault


def _of_all(overrides: list[str], folders: list[Path]) -> list[str]:
    """What is wrong with overrides that compose one by one."""
    try:
        validation.check(composition.separate(composition.compose(overrides, folders)))
    except ConfigError as error:
        return error.faults
    except HydraException as error:
        return [_first(error)]
    return []
