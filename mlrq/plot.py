"""Plots, as PNG bytes. Importing this module needs matplotlib, the `plot` extra."""

import io
from typing import Any

from matplotlib.figure import Figure

# Told by the line's own words, or by the horizontal axis.
UNLABELLED = ("model", "quantization.bits", "quantization.scheme", "quantization.rounding")
STYLES = {
    "truncate": ("tab:purple", "v"),
    "nearest": ("tab:red", "s"),
    "babai": ("tab:orange", "^"),
    "exact": ("tab:green", "o"),
}


def _parts(outcome: dict[str, Any]) -> tuple[str, ...]:
    """What a line of the plot stands for: everything but the bits."""
    others = [item for item in outcome["overrides"] if item.partition("=")[0] not in UNLABELLED]
    return (outcome["rounding"], outcome["model"], outcome["scheme"], *others)


def sweep(outcomes: list[dict[str, Any]]) -> bytes:
    """Excess loss on the training rows by bits: one line a combination of everything else.

    Where only the rounding differs, lines have its colour and marker, and only its name.
    """
    lines: dict[tuple[str, ...], list[tuple[int, float]]] = {}
    for outcome in outcomes:
        if outcome["excess"] > 0:  # a logarithm has no place for a perfect model
            lines.setdefault(_parts(outcome), []).append((outcome["bits"], outcome["excess"]))
    only_rounding = len({parts[1:] for parts in lines}) == 1
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    order = list(STYLES)
    for parts, points in sorted(lines.items(), key=lambda item: (order.index(item[0][0]), item[0])):
        bits, excess = zip(*sorted(points), strict=True)
        colour, marker = STYLES[parts[0]] if only_rounding else (None, "o")
        label = parts[0] if only_rounding else " ".join(parts)
        axes.plot(bits, excess, marker=marker, color=colour, label=label)
    axes.set_yscale("log")
    axes.set_xlabel("bits per weight")
    axes.set_ylabel("excess loss on the training rows")
    axes.set_xticks(sorted({bits for points in lines.values() for bits, _ in points}))
    axes.grid(which="both", alpha=0.25)
    if lines:
        axes.legend(frameon=False)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150, metadata={"Software": None})
    return data.getvalue()
