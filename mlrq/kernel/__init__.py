"""The arithmetic of a pass over rows: `kernel.c` where it was compiled, NumPy elsewhere, with the same bits.

`MLRQ_KERNEL=numpy` in the environment chooses NumPy.
"""

from mlrq.kernel import branch, native, reference
from mlrq.kernel.reference import Scanned, chosen, scrambled

__all__ = [
    "NAME",
    "Scanned",
    "affine",
    "below",
    "bounded",
    "chosen",
    "gram",
    "scan",
    "scrambled",
    "search",
    "tally",
]

_native = native.load()
NAME = "C" if _native else "NumPy"
affine = _native.affine if _native else reference.affine
below = _native.below if _native else reference.below
bounded = _native.bounded if _native else reference.bounded
gram = _native.gram if _native else reference.gram
scan = _native.scan if _native else reference.scan
tally = _native.tally if _native else reference.tally
search = _native.search if _native else branch.search
