"""The one check at the door: a composed configuration becomes plain dataclasses, or a list of faults.

Hydra lets `+typo=1` through, and stops at the first value that does not fit; here every fault is listed,
each with its key, its value and what is allowed.
"""

import dataclasses
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mlrq.config.schema import GROUPS, Config
from mlrq.errors import ConfigError, unknown_key
from mlrq.models.targets import TRUSTED_TARGETS


def _untrusted(node: Any, key: str) -> list[str]:
    """A fault for every `_target_` below `node` that names code from elsewhere."""
    if isinstance(node, list):
        return [fault for i, item in enumerate(node) for fault in _untrusted(item, f"{key}[{i}]")]
    if not isinstance(node, dict):
        return []
    faults = [fault for name, item in node.items() for fault in _untrusted(item, f"{key}.{name}")]
    target = node.get("_target_", TRUSTED_TARGETS[0])
    if not str(target).startswith(TRUSTED_TARGETS):
        allowed = " or ".join(TRUSTED_TARGETS)
        faults.append(f"{key}._target_={target}: must start with {allowed} (it names code to run)")
    return faults


def _typed(node: DictConfig, schema: type, key: str, faults: list[str]) -> Any:
    """`node` as an instance of `schema`; what does not fit goes to `faults`."""
    prefix = f"{key}." if key else ""
    known = [item.name for item in dataclasses.fields(schema)]
    typed = OmegaConf.structured(schema)
    complete = True
    for name in map(str, node):
        if name not in known:
            faults.append(unknown_key(f"{prefix}{name}", known))
            continue
        if schema is Config and name in GROUPS:
            continue
        if OmegaConf.is_missing(node, name):
            faults.append(f"{prefix}{name}: required; add {prefix}{name}=VALUE")
            complete = False
            continue
        try:
            value = node[name]
            typed[name] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except OmegaConfBaseException as error:
            faults.append(f"{prefix}{name}: {str(error).splitlines()[0]}")
    if not complete:
        return None
    # What did not fit has its default here, so that the bounds of the rest are checked all the same.
    values = OmegaConf.to_container(typed)
    try:
        faults.extend(_untrusted(values, key))
        return schema(**values)  # type: ignore[arg-type]
    except ConfigError as error:
        faults.extend(error.faults)
        return None


def check(composed: DictConfig) -> Config:
    """The composed configuration as plain dataclasses.

    Raises:
        ConfigError: Listing every unknown key, missing or mistyped value, value out of bounds and
            `_target_` that is not trusted.
    """
    faults: list[str] = []
    config = _typed(composed, Config, "", faults)
    groups = {}
    for name in GROUPS:
        node = composed.get(name)
        schema = OmegaConf.get_type(node) if isinstance(node, DictConfig) else None
        if not (isinstance(schema, type) and dataclasses.is_dataclass(schema)):
            faults.append(f"{name}: required; choose an option whose YAML lists its schema first in defaults")
            continue
        groups[name] = _typed(node, schema, name, faults)
    if faults:
        raise ConfigError(faults)
    checked: Config = dataclasses.replace(config, **groups)
    return checked
