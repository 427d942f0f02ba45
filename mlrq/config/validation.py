"""The one check at the door: a composed configuration becomes plain dataclasses, or a list of faults.

Hydra lets `+typo=1` through, and stops at the first value that does not fit; here every fault is listed,
each with its key, its value and what is allowed. Interpolations are resolved here, once: what comes out is
text and numbers, which nobody resolves again and Hydra never sees.
"""

import dataclasses
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mlrq.config import environment, limits
from mlrq.config.schema import GROUPS, SCHEMAS, Config
from mlrq.errors import ConfigError, unknown_key
from mlrq.quantization.keys import known


def check(composed: DictConfig) -> Config:
    """The composed configuration as plain dataclasses.

    Raises:
        ConfigError: Listing every unknown key, missing or mistyped value, value out of bounds, `_target_`
            that is not one of ours, and value from the environment where none may be.
    """
    environment.watch()  # in a process that composed nothing, too
    if OmegaConf.get_type(composed) is not Config:
        raise ConfigError(
            ["the configuration lacks its schema: leave conf/config.yaml's defaults as they are"]
        )
    if faults := limits.reference_faults(composed):
        raise ConfigError(faults)
    config: Config = typed(composed, Config, "", faults)
    for name, base in GROUPS.items():
        node = composed.get(name)
        schema = OmegaConf.get_type(node) if isinstance(node, DictConfig) else None
        if schema and schema in SCHEMAS.values() and issubclass(schema, base):
            setattr(config, name, typed(node, schema, f"{name}.", faults))
        else:
            faults.append(f"{name}: required; choose an option whose YAML lists its schema first in defaults")
    if faults:
        raise ConfigError(faults)
    return config


def typed(node: DictConfig, schema: type, prefix: str, faults: list[str]) -> Any:
    """`node`, which has the type `schema`, as an instance of it; what does not fit goes to `faults`.

    A value that does not fit is replaced by its default, so that the bounds of the rest are checked all the
    same.
    """
    fields = {item.name: item for item in dataclasses.fields(schema)}
    faults += [unknown_key(f"{prefix}{name}", list(fields)) for name in map(str, node) if name not in fields]
    values, wrong = {}, []
    for name, item in fields.items():
        if (schema is Config and name in GROUPS) or (name not in node and item.default is not MISSING):
            continue
        fault, value = _value(node, item, f"{prefix}{name}")
        if fault:
            faults.append(fault)
            wrong.append(f"{prefix}{name}=")
        else:
            values[name] = value
    made = schema(**values)
    faults += [text for text in made.faults(prefix) if not text.startswith(tuple(wrong))]
    return made


def _value(node: DictConfig, item: dataclasses.Field[Any], key: str) -> tuple[str, Any]:
    """What is wrong with the value of `key`, the field `item` of `node`; and the value, resolved."""
    fault, value = "", None
    try:
        if item.name not in node or OmegaConf.is_missing(node, item.name):
            fault = f"{key}: required; add {key}=VALUE"
        else:
            value = node[item.name]
            value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    except OmegaConfBaseException as error:
        unset = ", ".join(environment.unset())
        way_out = f"{unset} is not set in the environment: set it, or name the value"
        fault = f"{key}: {way_out if unset else str(error).splitlines()[0]}"
    # The text of an error may hold what the variable does: so this takes its place.
    if (names := environment.asked()) and not known(item).environment:
        variables = ", ".join(names)
        fault = f"{key}: takes {variables} from the environment, which only names of files and addresses may"
    return fault, value
