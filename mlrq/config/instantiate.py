"""Calls the dataset loader that the configuration names by `_target_`."""

import dataclasses
import inspect

from mlrq.config.schema import DatasetConfig
from mlrq.datasets import Stream
from mlrq.models.targets import located


def load_dataset(config: DatasetConfig) -> Stream:
    """Call the loader that `config` names, with those of its values that the loader takes.

    Raises:
        MlrqError: If there is no such loader, or it fails on the data.
    """
    loader = located("dataset", config._target_)
    taken = inspect.signature(loader).parameters
    names = [item.name for item in dataclasses.fields(config) if item.name in taken]
    dataset: Stream = loader(**{name: getattr(config, name) for name in names})
    return dataset
