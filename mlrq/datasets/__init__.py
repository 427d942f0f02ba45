"""Tables to learn from. Each module beside this one has one `load` function that returns a `Dataset`."""

from mlrq.datasets.dataset import Dataset, Split, split

__all__ = ["Dataset", "Split", "split"]
