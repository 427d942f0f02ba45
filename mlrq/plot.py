"""Plots, as PNG bytes. Importing this module needs matplotlib, the `plot` extra."""

import io
from typing import Any

from matplotlib.figure import Figure

# Told by the line's own words, or by the horizontal axis.
UNLABELLED = ("model", "quantization.bits", "quantization.scheme", "quantization.rounding")


def _label(outcome: dict[str, Any]) -> tuple[str, ...]:
    """What a line of the plot stands for: everything but the bits."""
    others = [item for item in outcome["overrides"] if item.partition("=")[0] not in UNLABELLED]
    return (outcome["model"], outcome["scheme"], outcome["rounding"], *others)


def sweep(outcomes: list[dict[str, Any]]) -> bytes:
    """Test error against the float model's, by bits: one line a combination of everything else."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    lines: dict[tuple[str, ...], list[tuple[int, float]]] = {}
    for outcome in outcomes:
        if not outcome["float"]:
            continue
        ratio = outcome["quantized"]["test"]["mse"] / outcome["float"]["test"]["mse"]
        lines.setdefault(_label(outcome), []).append((outcome["bits"], ratio))
    for label, points in sorted(lines.items()):
        bits, ratios = zip(*sorted(points), strict=True)
        axes.plot(bits, ratios, marker="o", label=" ".join(label))
    axes.axhline(1.0, color="grey", linestyle="--", linewidth=1, label="float")
    axes.set_yscale("log")
    axes.set_xlabel("bits per weight")
    axes.set_ylabel("test MSE, relative to float")
    axes.set_xticks(sorted({bits for points in lines.values() for bits, _ in points}))
    axes.grid(which="both", alpha=0.25)
    axes.legend(fontsize="small", frameon=False)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150, metadata={"Software": None})
    return data.getvalue()
