"""The statistics of least squares beside those of statsmodels and the values that NIST certifies.

python benchmarks/regression_statistics.py                             # Markdown
python benchmarks/regression_statistics.py --docs docs/statistics.md   # between that page's markers

Needs statsmodels.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import statsmodels.api as sm
from scale_report import put
from sklearn.datasets import load_diabetes
from statsmodels.stats.outliers_influence import variance_inflation_factor

from mlrq.datasets import california_housing
from mlrq.stats.regression import Regression, regressions
from mlrq.stats.robust import KINDS, basis, triangles, with_errors
from mlrq.stats.summarize import summarize
from mlrq.stats.summary import fit_least_squares

NIST = json.loads((Path(__file__).parents[1] / "tests/data/nist_strd.json").read_text())
PROBLEMS = ("longley", "wampler3", "wampler4", "wampler5")  # the others are exact
LONGLEY = ("constant", "GNP deflator", "GNP", "unemployed", "armed forces", "population", "year")
ALL = 15  # digits that NIST certifies
# What is compared: ours, and statsmodels' name of it.
FIGURES = {
    "coefficient": ("coefficients", "params"),
    "standard error": ("errors", "bse"),
    "t": ("t", "tvalues"),
    "p": ("p", "pvalues"),
    "R2": ("r2", "rsquared"),
    "adjusted R2": ("adjusted_r2", "rsquared_adj"),
    "F": ("f", "fvalue"),
    "p of F": ("f_p", "f_pvalue"),
    "residual variance": ("variance", "scale"),
    "AIC": ("aic", "aic"),
    "BIC": ("bic", "bic"),
    "condition number": ("condition", "condition_number"),
}

Table = tuple[Any, Any]  # rows and target


def ours(table: Table) -> Regression:
    summary = summarize(*table)
    found = regressions(summary, *fit_least_squares(summary))
    assert not isinstance(found, str)
    return found[0]


def theirs(table: Table, method: str = "pinv") -> Any:
    rows, target = table
    return sm.OLS(target, sm.add_constant(rows, prepend=False)).fit(method=method)


def certified(name: str) -> Table:
    problem = NIST[name]
    rows = problem.get("rows") or [[x**power for power in range(1, 6)] for x in problem["x"]]
    return np.array(rows, float), np.array(problem["y"], float)


def constant_first(values: Any) -> Any:
    return np.roll(np.asarray(values), 1)


def digits(found: Any, known: Any) -> str:
    """The least number of correct significant digits."""
    error = float(np.max(np.abs(np.asarray(found) / np.asarray(known) - 1)))
    return f"{min(-np.log10(max(error, 10.0**-ALL)), ALL):.1f}"


def longley() -> str:
    """Standard errors of one problem, digit by digit."""
    table = certified("longley")
    columns = (
        NIST["longley"]["deviations"],
        constant_first(ours(table).errors),
        constant_first(theirs(table).bse),
    )
    lines = ["| Longley: standard error of | NIST | mlrq | statsmodels |", "| --- | ---: | ---: | ---: |"]
    for name, *values in zip(LONGLEY, *columns, strict=True):
        lines.append(f"| {name} | {' | '.join(f'{value:.15g}' for value in values)} |")
    return "\n".join(lines)


def problems() -> str:
    """The digits of all problems."""
    lines = [
        "| problem | of | mlrq | statsmodels, pinv | statsmodels, qr |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for name in PROBLEMS:
        table, known = certified(name), NIST[name]
        one, others = ours(table), [theirs(table, method) for method in ("pinv", "qr")]
        for what, mine, yours, value in (
            ("coefficients", one.coefficients, [other.params for other in others], known["certified"]),
            ("standard errors", one.errors, [other.bse for other in others], known["deviations"]),
        ):
            cells = [digits(constant_first(values), value) for values in (mine, *yours)]
            lines.append(f"| {name} | {what} | {' | '.join(cells)} |")
        for what, key, names in (("R2", "r2", "rsquared"), ("F", "f", "fvalue")):
            cells = [digits(getattr(one, key), known[key])]
            cells += [digits(getattr(other, names), known[key]) for other in others]
            lines.append(f"| {name} | {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def agreement() -> str:
    """The largest relative difference of each figure from statsmodels'."""
    stream = california_housing.load("embedded")
    (batch,) = (np.stack(list(batch)) for part in stream.parts for batch in stream.batches(part))
    tables = {
        "Longley": certified("longley"),
        "diabetes": load_diabetes(return_X_y=True, scaled=False),
        "California Housing": (batch[:-1].T, batch[-1]),
    }
    pairs = [(ours(table), theirs(table)) for table in tables.values()]
    lines = ["| largest relative difference | " + " | ".join(tables) + " |", "| --- | ---: | ---: | ---: |"]
    for what, (mine, yours) in FIGURES.items():
        cells = [_apart(getattr(one, mine), getattr(other, yours)) for one, other in pairs]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    ends = [_apart(one.interval(), other.conf_int().T) for one, other in pairs]
    lines.append(f"| ends of 95 % intervals | {' | '.join(ends)} |")
    factors = [
        _apart(one.inflation, _factors(table[0]))
        for (one, _), table in zip(pairs, tables.values(), strict=True)
    ]
    lines.append(f"| variance inflation factor | {' | '.join(factors)} |")
    for kind in KINDS[1:]:
        robust = [
            _apart(_robust(table, kind), getattr(other, f"{kind}_se"))
            for table, (_, other) in zip(tables.values(), pairs, strict=True)
        ]
        lines.append(f"| {kind} standard error | {' | '.join(robust)} |")
    return "\n".join(lines)


def _robust(table: Table, kind: str) -> Any:
    """Standard errors of `kind`."""
    rows, target = table
    summary = summarize(rows, target)
    coefficients, _ = fit_least_squares(summary)
    known = basis(summary, coefficients, has_intercept=True)
    made = triangles(known, kind, rows, target[:, None], None)
    return with_errors([ours(table)], known, kind, made)[0].errors


def _factors(rows: Any) -> list[float]:
    constant = sm.add_constant(rows, prepend=False)
    return [variance_inflation_factor(constant, i) for i in range(rows.shape[1])]


def _apart(found: Any, known: Any) -> str:
    """Largest relative difference; of two zeros none."""
    found, known = np.asarray(found), np.asarray(known)
    apart = np.abs(found - known) / np.where(known == 0, 1, np.abs(known))
    return f"{float(apart.max()):.0e}" if apart.any() else "0"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=Path, help="a page with markers")
    page = parser.parse_args().docs
    packages = ", ".join(f"{name} {version(name)}" for name in ("statsmodels", "scipy", "numpy"))
    made = {"longley": longley(), "problems": problems(), "agreement": f"With {packages}:\n\n{agreement()}"}
    for name, text in made.items():
        if page:
            put(page, name, text)
        else:
            print(f"{text}\n")


if __name__ == "__main__":
    main()
