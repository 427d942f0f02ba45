"""Calls the dataset loader that the configuration names: one of ours, by its exact name."""

import dataclasses
import inspect
from importlib import import_module
from typing import TYPE_CHECKING

from mlrq.config.schema import DatasetConfig, FileConfig
from mlrq.datasets.encoding import Encoding
from mlrq.datasets.parts import Stream
from mlrq.datasets.split import Split

if TYPE_CHECKING:
    from mlrq.datasets.column_rules import ColumnRules


def split_of(config: DatasetConfig, calibrate: bool) -> Split:
    """How the rows of a dataset are divided; `calibrate`: whether some are set aside for an interval."""
    return Split(config.split, config.test_size, config.seed, calibrate)


def load_dataset(config: DatasetConfig, known: Encoding | None = None, calibrate: bool = False) -> Stream:
    """Call the loader of the dataset `config`, with those of its values that the loader takes.

    Args:
        config: The dataset.
        known: How columns became features when a model was trained; None to learn it from this table.
        calibrate: Whether rows are set aside for an interval, from which columns are not learned.

    Raises:
        MlrqError: If it fails on the data.
    """
    module, _, name = config.LOADER.rpartition(".")
    loader = getattr(import_module(module), name)
    taken = inspect.signature(loader).parameters
    values = {item.name: getattr(config, item.name) for item in dataclasses.fields(config)}
    if isinstance(config, FileConfig):
        values["rules"] = rules(config, known, calibrate)
    weight = values.get("weight")
    if weight is not None:  # read as the last target is
        values["target"] = [*values["target"], weight]
    dataset: Stream = loader(**{name: value for name, value in values.items() if name in taken})
    return dataset if weight is None else dataset.weighted()


def rules(config: FileConfig, known: Encoding | None, calibrate: bool = False) -> "ColumnRules":
    """What a configuration says of columns; see `load_dataset`."""
    from mlrq.datasets.column_rules import ColumnRules  # not for a table that is in memory

    return ColumnRules(
        kinds=config.columns or {},
        missing=config.missing,
        missing_values=tuple(config.missing_values or ()),
        rare_below=config.rare_below,
        unknown=config.unknown,
        split=split_of(config, calibrate),
        known=known,
    )
