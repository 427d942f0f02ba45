"""What no certificate may pass for: each of these was taken once, or could be."""

from fractions import Fraction

import pytest

from mlrq.solvers.verify import Answer, Problem, check, dot, exact

# x1 + x2 and a little: of codes of 2 bits (1, 1) leave the least.
COLUMNS = [
    [1.0, -1.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, -1.0, 0.0, 0.0],
    [1.0, -1.0, 1.0, -1.0, 1.0, -1.0],
]
BEST, WORSE = [[1, 1]], [[1, 0]]
SEARCH = {"order": [0, 1], "units": [0, 0, 0], "bound": None, "tree": None}
FALSE = (
    Answer,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)  # as `mlrq verify` has it


def answer(
    codes: list, problem: dict, columns: list = COLUMNS, *, bits: int = 2, proof: dict | None = None
) -> tuple:
    model = {
        "bits": bits,
        "codes": codes,
        "features": [f"x{i}" for i in range(len(columns) - 1)],
        "scale": [1.0],
        "settings": {"scheme": "symmetric", "granularity": "per_tensor"},
        "sha256": "of the model",
        "targets": ["y"],
        "training": {"train_rows": len(columns[0])},
        "zero_point": [0],
    }
    body = {"quantized": "of the model", "goal": None, "problems": [problem], **(proof or {})}
    return check(model, body, exact([columns]))


def test_the_best_codes_are_proven_and_others_are_refuted() -> None:
    assert answer(BEST, SEARCH)[0] == "PROVEN"
    with pytest.raises(Answer, match="are better"):
        answer(WORSE, SEARCH)


@pytest.mark.parametrize("bound", [None, "0x1p+200"])
def test_a_vector_of_a_number_more_is_refused(bound: str | None) -> None:
    with pytest.raises(FALSE):
        answer(WORSE, SEARCH | {"tree": [0, 1, 1, -1], "units": [0] * 4, "bound": bound})


@pytest.mark.parametrize("bound", [0, False, 0.0, "", "nan", "inf"])
def test_a_bound_is_null_or_a_finite_number_in_hexadecimal(bound: object) -> None:
    with pytest.raises(FALSE):
        answer(WORSE, SEARCH | {"bound": bound})


def test_a_bound_above_what_no_code_at_all_leaves_is_refuted() -> None:
    columns = [[1.0, -1.0, 1.0, -1.0], [1.0, -1.0, -1.0, 1.0]]  # without correlation
    assert answer([[0]], SEARCH | {"order": [0], "units": [0, 0]}, columns)[0] == "PROVEN"
    with pytest.raises(Answer, match="are better"):
        answer([[0]], SEARCH | {"order": [0], "units": [0, 0], "bound": "0x1p+200"}, columns)


@pytest.mark.parametrize(
    "codes", [[[1]], [[1, 1, 1]], [[1, 1, 0], []], [[1.5, 1]], [[1, 99]], [["1", 1]], [[float("nan"), 1]]]
)
def test_codes_are_integers_of_so_many_bits_one_for_each_feature(codes: list) -> None:
    size = len(codes[0])
    with pytest.raises(FALSE):
        answer(codes, SEARCH | {"order": list(range(size)), "units": [0] * (size + 1)})


def test_the_codes_of_a_bit_less_are_of_all_features() -> None:
    columns = [*COLUMNS[:2], [3.0, -3.0, 1.0, -1.0, 0.0, 0.0], [3.0, -3.0, 1.0, -1.0, 0.0, 0.0]]
    whole = SEARCH | {"order": [0, 1, 2], "units": [0] * 4}
    below = {"quantized": "of the model", "zero_point": [0], "limit": "0x1p-4"}
    fewer = below | {"codes": [[1, 0]], "problems": [SEARCH]}
    with pytest.raises(FALSE):
        answer([[0, 0, 1]], whole, columns, bits=3, proof={"below": fewer})


@pytest.mark.parametrize("limit", [None, "nan"])
def test_of_a_bit_less_a_limit_is_told_that_is_a_number(limit: str | None) -> None:
    below = {"quantized": "of the model", "codes": [[1, 1]], "zero_point": [0], "problems": [SEARCH]}
    with pytest.raises(FALSE):
        answer(BEST, SEARCH, bits=3, proof={"below": below | ({"limit": limit} if limit else {})})


def test_a_sum_is_compared_in_integers() -> None:
    large = 2**30
    vectors = [(large, 1, 0, 0), (large, 0, 0, 0), (0, 0, large, 1), (0, 0, large, 0), (-large, -2, 0, -1)]
    columns = [[float(x) for value in vector for x in (value, -value)] for vector in vectors]
    problem = SEARCH | {"order": [0, 2, 3], "sums": [[1, 1.0, 0]], "units": [0] * 4, "bound": "0x1p-3"}
    with pytest.raises(FALSE):
        answer([[0, 0, 1, -1]], problem, columns)


def test_an_end_beyond_the_range_has_no_codes_behind_it() -> None:
    vectors = [(1, 0), (0, 1), (1, 5)]
    columns = [[float(x) for value in vector for x in (value, -value)] for vector in vectors]
    assert answer([[0, 1]], SEARCH, columns)[0] == "PROVEN"
    assert answer([[0, 1]], SEARCH | {"order": [1, 0], "tree": [None, 5, None]}, columns)[0] == "PROVEN"


def test_targets_that_share_a_scale_have_one() -> None:
    columns = [*COLUMNS, COLUMNS[2]]
    rows = exact([columns])
    model = {
        "bits": 2, "codes": [[1, 1], [1, 1]], "features": ["x0", "x1"], "scale": [1.0, 1000.0],
        "settings": {"scheme": "symmetric", "granularity": "per_tensor"}, "sha256": "of the model",
        "targets": ["y", "z"], "training": {"train_rows": 6}, "zero_point": [0, 0],
    }  # fmt: skip
    problem = SEARCH | {"order": [0, 1, 2, 3], "units": [0] * 5}
    body = {"quantized": "of the model", "goal": None, "problems": [problem]}
    with pytest.raises(TypeError):
        check(model, body, rows)
    assert check(model | {"scale": [1.0, 1.0]}, body, rows)[0] == "PROVEN"


def test_that_codes_follow_a_float_model_is_told() -> None:
    goal = {"coefficients": [[1.0, 1.0]], "intercept": [0.0]}
    assert "y by a float model: mean squared error" in answer(BEST, SEARCH, proof={"goal": goal})[1]


def test_rounding_turns_no_side_of_the_search() -> None:
    """A sum of squares is 0 where it is rounded down here; (-1, 127, 1) leave less than is claimed."""
    n, best = 2**100, [-1, 127, 1]
    d = 127 * n * n - n + 127
    b = 100 * d >> 180
    rows = [(1, 0, d), (n, 1, 0), (0, 0, 256 * d)]
    gram = [[dot(one, two) for two in rows] for one in rows]
    image = [dot(row, best) for row in gram]
    scale = 1 + Fraction(-b * pow(image[0], -1, d) % d, d)
    along = [int(scale * image[0] + Fraction(b, d)), int(scale * image[1]), int(scale * image[2])]
    whole = scale**2 * dot(image, best) - 2 * scale * Fraction(b, d) + Fraction(b, d) ** 2 * (n * n + 1)
    matrix = [[*row, x] for row, x in zip(gram, along, strict=True)] + [[*along, -(-whole // 1)]]
    about = matrix, best, (-128, 127, False)
    claim = Problem(about, [0, 1, 2], [], None).left + Fraction(200, 2**180)
    with pytest.raises(Answer, match="are better"):
        Problem(about, [0, 1, 2], [], claim).prove(None, [])
