"""Merged codes: w_i = p_i + t_i v of free integers v, with p_i in a box; see `mlrq.kernel.branch`."""

# Smallest and largest value of each free integer.
Ends = list[list[int]]


class Merged:
    """The mixing coefficients t of merged codes, and the box of what they are merged from."""

    def __init__(self, mixing: list[list[int]], low: int, high: int):
        self.mixing, self.low, self.high = mixing, low, high

    def box(self, ends: Ends, i: int) -> tuple[int, int]:
        """The range of code i, whose free integers are in the given ranges."""
        low, high = self.low, self.high
        for t, (first, last) in zip(self.mixing[i], ends, strict=True):
            low += t * first if t > 0 else t * last
            high += t * last if t > 0 else t * first
        return low, high

    def narrowed(self, given: Ends, q: int, codes: list[int]) -> Ends | None:
        """Ranges of the free integers that codes q.. leave of those given; None where one is empty.

        Each code narrows them once, so a range that is left need not have a value that goes with all.
        """
        ends = [pair.copy() for pair in given]
        for i in range(q, len(codes)):
            least, most = self.box(ends, i)
            over, under = codes[i] - least, most - codes[i]
            if over < 0 or under < 0:
                return None
            for t, pair in zip(self.mixing[i], ends, strict=True):
                if t:
                    upwards, downwards = (over, under) if t > 0 else (under, over)
                    first, last = pair[1] - downwards // abs(t), pair[0] + upwards // abs(t)
                    pair[:] = max(pair[0], first), min(pair[1], last)
                    if pair[0] > pair[1]:
                        return None
        return ends

    def chosen(self, given: Ends, codes: list[int], place: int = 0) -> list[int] | None:
        """Free integers that go with all codes, each the nearest to 0 after those before, or None."""
        ends = self.narrowed(given, 0, codes)
        if ends is None:
            return None
        if place == len(ends):
            return [first for first, _ in ends]
        first, last = ends[place]
        middle = min(max(0, first), last)
        for step in range(last - first + 1):
            for value in (middle - step, middle + step) if step else (middle,):
                if first <= value <= last:
                    ends[place] = [value, value]
                    found = self.chosen(ends, codes, place + 1)
                    if found is not None:
                        return found
        return None
