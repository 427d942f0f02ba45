"""Sums of products of doubles without rounding, which is what certificates are about.

Every column is cut into limbs, integers of at most 20 bits, whose products over a few thousand rows are added
without rounding, in whatever order. `mlrq.solvers.verify.exact` finds the same in plain Python.
"""

from fractions import Fraction

import numpy as np
import numpy.typing as npt

BITS, ROWS = 20, 1 << 13  # 2^20 squared, 2^13 times, is 2^53
SMALLEST = -1074  # exponent of the smallest double


def products(table: npt.NDArray[np.float64]) -> list[list[Fraction]]:
    """Of a column of ones and the columns (k, n): the sum of the products with those up to it, for each."""
    total = [[Fraction(0)] * (i + 1) for i in range(len(table) + 1)]
    for start in range(0, table.shape[1], ROWS):
        chunk = table[:, start : start + ROWS]
        limbs, weights, owners = [np.ones(chunk.shape[1])], [Fraction(1)], [0]
        for owner, column in enumerate(chunk, 1):
            rest = column
            while rest.any():
                exponent = max(int(np.frexp(np.abs(rest).max())[1]) - BITS, SMALLEST)
                limbs.append(np.rint(np.ldexp(rest, -exponent)))
                weights.append(Fraction(2) ** exponent)
                owners.append(owner)
                rest = rest - np.ldexp(limbs[-1], exponent)
        stacked = np.array(limbs)
        for i, limb in enumerate(stacked):
            for j, value in enumerate(np.einsum("jr,r->j", stacked[: i + 1], limb).tolist()):
                both = int(value) * weights[i] * weights[j]
                total[owners[i]][owners[j]] += both if i == j or owners[i] != owners[j] else 2 * both
    return total


def total(values: npt.NDArray[np.float64]) -> Fraction:
    """The sum of finite doubles (n,), exactly."""
    found = Fraction(0)
    for start in range(0, len(values), 1 << 20):  # 2^20 limbs of 32 bits add up to 2^52
        rest = values[start : start + (1 << 20)]
        while rest.any():
            exponent = max(int(np.frexp(np.abs(rest).max())[1]) - 32, SMALLEST)
            limb = np.rint(np.ldexp(rest, -exponent))
            found += int(limb.sum()) * Fraction(2) ** exponent
            rest = rest - np.ldexp(limb, exponent)
    return found
