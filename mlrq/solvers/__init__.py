"""The best integer codes for a linear model, and the proof that they are."""

from mlrq.solvers.problem import Certificate
from mlrq.solvers.solve import Solution, solve

__all__ = ["Certificate", "Solution", "solve"]
