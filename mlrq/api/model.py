"""`QuantizedModel`: an integer model in a notebook: predict, measure, verify, save, export, show."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlrq.api import given
from mlrq.artifacts import documents
from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact
from mlrq.errors import MlrqError, printable
from mlrq.files import write
from mlrq.solvers.problem import Certificate
from mlrq.stats.metrics import tally

if TYPE_CHECKING:
    from mlrq.api.summary import ModelSummary, Rows


@dataclass(frozen=True, eq=False)
class Kept:
    """What is saved of an integer model: the artifact, and the body of `certificate.json` or None."""

    artifact: QuantizedArtifact
    certificate: dict[str, Any] | None


class QuantizedModel:
    """An integer model, as `mlrq.quantize` makes it and `mlrq.load` reads it.

    Attributes:
        notices: What to know of how it was made; nothing for one that was read.

    Example:
        >>> import mlrq
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> model = mlrq.quantize("linear_regression", X, y, bits=4)
        >>> model.bits, model.features[:3]
        (4, ('age', 'sex', 'bmi'))
        >>> bool(model.codes.min() >= -8 and model.codes.max() <= 7)
        True
        >>> model.certificate.optimal
        True
    """

    def __init__(
        self,
        kept: Kept,
        origin: FloatArtifact | None = None,
        notices: tuple[str, ...] = (),
        rows: "Rows | None" = None,
    ) -> None:
        self._kept, self._origin, self.notices, self._rows = kept, origin, notices, rows

    @property
    def artifact(self) -> QuantizedArtifact:
        """What `quantized.json` holds; of no stable form."""
        return self._kept.artifact

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self._kept.artifact.model.bits

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the numbers that it predicts from; `city=Bonn` is 1 where the column city is Bonn."""
        return self._kept.artifact.model.features

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a table to predict: the features, or what becomes these."""
        encoding = self._kept.artifact.training.columns
        return encoding.names if encoding else self.features

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of what it predicts."""
        return self._kept.artifact.model.targets

    @property
    def codes(self) -> NDArray[np.int32]:
        """(targets, features) codes of the weights."""
        return self._kept.artifact.model.codes.copy()

    @property
    def scale(self) -> NDArray[np.float32]:
        """(targets,) what a step of a code is worth."""
        return self._kept.artifact.model.scale.copy()

    @property
    def weights(self) -> NDArray[np.float64]:
        """(targets, features) weights of the raw features that the codes stand for."""
        return self._kept.artifact.model.weights

    @property
    def intercept(self) -> NDArray[np.float64]:
        """(targets,) intercept of the raw features."""
        return self._kept.artifact.model.intercept_value

    @property
    def excess(self) -> float:
        """Mean squared difference from the float model that rounding adds, on the rows it was made with."""
        return self._kept.artifact.excess

    @property
    def certificate(self) -> Certificate | None:
        """How good a search found the codes, in floating point; None where each weight is rounded alone.

        `verify` shows it in exact integers.
        """
        return self._kept.artifact.certificate

    @property
    def half_width(self) -> NDArray[np.float64] | None:
        """(targets,) of the intervals around predictions, in the target's unit; None without `interval`."""
        from mlrq.pipeline.intervals import half_width

        model = self._kept.artifact.model
        return half_width(model) if model.interval else None

    @property
    def payload_bits(self) -> int:
        """Bits that inference needs of it."""
        return self._kept.artifact.model.payload_bits

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predictions: (n,) float64 of one target, (n, targets) of several.

        Args:
            X: Rows. Columns of a table with names are matched by name, and others than `columns` are
                ignored; those of an array are in the order of these.

        Raises:
            MlrqError: If a column is lacking, a cell is no finite number, or a category is not known.
        """
        predicted = self._kept.artifact.model.predict(given.inputs(self._kept.artifact, X))
        return predicted[:, 0] if predicted.shape[1] == 1 else predicted

    def predict_codes(self, codes: NDArray[np.signedinteger]) -> NDArray[np.float32]:
        """Predictions of input codes, as the exported C takes them: (n,) float32, (n, targets) of several.

        Args:
            codes: (n, features) int8 or int16, as the model's integer inputs are, in the order of `features`.

        Raises:
            MlrqError: If the model has float inputs, or codes are of another type or number.

        Example:
            >>> import mlrq, numpy as np
            >>> from sklearn.datasets import load_diabetes
            >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
            >>> model = mlrq.quantize("linear_regression", X, y, bits=4, inputs="int8")
            >>> model.predict_codes(np.zeros((2, 10), np.int8)).dtype
            dtype('float32')
        """
        model = self._kept.artifact.model
        if model.inputs is None:
            raise MlrqError("the model has float inputs: make it with inputs='int8' or 'int16'")
        found, kind = np.asarray(codes), np.dtype(f"int{model.inputs.bits}")
        if found.dtype != kind or found.ndim != 2 or found.shape[1] != len(self.features):
            size = f"{found.dtype} {found.shape}"
            raise MlrqError(f"codes: must be {kind}, (n, {len(self.features)}), but are {size}")
        predicted = model.predict_codes(found)
        return predicted[:, 0] if predicted.shape[1] == 1 else predicted

    def predict_interval(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ends of the intervals in which the truth lies with the probability that the model was made with.

        Split conformal: the half-width is the ceil((n + 1) level)-th smallest absolute error on n rows that
        were set aside, with which neither the float model nor this one was made; with integer inputs it is
        rounded up to a multiple of the scale. Of several targets each has its own, and the probability is of
        each by itself. Every export gives the same numbers.

        Args:
            X: Rows, as of `predict`.

        Returns:
            Low ends and high ends, each of the shape that `predict` returns.

        Raises:
            MlrqError: If the model was made without `interval`, or rows do not fit.

        Example:
            >>> import mlrq
            >>> from sklearn.datasets import load_diabetes
            >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
            >>> model = mlrq.quantize("linear_regression", X[:400], y[:400], bits=4, interval=0.8)
            >>> low, high = model.predict_interval(X[400:])
            >>> float(((low <= y[400:]) & (y[400:] <= high)).mean()) > 0.7
            True
        """
        model = self._kept.artifact.model
        if model.interval is None:
            raise MlrqError("the model has no interval: make it with interval=0.9, say")
        low, high = model.ends(given.inputs(self._kept.artifact, X))
        return (low[:, 0], high[:, 0]) if low.shape[1] == 1 else (low, high)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2 of the predictions, the mean over the targets, as `sklearn.metrics.r2_score`.

        Raises:
            MlrqError: If the rows cannot be predicted, or `y` is not their targets; for R2 of one row.
        """
        rows, actual = given.pair(self._kept.artifact, X, y)
        predicted = self._kept.artifact.model.predict(rows)
        weight = None
        if sample_weight is not None:
            weight = given.weight(sample_weight, len(rows))
            counts = weight > 0
            actual, predicted, weight = actual[counts], predicted[counts], weight[counts]
        found = tally(actual, predicted, weight).metrics().r2 if len(actual) else None
        if found is None:
            raise MlrqError(f"R2 needs at least 2 rows, and there are {len(actual)}")
        return found

    def summary(
        self, X: Any = None, y: Any = None, sample_weight: Any = None, *, standard_errors: str = "classical"
    ) -> "ModelSummary":
        """How sure each weight is, and how far rounding moved it in units of that, as `mlrq train` says it.

        It follows from what is kept of the rows that the model was made with, the size of its features. A
        model that is not least squares on them, or was read from a file without them, has a reason instead.

        Args:
            X: The rows that the model was made with, for a model that was read, or robust errors.
            y: Their targets.
            sample_weight: Their weights.
            standard_errors: "classical", of residuals of one variance; or "HC0", "HC1", "HC2", "HC3", which
                hold whatever the variance of each row, and for which the rows are asked for again.

        Example:
            >>> import mlrq
            >>> from sklearn.datasets import load_diabetes
            >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
            >>> found = mlrq.quantize("linear_regression", X, y, bits=6).summary()
            >>> bmi = found.coefficients[2]
            >>> bmi.feature, round(bmi.weight, 1), round(bmi.std_error, 1), f"{bmi.p:.0e}"
            ('bmi', 519.8, 66.5, '4e-14')
            >>> abs(bmi.rounding) < 0.5
            True
        """
        from mlrq.api.summary import Rows, summarized
        from mlrq.pipeline.statistics import robust, statistics
        from mlrq.stats.robust import CLASSICAL, KINDS

        if standard_errors not in KINDS:
            allowed = ", ".join(KINDS)
            raise MlrqError(f"standard_errors={printable(standard_errors, 40)}: must be one of {allowed}")
        if X is None and standard_errors != CLASSICAL:
            raise MlrqError(f"standard_errors={standard_errors}: takes a pass over the rows: pass X and y")
        model, origin, rows = self._kept.artifact.model, self._origin, self._rows
        if X is None or origin is None:
            return summarized(model, origin, rows)
        data = given.again(self._kept.artifact, self._origin, X, y, sample_weight)
        saturate = bool(model.inputs and data.saturated(model.inputs)[0])
        rows = Rows(data.summary, saturate)
        found = robust(data, statistics(data.summary, origin), standard_errors)
        return summarized(model, origin, rows, found)

    def verify(self, X: Any, y: Any = None, sample_weight: Any = None) -> str:
        """Check in exact integers, from the rows it was made with, that its codes are the best ones.

        Args:
            X: The same rows, in the same order.
            y: The same targets; None where it was made without.
            sample_weight: The same weights; with weights, the answer is INCOMPLETE.

        Returns:
            A line PROVEN or INCOMPLETE, and lines that say why; as `mlrq verify`.

        Raises:
            MlrqError: If it is refuted, or the rows are others.
        """
        from mlrq.pipeline.verify import MAKE_CERTIFICATE, verify

        data = given.again(self._kept.artifact, self._origin, X, y, sample_weight)
        word, why = verify(data, self._origin, self._kept.artifact, self._kept.certificate)
        if word == "REFUTED":
            raise MlrqError(f"{word}: {why}")
        why = why.replace(MAKE_CERTIFICATE, "certificate=True")
        return "\n".join(filter(None, (word, why)))

    def save(self, path: str | Path) -> list[Path]:
        """Write it for `mlrq.load`, and for every command of `mlrq`.

        Args:
            path: A name that ends in .json: the artifact goes there. Any other: a folder like the outputs of
                the command, with `quantized.json` and what is at hand of `float.json`, `certificate.json`.

        Returns:
            The files.
        """
        from mlrq.pipeline.results import Trained
        from mlrq.pipeline.save import save

        place = Path(path)
        if place.suffix == ".json":
            write(place, documents.encode_quantized(self._kept.artifact))
            return [place]
        trained = Trained(self._origin, []) if self._origin else None
        return save(place, trained, self._kept).files

    def to_c(self, folder: str | Path, *, prefix: str = "mlrq", packed: bool = False) -> list[Path]:
        """Write integer C99 and its self-test to `folder`; for models of integer inputs.

        Args:
            folder: Made where it is not there.
            prefix: What every name and file name starts with.
            packed: Whether codes take only their own bits.

        Returns:
            The files.

        Raises:
            MlrqError: If the model has float inputs, or the prefix cannot be one.
        """
        from mlrq.export import c

        texts = c.export(self._kept.artifact, prefix=prefix, packed=packed)
        places = [Path(folder) / name for name in texts]
        for place, text in zip(places, texts.values(), strict=True):
            write(place, text.encode())
        return places

    def to_onnx(self, path: str | Path) -> Path:
        """Write an ONNX file that predicts the same bits, and return its path. Needs the onnx extra."""
        from mlrq.export import onnx

        write(Path(path), onnx.export(self._kept.artifact))
        return Path(path)

    def __repr__(self) -> str:
        from mlrq.api.shown import text

        return text(self._kept.artifact)

    def _repr_html_(self) -> str:
        from mlrq.api.shown import page

        return page(self._kept.artifact)
