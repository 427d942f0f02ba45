"""Plots, as PNG bytes. Importing this module needs matplotlib, the `plot` extra."""

import io
from typing import Any

from matplotlib.figure import Figure


def sweep(outcomes: list[dict[str, Any]]) -> bytes:
    """Test R2 lost against the float model, by bits: one line a combination of everything else."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    lines: dict[str, list[tuple[int, float]]] = {}
    for outcome in outcomes:
        if "quantized" not in outcome:
            continue
        others = [item for item in outcome["overrides"] if not item.startswith("quantization.bits=")]
        label = " ".join([outcome["model"], outcome["scheme"], outcome["rounding"], *others])
        lost = outcome["float"]["test"]["mse"]
        lines.setdefault(label, []).append((outcome["bits"], outcome["quantized"]["test"]["mse"] / lost))
    for label, points in sorted(lines.items()):
        points.sort()
        axes.plot(*zip(*points, strict=True), marker="o", label=label)
    axes.axhline(1.0, color="grey", linestyle="--", linewidth=1, label="float")
    axes.set_yscale("log")
    axes.set_xlabel("bits per weight")
    axes.set_ylabel("test MSE / float model's test MSE")
    axes.set_xticks(sorted({bits for points in lines.values() for bits, _ in points}))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150, metadata={"Software": None})
    return data.getvalue()
