"""Calls what the configuration names by `_target_`: dataset loaders and scikit-learn estimators."""

import dataclasses
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from mlrq.config.schema import DatasetConfig
from mlrq.config.validation import TRUSTED_TARGETS, unknown_key
from mlrq.datasets import Dataset
from mlrq.datasets.stream import Stream
from mlrq.errors import ConfigError, MlrqError


def _located(key: str, target: str) -> Callable[..., Any]:
    """The class or function at the dotted path `target`, if a trusted package defines it.

    A trusted module's namespace holds what it imports too, `os` among it: where a name is found says
    little, where it was defined decides.
    """
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        hint = "; this installation can only predict and evaluate" if error.name == "sklearn" else ""
        raise MlrqError(f"{key}._target_={target}: cannot be found: {error}{hint}") from error
    except (ImportError, AttributeError) as error:
        raise MlrqError(f"{key}._target_={target}: cannot be found: {error}") from error
    if not callable(found):
        raise MlrqError(f"{key}._target_={target}: is not a class or a function")
    if not f"{getattr(found, '__module__', None)}.".startswith(TRUSTED_TARGETS):
        raise MlrqError(f"{key}._target_={target}: is defined by neither mlrq nor scikit-learn")
    return found  # type: ignore[no-any-return]


def _locate_all(key: str, node: Any) -> None:
    """Refuse every nested `_target_` that `_located` refuses, before Hydra calls any of them."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, item in items:
        if name == "_target_":
            _located(key, str(item))
        _locate_all(f"{key}.{name}", item)


def load_dataset(config: DatasetConfig) -> Dataset | Stream:
    """Call the loader that `config` names, with those of its values that the loader takes.

    Raises:
        MlrqError: If there is no such loader, or it fails on the data.
    """
    loader = _located("dataset", config._target_)
    taken = inspect.signature(loader).parameters
    names = [item.name for item in dataclasses.fields(config) if item.name in taken]
    dataset: Dataset | Stream = loader(**{name: getattr(config, name) for name in names})
    return dataset


def build_estimator(spec: dict[str, Any], standardize: bool) -> Any:
    """The unfitted estimator of `spec`, behind a StandardScaler where `standardize` says so.

    Raises:
        MlrqError: If there is no such class, or it has no such parameter.
    """
    _locate_all("model.estimator", spec)
    allowed = list(inspect.signature(_located("model.estimator", spec["_target_"])).parameters)
    # Hydra's own keys, `_partial_` and the like, go through.
    extra = [key for key in spec if key not in allowed and not key.startswith("_")]
    if extra:
        name = spec["_target_"].rpartition(".")[2]
        raise ConfigError([f"{unknown_key(f'model.estimator.{key}', allowed)} ({name})" for key in extra])
    try:
        estimator = instantiate(spec)
    except InstantiationException as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise MlrqError(f"model.estimator: {reason}") from error
    if not standardize:
        return estimator
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), estimator)
