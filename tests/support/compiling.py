"""Exported C, compiled and called from Python."""

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mlrq.export.c import export
from mlrq.quantization.model import QuantizedLinear
from support.exporting import artifact

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
C99 = ("gcc", "-std=c99", "-pedantic")
COMPILERS = {"gcc": C99, "clang": ("clang", *C99[1:]), "c++": ("g++", "-x", "c++")}
BATCH = """
#include "mlrq.c"
void mlrq_codes_batch(long rows, const mlrq_input *inputs, mlrq_accumulator *accumulators, int32_t *outputs);
void mlrq_rows_batch(long rows, const float *features, mlrq_input *inputs, float *predictions, int *beyond);
void mlrq_codes_batch(long rows, const mlrq_input *inputs, mlrq_accumulator *accumulators, int32_t *outputs)
{
    while (rows--) {
        mlrq_accumulate(inputs, accumulators);
        mlrq_infer(inputs, outputs);
        inputs += MLRQ_FEATURES, accumulators += MLRQ_TARGETS, outputs += MLRQ_TARGETS;
    }
}
void mlrq_rows_batch(long rows, const float *features, mlrq_input *inputs, float *predictions, int *beyond)
{
    while (rows--) {
        *beyond = mlrq_quantize(features, inputs);
        if (mlrq_predict(features, predictions) != *beyond) {
            *beyond = -1;
        }
        inputs += MLRQ_FEATURES, features += MLRQ_FEATURES, predictions += MLRQ_TARGETS, beyond++;
    }
}
"""


def compiled(folder: Path, *arguments: object) -> None:
    """Run a compiler in `folder`, if it is installed; what it says is the test's failure."""
    if isinstance(arguments[0], str) and not shutil.which(arguments[0]):
        pytest.skip(f"{arguments[0]} is not installed")
    done = subprocess.run(
        [str(item) for item in arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def written(folder: Path, model: QuantizedLinear, **options: object) -> list[str]:
    """The names of the C files of `model`, in `folder`."""
    files = export(artifact(model), **options)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    return [name for name in files if name.endswith(".c")]


def library(
    folder: Path, models: dict[str, tuple[QuantizedLinear, bool]], level: str = "-O1", more: str = ""
) -> ctypes.CDLL:
    """One shared object of many models, each (model, packed) with a prefix of its own and `more` of its C."""
    text = ""
    for prefix, (model, packed) in models.items():
        written(folder, model, prefix=prefix, packed=packed, vectors=0)
        names = {"mlrq_": f"{prefix}_", "MLRQ_": f"{prefix.upper()}_", "mlrq.c": f"{prefix}.c"}
        text += re.sub("|".join(names), lambda found, names=names: names[found[0]], BATCH + more)
    (folder / "all.c").write_text(text)
    compiled(folder, *C99, *STRICT, level, "-shared", "-fPIC", "all.c", "-o", "all.so")
    return ctypes.CDLL(str(folder / "all.so"))


def call(function, first: np.ndarray, *others: np.ndarray) -> None:
    arrays = [np.ascontiguousarray(first), *others]
    function(ctypes.c_long(len(first)), *(ctypes.c_void_p(array.ctypes.data) for array in arrays))
