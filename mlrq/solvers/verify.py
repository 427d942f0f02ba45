"""Check that the integer codes of a linear model are the best there are, in exact integers.

    python verify.py quantized.json certificate.json rows.csv

This needs Python alone, and believes neither the certificate nor the program that wrote it. Every number of
the table is a double, so a whole number times a power of two: all that follows is integer arithmetic.

The claim. Of all codes p (integers low..high, less a zero point among them if the scheme is affine) and all
scales s >= 0, the given codes come nearest to the target y over the training rows: ||y - s X p||^2 is least.
X has the features as inference sees them; X and y are less their means, for which the best intercept makes
up. Targets that share a scale are one y, end to end.

The argument. X is needed only in G = X'X, c = X'y and y'y. At its best scale p leaves y'y - (c'p)^2 / p'Gp;
call that E for the given codes. Others leave no less, which is shown for a box of them at a time:
1. By a vector. Let v = a y - X u for integers a, u, and g = X'v = a c - G u. If g'p <= 0 for all p in the
   box, then v'(y - s X p) >= v'y for all s >= 0, so that by Cauchy and Schwarz, where v'y > 0,
       ||y - s X p||^2 >= (v'y)^2 / ||v||^2,
   which has to be at least E. g'p is largest at a corner of the box; where the box slides with the zero
   point, where that or a code is at an end.
2. By search. Let T be a triangle of integers with T'T below 4^k [X, y]'[X, y]: the difference is positive
   semidefinite, for it is diagonally dominant. Then 4^k ||y - s X p||^2 is at least the sum of squares of
   any rows of T (-s p, 1). Every code decided settles a row, and the settled rows make A - 2 B s + C s^2, at
   least A - B^2 / C (A, if B <= 0). If that is at least 4^k E, then by argument 1 so it is for all codes on
   one side. Where every code is decided, fractions are compared.
3. By division of the values of the next code, in the order given, into ranges: smaller boxes.
The certificate is such a division: a list [box, end, box, end, ..., box] of the boxes up to each end and the
last, in which a list of integers a, u1, ..., un, in given units, is a vector, and null is a search.
"""

import csv
import gzip
import hashlib
import json
import math
import random
import sys
from array import array
from fractions import Fraction
from operator import mul
from typing import Any


class Answer(Exception):
    """REFUTED or INCOMPLETE, and why."""


def dot(one: Any, two: Any) -> int:
    """Sum of products."""
    return sum(map(mul, one, two))


class Problem:
    """One scale: its sums, its box, its order, and E = error / over."""

    searched = 3_000_000  # codes that may be tried

    def __init__(
        self, sums: Any, codes: list[int], box: Any, order: list[int], claim: Fraction | None
    ) -> None:
        gram, pull, self.total = sums
        if sorted(order) != list(range(len(pull))):
            raise Answer("REFUTED", "the order is not one of the codes")
        self.gram, self.pull = [[gram[i][j] for j in order] for i in order], [pull[i] for i in order]
        self.order, self.size, self.tried = order, len(order), 0
        self.box: list[tuple[int, int]] = []  # ranges of the codes before
        self.rows: list[tuple[list[int], int]] = []
        low, high, self.sliding = box
        self.width, codes, least, most = high - low, [codes[i] for i in order], min(0, *codes), max(0, *codes)
        self.outer = (-self.width, self.width) if self.sliding else (low, high)
        if most - least > self.width or not (self.sliding or low <= least <= most <= high):
            raise Answer("REFUTED", "a code is outside its box")
        self.along, self.length = self.fit(codes)
        self.left = Fraction(self.total * self.length - max(self.along, 0) ** 2, self.length)
        self.error, self.over = (self.left if claim is None else claim).as_integer_ratio()

    def fit(self, codes: list[int]) -> tuple[int, int]:
        """p'c and p'Gp."""
        return dot(self.pull, codes), dot([dot(row, codes) for row in self.gram], codes) or 1

    def limits(self, i: int, codes: list[int]) -> tuple[int, int]:
        """The range of code i: of the box, and of what slides with the codes before."""
        low, high = self.box[i] if i < len(self.box) else self.outer
        if not self.sliding:
            return low, high
        before = [(code, code) for code in codes] or self.box[:i]
        least, most = max([0, *(a for a, _ in before)]), min([0, *(b for _, b in before)])
        return max(low, least - self.width), min(high, most + self.width)

    def prove(self, node: Any, units: list[int]) -> None:
        """Show that no codes in the box leave less than E."""
        if node is None:
            if not self.rows:
                self.triangle()
            self.search(0, [], *self.rest)
        elif all(isinstance(number, int) for number in node):
            self.vector([number << unit for number, unit in zip(node, units, strict=True)])
        else:
            if len(self.box) == self.size:
                raise Answer("REFUTED", f"no code is left to divide {self.box}")
            start, last = self.limits(len(self.box), [])
            for part, end in zip(node[::2], [*node[1::2], last], strict=True):
                if start <= end:
                    self.box.append((start, end))
                    self.prove(part, units)
                    self.box.pop()
                start = max(start, end + 1)
            if start <= last:
                raise Answer("REFUTED", f"codes from {start} on are in no part of {self.box}")

    def vector(self, numbers: list[int]) -> None:
        """Argument 1."""
        a, *u = numbers
        slopes = [a * c - dot(row, u) for c, row in zip(self.pull, self.gram, strict=True)]
        along = a * self.total - dot(u, self.pull)
        enough = along > 0 and along**2 * self.over >= self.error * (a * along - dot(u, slopes))
        box, width = self.box + [self.outer] * (self.size - len(self.box)), self.width
        start, last = max(low for low, _ in [*box, (0, 0)]) - width, min(high for _, high in [*box, (0, 0)])
        shifts = {start, last, *(t for low, high in box for t in (low, high - width) if start <= t <= last)}
        for t in shifts if self.sliding else (None,):
            ends = box if t is None else [(max(low, t), min(high, t + width)) for low, high in box]
            most = sum(g * (high if g > 0 else low) for (low, high), g in zip(ends, slopes, strict=True))
            enough = enough and most <= 0
        if not enough:
            raise Answer("REFUTED", f"the vector {numbers} does not show that {self.box} has nothing better")

    def triangle(self) -> None:
        """T of argument 2: for each code the coefficients of those up to it, and of y; and the rest."""
        size = self.size + 1
        turn = [*reversed(range(self.size)), self.size]  # what is decided first is eliminated last
        full = [*([*row, c] for row, c in zip(self.gram, self.pull, strict=True)), [*self.pull, self.total]]
        full = [[full[i][j] for j in turn] for i in turn]
        bits = [row[i].bit_length() for i, row in enumerate(full) if row[i]] or [1]
        shift, top = max(0, 180 - min(bits) // 2), 1 << max(bits) + 360
        full, rows = [[value << 2 * shift for value in row] for row in full], list[list[int]]()
        for i in range(size):
            done = [row[i] for row in rows]
            rest = [full[i][j] - dot(done, [row[j] for row in rows]) for j in range(i, size)]
            pivot = math.isqrt(max(0, rest[0] - (full[i][i] >> 140)))
            rows.append([0] * i + [pivot] + [value // pivot if pivot else 0 for value in rest[1:]])
        weight = [top // (math.isqrt(full[i][i]) or 1) for i in range(size)]
        for i in range(size):
            rest = [full[i][j] - sum(row[i] * row[j] for row in rows) for j in range(size)]
            if 2 * rest[i] * weight[i] < dot(map(abs, rest), weight):
                raise Answer("INCOMPLETE", "the sums are too nearly dependent for a search")
        self.rows = [(row[i : size - 1][::-1], row[-1]) for i, row in enumerate(rows[:-1])][::-1]
        self.rest, self.goal = (rows[-1][-1] ** 2, 0, 0), -(-(self.error << 2 * shift) // self.over)

    def search(self, i: int, codes: list[int], a: int, b: int, c: int) -> None:
        """Argument 2 for codes i.. after those decided, whose rows make a - 2 b s + c s^2."""
        if i == self.size:
            along, length = self.fit(codes)
            if along > 0 and (self.total * length - along**2) * self.over < self.error * length:
                better = [codes[self.order.index(j)] for j in range(self.size)]
                raise Answer("REFUTED", f"these codes, less the zero point, are better: {better}", better)
            return
        (*known, own), target = self.rows[i]
        before, (low, high) = dot(known, codes), self.limits(i, codes)
        middle = (target * c - before * b) // (own * b) if b > 0 and own else 0
        up = min(max(middle + 1, low), high + 1)
        down = up - 1
        while up <= high or down >= low:
            upward = up <= high and (down < low or up - middle <= middle + 1 - down)
            code, up, down = (up, up + 1, down) if upward else (down, up, down - 1)
            x, self.tried = before + own * code, self.tried + 1
            less, more, most = a + target**2, b + target * x, c + x**2
            least, side = (less * most - more**2, target * most - more * x) if more > 0 else (less, target)
            if least < self.goal * (most if more > 0 else 1):
                if self.tried > self.searched:
                    raise Answer("INCOMPLETE", f"more than {self.searched:,} codes to try")
                self.search(i + 1, [*codes, code], less, more, most)
            else:
                low, high = (low if side < 0 < own else code + 1), (high if side > 0 and own else code - 1)


def exact(columns: list[list[float]]) -> tuple[list[int], list[list[int]], int]:
    """Sums, and sums of products, of columns of doubles times 2^power as integers, and the power."""
    ratios = [[x.as_integer_ratio() for x in column] for column in columns]
    power = max(bottom.bit_length() for column in ratios for _, bottom in column)
    whole = [[top << power - bottom.bit_length() for top, bottom in column] for column in ratios]
    products = [[dot(one, two) for two in whole[: i + 1]] for i, one in enumerate(whole)]
    return [sum(column) for column in whole], products, power - 1


def training(count: int, split: Any) -> list[int]:
    """Positions of the training rows: all, where test rows are in files of their own."""
    order, full = list(range(count)), (1 << 64) - 1
    if split["split"] == "hash":  # splitmix64 of the position

        def scrambled(number: int) -> int:
            number = number + 0x9E3779B97F4A7C15 & full
            for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
                number = (number ^ number >> shift) * factor & full
            return number

        key, limit = scrambled(split["seed"]), int(split["test_size"] * 2.0**64)
        return [i for i in order if scrambled(i ^ key) >= limit]
    if split["split"] == "shuffle":  # numpy.random.RandomState(seed).permutation, test rows first
        state, twister = [split["seed"]], random.Random()
        for i in range(1, 624):
            state.append(1812433253 * (state[-1] ^ state[-1] >> 30) + i & 0xFFFFFFFF)
        twister.setstate((3, (*state, 624), None))
        for i in range(count - 1, 0, -1):
            while (j := twister.getrandbits(32) & (1 << i.bit_length()) - 1) > i:
                pass
            order[i], order[j] = order[j], order[i]
        return sorted(order[math.ceil(split["test_size"] * count) :])
    return order


def seen(model: Any, columns: list[list[float]], goal: Any, targets: list[list[float]]) -> list[list[float]]:
    """Features as inference sees them (divided, or QuantizeLinear's codes), and what codes are fitted to."""
    if goal:  # what a float model predicts
        targets = [[0.0] * len(columns[0]) for _ in targets]
        for target, weights, intercept in zip(targets, goal["coefficients"], goal["intercept"], strict=True):
            for column, weight in zip(columns, weights, strict=True):
                target[:] = [before + x * weight for before, x in zip(target, column, strict=True)]
            target[:] = [before + intercept for before in target]
    if grid := model["inputs"]:
        most = 2 ** (grid["bits"] - 1)
        for i, (offset, scale) in enumerate(zip(grid["offset"], grid["scale"], strict=True)):
            shifted = array(
                "f", [x - offset for x in array("f", columns[i])]
            )  # in float32, as is the quotient
            steps = array("f", [x / scale for x in shifted])
            columns[i] = [float(round(min(max(x, -most), most - 1))) for x in steps]
    elif model["factor"]:
        columns = [[x / by for x in column] for column, by in zip(columns, model["factor"], strict=True)]
    return columns + targets


def centred(count: int, sums: list[int], products: list[list[int]]) -> list[list[int]]:
    """Sums of products of columns less their means, times the count."""
    every = range(len(sums))
    return [[count * products[max(i, j)][min(i, j)] - sums[i] * sums[j] for j in every] for i in every]


def stacked(matrix: list[list[int]], width: int, group: list[int]) -> tuple[list[list[int]], list[int], int]:
    """G, c and y'y of the targets of a group, end to end."""
    zeros = [[0] * width * i for i in range(len(group))]
    gram = [zeros[i] + row[:width] + zeros[-1 - i] for i in range(len(group)) for row in matrix[:width]]
    pull = [value for t in group for value in matrix[width + t][:width]]
    return gram, pull, sum(matrix[width + t][width + t] for t in group)


def check(model: Any, proof: Any, count: int, sums: list[int], products: list[list[int]], power: int) -> str:
    """What is proven, in words, from `exact` of the training rows; an Answer for less than that."""
    if proof["quantized"] != model["sha256"]:
        raise Answer("REFUTED", "the certificate is of another quantized.json")
    width, half, lines, every = len(model["features"]), 1 << model["bits"] - 1, [], range(len(sums))
    matrix = centred(count, sums, products)
    groups, unit = [list(every)[:-width]], Fraction(1, count**2 << 2 * power)
    if model["settings"]["granularity"] == "per_channel":
        groups = [[t] for t in groups[0]]
    for group, part in zip(groups, proof["problems"], strict=True):
        codes = [code - model["zero_point"][t] for t in group for code in model["codes"][t]]
        box = -half, half - 1, model["settings"]["scheme"] == "affine"
        claim = part["bound"] and Fraction(float.fromhex(part["bound"])) / unit
        problem = Problem(stacked(matrix, width, group), codes, box, part["order"], claim)
        problem.prove(part["tree"], part["units"])
        off = Fraction(model["scale"][group[0]]) - Fraction(max(problem.along, 0), problem.length)
        lines.append(
            f"{', '.join(model['targets'][t] for t in group)}: a mean squared error of "
            f"{float(problem.left * unit):.12g} on the {count:,} training rows, and no codes have less"
            f"{f' than {float(claim * unit):.12g}' if claim else ''}; their scale as float32 adds "
            f"{float(off**2 * problem.length * unit):.3g}"
        )
    if any(part["bound"] for part in proof["problems"]):
        raise Answer("INCOMPLETE", "\n".join(lines))
    return "\n".join(lines)


def read(path: str) -> Any:
    """A document whose hash is right."""
    with open(path, "rb") as file:  # noqa: PTH123
        document = json.load(file)
    body = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    if hashlib.sha256(text.encode()).hexdigest() != document["sha256"]:
        raise Answer("REFUTED", f"{path} was changed")
    return document


def main(quantized: str, certificate: str, table: str) -> tuple[str, str]:
    """PROVEN, REFUTED or INCOMPLETE, and why."""
    try:
        model, proof = read(quantized), read(certificate)
        with (gzip.open if table.endswith(".gz") else open)(table, "rt", newline="") as file:
            head, *rows = csv.reader(file)
        kept = [rows[i] for i in training(len(rows), model["training"])]
        places = [head.index(name) for name in model["features"] + model["targets"]]
        columns, width = [[float(row[i]) for row in kept] for i in places], len(model["features"])
        sums = exact(seen(model, columns[:width], proof["goal"], columns[width:]))
        return "PROVEN", check(model, proof, len(kept), *sums)
    except Answer as why:
        return why.args[0], why.args[1]
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as why:
        return "REFUTED", f"the files make no sense: {why!r}"


if __name__ == "__main__":
    print(*(told := main(*sys.argv[1:])), sep="\n")
    sys.exit(("PROVEN", "REFUTED", "INCOMPLETE").index(told[0]))
