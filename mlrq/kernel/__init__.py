"""The arithmetic of a pass over rows: in C where that was compiled, in NumPy elsewhere, with the same bits.

`MLRQ_KERNEL=numpy` in the environment chooses NumPy.
"""

import os

from mlrq.kernel import householder, inference, native, reference
from mlrq.kernel.householder import canonical, summed
from mlrq.kernel.inference import Integers, positions
from mlrq.kernel.reference import Scanned, chosen, scrambled

__all__ = [
    "NAME", "Integers", "Scanned", "affine", "below", "bounded", "canonical", "centred", "chosen", "encode",
    "infer", "positions", "scan", "scrambled", "search", "stack", "summed", "tally",
]  # fmt: skip

_native = None if os.environ.get("MLRQ_KERNEL") == "numpy" else native.load()
NAME = "C" if _native else "NumPy"
affine = _native.affine if _native else reference.affine
below = _native.below if _native else reference.below
bounded = _native.bounded if _native else reference.bounded
centred = _native.centred if _native else householder.centred
encode = _native.encode if _native else inference.encode
infer = _native.infer if _native else inference.infer
scan = _native.scan if _native else reference.scan
stack = _native.stack if _native else householder.stack
tally = _native.tally if _native else reference.tally
if _native:
    search = _native.search
else:
    from mlrq.kernel.branch import search  # long, and no prediction needs it
