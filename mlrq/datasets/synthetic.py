"""A linear model with Gaussian features and noise, for tests, benchmarks and playing."""

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.memory import of_arrays
from mlrq.datasets.parts import Stream
from mlrq.kernel import affine
from mlrq.stats.linear_algebra import lengths

RESOLUTION = 2.0**-24


def load(rows: int, features: int, targets: int, noise: float, seed: int) -> Stream:
    """`rows` draws of standard normal features and of targets that are linear in them, plus noise.

    Args:
        rows: Number of rows.
        features: Number of features.
        targets: Number of targets.
        noise: Standard deviation of the noise, in units of each target's noiseless one.
        seed: Same seed, same table.
    """
    generator = np.random.Generator(np.random.PCG64(seed))

    def normal(*shape: int) -> NDArray[np.float64]:
        # The tails come from the system's logarithm, the last bits of which differ between machines.
        return np.rint(generator.normal(size=shape) / RESOLUTION) * RESOLUTION

    weights, inputs = normal(targets, features), normal(rows, features)
    outputs = affine(inputs, weights, normal(targets))
    outputs += noise * lengths(weights.T) * normal(rows, targets)
    return of_arrays(
        "synthetic",
        f"generated: rows={rows}, features={features}, targets={targets}, noise={noise:g}, seed={seed}",
        tuple(f"x{i + 1}" for i in range(features)),
        tuple(f"y{i + 1}" for i in range(targets)) if targets > 1 else ("y",),
        inputs,
        outputs,
    )
