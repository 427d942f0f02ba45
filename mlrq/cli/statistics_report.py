"""The part of a report on what the training rows can tell: standard errors, intervals, tests."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from mlrq.cli.layout import labelled, number, table, target_label
from mlrq.models.linear import LinearModel
from mlrq.quantization.model import QuantizedLinear
from mlrq.stats.regression import Regression
from mlrq.stats.robust import CLASSICAL

FloatArray = NDArray[np.float64]
LEVEL = 0.95
CERTAIN = 1e-300  # probabilities below are not told apart
HEADINGS = ("std error", "t", "p")  # beside each weight


def figure(value: float, digits: int = 4) -> str:
    """So many significant digits; a dash for NaN, of a feature that others explain."""
    return "-" if math.isnan(value) else f"{value:#.{digits}g}".removesuffix(".")


def probability(value: float) -> str:
    """Four digits behind the point, or two that are significant; a dash for NaN."""
    if math.isnan(value):
        return "-"
    if value < CERTAIN:
        return f"<{CERTAIN:g}"
    return f"{value:.4f}" if value >= 1e-3 else f"{value:.1e}"


def beside(found: Sequence[Regression], target: int, place: int) -> list[str]:
    """The cells of `HEADINGS` for the coefficient at `place`; -1 is the intercept."""
    one = found[target]
    if place < 0 and not one.has_intercept:
        return ["-"] * len(HEADINGS)
    t = float(one.t[place])
    return [figure(one.errors[place]), "-" if math.isnan(t) else number(t, 2), probability(one.p[place])]


def shares(found: Sequence[Regression], errors: FloatArray) -> FloatArray:
    """(targets, features) errors of weights in the standard errors of the weights; NaN where these are."""
    return np.asarray(errors / np.stack([one.errors[: errors.shape[1]] for one in found]))


def largest(found: Sequence[Regression] | str, in_errors: FloatArray | None, model: QuantizedLinear) -> str:
    """The line on the largest of `shares`, or why there are none."""
    if in_errors is None:
        return f"weight errors are not shown in standard errors: {found}"
    sizes = np.nan_to_num(np.abs(in_errors))
    row, place = divmod(int(sizes.argmax()), sizes.shape[1])
    whose = ", ".join([*([model.targets[row]] if len(sizes) > 1 else []), model.features[place]])
    return f"largest weight error in standard errors {figure(float(sizes.max()), 2)} ({whose})"


def below(found: Sequence[Regression], model: LinearModel) -> list[Table | str | None]:
    """What comes below the weights: their intervals, then each target's figures, then those of the table."""
    first = found[0]
    about = "" if first.has_intercept else "; R2 and F are about 0, for there is no intercept"
    if first.kind != CLASSICAL:
        about += f"; {first.kind} standard errors, F is the classical one"
    freedom = f"{first.model_freedom:,} and {first.freedom:,} degrees of freedom"
    last = f"{freedom}; condition number {figure(first.condition, 3)}{about}"
    return [None, _intervals(found, model), None, _wholes(found, model), last]


def _intervals(found: Sequence[Regression], model: LinearModel) -> Table:
    """One row a coefficient: confidence interval and variance inflation factor."""
    head = target_label(model.targets, "target")
    made = table(*head, "feature", f"{LEVEL:.0%} from", "to", "VIF", left=1 + len(head))
    ends = [one.interval(LEVEL) for one in found]
    for target, feature, label in labelled(model.features, model.targets):
        low, high = (figure(end[feature]) for end in ends[target])
        made.add_row(*label, low, high, figure(found[target].inflation[feature]))
    for one, name, (lower, upper) in zip(found, model.targets, ends, strict=True):
        if one.has_intercept:
            low, high = figure(lower[-1]), figure(upper[-1])
            made.add_row(*target_label(model.targets, name), "(intercept)", low, high, "-")
    return made


def _wholes(found: Sequence[Regression], model: LinearModel) -> Table:
    """One row a target: what is said of all coefficients together."""
    head = target_label(model.targets, "target")
    made = table(*head, "adjusted R2", "F", "p", "residual variance", "AIC", "BIC", left=len(head))
    for one, name in zip(found, model.targets, strict=True):
        figures = [number(one.adjusted_r2), number(one.f, 2), probability(one.f_p), figure(one.variance)]
        made.add_row(*target_label(model.targets, name), *figures, f"{one.aic:.2f}", f"{one.bic:.2f}")
    return made


def as_json(found: Sequence[Regression], model: LinearModel) -> list[dict[str, Any]]:
    """Every digit, one object for each target; null for what is not known."""
    return [
        {"target": name, **_one(one, model.features)} for one, name in zip(found, model.targets, strict=True)
    ]


def _one(one: Regression, features: tuple[str, ...]) -> dict[str, Any]:
    low, high = one.interval(LEVEL)
    names = (*features, *(["(intercept)"] if one.has_intercept else []))
    columns = {
        "coefficient": one.coefficients,
        "error": one.errors,
        "t": one.t,
        "p": one.p,
        "low": low,
        "high": high,
    }
    coefficients = {
        name: {key: known(float(values[i])) for key, values in columns.items()}
        for i, name in enumerate(names)
    }
    for name, inflation in zip(features, one.inflation.tolist(), strict=True):
        coefficients[name]["vif"] = known(inflation)
    keys = ("r2", "adjusted_r2", "f", "f_p", "aic", "bic", "variance", "condition")
    whole = {key: known(getattr(one, key)) for key in keys}
    degrees = {
        "standard_errors": one.kind,
        "rows": one.rows,
        "freedom": one.freedom,
        "model_freedom": one.model_freedom,
        "level": LEVEL,
    }
    return {"coefficients": coefficients, **degrees, **whole}


def known(value: float) -> float | None:
    """The value where it is a finite number, as JSON has it."""
    return value if math.isfinite(value) else None
