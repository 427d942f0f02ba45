"""The arithmetic of a pass over rows: in C where that was compiled, in NumPy elsewhere, with the same bits.

`MLRQ_KERNEL=numpy` in the environment chooses NumPy.
"""

from mlrq.kernel import branch, inference, native, reference
from mlrq.kernel.inference import Integers, positions
from mlrq.kernel.reference import Scanned, chosen, scrambled

__all__ = [
    "NAME", "Integers", "Scanned", "affine", "below", "bounded", "chosen", "encode", "gram", "infer",
    "positions", "scan", "scrambled", "search", "tally",
]  # fmt: skip

_native = native.load()
NAME = "C" if _native else "NumPy"
affine = _native.affine if _native else reference.affine
below = _native.below if _native else reference.below
bounded = _native.bounded if _native else reference.bounded
encode = _native.encode if _native else inference.encode
gram = _native.gram if _native else reference.gram
infer = _native.infer if _native else inference.infer
scan = _native.scan if _native else reference.scan
search = _native.search if _native else branch.search
tally = _native.tally if _native else reference.tally
