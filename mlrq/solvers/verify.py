"""Check that the integer codes of a linear model are the best there are, in exact integers.

    python verify.py quantized.json certificate.json rows.csv

This needs Python alone, and believes neither the certificate nor the program that wrote it. Every number of
the table is a double, so a whole number times a power of two: all that follows is integer arithmetic.

The claim. Of all codes p (integers low..high, less a zero point among them if the scheme is affine) and all
scales s >= 0, the given codes come nearest to the target y over the training rows: ||y - s X p||^2 is least.
X has the features as inference sees them; X and y are less their means, for which the best intercept makes
up. y is a target, or a float model's predictions; targets that share a scale are one y, end to end.

The argument. X is needed only in G = X'X, c = X'y and y'y. At its best scale p leaves y'y - (c'p)^2 / p'Gp;
E is what the given codes leave, or a bound that the certificate claims. No codes leave less than E, which is
shown for a box of them at a time:
1. By a vector. Let v = a y - X u for integers a, u, and g = X'v = a c - G u. If g'p <= 0 for all p in the
   box, then v'(y - s X p) >= v'y for all s >= 0, so that by Cauchy and Schwarz, where v'y > 0,
       ||y - s X p||^2 >= (v'y)^2 / ||v||^2,
   which has to be at least E. g'p is largest at a corner of the box; where the box slides with the zero
   point, where that or a code is at an end.
2. By search. Elimination without fractions (Bareiss) makes of [X, y]'[X, y] rows r and pivots d, integers:
   ||y - s X p||^2 is the sum of (r_k (-s p, 1))^2 / (d_k d_k-1); columns that depend on others have none. A
   code that is decided settles its row, and the settled rows make A - 2 B s + C s^2, at least A - B^2 / C
   (A, if B <= 0), also with A and C rounded down and B up. If that is at least E, then by argument 1 so it
   is for all codes on one side. Where every code is decided, fractions are compared.
3. By division of the values of the next code, in the order given, into ranges: smaller boxes.
The certificate is such a division: a list [box, end, box, end, ..., box] of the boxes up to each end and the
last, in which a list of integers a, u1, ..., un, in given units, is a vector, and null is a search.
"""

import csv
import gzip
import hashlib
import json
import random
import sys
from array import array
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from operator import add, mul
from typing import Any

Products = list[list[Fraction]]  # sums of them: a column of ones, the features, the targets with those before


class Answer(Exception):
    """REFUTED or INCOMPLETE, and why."""


def dot(one: Any, two: Any) -> int:
    """Sum of products."""
    return sum(map(mul, one, two))


class Problem:
    """One scale: its sums, its box, its order, and E = error / over."""

    allowed = 3_000_000  # codes that a search may try

    def __init__(self, sums: Any, codes: list[int], box: Any, order: list[int], claim: Fraction | None):
        gram, pull, self.total = sums
        if sorted(order) != list(range(len(pull))):
            raise Answer("REFUTED", "the order is not one of the codes")
        self.gram, self.pull = [[gram[i][j] for j in order] for i in order], [pull[i] for i in order]
        self.order, self.size, self.tried, self.rows = order, len(order), 0, list[Any]()
        low, high, self.sliding = box
        self.width, codes, least, most = high - low, [codes[i] for i in order], min(0, *codes), max(0, *codes)
        self.outer = (-self.width, self.width) if self.sliding else (low, high)
        self.box = list[tuple[int, int]]()  # ranges of the codes before
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
        before = [(code, code) for code in codes] or self.box[:i]
        least, most = max([0, *(a for a, _ in before)]), min([0, *(b for _, b in before)])
        return (max(low, least - self.width), min(high, most + self.width)) if self.sliding else (low, high)

    def prove(self, node: Any, units: list[int]) -> None:
        """Show that no codes in the box leave less than E."""
        if node is None:
            if not self.rows:
                self.eliminate()
            self.search(0, [], self.rest, 0, 0)
        elif all(isinstance(number, int) for number in node):
            self.vector([number << unit for number, unit in zip(node, units, strict=True)])
        elif len(self.box) == self.size:
            raise Answer("REFUTED", f"no code is left to divide {self.box}")
        else:
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
        if not enough or self.largest(slopes) > 0:
            raise Answer("REFUTED", f"the vector {numbers} does not show that {self.box} has nothing better")

    def largest(self, g: list[int]) -> int:
        """Of g'p in the box."""
        box, width = self.box + [self.outer] * (self.size - len(self.box)), self.width
        first, last = max(0, *(low for low, _ in box)) - width, min(0, *(high for _, high in box))
        ends = {first, last, *(t for low, high in box for t in (low, high - width) if first <= t <= last)}
        boxes = [[(max(low, t), min(high, t + width)) for low, high in box] for t in ends if self.sliding]
        return max(dot(g, [one[x > 0] for x, one in zip(g, each, strict=True)]) for each in boxes or [box])

    def eliminate(self) -> None:
        """Rows of argument 2: for each code those before it and itself, y, and the product of the pivots."""
        turn = [*reversed(range(self.size)), self.size]  # what is decided first is eliminated last
        pairs = zip([*self.gram, self.pull], [*self.pull, self.total], strict=True)
        full, over = [[*row, last] for row, last in pairs], 1
        full = [[full[i][j] for j in turn] for i in turn]
        self.shift = max(0, 180 - min([row[i].bit_length() for i, row in enumerate(full) if row[i]] or [0]))
        while len(full) > 1:
            (pivot, *own), *full = full
            self.rows.insert(0, ([*own[-2::-1], pivot], own[-1], pivot * over))
            if pivot:
                full = [
                    [head, *map(lambda x, y: (pivot * x - head * y) // over, row, own)] for head, *row in full
                ]
            full = [row[1:] for row in full]
            over = pivot or over
        self.rest = (full[0][0] << self.shift) // over
        self.goal = -(-(self.error << self.shift) // self.over)

    def search(self, i: int, codes: list[int], a: int, b: int, c: int) -> None:
        """Argument 2 for codes i.. after those decided, whose rows make a - 2 b s + c s^2."""
        if i == self.size:
            along, length = self.fit(codes)
            if along > 0 and (self.total * length - along**2) * self.over < self.error * length:
                better = [codes[self.order.index(j)] for j in range(self.size)]
                raise Answer("REFUTED", f"these codes, less the zero point, are better: {better}")
            return
        (*known, own), target, over = self.rows[i]
        before, (low, high) = dot(known, codes), self.limits(i, codes)
        middle = (target * c - before * b) // (own * b) if b > 0 and own else 0
        up = min(max(middle + 1, low), high + 1)
        down = up - 1
        while up <= high or down >= low:
            upward = up <= high and (down < low or up - middle <= middle + 1 - down)
            code, up, down = (up, up + 1, down) if upward else (down, up, down - 1)
            x, less, more, most, self.tried = before + own * code, a, b, c, self.tried + 1
            if over:
                less, most = a + (target**2 << self.shift) // over, c + (x**2 << self.shift) // over
                more = b - (-target * x << self.shift) // over
            least, side = (less * most - more**2, target * most - more * x) if more > 0 else (less, target)
            if least >= self.goal * (most if more > 0 else 1):
                low, high = (low if side < 0 < own else code + 1), (high if side > 0 and own else code - 1)
            elif self.tried > self.allowed:
                raise Answer("INCOMPLETE", f"more than {self.allowed:,} codes to try")
            else:
                self.search(i + 1, [*codes, code], less, more, most)


def exact(parts: Iterable[list[list[float]]]) -> Products:
    """Sums of products of a column of ones and columns of doubles, which come in parts."""
    total: Products = []
    for columns in parts:
        ratios = [[x.as_integer_ratio() for x in column] for column in [[1.0] * len(columns[0]), *columns]]
        power = max(bottom.bit_length() for column in ratios for _, bottom in column)
        whole = [[top << power - bottom.bit_length() for top, bottom in column] for column in ratios]
        products = [[dot(one, two) for two in whole[: i + 1]] for i, one in enumerate(whole)]
        found = [[Fraction(value, 1 << 2 * power - 2) for value in row] for row in products]
        total = [list(map(add, *rows)) for rows in zip(total, found, strict=True)] if total else found
    return total


def scrambled(number: int) -> int:
    """Splitmix64."""
    full = (1 << 64) - 1
    number = number + 0x9E3779B97F4A7C15 & full
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        number = (number ^ number >> shift) * factor & full
    return number


def training(split: Any) -> Iterator[bool]:
    """Of each row whether it is a training row: all are, where test rows are in files of their own."""
    count = split["train_rows"] + split["test_rows"]
    if split["split"] == "hash":  # of the position
        key, limit = scrambled(split["seed"]), int(split["test_size"] * 2.0**64)
        return (scrambled(i ^ key) >= limit for i in range(count))
    if split["split"] != "shuffle":
        return iter([True] * split["train_rows"])
    state, twister, order = [split["seed"]], random.Random(), list(range(count))
    for i in range(1, 624):  # numpy.random.RandomState(seed).permutation, test rows first
        state.append(1812433253 * (state[-1] ^ state[-1] >> 30) + i & 0xFFFFFFFF)
    twister.setstate((3, (*state, 624), None))
    for i in range(count - 1, 0, -1):
        while (j := twister.getrandbits(32) & (1 << i.bit_length()) - 1) > i:
            pass
        order[i], order[j] = order[j], order[i]
    tests = set(order[: split["test_rows"]])
    return (i not in tests for i in range(count))


def seen(model: Any, goal: Any, columns: list[list[float]]) -> list[list[float]]:
    """Features as inference sees them (divided, or QuantizeLinear's codes), and what codes are fitted to."""
    columns, targets = columns[: (width := len(model["features"]))], columns[width:]
    if goal:  # what a float model predicts
        targets = [[0.0] * len(columns[0]) for _ in targets]
        for target, weights, intercept in zip(targets, goal["coefficients"], goal["intercept"], strict=True):
            for column, weight in zip(columns, weights, strict=True):
                target[:] = [before + x * weight for before, x in zip(target, column, strict=True)]
            target[:] = [before + intercept for before in target]
    if grid := model["inputs"]:  # in float32, as is the quotient
        most = 2 ** (grid["bits"] - 1)
        for i, (offset, scale) in enumerate(zip(grid["offset"], grid["scale"], strict=True)):
            shifted = array("f", [x - offset for x in array("f", columns[i])])
            steps = array("f", [x / scale for x in shifted])
            columns[i] = [float(round(min(max(x, -most), most - 1))) for x in steps]
    elif model["factor"]:
        columns = [[x / by for x in column] for column, by in zip(columns, model["factor"], strict=True)]
    return columns + targets


def problems(model: Any, products: Products) -> tuple[list[tuple[Any, list[int], Any, list[int]]], Fraction]:
    """Of each scale the sums of columns less their means, the codes, the box and the targets; and the unit."""
    count, width, sums = products[0][0], len(model["features"]), [column[0] for column in products]
    every, targets = range(1, len(products)), list(range(len(model["targets"])))
    full = [[count * products[max(i, j)][min(i, j)] - sums[i] * sums[j] for j in every] for i in every]
    whole = max(value.denominator for row in full for value in row)
    matrix = [[int(value * whole) for value in row] for row in full]
    found, half = [], 1 << model["bits"] - 1
    shared = model["settings"]["granularity"] != "per_channel"
    for group in [targets] if shared else [[t] for t in targets]:
        blocks = [([0] * width * i, [0] * width * (len(group) - 1 - i)) for i in range(len(group))]
        gram = [[*left, *row[:width], *right] for left, right in blocks for row in matrix[:width]]
        pull = [value for t in group for value in matrix[width + t][:width]]
        total = sum(matrix[width + t][width + t] for t in group)
        codes = [code - model["zero_point"][t] for t in group for code in model["codes"][t]]
        box = -half, half - 1, model["settings"]["scheme"] == "affine"
        found.append(((gram, pull, total), codes, box, group))
    return found, 1 / (count**2 * whole)


def check(model: Any, proof: Any, products: Products) -> str:
    """What is proven, in words, from `exact` of the training rows; an Answer for less than that."""
    count, lines = int(products[0][0]), []
    if (proof["quantized"], count) != (model["sha256"], model["training"]["train_rows"]):
        raise Answer("REFUTED", "the certificate or the rows are of another quantized.json")
    claims, unit = problems(model, products)
    for (sums, codes, box, group), part in zip(claims, proof["problems"], strict=True):
        bound = part["bound"] and Fraction(float.fromhex(part["bound"]))
        problem = Problem(sums, codes, box, part["order"], bound and bound / unit)
        problem.prove(part["tree"], part["units"])
        off = Fraction(model["scale"][group[0]]) - Fraction(max(problem.along, 0), problem.length)
        lines.append(
            f"{', '.join(model['targets'][t] for t in group)}: a mean squared error of "
            f"{float(problem.left * unit):.12g} on the {count:,} training rows, and no codes have less"
            f"{f' than {float(bound):.12g}' if part['bound'] else ''}; their scale as float32 adds "
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
    if hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest() != document["sha256"]:
        raise Answer("REFUTED", f"{path} was changed")
    return document


def main(quantized: str, certificate: str, table: str) -> tuple[str, str]:
    """PROVEN, REFUTED or INCOMPLETE, and why; of the rows, some thousands are in memory at a time."""
    try:
        model, proof = read(quantized), read(certificate)
        with (gzip.open if table.endswith(".gz") else open)(table, "rt", newline="") as file:
            head = next(rows := csv.reader(file))
            places = [head.index(name) for name in model["features"] + model["targets"]]
            kept = (row for row, kept in zip(rows, training(model["training"]), strict=True) if kept)
            parts = iter(lambda: list(islice(kept, 4096)), [])
            columns = ([[float(row[i]) for row in part] for i in places] for part in parts)
            return "PROVEN", check(model, proof, exact(seen(model, proof["goal"], part) for part in columns))
    except Answer as why:
        return why.args[0], why.args[1]
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as why:
        return "REFUTED", f"the files make no sense: {why!r}"


if __name__ == "__main__":
    print(*(told := main(*sys.argv[1:])), sep="\n")
    sys.exit(("PROVEN", "REFUTED", "INCOMPLETE").index(told[0]))
