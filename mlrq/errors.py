"""The one exception that a user is meant to see, and its kinds."""

import difflib
from collections.abc import Iterable

DISTRIBUTION = "mlrq-linear"  # its name on a package index, where mlrq is another project


class MlrqError(Exception):
    """Something that the user can put right: its text is one line that says what, where and how."""


class DataError(MlrqError):
    """Data that are damaged, not usable as numbers, or not what they were; nothing else is at fault."""


class ConfigError(MlrqError):
    """A configuration with one or more faults, all of them listed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def nearest(word: str, allowed: Iterable[str], prefix: str = "", likeness: float = 0.6) -> str:
    """What was probably meant by `word`, as the end of a sentence; empty where none of `allowed` is near."""
    near = difflib.get_close_matches(word, allowed, n=1, cutoff=likeness)
    return f"; did you mean {prefix}{near[0]}?" if near else ""


def unknown_key(key: str, allowed: list[str]) -> str:
    """The fault of a key that does not exist, with the nearest one that does."""
    group, dot, name = key.rpartition(".")
    listed = f"; {group or 'the configuration'} has {', '.join(sorted(allowed))}"
    return f"{key}: no such key{nearest(name, allowed, group + dot) or listed}"


def not_installed(feature: str, package: str, extra: str) -> str:
    """Say how to install the optional `package`, in a checkout and by the distribution's name.

    Args:
        feature: What cannot be done without it.
        package: Its name on a package index.
        extra: The extra of this distribution that brings it.
    """
    return (
        f"{feature} needs {package}, which is not installed: pip install -e '.[{extra}]' in a checkout (the "
        f".venv of make has it), pip install '{DISTRIBUTION}[{extra}]' elsewhere"
    )
