"""A linear model with Gaussian features and noise, for tests, benchmarks and playing."""

import numpy as np

from mlrq.datasets.memory import of_arrays
from mlrq.datasets.parts import Stream


def load(rows: int, features: int, targets: int, noise: float, seed: int) -> Stream:
    """`rows` draws of standard normal features and of targets that are linear in them, plus noise.

    Args:
        rows: Number of rows.
        features: Number of features.
        targets: Number of targets.
        noise: Standard deviation of the noise, in units of each target's noiseless one.
        seed: Same seed, same table.
    """
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(targets, features))
    inputs = generator.normal(size=(rows, features))
    spread = np.linalg.norm(weights, axis=1)
    # Feature by feature, not through BLAS, so that the table is the same on every machine.
    outputs = np.tile(generator.normal(size=targets), (rows, 1))
    for column, weight in zip(inputs.T, weights.T, strict=True):
        outputs += column[:, None] * weight
    outputs += noise * spread * generator.normal(size=(rows, targets))
    return of_arrays(
        "synthetic",
        f"generated: rows={rows}, features={features}, targets={targets}, noise={noise:g}, seed={seed}",
        tuple(f"x{i + 1}" for i in range(features)),
        tuple(f"y{i + 1}" for i in range(targets)) if targets > 1 else ("y",),
        inputs,
        outputs,
    )
