"""The constraints of a cone that hold with equality, and their multipliers; see `mlrq.kernel.branch`."""

from math import sqrt

PIVOT = 1e-12  # constraints whose normals are dependent, relative to their length


class Constraints:
    """The constraints of a cone that are met with equality, and their multipliers, all positive."""

    def __init__(self) -> None:
        self.pairs: list[tuple[int, int]] = []
        self.columns: list[list[float]] = []
        self.tilts: list[float] = []
        self.amounts: list[float] = []
        self.weights: list[float] = []
        self.gram: list[list[float]] = []
        self.factor: list[list[float]] = []

    def join(self, pair: tuple[int, int], span: float, tilt: float, amount: float, c: float) -> bool:
        """Add a constraint, and leave out those that it makes needless (Lawson and Hanson's step).

        Its column has to follow.

        Returns:
            False where nothing came of it: it depends on the others.
        """
        over, under = pair
        row = []
        for other, slope in zip(self.columns, self.tilts, strict=True):
            value = (other[over] if over >= 0 else 0.0) - (other[under] if under >= 0 else 0.0)
            row.append(value + (slope * tilt / c if c > 0.0 else 0.0))
        self.gram.append([*row, span + (tilt * tilt / c if c > 0.0 else 0.0)])
        self.factor.append([])
        self.pairs.append(pair)
        self.tilts.append(tilt)
        self.amounts.append(amount)
        self.weights.append(0.0)
        changed = len(self.pairs) - 1
        while len(self.pairs) > len(self.columns):
            if not self._factorize(changed):
                self._leave(len(self.pairs) - 1)
                break
            wanted = self._solve()
            step, blocking = 1.0, -1
            for i, (weight, want) in enumerate(zip(self.weights, wanted, strict=True)):
                if want <= 0.0 and (blocking < 0 or weight / (weight - want) < step):
                    step, blocking = (weight / (weight - want) if weight > want else 0.0), i
            if blocking < 0:
                self.weights = wanted
                return True
            for i, want in enumerate(wanted):
                self.weights[i] += step * (want - self.weights[i])
            self._leave(blocking)
            changed = blocking
        return False

    def _leave(self, index: int) -> None:
        del self.columns[index : index + 1]  # the newest has none yet
        for kept in (self.pairs, self.tilts, self.amounts, self.weights, self.gram, self.factor):
            del kept[index]
        for row in self.gram[index:]:
            del row[index]

    def _factorize(self, changed: int) -> bool:
        """Factor the Gram matrix from row `changed` on (Cholesky); False where a pivot is next to nothing."""
        for i in range(changed, len(self.gram)):
            row: list[float] = []
            for j in range(i):
                value = self.gram[i][j]
                for one, two in zip(row, self.factor[j], strict=False):
                    value -= one * two
                row.append(value / self.factor[j][j])
            value = self.gram[i][i]
            for one in row:
                value -= one * one
            if not value > PIVOT * self.gram[i][i]:
                return False
            self.factor[i] = [*row, sqrt(value)]
        return True

    def _solve(self) -> list[float]:
        found: list[float] = []
        for row, amount in zip(self.factor, self.amounts, strict=True):
            for one, two in zip(row, found, strict=False):
                amount -= one * two
            found.append(amount / row[-1])
        for i in reversed(range(len(found))):
            for j in range(i + 1, len(found)):
                found[i] -= self.factor[j][i] * found[j]
            found[i] /= self.factor[i][i]
        return found
