"""How reports lay out what they show: console, sections, plain tables, numbers."""

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlrq.errors import MESSAGE, NAME, printable

ROWS_SHOWN = 20  # of a table that has one row a weight


def terminal(width: int | None = None) -> Console:
    """A console on standard output that prints text as it is: no markup, no emoji codes, no highlighting."""
    return Console(highlight=False, markup=False, emoji=False, width=width)


console = terminal()


def number(value: float | None, digits: int = 4) -> str:
    """Fixed point where that shows the number, else scientific; a dash for None."""
    if value is None:
        return "-"
    fixed = value == 0 or 10**-digits <= abs(value) < 1e7
    return f"{value:.{digits}f}" if fixed else f"{value:.{digits}e}"


def size(count: int | None) -> str:
    """Bytes, for reading; a dash for None."""
    return "-" if count is None else f"{count:,} B"


def table(*columns: str, left: int = 1) -> Table:
    """A plain table: the first `left` columns to the left, the others to the right."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for i, column in enumerate(columns):
        made.add_column(column, justify="left" if i < left else "right", no_wrap=i >= left, overflow="fold")
    return made


def section(title: str, *parts: str | Text | Table | None) -> None:
    """A title, and its parts indented; None is an empty line."""
    console.print(Text(printable(title, room()), style="bold"))
    for part in parts:
        if isinstance(part, Table):
            console.print(Padding(part, (0, 0, 0, 2), expand=False))
        else:
            line = Text("  " + printable(part)) if isinstance(part, str) else part and Text("  ") + part
            # A terminal wraps a line of ours by itself, and a pipe gets it whole.
            console.print(line or "", soft_wrap=True)
    console.print()


def room(taken: int = 0) -> int:
    """Columns left for foreign text on a line of which some are taken."""
    return max(console.width - taken, NAME) if console.is_terminal else MESSAGE - taken


def short(text: str) -> str:
    """A name in a table, with room for four columns of numbers beside it."""
    return printable(text, min(max(console.width - 46, 30), NAME))


def target_label(targets: tuple[str, ...], name: str) -> list[str]:
    """A cell that tells targets apart; none where there is one target."""
    return [short(name)] if len(targets) > 1 else []


def cut(made: Table, total: int, where: str) -> list[Table | str]:
    """The table, with a line for what did not fit."""
    return [made, f"... {total - ROWS_SHOWN:,} more in {where}"] if total > ROWS_SHOWN else [made]


def labelled(names: tuple[str, ...], targets: tuple[str, ...]) -> Iterable[tuple[int, int, list[str]]]:
    """Target and feature of each weight to show, with the row's label."""
    for i in range(min(len(names) * len(targets), ROWS_SHOWN)):
        target, feature = divmod(i, len(names))
        yield target, feature, [*target_label(targets, targets[target]), short(names[feature])]
