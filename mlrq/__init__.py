"""Train a linear regression, quantize it to a few bits, prove how good it is, and ship it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlrq.api.model import QuantizedModel
    from mlrq.api.quantize import load, quantize
    from mlrq.api.regressor import QuantizedRegressor
    from mlrq.api.summary import ModelSummary
    from mlrq.api.sweep import Sweep, sweep
    from mlrq.errors import MlrqError

__version__ = "0.1.0"
__all__ = [
    "MlrqError",
    "ModelSummary",
    "QuantizedModel",
    "QuantizedRegressor",
    "Sweep",
    "__version__",
    "load",
    "quantize",
    "sweep",
]

# Where each public name is; a module is imported when one of its names is first asked for.
_PLACES = {
    "MlrqError": "mlrq.errors",
    "ModelSummary": "mlrq.api.summary",
    "QuantizedModel": "mlrq.api.model",
    "QuantizedRegressor": "mlrq.api.regressor",
    "Sweep": "mlrq.api.sweep",
    "load": "mlrq.api.quantize",
    "quantize": "mlrq.api.quantize",
    "sweep": "mlrq.api.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'mlrq' has no attribute {name!r}; it has {', '.join(__all__)}")
    found = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
