"""The solvers on the raw features of real tables (`benchmarks/problems`): proven at every width."""

import ctypes
import subprocess

import numpy as np
import pytest
from problem_set import NAMES, problem

from mlrq.kernel import build
from mlrq.solvers.solve import Solution, solve

# Symmetric codes on raw features; what a full enumeration of 2 and 3 bits found (hours of NumPy) is in them.
BIKES = {2: 1954.3148, 3: 1662.7415, 4: 839.6003, 5: 127.4772}
AFFINE_BIKES = {3: 1410.2139, 4: 594.0486}
# Bounds that are computed until all is proven: far below the budget, whatever the machine.
BOUNDS = 40_000

ENUMERATION = """
#include <math.h>
#include <stdint.h>
/* Least excess over all codes low..high of n columns, each at its best scale, from a Gram matrix. */
double enumerate(int n, int low, int high, const double *gram, const double *pull, double total,
                 int64_t *best) {
  double along[32] = {0}, length[32] = {0}, image[32][32] = {{0}}, least = total;
  int code[32], level = 0;
  code[0] = low - 1;
  while (level >= 0) {
    if (++code[level] > high) { level--; continue; }
    double p = code[level], own = image[level][level];
    double a = along[level] + p * pull[level];
    double l = length[level] + 2 * p * own + p * p * gram[level * n + level];
    if (level < n - 1) {
      for (int j = level + 1; j < n; j++) image[level + 1][j] = image[level][j] + p * gram[level * n + j];
      along[level + 1] = a, length[level + 1] = l, code[level + 1] = low - 1, level++;
    } else if (a > 0 && total - a * a / l < least) {
      least = total - a * a / l;
      for (int j = 0; j < n; j++) best[j] = code[j];
    }
  }
  return least;
}
"""


def quantized(name: str, units: str, bits: int, affine: bool) -> Solution:
    one = problem(name, units)
    return solve(
        one.triangle, one.column, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, affine=affine, nodes=BOUNDS
    )


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("units", ["raw", "per_feature"])
@pytest.mark.parametrize("bits", range(2, 17))
def test_bike_sharing_is_proven_at_every_width(bits: int, units: str, affine: bool) -> None:
    solution = quantized("bikeshare", units, bits, affine)
    assert solution.certificate.optimal
    if units == "raw" and bits in (AFFINE_BIKES if affine else BIKES):
        assert solution.excess == pytest.approx((AFFINE_BIKES if affine else BIKES)[bits], abs=1e-4)


def test_bike_sharing_at_three_bits_has_the_codes_of_the_full_enumeration() -> None:
    assert quantized("bikeshare", "raw", 3, False).codes.tolist() == [[3, 0, 0, 1, -2, 0, 0, -3, 3, 3, -4, 3]]


@pytest.mark.few(10)
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("units", ["raw", "per_feature"])
@pytest.mark.parametrize("name", NAMES)
def test_tables_of_eight_to_twenty_features_are_proven_at_two_to_eight_bits(name, units, affine) -> None:
    for bits in range(2, 9):
        assert quantized(name, units, bits, affine).certificate.optimal, bits


@pytest.mark.skipif(build.compiler() is None, reason="no C compiler on this machine")
def test_bike_sharing_at_two_bits_is_the_best_of_all_sixteen_million_codes(tmp_path) -> None:
    (tmp_path / "enumerate.c").write_text(ENUMERATION)
    library = tmp_path / "enumerate.so"
    command = [
        *build.compiler(),
        "-O2",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(tmp_path / "enumerate.c"),
    ]
    subprocess.run(command, check=True)
    function = ctypes.CDLL(str(library)).enumerate
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_int] * 3 + [ctypes.c_void_p] * 2 + [ctypes.c_double, ctypes.c_void_p]
    one = problem("bikeshare")
    triangle, target = one.triangle, one.column
    gram, pull, best = triangle.T @ triangle, triangle.T @ target, np.zeros(len(target), dtype=np.int64)
    gram = np.ascontiguousarray(gram)
    places = gram.ctypes.data, pull.ctypes.data, float(target @ target), best.ctypes.data
    least = function(len(target), -2, 1, *places)
    solution = quantized("bikeshare", "raw", 2, False)
    assert solution.excess == pytest.approx(least, rel=1e-9)
    assert solution.codes.tolist() == [best.tolist()]
