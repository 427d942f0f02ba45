"""The dataset of a stage that starts from a model: the one that it was made from, where no other is named."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from mlrq.config.schema import SCHEMAS, DatasetConfig
from mlrq.errors import MlrqError, quoted
from mlrq.files import contents
from mlrq.pipeline.record import RUN

# Stages that read rows and start from a model, and the stages whose record says which rows those are.
STARTING = {"quantize": ("train",), "evaluate": ("quantize", "train"), "verify": ("quantize", "train")}
# A dataset, or a configuration that may choose one; and training, which chooses its own.
CHOOSING = ("dataset", "experiment", "model_path")
FOLDER = "outputs"
# An option of the group is named after its schema.
DATASETS = {name: one for name, one in SCHEMAS.items() if issubclass(one, DatasetConfig)}


def overrides(given: list[str]) -> list[str]:
    """Overrides that choose the dataset that `run.json` records, to go before the `given` ones.

    Empty where the given ones choose a dataset, where the stage does not start from a model, and where
    nothing is recorded. That the rows are those of the model is found out later, by their hash.

    Args:
        given: Of a command line without sweeps.

    Raises:
        MlrqError: If what is recorded is no dataset of this program.
    """
    texts = dict(text.partition("=")[::2] for text in given)
    stages = STARTING.get(texts.get("stage", ""), ())
    if not stages or any(key.lstrip("+~").partition("@")[0] in CHOOSING for key in texts):
        return []
    folder = Path(_value(texts.get("output_dir", FOLDER)))
    if "artifact" in texts:
        folder = Path(_value(texts["artifact"])).parent
    path = folder / RUN
    if not path.exists():
        return []
    try:
        recorded = json.loads(contents(path))["stages"]
        stage = next(recorded[name] for name in stages if name in recorded)
        values, directory = dict(stage["dataset"]), str(stage["directory"])
        name, schema = next(one for one in DATASETS.items() if values["_target_"] == one[1].LOADER)
        if "path" in values and "dataset.path" not in texts:
            values["path"] = _found(values["path"], directory)
    except (ValueError, RecursionError, KeyError, TypeError, StopIteration):
        raise MlrqError(f"{path}: names no dataset of mlrq: add dataset=NAME") from None
    values = {item.name: values[item.name] for item in fields(schema)[1:] if item.name in values}
    return [f"dataset={name}", *(f"dataset.{key}={_typed(value)}" for key, value in values.items())]


def _found(path: str, directory: str) -> str:
    """`path`, which was given in `directory`, as it is reached from here.

    Raises:
        MlrqError: If it names a file that is not there any more.
        ValueError: If it can name no file.
    """
    if "://" in path or any(letter in path for letter in "*?["):
        return path
    for place in (Path(path), Path(directory, path)):
        if place.exists():
            return str(place)
    raise MlrqError(f"{path}: the model was made from it, and it is not there: name it by dataset.path=FILE")


def _value(text: str) -> str:
    """The value of an override."""
    return str(OverridesParser.create().parse_override(f"key={text}").value())


def _typed(value: Any) -> str:
    """A plain value as Hydra reads it."""
    if isinstance(value, list):
        return f"[{','.join(map(_typed, value))}]"
    if isinstance(value, dict):  # the columns; Hydra cannot read every name as a key
        return _typed([f"{name}: {kind}" for name, kind in value.items()])
    # What looks like an interpolation is text.
    return quoted(value.replace("${", "\\${")) if isinstance(value, str) else json.dumps(value)
