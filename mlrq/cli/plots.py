"""Draw the plot of a sweep as PNG bytes. Importing this module needs matplotlib, the `plot` extra."""

import io
import warnings
from typing import Any

from matplotlib.figure import Figure

from mlrq.errors import printable
from mlrq.quantization.options import ROUNDINGS

# Told by the words that every line has, or by the horizontal axis.
TOLD = ("model", "quantization.bits", "quantization.scheme", "quantization.rounding")
LONGEST_LABEL = 60


def _parts(outcome: dict[str, Any]) -> dict[str, str]:
    """The settings of an outcome that a line of the plot stands for: all but the bits."""
    overrides = {item.partition("=")[0]: item for item in outcome["overrides"]}
    words = {key: outcome[key] for key in ("rounding", "model", "scheme")}
    return words | {key: item for key, item in overrides.items() if key not in TOLD}


def _label(parts: dict[str, str], every: list[dict[str, str]]) -> str:
    """The label of a line: the settings in which lines differ, or the rounding where they do not."""
    told = [part for key, part in parts.items() if len({other.get(key) for other in every}) > 1]
    return printable(" ".join(told or [parts["rounding"]]), LONGEST_LABEL)


def sweep(outcomes: list[dict[str, Any]]) -> bytes:
    """Excess loss on the training rows by bits: one line a combination of everything else.

    Where only the rounding differs, lines have its colour and marker.
    """
    drawn = [outcome for outcome in outcomes if outcome["excess"] > 0]  # a logarithm has no place for 0
    every = [_parts(outcome) for outcome in drawn]
    lines: dict[str, list[tuple[int, float]]] = {}
    for outcome, parts in zip(drawn, every, strict=True):
        lines.setdefault(_label(parts, every), []).append((outcome["bits"], outcome["excess"]))
    only_rounding = set(lines) <= set(ROUNDINGS)
    order = list(ROUNDINGS)
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for label, points in sorted(lines.items(), key=lambda item: order.index(item[0]) if only_rounding else 0):
        bits, excess = zip(*sorted(points), strict=True)
        style = ROUNDINGS[label] if only_rounding else ROUNDINGS["exact"]
        colour = style.colour if only_rounding else None
        axes.plot(bits, excess, marker=style.marker, color=colour, label=label)
    axes.set_yscale("log")
    axes.set_xlabel("bits per weight")
    axes.set_ylabel("excess loss on the training rows")
    axes.set_xticks(sorted({bits for points in lines.values() for bits, _ in points}))
    axes.grid(which="both", alpha=0.25)
    if lines:
        # Given by hand: a label that starts with an underscore would be left out.
        legend = axes.legend(axes.lines, [""] * len(lines), frameon=False)
        for shown, line in zip(legend.get_texts(), axes.lines, strict=True):
            shown.set_parse_math(False)  # a dollar sign is one
            shown.set_text(line.get_label())
    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)  # a box is drawn for it
        figure.savefig(data, format="png", dpi=150, metadata={"Software": None})
    return data.getvalue()
