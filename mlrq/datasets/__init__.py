"""Tables to learn from. A loader is a module with a `load` function that returns a `Stream`."""

from mlrq.datasets.parts import Part, Stream
from mlrq.datasets.split import Split

__all__ = ["Part", "Split", "Stream"]
