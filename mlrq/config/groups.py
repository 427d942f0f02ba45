"""The groups of the configuration and their options, as the YAML files have them; nothing is composed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from mlrq.config.composition import CONF
from mlrq.config.schema import GROUPS, SCHEMAS

# A key, its value, and what a comment says of it.
LINE = re.compile(r"^(?P<indent> *)(?P<key>[a-z]\w*|_target_): *(?P<value>.*?)(?P<comment> *# .*)?$")


@dataclass(frozen=True)
class Choice:
    """An option of a group.

    Attributes:
        name: As in `group=name`.
        text: What its YAML file says of it in its first lines.
        schema: The dataclass of its keys.
        values: That its YAML file sets, by dotted key.
    """

    name: str
    text: str
    schema: type
    values: dict[str, str]


def keys(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """The lines of a YAML file that set a key: the key, dotted, and the line."""
    parent = ""
    for line in text.splitlines():
        found = LINE.match(line)
        if found and found["key"] != "defaults":
            parent = parent if found["indent"] else found["key"]
            yield f"{parent}.{found['key']}" if found["indent"] else found["key"], found


def schema_of(path: Path) -> type:
    """The schema that a YAML file lists first in its defaults, or that of the file that it inherits."""
    first = path.read_text().partition("defaults:\n")[2].splitlines()[0].strip().removeprefix("- ")
    name = re.fullmatch(r"/schema/(\w+)@_here_", first)
    return SCHEMAS[name[1]] if name else schema_of(path.with_name(f"{first}.yaml"))


def choices(group: str) -> list[Choice]:
    """The options of `group`, in the order of their names, numbers by their size."""
    found = []
    for path in (CONF / group).glob("*.yaml"):
        text = path.read_text()
        said = [line.removeprefix("#").strip() for line in text.partition("defaults:")[0].splitlines()]
        values = {key: line["value"] for key, line in keys(text) if line["value"]}
        found.append(Choice(path.stem, " ".join(said), schema_of(path), values))
    return sorted(found, key=lambda one: re.sub(r"\d+", lambda number: number[0].zfill(3), one.name))


def default(group: str) -> str:
    """The option of `group` that is chosen where no other is."""
    found = re.search(rf"^  - {group}: (\w+)$", (CONF / "config.yaml").read_text(), re.MULTILINE)
    assert found
    return found[1]


def having(group: str, key: str) -> list[str]:
    """The options of `group` that have the key `key`."""
    listed = choices(group) if group in GROUPS else []
    return [one.name for one in listed if key in {item.name for item in fields(one.schema)}]
