"""The fewest bits whose excess is within a limit: what `quantization.bits=auto` means.

The codes of a width are among those of the next one, so where no codes of b bits come within the limit,
none of fewer bits do: one lower bound, of the width below, is the proof. Searches for the best codes take
longest where bits are few; so the width is first found with Babai's codes, whose excess is not far from the
least, and the best codes are then sought from there downwards.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mlrq.errors import MlrqError
from mlrq.models.linear import LinearModel
from mlrq.quantization.options import ROUNDINGS
from mlrq.quantization.quantize import Quantization, TrainingStatistics, quantize
from mlrq.quantization.settings import FEWEST, MOST, Settings, Wanted
from mlrq.stats.linear_algebra import summed

QUICK = "babai"
EXACT = 1e-15  # of the variance of the targets: no more than rounding leaves


@dataclass(frozen=True)
class Offer:
    """One of several grids.

    Attributes:
        grid: Its name, as in `options.GRIDS`.
        bits: The fewest that are within the limit; None where no width is.
        payload_bits: Of its integer model; None likewise.
        excluded: Whether fewer bits are excluded, in floating point.
    """

    grid: str
    bits: int | None = None
    payload_bits: int | None = None
    excluded: bool = False


@dataclass(frozen=True, eq=False)
class Width:
    """The fewest bits, and what is known of one bit less.

    Attributes:
        bits: The fewest whose excess is within the limit.
        tolerance: Excess that is allowed, as a part of the residual variance.
        residual: The residual variance: the float model's mean squared error on the training rows, summed
            over targets.
        below: The integer model of one bit less, whose excess is above the limit; None for two bits.
        offers: All grids that were tried, where there are several: that of the least payload was taken, and
            of the least excess among those.
    """

    bits: int
    tolerance: float
    residual: float
    below: Quantization | None
    offers: tuple[Offer, ...] = ()

    @property
    def limit(self) -> float:
        """The excess that is allowed."""
        return self.tolerance * self.residual

    @property
    def excluded(self) -> bool:
        """Whether no codes of fewer bits come within the limit at any scale, in floating point."""
        if self.below is None:
            return True
        proof = self.below.certificate
        return proof is not None and proof.lower_bound > self.limit


def narrowest(
    model: LinearModel, training: TrainingStatistics, settings: Settings, allowed: tuple[float, float]
) -> tuple[Quantization, Width]:
    """The integer model of the fewest bits whose excess is within a limit.

    Args:
        model: The float model.
        training: Of the rows that it was fitted to.
        settings: How; whatever its bits are.
        allowed: The tolerance and the residual variance; see `Width`.

    Raises:
        MlrqError: If the residual variance is nothing, no width comes within the limit, or a number does
            not fit its format.
    """
    tolerance, residual = allowed
    spread = training.summary.spread[len(model.features) :]
    if not residual > EXACT * float(summed(np.square(spread))):
        raise MlrqError(
            "quantization.bits=auto: the float model predicts the targets exactly, so there is no residual "
            "variance to take a part of: give other targets, or a number of bits"
        )
    made: dict[tuple[int, str], Quantization] = {}

    def within(bits: int, rounding: str) -> bool:
        key = bits, rounding
        if key not in made:
            made[key] = quantize(model, training, replace(settings, bits=bits, rounding=rounding))
        return made[key].excess <= tolerance * residual

    bits = _fewest(within, settings.rounding)
    if bits > MOST:
        part = made[MOST, settings.rounding].excess / residual
        raise MlrqError(
            f"quantization.bits=auto: with {MOST} bits the excess is {part:.3g} of the residual variance, "
            f"more than tolerance={tolerance:g}: {_advice(settings)}"
        )
    below = made[bits - 1, settings.rounding] if bits > FEWEST else None
    return made[bits, settings.rounding], Width(bits, tolerance, residual, below)


def cheapest(
    model: LinearModel, training: TrainingStatistics, settings: Settings, wanted: Wanted, residual: float
) -> tuple[Settings, Quantization, Width]:
    """The integer model of the least payload, of the grids that are wanted, each with its fewest bits.

    Args:
        model: The float model.
        training: Of the rows that it was fitted to.
        settings: How; whatever its bits are, and its grid where several are wanted.
        wanted: The tolerance, and the grids.
        residual: The residual variance; see `Width`.

    Returns:
        The settings that made it, the model, and its width.

    Raises:
        MlrqError: As `narrowest`, where that holds for all grids.
    """
    found, offers, refused = [], [], []
    for name in wanted.grids or (f"{settings.granularity}/{settings.scheme}",):
        granularity, scheme = name.split("/")
        chosen = replace(settings, granularity=granularity, scheme=scheme)
        try:
            made, width = narrowest(model, training, chosen, (wanted.tolerance, residual))
        except MlrqError as error:  # the next one may serve
            offers.append(Offer(name))
            refused.append(error)
            continue
        found.append((replace(chosen, bits=width.bits), made, width))
        offers.append(Offer(name, width.bits, made.model.payload_bits, width.excluded))
    if not found:
        raise refused[0]
    best = min(found, key=lambda one: (one[1].model.payload_bits, one[1].excess))
    return best[0], best[1], replace(best[2], offers=tuple(offers) if len(offers) > 1 else ())


def _fewest(within: Callable[[int, str], bool], rounding: str) -> int:
    """The fewest bits that are within the limit, or one more than there are; one less was tried, too."""
    searched = rounding == "exact"
    first = QUICK if searched else rounding
    bits = next((width for width in range(FEWEST, MOST + 1) if within(width, first)), MOST)
    while bits <= MOST and not within(bits, rounding):
        bits += 1
    while searched and bits > FEWEST and within(bits - 1, rounding):
        bits -= 1
    return bits


def _advice(settings: Settings) -> str:
    """What may bring an excess within the limit."""
    options = []
    if not ROUNDINGS[settings.rounding].together:
        options.append("rounding=exact")
    if settings.inputs == "float" and settings.granularity != "per_feature":
        options.append("granularity=per_feature")
    return "use " + " or ".join([*options, "a larger tolerance"])
