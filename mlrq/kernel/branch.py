"""Branch and bound over integer codes and one scale: the definition; `branch.c` gives the same bits.

    minimise ||y - s R p||^2   over integers p in a box and real s >= 0,   R upper triangular.

Codes are decided from the last to the first. Two lower bounds close a partial vector (docs/proof.md):

- **Rows.** The rows of the decided codes are known up to the scale, and their squares are a parabola in it,
  m + c (s - s*)^2. One more code adds the row (y, x) by a step of recursive least squares, in which nothing
  is subtracted from m, so that small residuals keep their digits.
- **Cone.** The undecided codes, as real numbers in the box, with the scale free: the distance from y to a
  polyhedral cone. With z = a + s b what the undecided rows ask for, P the inverse of their Gram matrix and f
  the amounts by which constraints of z are exceeded at s*, it is m + max over w >= 0 of 2 w'f - w'K w, where
  K = N P N' + t t'/c, N has the constraints' normals and t their slopes in s. Constraints join one by one,
  the one that gains most first, until the node is closed or all hold; any w >= 0 proves its bound.

A column that is a whole combination of others needs no code of its own: codes w_i = p_i + t_i p_d of the
others say what is predicted. They are in wider boxes, less `mixing` times free integers, p_d, in the box
itself; ranges of the free integers narrow as codes are decided, and with them the boxes. A cone takes those
of the level above, which hold whatever its last code is.

A bound's derivative in the code just decided tells on which side of it all further codes are closed too: the
same multipliers prove it for them.
"""

from math import copysign

from mlrq.kernel.cone import Constraints
from mlrq.kernel.merged import Merged
from mlrq.kernel.tree import Tree, Walk, widened

TOUCH = 1e-10  # a constraint is violated by more than this fraction of the code's size
GAIN = 2.0**-30  # a constraint that gains less than this fraction of the threshold is left
NOISE = 1e-12  # a prediction shorter than this fraction of the sum of its terms is rounding
MOST = 48  # constraints of one cone


def search(tree: Tree, walk: Walk, nodes: int, single: bool) -> None:
    """Go on until nothing is left, `nodes` bounds are computed, or, if `single`, better codes are found."""
    Search(tree, walk).run(nodes, single)


class Search:
    """The search in lists of Python, which is quicker than in arrays one number at a time."""

    def __init__(self, tree: Tree, walk: Walk):
        self.walk = walk
        self.columns, self.target = tree.columns.tolist(), tree.target.tolist()
        self.inverse, self.alone = tree.inverse.tolist(), tree.alone.tolist()
        self.drag, self.spread = tree.drag.tolist(), tree.spread.tolist()
        self.lengths = tree.lengths.tolist()
        self.rank, self.low, self.high, self.sliding = tree.box
        self.size = len(self.target)
        self.groups, self.count = tree.groups.tolist(), int(tree.groups.max()) + 1
        self.merged = Merged(tree.mixing.tolist(), self.low, self.high) if tree.mixing.size else None

    def run(self, nodes: int, single: bool) -> None:
        """See `search`."""
        walk = self.walk
        self.floats, self.sums, self.slopes = walk.floats.tolist(), walk.sums.tolist(), walk.slopes.tolist()
        self.integers, self.found = walk.integers.tolist(), walk.found.tolist()
        self.ends = [
            list(map(list, zip(*pair, strict=True))) for pair in zip(*walk.ends.tolist(), strict=True)
        ]
        before = walk.best
        while walk.level < self.size and walk.nodes < nodes and not (single and walk.best < before):
            self._step(walk.level)
        walk.floats[:], walk.sums[:], walk.slopes[:] = self.floats, self.sums, self.slopes
        walk.integers[:], walk.found[:] = self.integers, self.found
        if self.merged:
            walk.ends[:] = [[[pair[side] for pair in level] for level in self.ends] for side in (0, 1)]

    def _step(self, q: int) -> None:
        """Try the next code of level q, the nearest to where its bound is least; or go back."""
        (least, scale, curvature, centres), walk = self.floats, self.walk
        codes, up, down, first, last, bottom, top = self.integers
        rises = up[q] <= last[q]
        if not rises and down[q] < first[q]:
            walk.level += 1
            return
        if rises and (down[q] < first[q] or up[q] - centres[q] <= centres[q] - down[q]):
            code = up[q]
            up[q] += 1
        else:
            code = down[q]
            down[q] -= 1
        walk.nodes += 1
        codes[q] = code
        if self.merged:
            ends = self.merged.narrowed(self.ends[q], q, codes)
            if ends is None:
                return
            if q:
                self.ends[q - 1] = ends
        diagonal, y, m, s, c = self.columns[q][q], self.target[q], least[q], scale[q], curvature[q]
        x = self.sums[q][q] + diagonal * code
        total = c + x * x
        if total > 0.0:
            error = y - s * x
            m, s = m + error * error * (c / total), (c * s + x * y) / total
        else:
            m, s = m + y * y, 0.0
        bound = m + total * s * s if s < 0.0 else m
        at, pull, room, pairs = s if s > 0.0 else 0.0, 0.0, (0.0, 0.0), list[tuple[int, int]]()
        if bound <= walk.reach and q:
            below, above = min(bottom[q], code), max(top[q], code)
            bottom[q - 1], top[q - 1] = below, above
            slopes, drag, own = self.slopes[q - 1], self.drag[q], self.slopes[q]
            for i in range(q):
                slopes[i] = own[i] - drag[i] * (code - own[q])
            slid = (above - self.high + self.low, below + self.high - self.low)
            box = slid if self.sliding else (self.low, self.high)
            if q <= self.rank:
                boxes = [self.merged.box(self.ends[q], i) if self.merged else box for i in range(q)]
                bound, at, pull, room, pairs = self._cone(q, m, s, total, slopes, boxes)
            else:
                centres[q - 1] = 0.0
        if bound > walk.reach:
            slope = diagonal * (y - at * x) + pull
            # Where the box slides, a code beyond the others moves an end of it with it.
            upwards = slope + (room[1] if code < bottom[q] else 0.0) - (room[0] if code >= top[q] else 0.0)
            downwards = slope + (room[1] if code <= bottom[q] else 0.0) - (room[0] if code > top[q] else 0.0)
            self.close(q, upwards <= 0.0, downwards >= 0.0, at, pairs)
        elif q:
            least[q - 1], scale[q - 1], curvature[q - 1] = m, s, total
            self.descend(q - 1, self.merged.box(self.ends[q - 1], q - 1) if self.merged else box)
        else:
            self.leaf(m, s, total)

    def close(
        self, q: int, upwards: bool, downwards: bool, scale: float, pairs: list[tuple[int, int]]
    ) -> None:
        """Leave a code of level q, and those on the sides on which its bound holds for them too.

        The bound was reached at `scale`, with the constraints `pairs`.
        """
        codes, _, _, first, last = self.integers[:5]
        if upwards:
            last[q] = min(last[q], codes[q] - 1)
        if downwards:
            first[q] = max(first[q], codes[q] + 1)

    def descend(self, q: int, box: tuple[int, int]) -> None:
        """Make level q ready."""
        codes, up, down, first, last = self.integers[:5]
        code, above, below, column = codes[q + 1], self.sums[q + 1], self.sums[q], self.columns[q + 1]
        for i in range(q + 1):
            below[i] = above[i] + column[i] * code
        first[q], last[q] = box if self.lengths[q] > 0.0 else (0, 0)
        centre = self.floats[3][q]
        if not centre >= first[q]:
            up[q] = first[q]
        elif centre > last[q]:
            up[q] = last[q] + 1
        else:
            up[q] = int(centre)
            if up[q] < centre:
                up[q] += 1
        down[q] = up[q] - 1
        self.walk.level = q

    def leaf(self, m: float, s: float, total: float) -> None:
        """Keep the codes if they are better than the best so far."""
        codes, walk, terms = self.integers[0], self.walk, 0.0
        for length, code in zip(self.lengths, codes, strict=True):
            terms += length * abs(code)
        if s > 0.0 and m < walk.best and total > NOISE * NOISE * terms * terms:
            free = self.merged.chosen(self.ends[0], codes) if self.merged else []
            if free is None:
                return
            walk.best, self.found = m, codes + free
            walk.reach = min(walk.reach, widened(m, walk.slack))

    def _cone(
        self, k: int, m: float, s0: float, c: float, slopes: list[float], boxes: list[tuple[int, int]]
    ) -> tuple[float, float, float, tuple[float, float], list[tuple[int, int]]]:
        """Bound, its scale, what constraints and the box's ends add to the slope, and the constraints."""
        alone, drag, reach = self.alone[k], self.drag[k], self.walk.reach
        cone, bound, s = Constraints(), m, s0
        place = [alone[i] + s * slopes[i] for i in range(k)]
        while len(cone.pairs) < MOST:
            worst = self._worst(k, s, c, place, slopes, boxes)
            if worst is None or worst[0] in cone.pairs:
                break
            (over, under), span = worst
            tilt = self._tilt(over, under, slopes, boxes)
            amount = (alone[over] if over >= 0 else 0.0) - (alone[under] if under >= 0 else 0.0) + s0 * tilt
            if not cone.join(worst[0], span, tilt, amount, c):
                break
            s, bound = s0, m
            self.walk.nodes += 1
            if c > 0.0:
                turn = 0.0
                for weight, slope in zip(cone.weights, cone.tilts, strict=True):
                    turn += weight * slope
                s = s0 - turn / c
            for weight, excess in zip(cone.weights, cone.amounts, strict=True):
                bound += weight * excess
            if bound > reach:
                break
            cone.columns.append(self._column(k, over, under))
            place = [alone[i] + s * slopes[i] for i in range(k)]
            for weight, column in zip(cone.weights, cone.columns, strict=True):
                for i in range(k):
                    place[i] -= weight * column[i]
        last = k - 1
        self.floats[3][last] = place[last] / s if s > 0.0 else slopes[last] + copysign(0.5, place[last])
        pull = low = high = 0.0
        for weight, (over, under) in zip(cone.weights, cone.pairs, strict=True):
            pull += weight * ((drag[over] if over >= 0 else 0.0) - (drag[under] if under >= 0 else 0.0))
            if self.sliding:
                low += weight if over < 0 <= under else 0.0
                high += weight if under < 0 <= over else 0.0
        return bound, s, pull, (low, high), cone.pairs

    def _worst(
        self,
        k: int,
        s: float,
        c: float,
        place: list[float],
        slopes: list[float],
        boxes: list[tuple[int, int]],
    ) -> tuple[tuple[int, int], float] | None:
        """The violated constraint that gains most, and its normal's squared length in P.

        (i, -1) means that code i is at most the end of its box; (-1, i) that it is at least its beginning;
        (i, j) that they differ by at most the width; (-1, -1) that the scale is at least 0.
        """
        spread, gain, worst = self.spread[k], GAIN * self.walk.reach, None
        if s < 0.0 < c and s * s * c > gain:
            gain, worst = s * s * c, ((-1, -1), 0.0)
        ends: list[tuple[int, int] | None] = [None] * self.count
        for i in range(k):
            z, low, high = place[i], boxes[i][0] * s, boxes[i][1] * s
            if (group := self.groups[i]) >= 0:
                most, least = ends[group] or (i, i)
                ends[group] = (i if z > place[most] else most), (i if z < place[least] else least)
            over = z - high if z > high else low - z
            if over > TOUCH * abs(z):
                tilt = slopes[i] - boxes[i][z > high]
                if c > 0.0 or tilt == 0.0:
                    gained = over * over / (spread[i] + (tilt * tilt / c if c > 0.0 else 0.0))
                    if gained > gain:
                        gain, worst = gained, ((i, -1) if z > high else (-1, i), spread[i])
        for most, least in filter(None, ends) if c > 0.0 else ():
            width = self.high - self.low
            over = place[most] - place[least] - width * s
            if most != least and over > TOUCH * (abs(place[most]) + abs(place[least])):
                tilt, both = slopes[most] - slopes[least] - width, 0.0
                for row in self.inverse[max(most, least) : k]:
                    both += row[most] * row[least]
                span = spread[most] + spread[least] - 2.0 * both
                gained = over * over / (span + tilt * tilt / c)
                if gained > gain:
                    gain, worst = gained, ((most, least), span)
        return worst

    def _tilt(self, over: int, under: int, slopes: list[float], boxes: list[tuple[int, int]]) -> float:
        """How fast a constraint's violation grows with the scale."""
        if over >= 0 and under >= 0:
            return slopes[over] - slopes[under] - (self.high - self.low)
        if over >= 0:
            return slopes[over] - boxes[over][1]
        return boxes[under][0] - slopes[under] if under >= 0 else -1.0

    def _column(self, k: int, over: int, under: int) -> list[float]:
        """The inverse Gram matrix of the first k columns times a constraint's normal."""
        column = [0.0] * k
        for index, sign in ((over, 1.0), (under, -1.0)):
            if index >= 0:
                for row in range(index, k):
                    inverse = self.inverse[row]
                    factor = sign * inverse[index]
                    for i in range(row + 1):
                        column[i] += factor * inverse[i]
        return column
