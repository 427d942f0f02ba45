"""The reference of every key, from the schema: `python -m mlrq.config.reference > docs/configuration.md`.

With `--conf`, the comments of the YAML files in conf/ are made anew instead: they say the same.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from mlrq.config.composition import CONF
from mlrq.config.groups import choices, default, keys, schema_of
from mlrq.config.schema import GROUPS, Config
from mlrq.quantization.keys import OneOf, bounds, known
from mlrq.quantization.options import Option

INTRODUCTION = """\
# Reference of the configuration

Every key with its default, what it means and what it may be. This page is made by
`python -m mlrq.config.reference > docs/configuration.md`, and `python -m mlrq --help GROUP` prints the same.

A key is changed by `key=value` on the command line, an option of a group is chosen by `group=option`:

```sh
python -m mlrq model=ridge quantization.bits=6
```

The YAML files in `conf/` hold the options; `--config-dir FOLDER` adds more. What a configuration may do, and
what not, is in [configuration-security.md](configuration-security.md).
"""


def value(item: Field[Any]) -> str:
    """The default of a key as YAML writes it; ??? where one has to be given."""
    found = item.default_factory() if item.default_factory is not MISSING else item.default
    if found is None or isinstance(found, bool):
        return {None: "null", True: "true", False: "false"}[found]
    return f"{found:_}" if isinstance(found, int) else str(found)


def meaning(item: Field[Any]) -> str:
    """What a key may be and what it means."""
    return ": ".join(filter(None, (bounds(item), known(item).text)))


def own(schema: type, base: type) -> list[Field[Any]]:
    """The keys of `schema` that `base` does not have, or has with another default."""
    common = {item.name: item.default for item in fields(base)}
    return [
        item
        for item in fields(schema)
        if item.name not in common or common[item.name] not in (item.default, "???")
    ]


def named(item: Field[Any]) -> dict[str, str]:
    """What the values mean that a key may have by name, where a table says it."""
    allowed = known(item).allowed
    names = allowed.names if isinstance(allowed, OneOf) else ()
    if not isinstance(names, Mapping):
        return {}
    return {name: one.text if isinstance(one, Option) else one for name, one in names.items()}


def annotated(text: str, schema: type) -> str:
    """The text of a YAML file with the comment of every key of `schema` made anew."""
    items = {item.name: item for item in fields(schema)}
    comments = {
        line[0]: f"{line['key']}: {line['value']}".rstrip() + f" # {meaning(items[key])}"
        for key, line in keys(text)
        if key in items
    }
    return "".join(f"{comments.get(line, line)}\n" for line in text.splitlines())


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _keys(prefix: str, items: list[Field[Any]]) -> Iterator[str]:
    """A table of keys, and one of what the names mean that they may have."""
    rows = [(f"`{prefix}{i.name}`", f"`{value(i)}`", bounds(i), known(i).text) for i in items]
    yield _table(("key", "default", "may be", "what"), rows)
    told = [(f"`{prefix}{i.name}={name}`", text) for i in items for name, text in named(i).items()]
    if told:
        yield _table(("value", "what"), told)


def _group(group: str, base: type) -> Iterator[str]:
    """The options of a group, and its keys."""
    yield f"## {group}: {known(Config.__dataclass_fields__[group]).text}\n"
    chosen, found = default(group), choices(group)
    rows = [(f"`{group}={one.name}`" + " (default)" * (one.name == chosen), one.text) for one in found]
    yield _table(("option", "what"), rows)
    yield from _keys(f"{group}.", [item for item in fields(base) if item.name != "_target_"])
    for one in found:
        if extra := own(one.schema, base):
            yield f"With `{group}={one.name}`:\n"
            yield from _keys(f"{group}.", extra)


def document() -> str:
    """docs/configuration.md."""
    parts = [INTRODUCTION, "## Keys of no group\n"]
    parts += _keys("", [item for item in fields(Config) if item.name not in GROUPS])
    for group, base in GROUPS.items():
        parts += _group(group, base)
    return "\n".join(parts)


def main() -> None:
    """Print the document, or write the comments of the YAML files."""
    if sys.argv[1:] != ["--conf"]:
        print(document(), end="")
        return
    for group in ("", *GROUPS):
        for path in (CONF / group).glob("*.yaml"):
            path.write_text(annotated(path.read_text(), schema_of(path)))


if __name__ == "__main__":
    main()
