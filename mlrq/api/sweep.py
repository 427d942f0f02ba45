"""`sweep`: the integer models of several widths, and how good each is, as a table."""

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from mlrq.api.model import QuantizedModel
from mlrq.api.prepare import prepare
from mlrq.api.quantize import made
from mlrq.config import values
from mlrq.datasets.split import Split
from mlrq.errors import MlrqError, not_installed
from mlrq.pipeline.evaluate import evaluate

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Row:
    """One width.

    Attributes:
        bits: Width of a code.
        test_r2: R2 on the test rows; None where there are none.
        train_r2: R2 on the rows that it was made with.
        float_r2: That of the float model, on the same rows as `train_r2`.
        excess: Mean squared difference from the float model that rounding adds.
        gap: How far the codes may be from the best ones, as a part of the excess; 0 is optimal, None
            where nothing is proven.
        payload_bits: Bits that inference needs.
    """

    bits: int
    test_r2: float | None
    train_r2: float | None
    float_r2: float | None
    excess: float
    gap: float | None
    payload_bits: int


class Sweep:
    """The result of a sweep.

    Attributes:
        rows: One for each width, in the order that was asked for.
        models: The integer models, by their bits.
    """

    def __init__(self, rows: tuple[Row, ...], models: dict[int, QuantizedModel], outcomes: list[Any]) -> None:
        self.rows, self.models, self._outcomes = rows, models, outcomes

    def to_pandas(self) -> "pandas.DataFrame":
        """The rows as a DataFrame. Needs pandas."""
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise MlrqError("to_pandas needs pandas, which is not installed: pip install pandas") from error
        return pandas.DataFrame([asdict(row) for row in self.rows])

    def plot(self) -> "Plot":
        """Excess by bits, as the command draws it; a notebook shows it. Needs the plot extra."""
        try:
            from mlrq.cli import plots
        except ModuleNotFoundError as error:
            raise MlrqError(not_installed("plot", "matplotlib", "plot")) from error
        return Plot(plots.sweep(self._outcomes))

    def _cells(self) -> list[list[str]]:
        names = [item.name for item in fields(Row)]
        shown = [[_shown(getattr(row, name)) for name in names] for row in self.rows]
        return [names, *shown]

    def __repr__(self) -> str:
        cells = self._cells()
        wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join(
            "  ".join(f"{cell:>{width}}" for cell, width in zip(row, wide, strict=True)) for row in cells
        )

    def _repr_html_(self) -> str:
        rows = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in self._cells())
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


@dataclass(frozen=True)
class Plot:
    """A picture that a notebook shows.

    Attributes:
        png: The bytes of its file.
    """

    png: bytes

    def _repr_png_(self) -> str:
        return base64.b64encode(self.png).decode()


def sweep(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    bits: Iterable[int] = range(2, 9),
    columns: dict[str, str] | None = None,
    missing: str = "error",
    missing_values: Sequence[str] | None = None,
    rare_below: int = 0,
    unknown: str = "error",
    split: str = "hash",
    test_size: float = 0.0,
    seed: int = 42,
    **settings: Any,
) -> Sweep:
    """Quantize a model to several widths; rows are read, and the model is fitted or folded, once.

    Args:
        model: As of `mlrq.quantize`.
        X: Likewise.
        y: Likewise.
        sample_weight: Likewise.
        bits: The widths.
        columns: This and the next four as of `mlrq.quantize`.
        missing: What a missing cell does.
        missing_values: Texts and numbers that mean one.
        rare_below: Categories of fewer training rows share a feature.
        unknown: What a category does that no training row has.
        split: As of `mlrq.quantize`.
        test_size: Fraction of the rows that `test_r2` is measured on.
        seed: Of the split.
        settings: Keys of the quantization group.

    Raises:
        MlrqError: As `mlrq.quantize`.

    Example:
        >>> import mlrq
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> found = mlrq.sweep("linear_regression", X, y, bits=[2, 4, 8])
        >>> [(row.bits, round(row.train_r2, 3)) for row in found.rows]
        [(2, 0.495), (4, 0.517), (8, 0.518)]
    """
    wanted = [values.quantization(bits=width, **settings) for width in bits]
    values.require_split(split, test_size, seed)
    rules = values.rules(columns, missing, missing_values, rare_below, unknown)
    named = "table", "a table in memory"
    divided = Split(split, test_size, seed, settings.get("interval") is not None)
    data, trained = prepare(model, X, y, divided, named, sample_weight, rules)
    rows, models, outcomes = [], {}, []
    for chosen in wanted:
        quantized = made(data, trained, chosen)
        artifact = quantized.artifact
        result = evaluate(data, artifact, trained.artifact, 0)
        rows.append(
            Row(
                bits=artifact.model.bits,
                test_r2=result.test.r2 if result.test else None,
                train_r2=result.train.r2,
                float_r2=result.float_train.r2 if result.float_train else None,
                excess=result.excess,
                gap=result.certificate.gap if result.certificate else None,
                payload_bits=artifact.model.payload_bits,
            )
        )
        models[artifact.model.bits] = quantized
        about = {"model": trained.artifact.training.estimator["name"], "excess": result.excess}
        how = {"bits": artifact.model.bits, "scheme": chosen.scheme, "rounding": chosen.rounding}
        outcomes.append({"overrides": [], **about, **how})
    return Sweep(tuple(rows), models, outcomes)


def _shown(value: float | int | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.4g}"
