"""What text and YAML from outside may be before anything reads them: of a size, and not nested without end.

A few lines of YAML can stand for a billion values, a few interpolations too, and a sweep over a range; a
hundred thousand brackets, or commas, take Hydra's parser half a minute. All are told by a scan that
builds nothing.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # OmegaConf brings it
from omegaconf import DictConfig, OmegaConf

DEEPEST = 32  # levels of brackets and braces
MOST_BYTES = 1 << 20  # of a YAML file
MOST_VALUES = 100_000  # in it, each alias counted as what it stands for
MOST_FILES = 10_000  # below a folder of YAML files
MOST_REFERENCES = 20  # interpolations: three in each of seven values that name each other are 2,187
# Values that are written one by one, in all overrides or in a text of YAML: seconds of parsing.
MOST_LISTED = 2_000
MOST_JOBS = 10_000  # of a sweep
TOO_DEEP = f"nested over {DEEPEST} deep"


def nested(text: str) -> bool:
    """Whether brackets or braces in `text`, quoted or not, are nested too deep."""
    depth = 0
    for character in text:
        if character in "[{(":
            depth += 1
            if depth > DEEPEST:
                return True
        elif character in "]})":
            depth = max(0, depth - 1)
    return False


def too_many(text: str) -> bool:
    """Whether `text`, a part of a configuration, lists more values than are parsed."""
    return text.count(",") >= MOST_LISTED


def jobs_fault(counts: Iterable[int]) -> list[str]:
    """A line where a sweep over so many values of each key has more jobs than are begun."""
    jobs = prod(counts)
    return [f"the sweep has {jobs:,} jobs, and may have {MOST_JOBS:,}"] if jobs > MOST_JOBS else []


def references(node: object) -> int:
    """How many interpolations there are in plain values that are not resolved."""
    if isinstance(node, dict):
        return sum(map(references, node.values()))
    if isinstance(node, list):
        return sum(map(references, node))
    return node.count("${") if isinstance(node, str) else 0


def reference_faults(configuration: DictConfig) -> list[str]:
    """A line where resolving the interpolations of a configuration, Hydra's section apart, might not end."""
    plain: Any = OmegaConf.to_container(configuration, resolve=False)
    found = sum(references(node) for name, node in plain.items() if name != "hydra")
    many = f"the configuration has {found:,} interpolations ${{...}}, and may have {MOST_REFERENCES}"
    return [many] if found > MOST_REFERENCES else []


def folder_faults(folder: Path) -> list[str]:
    """A line for each YAML file in `folder`, or below it, that no configuration is made of."""
    found: list[str] = []
    for count, path in enumerate(_files(folder)):
        if count == MOST_FILES:
            return [f"{folder}: has over {MOST_FILES:,} files: name a folder of YAML files alone"]
        if path.suffix in (".yaml", ".yml") and (fault := _file_fault(path)):
            found.append(f"{path}: {fault}")
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Every file that can be reached from `folder`, through links as well, each folder once."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(place, name) for name in sorted(names))


def _file_fault(path: Path) -> str:
    """Why a YAML file is not read; empty if it may be, and where whoever reads it says what is wrong."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return "is no file but a pipe or a device"
        if found.st_size > MOST_BYTES:
            return f"has {found.st_size:,} bytes, and at most {MOST_BYTES:,} are read"
        return _text_fault(path.read_bytes())
    except (OSError, yaml.YAMLError):
        return ""


def _text_fault(text: bytes) -> str:
    """Why YAML is not read: it is nested too deep, or its aliases make too much of it."""
    sizes: dict[str, int] = {}  # of what has an anchor
    opened: list[tuple[str | None, int]] = []  # anchors of what is not closed yet, and values before them
    values = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, values))
            values += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = values - before
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in opened):
                return f"*{event.anchor} is part of what it stands for"
            values += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if nested(event.value):
                return f"line {event.start_mark.line + 1}: {TOO_DEEP}"
            if too_many(event.value):
                return f"line {event.start_mark.line + 1}: a text that lists over {MOST_LISTED:,} values"
        if len(opened) > DEEPEST:
            return f"line {event.start_mark.line + 1}: {TOO_DEEP}"
        if values > MOST_VALUES:
            return f"line {event.start_mark.line + 1}: stands for over {MOST_VALUES:,} values"
    return ""
