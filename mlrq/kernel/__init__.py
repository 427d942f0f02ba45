"""The arithmetic of a pass over rows: `kernel.c` where it was compiled, NumPy elsewhere, with the same bits.

`MLRQ_KERNEL=numpy` in the environment chooses NumPy.
"""

from mlrq.kernel import native, reference
from mlrq.kernel.reference import Scanned, chosen, scrambled

__all__ = ["NAME", "Scanned", "below", "chosen", "gram", "scan", "scrambled"]

_native = native.load()
NAME = "C" if _native else "NumPy"
below = _native.below if _native else reference.below
gram = _native.gram if _native else reference.gram
scan = _native.scan if _native else reference.scan
