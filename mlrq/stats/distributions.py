"""Tails of Fisher's F and Student's t, in plain Python: importing SciPy takes longer than a fit.

Both are the regularised incomplete beta function `I_x(a, b)`. Its factor `x^a y^b / B(a, b)` is taken
relative to its greatest value, so that nothing cancels with millions of degrees of freedom (Loader, Fast and
accurate computation of binomial probabilities, 2000); what is left is a continued fraction (Didonato and
Morris, Algorithm 708, ACM TOMS 18, 1992, BFRAC).
"""

import math

ENOUGH = 15  # from here on five terms of Stirling's series give all digits
MOST_STEPS = 1_000_000


def f_tail(value: float, above: float, below: float) -> float:
    """P(F > value) for F with `above` and `below` degrees of freedom, in the order of its fraction.

    Args:
        value: 0 or more; infinity has probability 0.
        above: Positive.
        below: Positive.
    """
    if not 0 < value < math.inf:
        return 1.0 if value <= 0 else 0.0 if value == math.inf else math.nan
    x, y = below / (below + above * value), above * value / (below + above * value)
    a, b = below / 2, above / 2
    factor = _factor(value, above, below)
    if value >= 1:  # x is at most its mean, a / (a + b)
        return factor * _fraction(a, b, x, y, _away(value, above, below) * b)
    return 1 - factor * _fraction(b, a, y, x, _away(1 / value, below, above) * a)


def t_tail(value: float, freedom: float) -> float:
    """P(|T| > |value|) for Student's T with so many degrees of freedom."""
    return f_tail(value * value, 1, freedom)


def t_quantile(tail: float, freedom: float) -> float:
    """The value that |T| exceeds with probability `tail`, 0 < tail < 1.

    The tail is convex, and that of the normal distribution lies below it: Newton's method, begun there,
    goes up to the value and stops where rounding turns it back.
    """
    from statistics import NormalDist

    value = -NormalDist().inv_cdf(tail / 2)
    for _ in range(200):
        slope = 2 * _factor(value * value, 1, freedom) / value
        step = (t_tail(value, freedom) - tail) / slope
        if step <= 4e-16 * value:
            break
        value += step
    return value


def _away(value: float, above: float, below: float) -> float:
    """y less its mean, by its mean, where y = above value / (below + above value)."""
    return below * (value - 1) / (below + above * value)


def _factor(value: float, above: float, below: float) -> float:
    """x^a y^b / B(a, b); see `f_tail`."""
    a, b, whole = below / 2, above / 2, below + above * value
    x_ratio, y_ratio = (above + below) / whole, value * (above + below) / whole
    x_part = a * _log_less(x_ratio, above * (1 - value) / whole)
    y_part = b * _log_less(y_ratio, _away(value, above, below))
    rest = _stirling_error(a + b) - _stirling_error(a) - _stirling_error(b)
    return math.sqrt(a * (b / (a + b)) / (2 * math.pi)) * math.exp(x_part + y_part + rest)


def _log_less(ratio: float, over: float) -> float:
    """log(ratio) - over, where over = ratio - 1 without the rounding of the difference."""
    if abs(over) > 0.5:
        return math.log(ratio) - over
    r = over / (2 + over)  # log(1 + over) = 2 (r + r^3 / 3 + r^5 / 5 + ...), and 2 r - over = -r over
    square, power, total = r * r, r * r * r, 0.0
    for odd in range(3, 60, 2):
        total += power / odd
        power *= square
    return 2 * total - r * over


def _stirling_error(z: float) -> float:
    """log Gamma(z) less Stirling's (z - 1/2) log z - z + log(2 pi) / 2."""
    if z < ENOUGH:
        return math.lgamma(z) - (z - 0.5) * math.log(z) + z - 0.5 * math.log(2 * math.pi)
    square = z * z
    series = 1 / 1260 - (1 / 1680 - (1 / 1188 - 691 / 360360 / square) / square) / square
    return (1 / 12 - (1 / 360 - series / square) / square) / z


def _fraction(a: float, b: float, x: float, y: float, away: float) -> float:
    """I_x(a, b) by its factor, for x at most a / (a + b); `away` is (a + b) y - b."""
    c, c0, c1 = 1 + away, b / a, 1 + 1 / a
    p, s, before, last = 1.0, a + 1, (0.0, 1.0), (1.0, c / c1)
    result = c1 / c
    for n in range(1, MOST_STEPS):
        t, e = n / a, a / s
        alpha = p * (p + c0) * e * e * n * (b - n) * x * x
        e = (1 + t) / (c1 + t + t)
        beta = n + n * (b - n) * x / s + e * (c + n * (1 + y))
        p, s = 1 + t, s + 2
        new = alpha * before[0] + beta * last[0], alpha * before[1] + beta * last[1]
        earlier, result = result, new[0] / new[1]
        if abs(result - earlier) <= 2e-16 * result:
            break
        before, last = (last[0] / new[1], last[1] / new[1]), (result, 1.0)
    return result
