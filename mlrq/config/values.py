"""Groups of the configuration from values of Python: checked as the command line's, without composing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from omegaconf import OmegaConf, open_dict

from mlrq.config import instantiate
from mlrq.config.composition import CONF
from mlrq.config.schema import DatasetConfig, FileConfig, ModelConfig, QuantizationConfig
from mlrq.config.validation import typed
from mlrq.datasets.column_rules import ColumnRules
from mlrq.errors import ConfigError, MlrqError, nearest


def quantization(**given: Any) -> QuantizationConfig:
    """The quantization group with the values `given` by their keys.

    Raises:
        ConfigError: Listing every unknown key and every value that is not allowed.
    """
    return cast(QuantizationConfig, _checked(QuantizationConfig, "quantization", given))


def require_split(split: str, test_size: float, seed: int) -> None:
    """Raise ConfigError for values of a split that the dataset group would not allow."""
    _checked(DatasetConfig, "dataset", {"_target_": "", "split": split, "test_size": test_size, "seed": seed})


def rules(
    columns: dict[str, str] | None,
    missing: str,
    missing_values: Sequence[str] | None,
    rare_below: int,
    unknown: str,
) -> ColumnRules | None:
    """The rules for columns that these keys of the dataset group give; None where they give none.

    Raises:
        ConfigError: Listing every value that is not allowed.
    """
    given = {
        "columns": columns, "missing": missing, "missing_values": missing_values, "rare_below": rare_below,
        "unknown": unknown, "_target_": "", "path": "-", "target": "-",
    }  # fmt: skip
    config = cast(FileConfig, _checked(FileConfig, "dataset", given))
    found = instantiate.rules(config, None)
    return None if replace(found, split=ColumnRules().split) == ColumnRules() else found


def model(name: str) -> ModelConfig:
    """The option `name` of the model group, as its YAML file has it.

    Raises:
        MlrqError: If there is none.
    """
    names = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
    if name not in names:
        meant = nearest(name, names) or f"; there are {', '.join(names)}"
        raise MlrqError(f"model={name}: no such option{meant}")
    found = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{name}.yaml"))
    values = {str(key): value for key, value in cast(dict[str, Any], found).items() if key != "defaults"}
    return cast(ModelConfig, _checked(ModelConfig, "model", values))


def _checked(schema: type, group: str, given: dict[str, Any]) -> Any:
    """An instance of `schema` with the values `given`."""
    node = OmegaConf.structured(schema)
    faults: list[str] = []
    with open_dict(node):  # what it does not know is told with the rest
        for key, value in given.items():
            try:
                node[key] = value.item() if hasattr(value, "item") else value  # a number of NumPy
            except Exception as error:  # OmegaConf's, of a value of another type
                faults.append(f"{group}.{key}: {str(error).splitlines()[0]}")
    made = typed(node, schema, f"{group}.", faults)
    if faults:
        raise ConfigError(faults)
    return made
