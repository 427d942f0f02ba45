"""Check that the integer codes of a linear model are the best there are, in exact integers.

    python verify.py quantized.json certificate.json rows.csv[.gz]

It needs Python alone; doubles are integers times powers of two. It exits with 0, 1 or 3 as the answer says.

The claim. Of all codes p (integers low..high, less a zero point among them if affine) and all scales s >= 0,
the given ones come nearest to y over the training rows: ||y - s X p||^2 is least. X has the features as
inference sees them, y is a target or what a float model predicts, targets that share a scale end to end, all
less their means. Of one bit less, `below`, codes are shown to add more than a limit to the best real weights.

The argument. X is needed only in G = X'X, c = X'y and y'y. At its best scale p leaves y'y - (c'p)^2 / p'Gp;
E is what the given codes leave, or a bound that is claimed. Where X_d is t = 1 or -1 times a sum of some X_i,
p_i + t p_d say all: they slide, within high - low of each other and of 0 (low + high if t = 1). Box by box:
1. By a vector, a list of integers a, u1, ..., un in given units. Let v = a y - X u, g = X'v = a c - G u. If
   g'p <= 0 for all p in the box, largest where what slides is at an end, then v'(y - s X p) >= v'y for all
   s >= 0, so if v'y > 0, by Cauchy and Schwarz, ||y - s X p||^2 >= (v'y)^2 / ||v||^2, which has to reach E.
2. By search, null. Elimination without fractions (Bareiss) makes of [X, y]'[X, y] rows r and pivots d with
   ||y - s X p||^2 the sum of (r_k (-s p, 1))^2 / (d_k d_k-1); columns that depend on others have none. Codes
   that are decided settle rows, which make A - 2 B s + C s^2, at least A - B^2 / C (A, if B <= 0), also with
   A and C rounded down, B up. If it is at least E, it is on one side (argument 1). In the end, it is exact.
3. By division of the values of the next code, in the order given, into ranges: a list [box, end, box, end,
   ..., box] of the smaller boxes up to each end, and the last. The tree of a certificate is all codes' box.
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
from itertools import accumulate, compress, islice
from operator import add, index, mul
from pathlib import Path
from typing import Any


class Answer(Exception):
    """REFUTED or INCOMPLETE, and why."""


def dot(one: Any, two: Any) -> int:
    """Sum of products, as far as both go."""
    return sum(map(mul, one, two))


class Problem:
    """One scale: [X, y]'[X, y] and the codes in the order of the certificate, and E."""

    def __init__(self, about: Any, order: list[int], sums: Any, claim: Fraction | None):
        (matrix, codes, (low, high, sliding)), self.order, self.size = about, order, len(order)
        self.tried, self.allowed, self.width = 0, 3_000_000, (w := high - low)  # codes of searches
        groups = dict.fromkeys(order, alone := (-1, -w, w) if sliding else (-1, low, high))
        fits = max(alone[1] + w, *codes) - min(alone[2] - w, *codes) <= w
        for d, t, *some in (map(index, one) for one in sums):
            fits &= t in (-1, 1 - 2 * sliding) and all(groups[i] == alone for i in some)
            fits &= all(row[d] == t * sum(row[i] for i in {*some}) for row in matrix)
            groups |= dict.fromkeys(some, (d, -w, w) if t < 0 else (d, 2 * low, 2 * high))
            codes = [code + t * codes[d] * (i in some) for i, code in enumerate(codes)]
        if not fits or sorted([*order, *(d for d, *_ in sums)]) != list(range(len(codes))):
            raise Answer("REFUTED", "a code is outside its box or in no order, or a column is not that sum")
        self.groups = list(groups.values())  # which codes slide together, and the range of each
        self.matrix = [[matrix[i][j] for j in [*order, -1]] for i in [*order, -1]]
        *rest, along = [dot(row, [codes[i] for i in order]) for row in self.matrix]
        self.length = dot(rest, [codes[i] for i in order])
        self.scale = Fraction(max(along, 0), self.length or 1)
        self.left = self.matrix[-1][-1] - self.scale * along
        self.bound = self.left if claim is None else claim
        self.shift, self.rows, full, over = 180, [], [[*row] for row in self.matrix], 1
        for i in reversed(range(self.size)):  # what is decided last is eliminated first
            own = full.pop(i)
            pairs = [(row.pop(i), zip(row, [*own[:i], own[-1]], strict=True)) for row in full]
            full = [[(own[i] * x - head * y) // over if own[i] else x for x, y in row] for head, row in pairs]
            self.rows.append((own[: i + 1], own[-1], own[i] * over or 1))
            over = own[i] or over
        self.floor = Fraction(full[0][0], over)
        self.rest, self.goal = (full[0][0] << self.shift) // over, -(-self.bound * 2**self.shift // 1)

    def room(self, box: Any, before: Any) -> tuple[int, int]:
        """The range of the next code after those before: that of the box, and what slides with them."""
        (low, high), group, w = box[len(before)], self.groups[len(before)], self.width
        lows, highs = zip((low + w, high - w), *compress(before, map(group.__eq__, self.groups)), strict=True)
        return max(lows) - w, min(highs) + w

    def prove(self, node: Any, units: list[int], *decided: Any) -> None:
        """Show that no codes, the first of which are in the ranges decided, leave less than E."""
        box, most, w = [*decided, *(pair for _, *pair in self.groups[len(decided) :])], 0, self.width
        if node is None:
            self.search(box, [], self.rest, 0, 0)
        elif not all(isinstance(number, int) for number in node):
            start, last = self.room(box, decided)
            for part, end in zip(node[::2], [*map(index, node[1::2]), last], strict=True):
                if start <= (end := min(end, last)):
                    self.prove(part, units, *decided, (start, end))
                start = max(start, end + 1)
        else:
            a, *u = (number << unit for number, unit, _ in zip(node, units, self.matrix, strict=True))
            *g, along = [a * row[-1] - dot(row, u) for row in self.matrix]
            for group, low, high in set(self.groups):
                own = [(x, *y) for x, y, (one, *_) in zip(g, box, self.groups, strict=True) if one == group]
                first, last = max(low, *(i - w for _, i, _ in own)), min(high - w, *(j for *_, j in own))
                ends = {t for _, i, j in own for t in (first, last, i, j - w) if first <= t <= last}
                most += max(sum(max(x * max(i, t), x * min(j, t + w)) for x, i, j in own) for t in ends)
            if most > 0 or along <= 0 or along**2 < self.bound * (a * along - dot(u, g)):
                raise Answer("REFUTED", f"the vector {a, *u} does not show that {box} has nothing better")

    def search(self, box: Any, codes: list[int], a: int, b: int, c: int) -> None:
        """Argument 2 for codes in the box, after those whose rows make a - 2 b s + c s^2."""
        if len(codes) == self.size:
            *rest, along = [dot(row, codes) for row in self.matrix]
            if self.matrix[-1][-1] - Fraction(max(along, 0) ** 2, dot(rest, codes) or 1) < self.bound:
                raise Answer("REFUTED", f"these are better, in the order {self.order}: {codes}")
            return
        (*known, own), target, over = self.rows[-1 - len(codes)]
        before, (low, high) = dot(known, codes), self.room(box, [(code, code) for code in codes])
        middle = (target * c - before * b) // (own * b) if b > 0 and own else 0
        for code, step in ((max(low, middle + 1), 1), (min(high, middle), -1)):
            while low <= code <= high:
                x, self.tried = before + own * code, self.tried + 1
                less, most = a + (target**2 << self.shift) // over, c + (x**2 << self.shift) // over
                more = b - (-target * x << self.shift) // over
                by, pull = (most * (c > 0), more) if more > 0 else (1, 0)  # or a side is rounded
                if less * by - pull**2 >= self.goal * by:
                    side = own * (target * by - pull * x)
                    low, high = (low if side < 0 else code + 1), (high if side > 0 else code - 1)
                elif self.tried > self.allowed:
                    raise Answer("INCOMPLETE", f"more than {self.allowed:,} codes to try")
                else:
                    self.search(box, [*codes, code], less, more, most)
                code += step


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
    begin, twister, order = split["seed"], random.Random(), list(range(count))
    state = accumulate(range(1, 624), lambda x, i: (1812433253 * (x ^ x >> 30) + i) % 2**32, initial=begin)
    twister.setstate((3, (*state, 624), None))
    for i in range(count - 1, 0, -1):  # numpy.random.RandomState(seed).permutation, test rows first
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


def claims(model: Any, products: Any) -> Any:
    """Of each scale [X, y]'[X, y] in integers, the codes and their box; the targets; the integers' unit."""
    sums, width, every = [column[0] for column in products], len(model["features"]), range(1, len(products))
    half, how, given, zero = 1 << model["bits"] - 1, model["settings"], model["codes"], model["zero_point"]
    less = [[sums[0] * products[max(i, j)][min(i, j)] - sums[i] * sums[j] for j in every] for i in every]
    whole, code = max(value.denominator for row in less for value in row), range(-half, half).index
    full, targets = [[int(value * whole) for value in row] for row in less], list(range(len(less) - width))
    for group in [[t] for t in targets] if how["granularity"] == "per_channel" else [targets]:
        cells = [(i % width, i // width) for i in range(width * len(group))]
        matrix = [[*(full[f][h] * (k == m) for h, m in cells), full[f][width + group[k]]] for f, k in cells]
        matrix.append([*(row[-1] for row in matrix), sum(full[width + t][width + t] for t in group)])
        codes = [code(p) - code(zero[t]) for t in group for p, _ in zip(given[t], range(width), strict=True)]
        yield (matrix, codes, (-half, half - 1, how["scheme"] == "affine")), group, 1 / (sums[0] ** 2 * whole)


def check(model: Any, proof: Any, products: Any) -> tuple[str, str]:
    """PROVEN or INCOMPLETE, and what is, from `exact` of the training rows; an Answer for less than that."""
    count, bits, told, excess = int(products[0][0]), model["bits"], list[str](), Fraction(0)
    if (proof["quantized"], count) != (model["sha256"], model["training"]["train_rows"]):
        raise Answer("REFUTED", "the certificate or the rows are of another quantized.json")
    for (about, group, unit), part in zip(claims(model, products), proof["problems"], strict=True):
        claim = None if part["bound"] is None else Fraction(float.fromhex(part["bound"])) / unit
        (one := Problem(about, part["order"], part.get("sums", []), claim)).prove(part["tree"], part["units"])
        excess += (one.bound - one.floor) * unit
        names = ", ".join(model["targets"][t] for t in group) + " by a float model" * bool(proof.get("goal"))
        told.append(f"{names}: mean squared error {float(one.left * unit):.12g} on {count:,} training rows")
        told[-1] += "; no codes have less" + f" than {float(one.bound * unit):.12g}" * (one.bound != one.left)
        adds = (Fraction(*{model["scale"][t] for t in group}) - one.scale) ** 2 * one.length * unit
        told[-1] += f"; their scale as float32 adds {float(adds):.3g}"
    if below := proof.get("below"):
        fewer = {"bits": bits - 1, "codes": below["codes"], "zero_point": below["zero_point"]}
        told += check({**model, **fewer}, {**below, "limit": below["limit"]}, products)[1].splitlines()[-1:]
    if "limit" in proof:
        if not excess > (limit := float.fromhex(proof["limit"])):
            raise Answer("REFUTED", f"codes of {bits} bits are not shown to add more than {limit:.12g}")
        told.append(f"{bits} bits or fewer add {float(excess):.12g} or more; {limit:.12g} is allowed")
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
        if {"columns", "calibration_rows"} & model["training"].keys():
            raise Answer("INCOMPLETE", "columns are encoded or rows set aside, which `mlrq verify` knows of")
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
