"""`--help`: what the program does, its groups, and the keys of each, in lines that fit 80 columns."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import Field, fields
from typing import Any

from mlrq.cli.arguments import SHORT, SWITCHES, VALUED
from mlrq.config.groups import choices, default
from mlrq.config.reference import meaning, named, own, value
from mlrq.config.schema import GROUPS, STAGES, Config
from mlrq.errors import ConfigError, nearest

WIDTH = 79
COLUMN = 29  # where meanings begin
HEADER = """\
mlrq trains a linear regression, quantizes it to a few bits, and measures what
that costs.

  mlrq                            train, quantize and evaluate
  mlrq train                      one stage; the same as stage=train
  mlrq predict < rows.csv         predict your own rows, CSV or JSON lines
  mlrq quantization=int4          choose an option of a group
  mlrq quantization.bits=5        change one value
  mlrq dataset=csv dataset.path=my.csv dataset.target=price
  mlrq -m quantization.bits=2,4,8 sweep: every combination, one table
  mlrq resume=last                go on with a sweep that was stopped
  mlrq verify                     exit code 0 PROVEN, 1 REFUTED, 3 INCOMPLETE

mlrq is python -m mlrq where it is not installed. mlrq --help GROUP explains
the keys of a group."""


def text(topics: Iterable[str]) -> str:
    """The help on `topics`, groups or overrides of their keys; the overview where none is of a group.

    Raises:
        ConfigError: If a topic is neither a group nor an override.
    """
    words = [topic.removeprefix("stage=") for topic in topics]  # export and predict are groups, too
    groups = list(dict.fromkeys(word.partition("=")[0].partition(".")[0] for word in words))
    unknown = [one for one in words if "=" not in one and one.partition(".")[0] not in {*GROUPS, *STAGES}]
    if unknown:
        listed = f"; there are {', '.join(GROUPS)}"
        raise ConfigError([f"--help {one}: no such group{nearest(one, GROUPS) or listed}" for one in unknown])
    lines = [line for name in groups if name in GROUPS for line in (*_group(name), "")]
    return "\n".join(lines or _overview()).rstrip()


def _overview() -> Iterator[str]:
    """What there is: stages, groups, the keys of no group, flags."""
    yield HEADER
    yield "\nStages: mlrq STAGE, or stage=STAGE, by default all"
    yield from _columns(STAGES.items())
    yield "\nGroups: choose with group=option"
    yield from _columns((group, _options(group)) for group in GROUPS)
    yield "\nKeys: change with key=value"
    yield from _keys("", [item for item in fields(Config) if item.name not in ("stage", *GROUPS)])
    yield "\nFlags"
    short = {flag: name for name, flag in SHORT.items()}
    flags = {**SWITCHES, **VALUED}
    yield from _columns(
        (f"{short[flag]}, {flag}" if flag in short else flag, told) for flag, told in flags.items()
    )


def _options(group: str) -> str:
    """The names of a group's options, the default first."""
    names = [one.name for one in choices(group)]
    return ", ".join(sorted(names, key=lambda name: name != default(group)))


def _group(group: str) -> Iterator[str]:
    """The options of a group and its keys; where only some options have a key, by option."""
    base, found = GROUPS[group], choices(group)
    yield f"{group}=OPTION, by default {group}={default(group)}"
    yield from _columns((one.name, one.text) for one in found)
    if common := [item for item in fields(base) if item.name != "_target_"]:
        yield "\nKeys"
        yield from _keys(f"{group}.", common)
    for one in found:
        if extra := own(one.schema, base):
            yield f"\nKeys of {group}={one.name}"
            yield from _keys(f"{group}.", extra)
        if parameters := {key: given for key, given in one.values.items() if key.startswith("estimator.")}:
            yield f"\nKeys of {group}={one.name}"
            yield from (f"  {group}.{key}={given}" for key, given in parameters.items())


def _keys(prefix: str, items: Iterable[Field[Any]]) -> Iterator[str]:
    """Each key with its default, what it may be and what it means, and what its named values mean."""
    for item in items:
        yield from _columns([(f"{prefix}{item.name}={value(item)}", meaning(item))])
        yield from _columns(((f"  {name}", told) for name, told in named(item).items()), indent=4)


def _columns(rows: Iterable[tuple[str, str]], indent: int = 2) -> Iterator[str]:
    """Rows of two columns; what is too long for the first has its meaning below it."""
    for left, right in rows:
        head = f"{' ' * indent}{left}"
        if len(head) >= COLUMN:
            yield head
            head = ""
        first = head.ljust(COLUMN)
        yield from textwrap.wrap(right, WIDTH, initial_indent=first, subsequent_indent=" " * COLUMN)
