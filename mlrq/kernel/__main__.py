"""`python -m mlrq.kernel` compiles `kernel.c` where mlrq is installed, unless that was done."""

import sys

from mlrq.kernel import native
from mlrq.kernel.build import LIBRARY, build

if native.load() is None and (why := build()):
    sys.exit(f"kernel.c was not compiled, and NumPy stands in for it, with the same bits: {why}")
print(f"compiled: {LIBRARY}")
