"""Calls the dataset loader that the configuration names: one of ours, by its exact name."""

import dataclasses
import inspect
from importlib import import_module

from mlrq.config.schema import DatasetConfig
from mlrq.datasets import Stream


def load_dataset(config: DatasetConfig) -> Stream:
    """Call the loader of the dataset `config`, with those of its values that the loader takes.

    Raises:
        MlrqError: If it fails on the data.
    """
    module, _, name = config.LOADER.rpartition(".")
    loader = getattr(import_module(module), name)
    taken = inspect.signature(loader).parameters
    names = [item.name for item in dataclasses.fields(config) if item.name in taken]
    given = {name: getattr(config, name) for name in names}
    weight = getattr(config, "weight", None)
    if weight is not None:  # read as the last target is
        given["target"] = [*given["target"], weight]
    dataset: Stream = loader(**given)
    return dataset if weight is None else dataset.weighted()
