"""Where the environment may enter a configuration: only at keys that are meant for it.

`${oc.env:NAME}` is OmegaConf's way to read an environment variable, which may hold what no artifact, log or
report should. The resolver is replaced by one that remembers what was asked for, so that whoever resolves a
key knows, however far the value came through other keys.
"""

import os

from omegaconf import OmegaConf

_asked: list[str] = []
_unset: list[str] = []
_REQUIRED = object()


def _env(name: str, default: object = _REQUIRED) -> str | None:
    """The environment variable `name`, as OmegaConf's own resolver gives it; remembered."""
    _asked.append(name)
    if default is _REQUIRED and name not in os.environ:
        _unset.append(name)
        raise KeyError(f"Environment variable '{name}' not found")
    return os.environ.get(name, None if default is None else str(default))


def watch() -> None:
    """Remember from now on which variables are asked for; and forget those that were."""
    OmegaConf.register_new_resolver("oc.env", _env, replace=True)
    _asked.clear()
    _unset.clear()


def unset() -> list[str]:
    """The variables that were asked for and are not set, since this or `watch` was last called, each once."""
    found = list(dict.fromkeys(_unset))
    _unset.clear()
    return found


def asked() -> list[str]:
    """The variables that were asked for since this or `watch` was last called, each once."""
    found = list(dict.fromkeys(_asked))
    _asked.clear()
    return found
