"""The fewest bits within the tolerance on five tables, and what is proven of one bit less.

    python benchmarks/auto_bits.py                               # Markdown
    python benchmarks/auto_bits.py --docs docs/quantization.md   # between that page's markers

California Housing; diabetes, wine (alcohol from the other twelve), linnerud (three targets) of scikit-learn;
star98 of statsmodels (share of pupils above the median, from sixteen features). All rows are training rows.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scale_report import put
from sklearn.datasets import load_diabetes, load_linnerud, load_wine
from statsmodels.datasets import star98

import mlrq
from mlrq.datasets import california_housing

HEADER = ("table", "features", "grid", "bits", "excess", "allowed", "one bit less", "proof")


def california() -> tuple[Any, Any]:
    stream = california_housing.load("embedded")
    batches = [np.stack(list(batch)) for part in stream.parts for batch in stream.batches(part)]
    table = np.concatenate(batches, 1).T
    return table[:, : len(stream.features)], table[:, len(stream.features) :]


def wine() -> tuple[Any, Any]:
    rows = load_wine().data
    return rows[:, 1:], rows[:, :1]


def stars() -> tuple[Any, Any]:
    table = star98.load_pandas().data
    pupils = table["NABOVE"] / (table["NABOVE"] + table["NBELOW"])
    features = [name for name in table if name not in ("NABOVE", "NBELOW")][:16]
    return table[features].to_numpy(float), pupils.to_numpy(float)


TABLES = {
    "California Housing": california,
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "wine": wine,
    "linnerud": lambda: load_linnerud(return_X_y=True),
    "star98": stars,
}


def line(name: str, table: tuple[Any, Any], granularity: str) -> tuple[str, ...]:
    """One table: everything as a part of the residual variance, and the answer of `verify`."""
    rows, targets = table
    how = {"granularity": granularity, "certificate": True}
    model = mlrq.quantize("linear_regression", rows, targets, bits="auto", **how)
    exact = mlrq.quantize("linear_regression", rows, targets, bits=16, **how)
    errors = np.reshape(targets, (len(rows), -1)) - exact._origin.model.predict(rows)
    residual = float(np.square(errors).mean(axis=0).sum())
    answer = model.verify(rows, targets).splitlines()
    below = next((text for text in answer if "or fewer" in text), "")
    least = float(below.split(" add ")[1].split()[0]) / residual if below else None
    shown = "-" if model.bits == 2 else "not shown" if least is None else f"at least {least:.3%}"
    figures = str(rows.shape[1]), granularity, str(model.bits), f"{model.excess / residual:.3%}", "1%"
    return name, *figures, shown, answer[0]


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--docs", type=Path, help="a page with markers")
    asked = parser.parse_args()
    lines = [HEADER, ("---", "---:", "---", "---:", "---:", "---:", "---:", "---")]
    for name, load in TABLES.items():
        for granularity in ("per_tensor", "per_feature"):
            lines.append(line(name, load(), granularity))
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    print(text)
    if asked.docs:
        put(asked.docs, "auto bits", text)


if __name__ == "__main__":
    main()
