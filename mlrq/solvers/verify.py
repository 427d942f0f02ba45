"""Check that the integer codes of a linear model are the best there are, in exact integers.

    python verify.py quantized.json certificate.json rows.csv[.gz]

This needs Python alone, and believes nobody. Every number of the table is a double, a whole number times a
power of two, so all is integer arithmetic. It exits with 0 PROVEN, 1 REFUTED, 2 usage, 3 INCOMPLETE.

The claim. Of all codes p (integers low..high, less a zero point among them if the scheme is affine) and all
scales s >= 0, the given codes come nearest to the target y over the training rows: ||y - s X p||^2 is least.
X has the features as inference sees them; y is a target, or a float model's predictions, and targets that
share a scale are one y, end to end; both are less their means, for which the best intercept makes up.

The argument. X is needed only in G = X'X, c = X'y and y'y. At its best scale p leaves y'y - (c'p)^2 / p'Gp;
E is what the given codes leave, or a bound that the certificate claims. No codes leave less, box by box:
1. By a vector, a list of integers a, u1, ..., un in given units. Let v = a y - X u, g = X'v = a c - G u. If
   g'p <= 0 for all p in the box, then v'(y - s X p) >= v'y for all s >= 0, so by Cauchy and Schwarz, where
   v'y > 0, ||y - s X p||^2 is at least (v'y)^2 / ||v||^2, which has to be at least E. g'p is largest at a
   corner of the box; where the box slides with the zero point, where that or a code is at an end.
2. By search, null. Elimination without fractions (Bareiss) makes of [X, y]'[X, y] rows r and pivots d with
   ||y - s X p||^2 is the sum of (r_k (-s p, 1))^2 / (d_k d_k-1); columns that depend on others have none. A
   code that is decided settles its row, and the settled rows make A - 2 B s + C s^2, at least A - B^2 / C
   (A, if B <= 0), also with A and C rounded down and B up. If that is at least E, then by argument 1 it is
   for all codes on one side. Where every code is decided, fractions are compared.
3. By division of the values of the next code, in the order given, into ranges: a list [box, end, box, end,
   ..., box] of the smaller boxes up to each end, and the last. The tree of a certificate is all codes' box.

A certificate may also have, as `below`, codes of one bit less with trees, and a limit. By what their bounds
exceed what the best real weights leave, all codes of so few bits do at least; it has to be above the limit.
"""

import csv
import gzip
import hashlib
import json
import random
import sys
from array import array
from fractions import Fraction
from functools import reduce
from itertools import islice
from operator import add, mul
from pathlib import Path
from typing import Any


class Answer(Exception):
    """REFUTED or INCOMPLETE, and why."""


def dot(one: Any, two: Any) -> int:
    """Sum of products, as far as both go."""
    return sum(map(mul, one, two))


class Problem:
    """One scale: [X, y]'[X, y], the box, the order of the codes, and E."""

    def __init__(self, matrix: Any, codes: list[int], box: Any, order: list[int], claim: Fraction | None):
        self.matrix = [[matrix[i][j] for j in [*order, -1]] for i in [*order, -1]]
        self.order, self.size, self.tried, self.allowed = order, len(order), 0, 3_000_000  # codes of searches
        self.box = list[tuple[int, int]]()  # ranges of the codes before
        (low, high, self.sliding), codes = box, [codes[i] for i in order]
        self.width, least, most = high - low, min(0, *codes), max(0, *codes)
        self.outer = (-self.width, self.width) if self.sliding else (low, high)
        inside = most - least <= self.width and (self.sliding or low <= least <= most <= high)
        if not inside or sorted(order) != list(range(len(matrix) - 1)):
            raise Answer("REFUTED", "a code is outside its box, or in no order")
        *rest, self.along = [dot(row, codes) for row in self.matrix]
        self.length = dot(rest, codes) or 1
        self.left = self.matrix[-1][-1] - Fraction(max(self.along, 0) ** 2, self.length)
        self.bound = self.left if claim is None else claim
        self.rows, self.rest, self.goal = self.eliminated()

    def limits(self, i: int, codes: list[int]) -> tuple[int, int]:
        """The range of code i: of the box, and of what slides with the codes before."""
        low, high = self.box[i] if i < len(self.box) else self.outer
        before = [(0, 0), *(((p, p) for p in codes) if codes else self.box[:i])] if self.sliding else [(0, 0)]
        least, most = max(a for a, _ in before) - self.width, min(b for _, b in before) + self.width
        return (max(low, least), min(high, most)) if self.sliding else (low, high)

    def prove(self, node: Any, units: list[int]) -> None:
        """Show that no codes in the box leave less than E."""
        if node is None:
            self.search(0, [], self.rest, 0, 0)
        elif all(isinstance(number, int) for number in node):
            self.vector(*(number << unit for number, unit in zip(node, units, strict=True)))
        else:
            start, last = self.limits(len(self.box), [])
            for part, end in zip(node[::2], [*node[1::2], last], strict=True):
                if start <= end:
                    self.box.append((start, end))
                    self.prove(part, units)
                    self.box.pop()
                start = max(start, end + 1)

    def vector(self, a: int, *u: int) -> None:
        """Argument 1."""
        *g, along = [a * row[-1] - dot(row, u) for row in self.matrix]
        box, width = self.box + [self.outer] * (self.size - len(self.box)), self.width
        first, last = max(0, *(low for low, _ in box)) - width, min(0, *(high for _, high in box))
        ends = {first, last, *(t for low, high in box for t in (low, high - width) if first <= t <= last)}
        boxes = [[(max(low, t), min(high, t + width)) for low, high in box] for t in ends if self.sliding]
        most = max(dot(g, [one[x > 0] for x, one in zip(g, each, strict=True)]) for each in boxes or [box])
        if most > 0 or along <= 0 or along**2 < self.bound * (a * along - dot(u, g)):
            raise Answer("REFUTED", f"the vector {a, *u} does not show that {self.box} has nothing better")

    def eliminated(self) -> Any:
        """Of argument 2: rows of codes (those before, own; y; product of pivots), the rest, and E."""
        turn, over, rows = [*reversed(range(self.size)), -1], 1, []  # what is decided first comes last
        full = [[self.matrix[i][j] for j in turn] for i in turn]
        self.shift = max(0, 180 - min([row[i].bit_length() for i, row in enumerate(full) if row[i]] or [0]))
        while len(full) > 1:
            (d, *own), *full = full
            rows.append(([*own[-2::-1], d], own[-1], d * over or 1))
            pairs = [(head, zip(row, own, strict=True)) for head, *row in full]
            full = [[(d * x - head * y) // over if d else x for x, y in row] for head, row in pairs]
            over = d or over
        self.floor = Fraction(full[0][0], over)
        return rows[::-1], (full[0][0] << self.shift) // over, -(-self.bound * 2**self.shift // 1)

    def search(self, i: int, codes: list[int], a: int, b: int, c: int) -> None:
        """Argument 2 for codes i.. after those decided, whose rows make a - 2 b s + c s^2."""
        if i == self.size:
            *rest, along = [dot(row, codes) for row in self.matrix]
            if along > 0 and self.matrix[-1][-1] - Fraction(along**2, dot(rest, codes)) < self.bound:
                raise Answer("REFUTED", f"these are better: {[codes[self.order.index(j)] for j in range(i)]}")
            return
        (*known, own), target, over = self.rows[i]
        before, (low, high) = dot(known, codes), self.limits(i, codes)
        middle = (target * c - before * b) // (own * b) if b > 0 and own else 0
        down = (up := min(max(middle + 1, low), high + 1)) - 1
        while up <= high or down >= low:
            upward = up <= high and (down < low or up - middle <= middle + 1 - down)
            code, up, down = (up, up + 1, down) if upward else (down, up, down - 1)
            x, self.tried = before + own * code, self.tried + 1
            less, most = a + (target**2 << self.shift) // over, c + (x**2 << self.shift) // over
            more = b - (-target * x << self.shift) // over
            least, side = (less * most - more**2, target * most - more * x) if more > 0 else (less, target)
            if least >= self.goal * (most if more > 0 else 1):
                low, high = (low if side < 0 < own else code + 1), (high if side > 0 and own else code - 1)
            elif self.tried > self.allowed:
                raise Answer("INCOMPLETE", f"more than {self.allowed:,} codes to try")
            else:
                self.search(i + 1, [*codes, code], less, more, most)


def exact(parts: Any) -> Any:
    """Sums of products of a column of ones and columns of doubles, which come in parts."""
    total: Any = []
    for columns in parts:
        ratios = [[x.as_integer_ratio() for x in column] for column in [[1.0] * len(columns[0]), *columns]]
        most = max(below.bit_length() for column in ratios for _, below in column)
        whole, unit = [[x << most - of.bit_length() for x, of in one] for one in ratios], 4 ** (most - 1)
        sums = [[Fraction(dot(x, y), unit) for y in whole[: i + 1]] for i, x in enumerate(whole)]
        total = [list(map(add, *rows)) for rows in zip(total, sums, strict=True)] if total else sums
    return total


def training(split: Any) -> Any:
    """Of each row whether it is a training row: all are, where test rows are in files of their own."""
    count, tests = split["train_rows"] + split["test_rows"], split["test_rows"]
    if split["split"] == "hash":  # splitmix64 of the position

        def mixed(number: int) -> int:
            number = (number + 0x9E3779B97F4A7C15) % 2**64
            for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
                number = (number ^ number >> shift) * factor % 2**64
            return number

        return (mixed(i ^ mixed(split["seed"])) >= int(split["test_size"] * 2.0**64) for i in range(count))
    if split["split"] != "shuffle":
        return iter([True] * (count - tests))
    state, twister, order = [split["seed"]], random.Random(), list(range(count))
    for i in range(1, 624):  # numpy.random.RandomState(seed).permutation, test rows first
        state.append((1812433253 * (state[-1] ^ state[-1] >> 30) + i) % 2**32)
    twister.setstate((3, (*state, 624), None))
    for i in range(count - 1, 0, -1):
        while (j := twister.getrandbits(32) % 2 ** i.bit_length()) > i:
            pass
        order[i], order[j] = order[j], order[i]
    return map(set(order[tests:]).__contains__, range(count))


def seen(model: Any, goal: Any, columns: list[list[float]]) -> list[list[float]]:
    """Features as inference sees them (divided, or QuantizeLinear's codes), and what codes are fitted to."""
    columns, targets = columns[: (width := len(model["features"]))], columns[width:]
    for t, w in enumerate(goal["coefficients"] if goal else ()):  # what a float model predicts
        targets[t] = [reduce(add, map(mul, x, w)) + goal["intercept"][t] for x in zip(*columns, strict=True)]
    if grid := model["inputs"]:  # in float32, as is the quotient
        most = 2 ** (grid["bits"] - 1)
        for i, (offset, scale) in enumerate(zip(grid["offset"], grid["scale"], strict=True)):
            steps = array("f", [x / scale for x in array("f", [x - offset for x in array("f", columns[i])])])
            columns[i] = [float(round(min(max(x, -most), most - 1))) for x in steps]
    elif model["factor"]:
        columns = [[x / by for x in column] for column, by in zip(columns, model["factor"], strict=True)]
    return columns + targets


def claims(model: Any, products: Any) -> tuple[list[Any], Fraction]:
    """For each scale [X, y]'[X, y] in integers, the codes, their box and the targets; and the unit."""
    count, width, sums = products[0][0], len(model["features"]), [column[0] for column in products]
    every, half, found = range(1, len(products)), 1 << model["bits"] - 1, []
    less = [[count * products[max(i, j)][min(i, j)] - sums[i] * sums[j] for j in every] for i in every]
    whole = max(value.denominator for row in less for value in row)
    full, targets = [[int(value * whole) for value in row] for row in less], list(range(len(less) - width))
    for group in [[t] for t in targets] if model["settings"]["granularity"] == "per_channel" else [targets]:
        cells = [(i % width, i // width) for i in range(width * len(group))]
        matrix = [[*(full[f][h] * (k == m) for h, m in cells), full[f][width + group[k]]] for f, k in cells]
        matrix.append([*(row[-1] for row in matrix), sum(full[width + t][width + t] for t in group)])
        codes = [code - model["zero_point"][t] for t in group for code in model["codes"][t]]
        found.append((matrix, codes, (-half, half - 1, model["settings"]["scheme"] == "affine"), group))
    return found, 1 / (count**2 * whole)


def shown(about: list[Any], part: Any, unit: Fraction) -> tuple[Problem, Fraction | None]:
    """The problem of a matrix, codes and a box, whose tree holds; and the bound that it claims, or None."""
    bound = None if part["bound"] is None else Fraction(float.fromhex(part["bound"]))
    matrix, codes, box = about
    problem = Problem(matrix, codes, box, part["order"], None if bound is None else bound / unit)
    problem.prove(part["tree"], part["units"])
    return problem, bound


def fewer(model: Any, below: Any, products: Any) -> str:
    """What is shown of codes of one bit less, so of all of fewer bits: that they add more than is allowed."""
    bits, limit = model["bits"] - 1, Fraction(float.fromhex(below["limit"]))
    narrow = {**model, "bits": bits, "codes": below["codes"], "zero_point": below["zero_point"]}
    problems, unit = claims(narrow, products)
    found = [
        shown(about, part, unit)[0] for (*about, _), part in zip(problems, below["problems"], strict=True)
    ]
    least = sum(problem.bound - problem.floor for problem in found) * unit
    if least <= limit:
        raise Answer("REFUTED", f"codes of {bits} bits are not shown to add more than {float(limit):.12g}")
    told = f"an excess below {float(least):.12g}, and {float(limit):.12g} is allowed"
    return f"no codes of {bits} bits or fewer have {told}"


def check(model: Any, proof: Any, products: Any) -> tuple[str, str]:
    """PROVEN or INCOMPLETE, and what is, from `exact` of the training rows; an Answer for less than that."""
    count, told, (problems, unit) = int(products[0][0]), list[str](), claims(model, products)
    if (proof["quantized"], count) != (model["sha256"], model["training"]["train_rows"]):
        raise Answer("REFUTED", "the certificate or the rows are of another quantized.json")
    for (*about, group), part in zip(problems, proof["problems"], strict=True):
        problem, bound = shown(about, part, unit)
        off = Fraction(model["scale"][group[0]]) - Fraction(max(problem.along, 0), problem.length)
        names, left = ", ".join(model["targets"][t] for t in group), float(problem.left * unit)
        less = "less" if bound is None else f"less than {float(bound):.12g}"
        told += [f"{names}: mean squared error {left:.12g} on {count:,} training rows; no codes have {less}"]
        told[-1] += f"; their scale as float32 adds {float(off**2 * problem.length * unit):.3g}"
    if proof.get("below"):
        told.append(fewer(model, proof["below"], products))
    return "INCOMPLETE" if any(part["bound"] for part in proof["problems"]) else "PROVEN", "\n".join(told)


def main(quantized: str, certificate: str, table: str) -> Any:
    """PROVEN, REFUTED or INCOMPLETE, and why; of the rows, some thousands are in memory at a time."""
    try:
        model, proof = documents = [json.loads(Path(name).read_bytes()) for name in (quantized, certificate)]
        for body in documents:
            own = {key: value for key, value in body.items() if key != "sha256"}
            text = json.dumps(own, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
            if hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest() != body["sha256"]:
                raise Answer("REFUTED", f"{body['format']} was changed")
        if model["training"].get("columns"):
            raise Answer("INCOMPLETE", "columns are encoded, as `mlrq verify` knows: this takes numbers")
        with (gzip.open if table[-3:] == ".gz" else open)(table, "rt", encoding="utf-8-sig", newline="") as f:
            places = list(map(next(rows := csv.reader(f)).index, model["features"] + model["targets"]))
            kept = (x for x, on in zip(filter(None, rows), training(model["training"]), strict=True) if on)
            parts = iter(lambda: list(islice(kept, 4096)), [])
            columns = ([[float(row[i]) for row in part] for i in places] for part in parts)
            return check(model, proof, exact(seen(model, proof["goal"], part) for part in columns))
    except Exception as why:
        return why.args if isinstance(why, Answer) else ("REFUTED", f"the files make no sense: {why!r}")


if __name__ == "__main__":
    answer = main(*sys.argv[1:]) if len(sys.argv) == 4 else ("USAGE", str(__doc__).split("\n\n")[1])
    print(*answer, sep="\n")
    sys.exit(("PROVEN", "REFUTED", "USAGE", "INCOMPLETE").index(answer[0]))
