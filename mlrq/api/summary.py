"""`ModelSummary`: what the rows can tell of a model's coefficients, and what rounding did to each of them."""

import html
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from mlrq.artifacts.documents import FloatArtifact
from mlrq.cli.statistics_report import LEVEL, figure, probability
from mlrq.errors import MlrqError, printable
from mlrq.pipeline.statistics import statistics
from mlrq.quantization.model import QuantizedLinear
from mlrq.stats.regression import Regression
from mlrq.stats.robust import CLASSICAL
from mlrq.stats.summary import Summary

if TYPE_CHECKING:
    import pandas

SHOWN = 15  # coefficients in a repr
INTERCEPT = "(intercept)"
HEADINGS = (
    "feature",
    "weight",
    "std error",
    "t",
    "p",
    "95% from",
    "to",
    "VIF",
    "quantized",
    "error/std error",
)
UNKNOWN = "it was read from a file, without the rows: mlrq.quantize it again, or run `mlrq train`"
SATURATED = "inputs saturate, so the integer model's weights are of other numbers"


@dataclass(frozen=True)
class Rows:
    """What is kept of the training rows.

    Attributes:
        summary: Their triangle.
        saturate: Whether integer inputs clip some of them.
    """

    summary: Summary
    saturate: bool


@dataclass(frozen=True)
class Coefficient:
    """A weight, or the intercept; None is what is not known.

    Attributes:
        target: What it predicts.
        feature: Of which column; "(intercept)".
        weight: Of the float model.
        std_error: Standard error of that.
        t: The weight in standard errors.
        p: Probability of so large a |t| where the weight is 0.
        low: Lower end of the 95 % interval of the weight.
        high: Upper end.
        vif: Variance inflation factor of the feature.
        code: Of the integer model.
        quantized: The weight that the code stands for.
        rounding: `quantized` less `weight`, in standard errors.
    """

    target: str
    feature: str
    weight: float | None
    std_error: float | None
    t: float | None
    p: float | None
    low: float | None
    high: float | None
    vif: float | None
    code: int | None
    quantized: float
    rounding: float | None


@dataclass(frozen=True)
class Fit:
    """What is said of all coefficients of a target together.

    Attributes:
        target: What they predict.
        rows: Number of training rows.
        freedom: Degrees of freedom of the residuals.
        model_freedom: Degrees of freedom of what the features explain.
        r2: Coefficient of determination.
        adjusted_r2: 1 less the residual variance by the variance of the target.
        f: The F statistic; None without features.
        f_p: Its probability where all weights are 0.
        variance: Residual variance.
        aic: Akaike's criterion.
        bic: The Bayesian criterion.
        condition: Condition number of the table of ones and features.
    """

    target: str
    rows: int
    freedom: int
    model_freedom: int
    r2: float
    adjusted_r2: float
    f: float | None
    f_p: float | None
    variance: float
    aic: float
    bic: float
    condition: float


@dataclass(frozen=True, repr=False)
class ModelSummary:
    """What `QuantizedModel.summary` returns; a notebook shows it as tables.

    Attributes:
        coefficients: One for each weight and intercept.
        fits: One for each target; none where there is a reason.
        reason: Why nothing is known of errors; empty where it is.
        rounding_reason: Why errors of rounding are not in standard errors; empty where they are.
        standard_errors: "classical", or "HC0" to "HC3".
    """

    coefficients: tuple[Coefficient, ...]
    fits: tuple[Fit, ...]
    reason: str
    rounding_reason: str
    standard_errors: str = CLASSICAL

    def to_pandas(self, table: str = "coefficients") -> "pandas.DataFrame":
        """A DataFrame, a row for each coefficient or each fit. Needs pandas.

        Args:
            table: "coefficients" or "fits".
        """
        if table not in ("coefficients", "fits"):
            raise MlrqError(f"table={printable(table, 40)}: must be coefficients or fits")
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise MlrqError("to_pandas needs pandas, which is not installed: pip install pandas") from error
        kind = Coefficient if table == "coefficients" else Fit
        names = list(kind.__dataclass_fields__)
        return pandas.DataFrame([asdict(row) for row in getattr(self, table)], columns=names)

    def _said(self) -> list[str]:
        """Lines above and below the coefficients: of each fit, or the reason; then of rounding."""
        lines = [_whole(one, len(self.fits) > 1) for one in self.fits[:4]]
        if len(self.fits) > 4:
            lines.append(f"and {len(self.fits) - 4} more targets")
        if self.standard_errors != CLASSICAL:
            lines.append(f"{self.standard_errors} standard errors; F is the classical one")
        return lines or [f"no standard errors: {self.reason}"]

    def _rounded(self) -> str:
        sizes = [one for one in self.coefficients if one.rounding is not None]
        if not sizes:
            return f"rounding errors are not shown in standard errors: {self.rounding_reason}"
        worst = max(sizes, key=lambda one: abs(one.rounding or 0.0))
        whose = ", ".join([*([worst.target] if len(self.fits) > 1 else []), worst.feature])
        size = figure(abs(worst.rounding or 0.0), 2)
        return f"largest rounding error: {size} standard errors ({printable(whose, 60)})"

    def _cells(self) -> list[list[str]]:
        """Headings, and the first coefficients; only columns of which anything is known."""
        several = len({one.target for one in self.coefficients}) > 1
        rows = [list(HEADINGS)]
        for one in self.coefficients[:SHOWN]:
            name = f"{one.target}: {one.feature}" if several else one.feature
            ends = (_figure(end) for end in (one.low, one.high, one.vif))
            errors = _figure(one.std_error), _figure(one.t), "" if one.p is None else probability(one.p)
            shown = [printable(name, 30), _figure(one.weight, 6), *errors, *ends]
            rows.append([*shown, _figure(one.quantized, 6), _figure(one.rounding, 2)])
        kept = [any(row[i] for row in rows[1:]) for i in range(len(HEADINGS))]
        return [[cell for cell, keep in zip(row, kept, strict=True) if keep] for row in rows]

    def _more(self) -> list[str]:
        left = len(self.coefficients) - SHOWN
        return [f"and {left:,} more coefficients"] if left > 0 else []

    def __repr__(self) -> str:
        cells = self._cells()
        wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join([f"{row[0]:<{wide[0]}}", *(f"{row[i]:>{wide[i]}}" for i in range(1, len(row)))])
            for row in cells
        ]
        return "\n".join([*self._said(), "", *lines, *self._more(), "", self._rounded()])

    def _repr_html_(self) -> str:
        head, *rows = self._cells()

        def row(tag: str, cells: Sequence[str]) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        said = "".join(f"<p>{html.escape(line)}</p>" for line in self._said())
        table = row("th", head) + "".join(row("td", cells) for cells in rows)
        below = "".join(f"<p>{html.escape(line)}</p>" for line in (*self._more(), self._rounded()))
        return f"{said}<table>{table}</table>{below}"


def summarized(
    model: QuantizedLinear,
    origin: FloatArtifact | None,
    rows: Rows | None,
    found: list[Regression] | str | None = None,
) -> ModelSummary:
    """The summary of an integer model, its float model where it is at hand, and the rows where they are.

    What is `found` of the coefficients follows from these, unless it is given.
    """
    if found is None:
        found = statistics(rows.summary, origin) if rows and origin else UNKNOWN
    sure, reason = ([], found) if isinstance(found, str) else (found, "")
    coefficients = []
    for target, name in enumerate(model.targets):
        one = sure[target] if sure else None
        coefficients += [
            _coefficient(name, feature, pair, code, _known_of(one, place))
            for place, (feature, pair, code) in enumerate(_pairs(model, origin, target))
        ]
    if sure and rows and rows.saturate:
        coefficients, reason_of_rounding = [replace(each, rounding=None) for each in coefficients], SATURATED
    else:
        reason_of_rounding = reason
    fits = tuple(_fit(one, name) for one, name in zip(sure, model.targets, strict=False))
    kind = sure[0].kind if sure else CLASSICAL
    return ModelSummary(tuple(coefficients), fits, reason, reason_of_rounding, kind)


def _pairs(
    model: QuantizedLinear, origin: FloatArtifact | None, target: int
) -> list[tuple[str, tuple[float | None, float], int | None]]:
    """Name, float and quantized weight, and code of each feature, then of the intercept."""
    values = [*model.weights[target].tolist(), float(model.intercept_value[target])]
    exact: list[float | None] = [None] * len(values)
    if origin:
        exact = [*origin.model.coefficients[target].tolist(), float(origin.model.intercept[target])]
    codes = [*model.codes[target].tolist(), None]
    names = (*model.features, INTERCEPT)
    return list(zip(names, zip(exact, values, strict=True), codes, strict=True))


def _known_of(one: Regression | None, place: int) -> dict[str, float | None]:
    """What is known of the coefficient at `place`, by the names of `Coefficient`."""
    if one is None or place >= len(one.coefficients):
        return {}
    low, high = one.interval(LEVEL)
    columns = {"std_error": one.errors, "t": one.t, "p": one.p, "low": low, "high": high}
    if place < len(one.inflation):
        columns["vif"] = one.inflation
    return {name: _known(values[place]) for name, values in columns.items()}


def _coefficient(
    target: str,
    feature: str,
    pair: tuple[float | None, float],
    code: int | None,
    known: dict[str, float | None],
) -> Coefficient:
    weight, quantized = pair
    every = {name: known.get(name) for name in ("std_error", "t", "p", "low", "high", "vif")}
    error = every["std_error"]
    rounding = None if code is None or weight is None or not error else (quantized - weight) / error
    return Coefficient(
        target=target,
        feature=feature,
        weight=weight,
        code=code,
        quantized=quantized,
        rounding=rounding,
        **every,
    )


def _fit(one: Regression, target: str) -> Fit:
    return Fit(
        target, one.rows, one.freedom, one.model_freedom, one.r2, one.adjusted_r2,
        _known(one.f), _known(one.f_p), one.variance, one.aic, one.bic, one.condition,
    )  # fmt: skip


def _whole(one: Fit, several: bool) -> str:
    tested = "" if one.f is None or one.f_p is None else f"; F {figure(one.f)} (p {probability(one.f_p)})"
    return (
        f"{printable(one.target, 40) + ': ' if several else ''}{one.rows:,} rows, "
        f"{one.freedom:,} degrees of freedom; R2 {one.r2:.4f}, adjusted {one.adjusted_r2:.4f}{tested}\n"
        f"residual variance {figure(one.variance)}; AIC {one.aic:.2f}, BIC {one.bic:.2f}; "
        f"condition number {figure(one.condition, 3)}"
    )


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _figure(value: float | None, digits: int = 4) -> str:
    return "" if value is None else figure(value, digits)
