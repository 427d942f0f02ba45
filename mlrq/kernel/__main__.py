"""`python -m mlrq.kernel` compiles the C files where mlrq is installed, unless that was done."""

import subprocess
import sys

from mlrq import kernel
from mlrq.kernel.build import LIBRARY, build

INSTEAD = "and NumPy stands in for them, with the same bits"

if kernel.NAME != "C":
    if why := build():
        sys.exit(f"the C files were not compiled, {INSTEAD}: {why}")
    # In another process, for this one may hold a library of that name already.
    loaded = [sys.executable, "-c", "import sys; from mlrq import kernel; sys.exit(kernel.NAME != 'C')"]
    if subprocess.run(loaded).returncode:
        sys.exit(f"{LIBRARY} cannot be loaded here, {INSTEAD}")
print(f"compiled: {LIBRARY}")
