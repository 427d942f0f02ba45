"""Certificates hold what they claim, and the checker takes no other."""

import copy
import csv
import gzip
import itertools
import json
import random
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from support.tables import split_by_scikit_learn

from mlrq.artifacts.json_document import encode, seal
from mlrq.datasets import california_housing, diabetes
from mlrq.datasets.parts import Stream
from mlrq.pipeline.certificate import ALL, problems
from mlrq.solvers import verify, writer
from mlrq.solvers.certificate import Effort
from mlrq.solvers.solve import solve
from mlrq.stats.summarize import summarize

CHECKER = PROJECT / "mlrq" / "solvers" / "verify.py"
SETTINGS = {"scheme": "symmetric", "granularity": "per_tensor"}


def made(stream: Stream, bits: int, targets: int = 1, effort: Effort = ALL, **settings: str) -> tuple:
    """`quantized.json` as far as the checker reads it, its certificate, and exact sums of training rows."""
    parts = split_by_scikit_learn(stream)
    rows, values = parts.train_rows, parts.train_values
    values = np.column_stack([values, *[rows[:, -1 - i] - values[:, 0] for i in range(targets - 1)]])
    names = [*stream.targets, *(f"other{i}" for i in range(targets - 1))]
    return certified(rows, values, (list(stream.features), names), bits, effort, **settings)


def certified(
    rows, values, names, bits: int, effort: Effort = ALL, nodes: int = 10**7, **settings: str
) -> tuple:
    """The same of any rows and targets."""
    factor = rows.std(axis=0).astype(np.float32).astype(np.float64)
    divided = settings.get("granularity") == "per_feature"
    seen = rows / factor if divided else rows
    summary = summarize(seen, values)
    settings = SETTINGS | settings
    triangle, columns = summary.feature_triangle, summary.target_columns
    shared, affine = settings["granularity"] != "per_channel", settings["scheme"] == "affine"
    half = 1 << (bits - 1)
    together = shared and len(columns) > 1
    solution = solve(triangle, columns, -half, half - 1, affine=affine, shared_scale=together, nodes=nodes)
    count = len(rows)
    model = {
        "bits": bits,
        "codes": solution.codes.tolist(),
        "factor": factor.tolist() if divided else None,
        "features": names[0],
        "inputs": None,
        "scale": solution.stored_scale.tolist(),
        "settings": settings,
        "targets": names[1],
        "training": {
            "split": "shuffle",
            "test_size": 0.2,
            "seed": 42,
            "train_rows": count,
            "test_rows": count // 4 + (count % 4 > 0),
        },
        "zero_point": solution.zero_point.tolist(),
    }
    model = seal("quantized", 2, model)
    products = verify.exact([[*seen.T.tolist(), *values.T.tolist()]])
    found = problems(model, summary, products, effort)
    return model, found and {"goal": None, "problems": found, "quantized": model["sha256"]}, products


@pytest.mark.few(6)
@pytest.mark.parametrize("granularity", ["per_tensor", "per_feature", "per_channel"])
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
@pytest.mark.parametrize("bits", [2, 3, 4, 8, 12, 16])
def test_every_width_of_california_is_proven_in_few_bytes(bits: int, scheme: str, granularity: str) -> None:
    stream = california_housing.load("embedded")
    model, proof, sums = made(stream, bits, scheme=scheme, granularity=granularity)
    assert proof is not None
    assert verify.check(model, proof, sums)[0] == "PROVEN"
    assert len(encode(proof)) < 10_000


@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel"])
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
def test_several_targets_are_proven_together_or_one_by_one(scheme: str, granularity: str) -> None:
    model, proof, sums = made(diabetes.load(), 3, 2, scheme=scheme, granularity=granularity)
    assert proof is not None
    word, told = verify.check(model, proof, sums)
    assert word == "PROVEN"
    assert len(told.splitlines()) == (2 if granularity == "per_channel" else 1)


def files(folder: Path, model: dict, proof: dict, name: str = "diabetes") -> list[str]:
    """The three files of a check, as their paths."""
    stream = diabetes.load()
    (folder / "quantized.json").write_bytes(encode(model))
    (folder / "certificate.json").write_bytes(encode(seal("certificate", 1, proof)))
    table = np.concatenate(
        [np.stack(list(batch)) for part in stream.parts for batch in stream.batches(part)], 1
    )
    with (folder / f"{name}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[*stream.features, *stream.targets], *table.T.tolist()])
    return [str(folder / each) for each in ("quantized.json", "certificate.json", f"{name}.csv")]


def test_the_checker_is_short_and_imports_nothing_but_the_standard_library() -> None:
    text = CHECKER.read_text()
    imports = re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE)
    assert set(imports) <= sys.stdlib_module_names
    lines = text.splitlines()
    assert len(lines) <= 250
    assert max(map(len, lines)) <= 110


def test_the_checker_runs_alone_on_three_files(tmp_path: Path) -> None:
    model, proof, _ = made(diabetes.load(), 4, scheme="affine")
    shutil.copy(CHECKER, tmp_path / "verify.py")
    command = [sys.executable, "-I", str(tmp_path / "verify.py"), *files(tmp_path, model, proof)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("PROVEN\nprogression: mean squared error ")
    used = subprocess.run(command[:-1], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (used.returncode, used.stderr) == (2, "")
    assert "python verify.py quantized.json certificate.json rows.csv" in used.stdout


@pytest.mark.parametrize(("bound", "word", "code"), [("0x0p+0", "INCOMPLETE", 3), ("0x1p+40", "REFUTED", 1)])
def test_the_exit_code_tells_a_bound_from_a_proof_and_from_a_falsehood(
    tmp_path: Path, bound: str, word: str, code: int
) -> None:
    model, proof, _ = made(diabetes.load(), 3)
    proof["problems"][0]["bound"] = bound
    command = [sys.executable, "-I", str(CHECKER), *files(tmp_path, model, proof)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split("\n")[0], done.stderr) == (code, word, "")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_rows_may_be_compressed_begin_with_a_byte_order_mark_and_have_blank_lines(
    tmp_path: Path, newline: str, mark: str
) -> None:
    model, proof, sums = made(diabetes.load(), 3)
    *paths, table = files(tmp_path, model, proof)
    text = mark + Path(table).read_text().replace("\n", f"{newline}{newline}")
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert verify.main(*paths, str(tmp_path / "rows.csv.gz")) == verify.check(model, proof, sums)


def test_worse_codes_are_refuted_with_better_ones(tmp_path: Path) -> None:
    model, proof, _ = made(diabetes.load(), 4)
    worse = {key: value for key, value in model.items() if key not in ("sha256", "format", "schema")}
    worse["codes"] = [[code - (i == 2) for i, code in enumerate(model["codes"][0])]]
    worse = seal("quantized", 2, worse)
    proof = {**proof, "quantized": worse["sha256"]}
    proof["problems"][0]["tree"] = None  # leaves all to the search
    word, why = verify.main(*files(tmp_path, worse, proof))
    assert word == "REFUTED"
    assert "are better" in why


def test_a_changed_file_or_another_model_is_refused(tmp_path: Path) -> None:
    model, proof, _ = made(diabetes.load(), 2)
    paths = files(tmp_path, model, {**proof, "quantized": "0" * 64})
    assert verify.main(*paths) == ("REFUTED", "the certificate or the rows are of another quantized.json")
    Path(paths[1]).write_text(Path(paths[1]).read_text().replace("units", "Units"))
    assert verify.main(*paths)[0] == "REFUTED"
    assert (
        "no sense" in verify.main(paths[0], paths[1], "nowhere.csv")[1] or "changed" in verify.main(*paths)[1]
    )


def mutated(rng: random.Random, model: dict, proof: dict) -> tuple[dict, dict, bool]:
    """A model and certificate with one thing changed, and whether the codes are still the best ones."""
    model, proof = copy.deepcopy(model), copy.deepcopy(proof)
    kind, part = (
        rng.choice(["codes", "drop", "number", "swap", "end", "units", "order", "sums", "hash"]),
        proof["problems"][0],
    )
    nodes: list[list] = []

    def collect(node: list | None) -> None:
        if node is not None:
            nodes.append(node)
            for child in node[::2] if isinstance(node[-1], list) or node[-1] is None else []:
                collect(child)

    collect(part["tree"])
    node = rng.choice(nodes)
    best = True
    if kind == "codes":
        index = rng.randrange(len(model["codes"][0]))
        model["codes"][0][index] += rng.choice([-1, 1])
        best = False
    elif kind == "drop":
        del node[rng.randrange(len(node))]
    elif kind == "number":
        places = [i for i, value in enumerate(node) if isinstance(value, int)]
        node[rng.choice(places or [0])] = rng.randrange(-300, 300)
    elif kind == "swap":
        rng.shuffle(node)
    elif kind == "end":
        node.append(rng.choice([None, 0, [1]]))
    elif kind == "units":
        part["units"][rng.randrange(len(part["units"]))] += rng.choice([-1, 1, 3])
    elif kind == "order" or (kind == "sums" and not part.get("sums")):
        rng.shuffle(part["order"])
    elif kind == "sums":
        numbers = rng.choice(part["sums"])
        numbers[rng.randrange(len(numbers))] += rng.choice([-2, -1, 1, 2])
    else:
        proof["quantized"] = "f" * 64
    return model, proof, best


@pytest.mark.slow
@pytest.mark.parametrize("table", ["diabetes", "categories"])
def test_of_a_thousand_changed_certificates_none_that_claims_a_falsehood_is_taken(table: str) -> None:
    rng, taken, falsehoods = random.Random(12), 0, 0
    if table == "diabetes":
        model, proof, sums = made(diabetes.load(), 3)
    else:
        model, proof, sums = certified(*categories(np.random.default_rng(0), (4, 3)), 3)
    for _ in range(1000):
        other, changed, best = mutated(rng, model, proof)
        falsehoods += not best
        try:
            verify.check(other, json.loads(json.dumps(changed)), sums)
        except (verify.Answer, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            continue
        assert best
        taken += 1
    print(f"{table}: {falsehoods} have other codes, none is taken; {taken} others are")
    assert falsehoods > 50
    assert taken < 500  # what leaves the claim true may be taken


@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
def test_where_the_search_takes_too_much_a_bound_is_proven(scheme: str) -> None:
    stream = california_housing.load("embedded")
    model, proof, sums = made(stream, 5, effort=replace(ALL, bounds=600, tried=500), scheme=scheme)
    bound = float.fromhex(proof["problems"][0]["bound"])
    word, told = verify.check(model, proof, sums)
    assert word == "INCOMPLETE"
    assert f"no codes have less than {bound:.12g};" in told
    _, best, _ = made(stream, 5, scheme=scheme)
    assert best["problems"][0]["bound"] is None
    more = {**proof, "problems": [{**proof["problems"][0], "bound": (bound * 1.1).hex()}]}
    with pytest.raises(verify.Answer, match="REFUTED"):
        verify.check(model, more, sums)


def test_an_end_that_is_no_integer_is_refused_lest_a_code_be_in_no_range() -> None:
    # One column, which is y: the code 1 leaves nothing, and is neither below 0.5 nor from 0.5 + 1 on.
    problem = verify.Problem(([[1, 1], [1, 1]], [-1], (-2, 1, False)), [0], [], None)
    with pytest.raises(TypeError):
        problem.prove([None, 0.5, None], [0, 0])
    with pytest.raises(verify.Answer, match="are better"):
        problem.prove([None, 0, None], [0, 0])


def test_a_tree_of_too_many_vectors_is_left_to_the_search() -> None:
    stream = diabetes.load()
    model, proof, sums = made(stream, 8, effort=replace(ALL, vectors=0))
    assert proof["problems"][0]["tree"] is None
    assert verify.check(model, proof, sums)[0] == "PROVEN"


@pytest.mark.few(1)
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
@pytest.mark.parametrize("bits", [3, 4, 6])
def test_what_is_made_with_any_effort_is_accepted(bits: int, scheme: str) -> None:
    stream = diabetes.load()
    for tried in (30, 100, 300, 1000):
        for bounds in (300, 1000, 5000):
            effort = replace(ALL, bounds=bounds, tried=tried, vectors=bounds // 20)
            model, proof, sums = made(stream, bits, effort=effort, scheme=scheme)
            if proof:
                bound = proof["problems"][0]["bound"]
                assert verify.check(model, proof, sums)[0] == ("PROVEN" if bound is None else "INCOMPLETE")


@pytest.mark.parametrize("granularity", ["per_tensor", "per_feature"])
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
@pytest.mark.parametrize(("bits", "which"), [(2, "both"), (3, "both"), (6, "copy"), (6, "category")])
def test_columns_that_depend_on_others_are_proven_too(
    bits: int, which: str, scheme: str, granularity: str
) -> None:
    rng = np.random.default_rng(bits)
    rows, kind = rng.normal(size=(300, 3)), rng.integers(0, 3, 300)
    more = {"copy": [rows[:, 0]], "category": [kind == i for i in range(3)]}
    table = np.column_stack(
        [rows, *(column for name in more if which in (name, "both") for column in more[name])]
    )
    values = (rows @ [1.0, -2.0, 0.5] + kind + rng.normal(size=300))[:, None]
    names = [f"x{i}" for i in range(table.shape[1])], ["y"]
    model, proof, sums = certified(table, values, names, bits, scheme=scheme, granularity=granularity)
    assert verify.check(model, proof, sums)[0] == "PROVEN"


def categories(rng: np.random.Generator, sizes: tuple[int, ...], count: int = 600) -> tuple:
    """Rows of five numbers and a column for each value of some categories, targets, and names."""
    numbers, kinds = rng.normal(size=(count, 5)), [rng.integers(0, size, count) for size in sizes]
    flags = [kind == value for kind, size in zip(kinds, sizes, strict=True) for value in range(size)]
    rows = np.column_stack([numbers, *flags]).astype(np.float64)
    values = rows @ rng.normal(size=rows.shape[1]) + rng.normal(size=count)
    return rows, values[:, None], ([f"x{i}" for i in range(rows.shape[1])], ["y"])


@pytest.mark.few(4)
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8, 12, 16])
def test_all_values_of_several_categories_are_proven_in_few_bytes(bits: int, scheme: str) -> None:
    table = categories(np.random.default_rng(bits), (4, 3, 3))
    model, proof, sums = certified(*table, bits, scheme=scheme)
    assert verify.check(model, proof, sums)[0] == "PROVEN"
    merged = proof["problems"][0]["sums"]
    assert sorted(len(places) - 1 for _, *places in merged) == [2, 2, 3]
    assert len(encode(proof)) < 10_000


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_a_total_beside_its_terms_is_proven(bits: int) -> None:
    rng = np.random.default_rng(bits)
    terms = rng.integers(0, 50, (300, 3)).astype(np.float64)
    rows = np.column_stack([terms, terms.sum(axis=1), rng.normal(size=(300, 2))])
    values = (rows @ [0.3, -0.1, 0.2, 0.0, 1.0, 2.0] + rng.normal(size=300))[:, None]
    model, proof, sums = certified(rows, values, ([f"x{i}" for i in range(6)], ["y"]), bits)
    assert verify.check(model, proof, sums)[0] == "PROVEN"
    assert [t for _, t, *_ in proof["problems"][0]["sums"]] in ([1], [])


def test_a_sum_that_is_rounded_keeps_no_other_from_being_merged() -> None:
    rng = np.random.default_rng(3)
    kind, terms = rng.integers(0, 4, 300), rng.normal(size=(300, 2))
    rows = np.column_stack([*(kind == value for value in range(4)), terms, terms.sum(axis=1)]).astype(float)
    values = (rows @ rng.normal(size=7) + rng.normal(size=300))[:, None]
    model, proof, sums = certified(rows, values, ([f"x{i}" for i in range(7)], ["y"]), 4)
    assert verify.check(model, proof, sums)[0] == "PROVEN"
    (merged,) = proof["problems"][0]["sums"]
    assert sorted([merged[0], *merged[2:]]) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "sums",
    [
        [[3, -1, 0, 1]],  # not its sum
        [[3, 1, 0, 1, 2]],  # nor with this sign
        [[3, 2, 0, 1, 2]],  # a sign is 1 or -1
        [[3, -1, 0, 1, 2], [3, -1, 0, 1, 2]],  # a column twice
        [[3, -1, 0, 1, 2], [4, -1, 0, 1, 2]],  # in two sums
        [[0, -1, 1, 2, 3]],  # what is in the order
        [[3, -1, 0, 1, 2, 4]],
        [[4, 1, 3], [3, -1, 0, 1, 2]],  # a sum of what is merged itself
    ],
)
def test_what_is_not_the_sum_of_others_is_not_merged(sums: list) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(-3, 4, (3, 20)).tolist()
    rows += [[-a - b - c for a, b, c in zip(*rows, strict=True)]] * 2
    matrix = [*rows, rng.integers(-9, 10, 20).tolist()]
    about = [[verify.dot(one, two) for two in matrix] for one in matrix], [1, 0, 0, 0, 0], (-2, 1, False)
    merged = {place for place, *_ in sums}
    order = [place for place in range(5) if place not in merged or sums[0][0] == 0]
    with pytest.raises((verify.Answer, LookupError)):
        verify.Problem(about, order, sums, None)
    verify.Problem(about, [0, 1, 2, 4], [[3, -1, 0, 1, 2]], None)


def small(seed: int, sign: int, affine: bool) -> tuple[list[list[int]], dict[tuple[int, ...], Fraction]]:
    """Sums of products of three columns, a sum of the first two, and a target; what all codes leave."""
    rng = np.random.default_rng(seed)
    one, two, three = rng.integers(-3, 4, (3, 7))
    matrix = [one, two, three, sign * (one + two), rng.integers(-9, 10, 7)]
    gram = [[int(x @ y) for x in matrix] for y in matrix]
    left = {}
    for codes in itertools.product(range(-3, 4) if affine else range(-2, 2), repeat=4):
        if max(0, *codes) - min(0, *codes) <= 3:
            *rest, along = [verify.dot(row, codes) for row in gram]
            length = verify.dot(rest, codes)
            left[codes] = gram[-1][-1] - (Fraction(along**2, length) if along > 0 else 0)
    return gram, left


@pytest.mark.parametrize(("sign", "affine"), [(-1, False), (-1, True), (1, False)])
@pytest.mark.parametrize("seed", range(20))
def test_the_search_of_a_merged_column_agrees_with_enumeration(seed: int, sign: int, affine: bool) -> None:
    gram, left = small(seed, sign, affine)
    rng, sums = np.random.default_rng(seed), [[3, sign, 0, 1]]
    for codes in [*rng.permutation(list(left))[:20].tolist(), min(left, key=left.get)]:
        problem = verify.Problem(
            (gram, list(codes), (-2, 1, affine)), rng.permutation(3).tolist(), sums, None
        )
        assert problem.left == left[tuple(codes)]
        best = left[tuple(codes)] == min(left.values())
        with nullcontext() if best else pytest.raises(verify.Answer, match="are better"):
            problem.prove(None, [])


@pytest.mark.parametrize(("sign", "affine"), [(-1, False), (-1, True), (1, False)])
def test_a_vector_is_taken_for_no_box_that_has_something_better(sign: int, affine: bool) -> None:
    """Boxes, vectors and bounds at random: whatever is taken holds for all codes, which are enumerated."""
    taken = refused = 0
    for seed in range(60):
        gram, left = small(seed, sign, affine)
        rng = np.random.default_rng(seed)
        for _ in range(80):
            claim = Fraction(gram[-1][-1]) * int(rng.integers(1, 8)) / 8
            problem = verify.Problem((gram, [0] * 4, (-2, 1, affine)), [0, 1, 2], [[3, sign, 0, 1]], claim)
            decided, every = list[tuple[int, int]](), [(low, high) for _, low, high in problem.groups]
            for _ in range(rng.integers(0, 4)):
                low, high = problem.room(every, decided)
                first, last = sorted(rng.integers(low, high, 2, endpoint=True).tolist())
                decided.append((first, last))
            vector = [int(rng.integers(1, 9)), *rng.integers(-9, 10, 3).tolist()]
            try:
                problem.prove(vector, [0] * 4, *decided)
            except verify.Answer:
                refused += 1
                continue
            taken += 1
            for (a, b, c, d), rest in left.items():
                merged = a + sign * d, b + sign * d, c
                if all(low <= code <= high for code, (low, high) in zip(merged, decided, strict=False)):
                    assert rest >= claim
    assert taken > 100
    assert refused > 100


@pytest.mark.parametrize("seed", [1, 13])
def test_where_no_scale_leaves_room_a_long_vector_is_exact(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    flags = rng.integers(0, 2, (400, 2))  # two, and a number that they are the digits of
    kinds = rng.integers(0, 2, 400), rng.normal(size=(400, 5)), flags @ [1, 2], flags
    rows = np.column_stack(kinds)
    weights = [0.06, -0.09, 0.0075, 0.0005, -0.0095, 0.001, 0.0566, 0, 0]
    values = (rows @ weights + 0.05 * rng.normal(size=400))[:, None]
    names = [f"x{i}" for i in range(9)], ["y"]
    effort = replace(ALL, tried=200, halvings=0)
    model, proof, sums = certified(rows, values, names, 2, effort)
    assert verify.check(model, proof, sums)[0] == "PROVEN"
    monkeypatch.setattr(writer.Writer, "_exact", lambda self, cone, numbers, more: numbers)
    assert certified(rows, values, names, 2, effort)[1] is None


def test_equations_are_solved_exactly_where_columns_depend_on_others_too() -> None:
    rng = np.random.default_rng(5)
    columns = rng.integers(-9, 10, (5, 30))
    columns[2] = columns[0] - 2 * columns[1]
    gram, right = (columns @ columns.T).tolist(), (columns @ rng.integers(-9, 10, 30)).tolist()
    found = writer.solved(gram, right)
    assert found[2] == 0
    assert [sum(a * x for a, x in zip(row, found, strict=True)) for row in gram] == right


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_the_checkers_search_agrees_with_enumeration_in_fractions(seed: int, affine: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-3, 4, (6, 3)).tolist()
    if seed % 4 == 0:  # a column that depends on the others
        rows = [[a, b, a - b] for a, b, _ in rows]
    matrix = [*zip(*rows, strict=True), rng.integers(-9, 10, 6).tolist()]
    gram = [[verify.dot(one, two) for two in matrix] for one in matrix]
    least, left = -2, {}
    for codes in itertools.product(range(-3, 4) if affine else range(least, least + 4), repeat=3):
        if max(0, *codes) - min(0, *codes) <= 3:
            *rest, along = [verify.dot(row, codes) for row in gram]
            length = verify.dot(rest, codes)
            left[codes] = gram[-1][-1] - (Fraction(along**2, length) if along > 0 else 0)
    for codes in [*rng.permutation(list(left))[:20].tolist(), min(left, key=left.get)]:
        about, order = (gram, list(codes), (least, 1, affine)), rng.permutation(3).tolist()
        problem = verify.Problem(about, order, [], None)
        best = left[tuple(codes)] == min(left.values())
        with nullcontext() if best else pytest.raises(verify.Answer, match="are better"):
            problem.prove(None, [])
