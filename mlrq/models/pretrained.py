"""Models that were trained elsewhere: a fitted regressor from a file that the user names.

A joblib file is a program: loading one runs whatever it holds. So only a path that the user gives as
`model_path` is ever loaded, by train and quantize alone, and never a file that happens to lie in the outputs.
A skops file is data, and is refused where it holds a type that neither skops nor scikit-learn vouches for.
"""

import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError, not_installed
from mlrq.files import contents, digest
from mlrq.models import statsmodels
from mlrq.models.affine import fold, predicting
from mlrq.models.linear import LinearModel

MOST_NAMED = 5  # columns or types in one message


@dataclass(frozen=True)
class Pretrained:
    """A fitted estimator, and the file it came from.

    Attributes:
        estimator: The estimator, or a Pipeline that ends in one.
        path: As the user gave it.
        sha256: Of the file.
        notices: What loading it warned of, such as another version of scikit-learn.
        label: What messages call it; empty where that is the path.
    """

    estimator: Any
    path: Path
    sha256: str
    notices: list[str]
    label: str = ""

    @property
    def who(self) -> str:
        """What messages call it."""
        return self.label or str(self.path)

    @property
    def description(self) -> dict[str, Any]:
        """Class, parameters and file, in the form of the configuration's model group."""
        steps = [step for _, step in getattr(self.estimator, "steps", [("", self.estimator)])]
        *before, last = [step for step in steps if step not in (None, "passthrough")]
        return {
            "name": type(last).__name__,
            "standardize": False,
            "estimator": {"_target_": _class(last), **_parameters(last)},
            "before": [{"_target_": _class(step), **_parameters(step)} for step in before],
            "file": {"name": self.path.name, "sha256": self.sha256},
        }


def load(path: Path) -> Pretrained:
    """The estimator in a joblib, pickle or skops file. Loading a joblib file runs the code in it.

    Raises:
        MlrqError: One line, if the file is missing, of another kind, made with packages that are not here,
            or holds types that skops does not trust.
    """
    try:
        data = contents(path)
    except FileNotFoundError:
        raise MlrqError(f"{path}: no such file; model_path names a fitted scikit-learn model") from None
    read = _skops if path.suffix == ".skops" else _joblib
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = read(data, path)
    notices = sorted({f"{path}: {_warning(item.message)}" for item in caught})
    return Pretrained(estimator, path, digest(data), notices)


def given(estimator: Any) -> Pretrained:
    """A fitted estimator in memory, with the name and the hash of the joblib file that it would be.

    Raises:
        MlrqError: If it cannot be pickled.
    """
    import joblib

    stream = io.BytesIO()
    try:
        joblib.dump(estimator, stream)
    except Exception as error:  # pickling runs code of the estimator
        name = type(estimator).__name__
        raise MlrqError(
            f"model: {name} cannot be saved, so no artifact can name it: {_line(error)}"
        ) from error
    return Pretrained(estimator, Path("model.joblib"), digest(stream.getvalue()), [], label="model")


def linear(
    pretrained: Pretrained,
    features: tuple[str, ...],
    targets: tuple[str, ...],
    rows: NDArray[np.float64],
    samples: NDArray[np.float64],
) -> tuple[LinearModel, NDArray[np.float64]]:
    """The `LinearModel` of a pretrained estimator, and that estimator's own predictions for `samples`.

    Args:
        pretrained: The estimator.
        features: Names of the columns of `rows`.
        targets: Names of its outputs.
        rows: (n, features) float64 on which the two must agree; see `fold`.
        samples: (m, features) float64.

    Raises:
        MlrqError: One line, if the estimator was fitted on other features or in another order, or is not
            linear.
    """
    estimator, name = pretrained.estimator, type(pretrained.estimator).__name__
    if not hasattr(estimator, "predict"):
        raise MlrqError(f"{pretrained.who}: holds a {name}, not a fitted regressor")
    if statsmodels.is_results(estimator):
        estimator = statsmodels.Regressor(estimator)
    _match(estimator, features, f"{pretrained.who}: {name}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that arrays have no names, which were compared above
            model = fold(estimator, features, targets, rows)
            return model, predicting(estimator, features, len(targets))(samples)
    except MlrqError as error:
        raise MlrqError(f"{pretrained.who}: {error}") from error


def _joblib(data: bytes, path: Path) -> Any:
    import joblib

    try:
        return joblib.load(io.BytesIO(data))
    except Exception as error:  # unpickling runs code, which raises what it likes
        module = getattr(error, "name", None) or ""
        # Text that is no pickle may be read as one that asks for a module of any name.
        if isinstance(error, ModuleNotFoundError) and module.replace(".", "_").isidentifier():
            raise MlrqError(f"{path}: needs the module {module}, which is not installed here") from error
        raise MlrqError(f"{path}: not a joblib file, or cut short: {_line(error)}") from error


def _skops(data: bytes, path: Path) -> Any:
    try:
        import skops.io
    except ModuleNotFoundError as error:
        raise MlrqError(not_installed(str(path), "skops", "skops")) from error
    try:
        unknown = skops.io.get_untrusted_types(data=data)
        if not unknown:
            return skops.io.loads(data, trusted=[])
    except Exception as error:  # a zip of anything
        raise MlrqError(f"{path}: not a skops file, or cut short: {_line(error)}") from error
    raise MlrqError(f"{path}: holds types that skops does not trust: {_listed(unknown)}")


def _match(estimator: Any, features: tuple[str, ...], who: str) -> None:
    """Raise MlrqError if the estimator knows the names of its features, and they are not `features`."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or tuple(names) == features:
        return
    fitted = [str(name) for name in names]
    lacking = [name for name in fitted if name not in features]
    extra = [name for name in features if name not in fitted]
    if not lacking and not extra:
        raise MlrqError(
            f"{who} was fitted on the same features in another order: "
            f"give the dataset's as {','.join(fitted)} (dataset.features=[...] of a CSV)"
        )
    differences = [
        f"{verb} {_listed(found)}" for verb, found in (("lacks", lacking), ("also has", extra)) if found
    ]
    raise MlrqError(f"{who} was fitted on other features: the dataset {' and '.join(differences)}")


def _class(step: Any) -> str:
    return f"{type(step).__module__}.{type(step).__qualname__}"


def _parameters(step: Any) -> dict[str, Any]:
    found = step.get_params(deep=False) if hasattr(step, "get_params") else {}
    return {name: _plain(value) for name, value in sorted(found.items())}


def _plain(value: Any, depth: int = 4) -> Any:
    """A parameter as JSON; what JSON does not have by its class alone, for a repr may hold an address.

    So are lists in more than `depth` lists.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple) and depth:
        return [_plain(item, depth - 1) for item in value]
    return f"<{type(value).__name__}>"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _line(error: Exception | Warning) -> str:
    """What an exception or a warning is and says, in one line."""
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])


def _warning(message: Warning | str) -> str:
    if isinstance(message, str):
        return message
    saved = getattr(message, "original_sklearn_version", None)  # of scikit-learn's InconsistentVersionWarning
    if saved is None:
        return _line(message)
    name, here = (getattr(message, key) for key in ("estimator_name", "current_sklearn_version"))
    return f"{name} was saved by scikit-learn {saved}, but this is {here}"
