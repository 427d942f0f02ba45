"""Which rows are calibration rows and what half-width they give, from the words of the pages alone."""

import math
from fractions import Fraction

import numpy as np

BITS = 2**64


def splitmix64(number):
    """The hash, as Steele, Lea and Flood published it."""
    number = (number + 0x9E3779B97F4A7C15) % BITS
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % BITS
    number = (number ^ number >> 27) * 0x94D049BB133111EB % BITS
    return number ^ number >> 31


def set_aside(count, tests, seed=42):
    """(count,) which rows are calibration rows, of those that `tests` says are no test rows."""
    key = splitmix64(splitmix64(seed))
    return np.array([splitmix64(i ^ key) < BITS // 5 and not tests[i] for i in range(count)])


def half_width(errors, digits):
    """The ceil((n + 1) level)-th smallest of the absolute errors."""
    return sorted(abs(errors).tolist())[math.ceil((len(errors) + 1) * Fraction(digits)) - 1]
