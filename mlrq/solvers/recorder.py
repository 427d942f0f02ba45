"""A search that writes its tree down: the boxes into which it divided all codes, and what closed each."""

from dataclasses import dataclass

from mlrq.kernel import search
from mlrq.kernel.branch import Search
from mlrq.kernel.tree import Tree, Walk, start, widened
from mlrq.solvers.exact import rounding_slack


@dataclass(frozen=True)
class Cone:
    """How a box was closed: the codes from level `q` on, the scale, and the constraints that were met."""

    level: int
    codes: tuple[int, ...]
    scale: float
    pairs: tuple[tuple[int, int], ...]


# First and last value of a code, and what is below: boxes, a cone, or None where rows close it.
Part = tuple[int, int, "list[Part] | Cone | None"]


class Recorder(Search):
    """See the module; `root` are the boxes of the first code, `vectors` how many a cone closed."""

    def __init__(self, tree: Tree, walk: Walk):
        super().__init__(tree, walk)
        self.parts: list[list[Part]] = [[] for _ in range(self.size)]
        self.root, self.vectors = self.parts[-1], 0

    def descend(self, q: int, box: tuple[int, int]) -> None:
        """Begin the boxes of level q, below the code that was decided."""
        code = self.integers[0][q + 1]
        if self.lengths[q + 1] > 0.0:
            self.parts[q] = []
            self.parts[q + 1].append((code, code, self.parts[q]))
        else:
            self.parts[q] = self.parts[q + 1]
        super().descend(q, box)

    def leaf(self, m: float, s: float, total: float) -> None:
        """Leave decided codes to the checker, which compares them."""
        code = self.integers[0][0]
        self.parts[0].append((code, code, None))
        super().leaf(m, s, total)

    def close(
        self, q: int, upwards: bool, downwards: bool, scale: float, pairs: list[tuple[int, int]]
    ) -> None:
        """Write down the boxes on the sides that are closed, with what closed them."""
        codes, up, down, first, last = (row[q] for row in self.integers[:5])
        low, high = codes, codes
        cone = Cone(q, tuple(self.integers[0][q:]), scale, tuple(pairs)) if pairs else None
        closed: list[Part] = []
        if upwards and up == codes + 1:
            high = last
        elif upwards and up <= last:
            closed.append((up, last, cone))
        if downwards and down == codes - 1:
            low = first
        elif downwards and down >= first:
            closed.append((first, down, cone))
        self.parts[q] += [*closed, (low, high, cone)]
        self.vectors += len(closed) + 1 if cone else 0
        super().close(q, upwards, downwards, scale, pairs)


@dataclass(frozen=True, eq=False)
class Searches:
    """Searches of an ordered problem, with the box of its first code, of so many bounds at most."""

    tree: Tree
    box: tuple[int, int]
    most: int

    def _begun(self, threshold: float) -> Walk:
        """A search for codes that leave less than the threshold."""
        slack = rounding_slack(self.tree, threshold)
        return start(self.tree, threshold, widened(threshold, slack), slack, *self.box)

    def least(self, threshold: float) -> float | None:
        """The threshold, or less where codes leave less; None where the search takes too many bounds."""
        walk = self._begun(threshold)
        search(self.tree, walk, self.most, False)
        if walk.level < len(self.tree.target):
            return None
        return threshold if widened(walk.best, walk.slack) >= threshold else walk.best * (1.0 - 2.0**-20)

    def largest(self, excess: float, halvings: int) -> float:
        """The largest threshold up to the excess that was found to take few enough bounds."""
        if (found := self.least(excess)) is not None:
            return found
        low, high = 0.0, excess
        for _ in range(halvings):
            middle = (low + high) / 2
            low, high = (middle, high) if self.least(middle) == middle else (low, middle)
        return low

    def recorded(self, threshold: float) -> Recorder:
        """The tree of a search that is known to end."""
        recorder = Recorder(self.tree, self._begun(threshold))
        recorder.run(self.most, False)
        return recorder
