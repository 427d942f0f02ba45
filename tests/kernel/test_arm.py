"""The kernel's C on an ARM processor, which qemu emulates: the bits are those of NumPy here."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from support.compiling import compiled

from mlrq.kernel import build, householder, inference, reference
from mlrq.kernel.inference import Integers

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
ROWS, FEATURES, TARGETS, TAKEN, START, BOUND = 1003, 5, 2, 251, 7, 1e100
COLUMNS, SQUARE = (FEATURES, ROWS), (FEATURES + 1, FEATURES + 1)
PAIRS, BY_ROW = (TARGETS, FEATURES), (ROWS, TARGETS)
GIVEN = {
    "table": ("double", COLUMNS), "pivot": ("double", (FEATURES,)), "before": ("double", SQUARE),
    "weights": ("double", PAIRS), "intercept": ("double", (TARGETS,)), "steps": ("int64_t", PAIRS),
    "bias": ("int64_t", (TARGETS,)), "scale": ("float", (TARGETS,)), "input_scale": ("float", (FEATURES,)),
    "input_offset": ("float", (FEATURES,)), "test": ("uint8_t", (ROWS,)),
    "real": ("double", COLUMNS),
}  # fmt: skip
FOUND = {
    "triangle": ("double", SQUARE), "prints": ("uint64_t", (FEATURES,)),
    "low": ("double", (FEATURES,)), "high": ("double", (FEATURES,)), "tests": ("double", (FEATURES, TAKEN)),
    "affine": ("double", BY_ROW), "tally": ("double", (7,)), "shorts": ("int16_t", COLUMNS),
    "bytes": ("int8_t", COLUMNS), "wide": ("int64_t", BY_ROW), "narrow": ("int32_t", BY_ROW),
    "from_shorts": ("float", BY_ROW), "from_bytes": ("float", BY_ROW),
}  # fmt: skip
TYPES = {"double": "f8", "float": "f4"}
# Reads what is given, and writes what the kernel finds. A number is eight bytes, a column ROWS of them.
MAIN = """
int main(void) {
  const double *columns[FEATURES];
  char *table = (char *)given.table, *real = (char *)given.real;
  char *shorts = (char *)found.shorts, *bytes = (char *)found.bytes;
  float *s = given.input_scale, *o = given.input_offset;
  int64_t *steps = *given.steps, *bias = given.bias;
  if (fread(&given, sizeof given, 1, stdin) != 1) return 1;
  for (int f = 0; f < FEATURES; f++) columns[f] = given.table[f], found.low[f] = 1e9, found.high[f] = -1e9;
  memcpy(found.triangle, given.before, sizeof given.before);
  mlrq_scan_4(FEATURES, ROWS, columns, given.test, TAKEN, START, 1e100, given.pivot, *found.triangle,
              found.prints, found.low, found.high, *found.tests);
  mlrq_affine(ROWS, FEATURES, TARGETS, table, 8, 8 * ROWS, *given.weights, given.intercept, *found.affine);
  mlrq_tally_4(ROWS, table, 8, (char *)found.affine, 8 * TARGETS, found.tally);
  mlrq_encode(ROWS, FEATURES, real, 8, 8 * ROWS, s, o, 2, shorts);
  mlrq_encode(ROWS, FEATURES, real, 8, 8 * ROWS, s, o, 1, bytes);
  mlrq_infer(ROWS, FEATURES, TARGETS, shorts, 2, 2 * ROWS, 2, 1, steps, bias, 0, (char *)found.wide);
  mlrq_infer(ROWS, FEATURES, TARGETS, bytes, FEATURES, 1, 1, 0, steps, bias, 0, (char *)found.narrow);
  mlrq_infer(ROWS, FEATURES, TARGETS, shorts, 2, 2 * ROWS, 2, 1, steps, bias, given.scale,
             (char *)found.from_shorts);
  mlrq_infer(ROWS, FEATURES, TARGETS, bytes, FEATURES, 1, 1, 0, steps, bias, given.scale,
             (char *)found.from_bytes);
  return fwrite(&found, sizeof found, 1, stdout) != 1;
}
"""


def declared(name, fields):
    lines = [
        f"  {kind} {field}{''.join(f'[{n}]' for n in shape)};" for field, (kind, shape) in fields.items()
    ]
    return "\n".join(["static struct {", *lines, f"}} {name};\n"])


def layout(fields):
    kinds = [
        (field, TYPES.get(kind, kind.removesuffix("_t")), shape) for field, (kind, shape) in fields.items()
    ]
    return np.dtype(kinds, align=True)


@pytest.mark.skipif(
    not (shutil.which(COMPILER) and shutil.which(EMULATOR)), reason="no compiler or emulator for ARM"
)
@pytest.mark.slow
def test_every_result_has_the_same_bits(tmp_path):
    numbers = {"ROWS": ROWS, "FEATURES": FEATURES, "TARGETS": TARGETS, "TAKEN": TAKEN, "START": START}
    enum = f"enum {{ {', '.join(f'{name} = {value}' for name, value in numbers.items())} }};\n"
    headers = "#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n"
    sources = [
        source for source in build.SOURCES if source.stem in ("kernel", "infer", "householder", "scan")
    ]
    functions = [
        re.sub(r"SIZED\((\w+)\)", r"\1_4", found)
        for source in sources
        for found in re.findall(r"FASTEST ([^{]*) {", source.read_text())
    ]
    prototypes = "".join(f"{function};\n" for function in functions)
    text = headers + prototypes + enum + declared("given", GIVEN) + declared("found", FOUND) + MAIN
    (tmp_path / "main.c").write_text(text)
    flags = [flag for flag in build.FLAGS if flag not in ("-shared", "-fPIC")]
    own = ['-DMLRQ_SOURCE=""', "-static", "-o", "main", "main.c", *sources, "-lm"]
    compiled(tmp_path, COMPILER, *flags, *own)
    given = arguments()
    done = subprocess.run(
        [EMULATOR, tmp_path / "main"], input=given.tobytes(), capture_output=True, check=True
    )
    found, expected = np.frombuffer(done.stdout, layout(FOUND)).copy()[0], results(given)
    found["triangle"] = householder.canonical(found["triangle"])
    assert expected.keys() == FOUND.keys()
    for name, bits in expected.items():
        assert np.ascontiguousarray(bits).tobytes() == found[name].tobytes(), name


def arguments():
    generator = np.random.default_rng(0)
    given = np.zeros((), layout(GIVEN))
    given["table"] = generator.standard_normal(COLUMNS) * 10.0 ** np.arange(-2, 3)[:, None]
    given["before"] = np.triu(generator.uniform(0.5, 2, SQUARE))
    for name in ("pivot", "weights", "intercept", "input_offset"):
        given[name] = generator.standard_normal(given[name].shape)
    given["real"] = generator.standard_normal(COLUMNS) * 10.0 ** np.arange(0, 5)[:, None]
    given["real"][2, :10] = [0.0, -0.0, 5e-324, 1e39, -1e39, 1e300, -1e300, np.inf, -np.inf, np.nan]
    given["real"][0] = np.arange(ROWS) * 0.05 - 20  # halfway between two codes, or near
    given["scale"], given["input_scale"] = generator.uniform(0.01, 0.1, TARGETS), 0.1
    given["input_offset"][0] = 0.0
    given["steps"], given["bias"] = generator.integers(-(2**15), 2**15, PAIRS), [2**20, -1]
    given["test"][generator.permutation(ROWS)[:TAKEN]] = 1
    return given


def results(given):
    test = given["test"].astype(bool)
    scanned = reference.scan(given["table"], test, START, BOUND, given["pivot"], given["before"])
    affine = reference.affine(given["table"].T, given["weights"], given["intercept"])
    grid = given["input_scale"], given["input_offset"]
    shorts, octets = (inference.encode(given["real"].T, *grid, bits) for bits in (16, 8))
    wide, narrow = (Integers(given["steps"], given["bias"], size, given["scale"]) for size in (2**40, 2**30))

    def told(codes, model, kind):
        result = np.empty(BY_ROW, kind)
        inference.infer(codes, model, result)
        return result

    return {
        "triangle": scanned.triangle, "prints": scanned.prints, "low": scanned.low, "high": scanned.high,
        "tests": scanned.tests, "affine": affine, "tally": reference.tally(given["table"][0], affine[:, 0]),
        "shorts": shorts.T, "bytes": octets.T, "wide": told(shorts, wide, "i8"),
        "narrow": told(octets.T.reshape(ROWS, FEATURES), narrow, "i4"),
        "from_shorts": told(shorts, wide, "f4"),
        "from_bytes": told(octets.T.reshape(ROWS, FEATURES), narrow, "f4"),
    }  # fmt: skip
