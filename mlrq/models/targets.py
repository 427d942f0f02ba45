"""What a `_target_` of the configuration may name: found, and held to where it was defined."""

import importlib
from collections.abc import Callable
from typing import Any

from mlrq.errors import MlrqError

# `_target_` names code to run, so only this project's and scikit-learn's is let through.
TRUSTED_TARGETS = ("mlrq.", "sklearn.")


def located(key: str, target: str) -> Callable[..., Any]:
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
