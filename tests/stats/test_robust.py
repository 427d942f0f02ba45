"""HC0 to HC3: statsmodels' numbers, with weights and without, in the command and a notebook, streamed too."""

import json
from fractions import Fraction

import numpy as np
import pytest
from conftest import PROJECT, rows_csv
from sklearn.datasets import load_diabetes
from support.tables import rows_of

import mlrq
from mlrq.datasets.memory import of_arrays
from mlrq.datasets.split import Split
from mlrq.stats.regression import regressions
from mlrq.stats.robust import basis, with_errors
from mlrq.stats.summary import fit_least_squares
from mlrq.streaming.train_test import TrainTest

sm = pytest.importorskip("statsmodels.api")
KINDS = ("HC0", "HC1", "HC2", "HC3")
NIST = json.loads((PROJECT / "tests/data/nist_strd.json").read_text())


def longley():
    problem = NIST["longley"]
    return np.array(problem["rows"], dtype=float), np.array(problem["y"], dtype=float)


def uneven(count=700):
    random = np.random.default_rng(8)
    x = random.normal(size=(count, 5)) * [1, 30, 0.1, 4, 2] + [0, 1000, 3, -9, 0]
    return x, x @ [1.0, 0.1, 7.0, -2.0, 0.0] + np.exp(x[:, 0]) * random.normal(size=count) + 4


TABLES = {
    "diabetes": lambda: load_diabetes(return_X_y=True, scaled=False),
    "uneven": uneven,
}


def read(x, y, weight=None):
    names = tuple(f"x{i}" for i in range(x.shape[1]))
    if weight is None:
        return TrainTest(of_arrays("t", "t", names, ("y",), x, y[:, None]), Split("hash", 0.0, 0))
    table = of_arrays("t", "t", names, ("y", "w"), x, np.column_stack([y, weight]))
    return TrainTest(table.weighted(), Split("hash", 0.0, 0))


def errors(data, kind, coefficients, intercept):
    found = regressions(data.summary, coefficients, intercept)
    known = basis(data.summary, coefficients, intercept is not None)
    (one,) = with_errors(found, known, kind, data.robust_triangles(known, kind))
    return one.errors


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TABLES)
def test_they_are_those_of_statsmodels(name, kind, weighted):
    x, y = TABLES[name]()
    weight = np.random.default_rng(1).exponential(size=len(y)) if weighted else None
    data = read(x, y, weight)
    results = sm.WLS(y, sm.add_constant(x, prepend=False), weights=1.0 if weight is None else weight).fit()
    found = errors(data, kind, *fit_least_squares(data.summary))
    np.testing.assert_allclose(found, getattr(results, f"{kind}_se"), rtol=1e-10)


def solved(matrix, right):
    """`matrix^-1 right` in fractions."""
    rows = [[*row, *other] for row, other in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        pivot = next(j for j in range(i, len(rows)) if rows[j][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [cell / rows[i][i] for cell in rows[i]]
        for j in range(len(rows)):
            if j != i:
                rows[j] = [a - rows[j][i] * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [row[len(rows) :] for row in rows]


def exact(x, y, kind):
    """The squares of the standard errors of `kind`, without rounding."""
    rows = [[Fraction(cell) for cell in row] + [Fraction(1)] for row in x.tolist()]
    target, width = [Fraction(cell) for cell in y.tolist()], x.shape[1] + 1
    gram = [[sum(row[i] * row[j] for row in rows) for j in range(width)] for i in range(width)]
    inverse = solved(gram, [[Fraction(int(i == j)) for j in range(width)] for i in range(width)])
    right = [sum(row[i] * value for row, value in zip(rows, target, strict=True)) for i in range(width)]
    weights = [sum(a * b for a, b in zip(row, right, strict=True)) for row in inverse]
    found = [Fraction(0)] * width
    for row, value in zip(rows, target, strict=True):
        pulled = [sum(a * b for a, b in zip(one, row, strict=True)) for one in inverse]
        left = 1 - sum(a * b for a, b in zip(pulled, row, strict=True))
        error = value - sum(a * b for a, b in zip(row, weights, strict=True))
        square = error**2 / {"HC2": left, "HC3": left**2}.get(kind, Fraction(1))
        found = [total + square * one**2 for total, one in zip(found, pulled, strict=True)]
    return [float(one * (Fraction(len(y), len(y) - width) if kind == "HC1" else 1)) for one in found]


@pytest.mark.parametrize("kind", KINDS)
def test_where_features_nearly_depend_they_have_ten_digits_of_those_without_rounding(kind):
    x, y = longley()  # in which statsmodels' HC2 and HC3 have 8 digits
    data = read(x, y)
    found = errors(data, kind, *fit_least_squares(data.summary))
    np.testing.assert_allclose(found, np.sqrt(exact(x, y, kind)), rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_intercept_too(kind):
    x, y = uneven()
    data, results = read(x, y), sm.OLS(y, x).fit()
    found = errors(data, kind, results.params[None], None)
    np.testing.assert_allclose(found, getattr(results, f"{kind}_se"), rtol=1e-10)


def test_a_feature_that_others_explain_has_none_and_the_others_have_theirs():
    x, y = uneven()
    data, alone = read(np.column_stack([x, 2 * x[:, 1] + 1]), y), read(x, y)
    found, expected = (errors(one, "HC3", *fit_least_squares(one.summary)) for one in (data, alone))
    assert np.isnan(found[5])
    np.testing.assert_allclose(np.delete(found, 5), expected, rtol=1e-9)


def test_a_summary_has_them_of_the_rows_that_it_was_made_with():
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    both = np.column_stack([y, np.sqrt(y)])
    model = mlrq.quantize("linear_regression", X, both, bits=6)
    shown = model.summary(X, both, standard_errors="HC3")
    for i in range(2):
        results = sm.OLS(both[:, i], sm.add_constant(X, prepend=False)).fit()
        expected = results.get_robustcov_results("HC3", use_t=True)
        of = shown.to_pandas().iloc[i * 11 : i * 11 + 11]
        np.testing.assert_allclose(of.std_error, expected.bse, rtol=1e-10)
        np.testing.assert_allclose(of.p, expected.pvalues, rtol=1e-8)
        np.testing.assert_allclose(of.low, expected.conf_int()[:, 0], rtol=1e-8)
        assert shown.fits[i].f == pytest.approx(results.fvalue, rel=1e-10)
    assert "HC3 standard errors" in repr(shown)
    assert repr(model.summary(X, both)) == repr(model.summary())
    for wrong, said in (
        ({"standard_errors": "HC3"}, "standard_errors=HC3: takes a pass over the rows: pass X and y"),
        ({"standard_errors": "HC9"}, "standard_errors=HC9: must be one of classical, HC0, HC1, HC2, HC3"),
        ({"X": X, "y": both + 1}, "the model was trained on table"),
    ):
        with pytest.raises(mlrq.MlrqError, match=said):
            model.summary(**wrong)


def test_a_model_that_was_read_has_all_of_them_from_its_rows(tmp_path):
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    model = mlrq.quantize("linear_regression", X, y)
    model.save(tmp_path)
    assert repr(mlrq.load(tmp_path).summary(X, y)) == repr(model.summary())


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", ["classical", "HC1", "HC3"])
def test_train_shows_them_streamed_to_the_same_digit(run, tmp_path, california, kind):
    (tmp_path / "mine.csv").write_text(rows_csv(california, rows_of(california)[:3000]))
    wanted = ("train", "report=json", "dataset=csv", "dataset.path=mine.csv", "dataset.target=HouseAge")
    wanted += (f"standard_errors={kind}", "dataset.test_size=0")
    kept, streamed = (run(*wanted, f"dataset.stream_above={size}") for size in (10**9, 0))
    one, other = (json.loads(done.out)["statistics"][0] for done in (kept, streamed))
    assert one == other
    assert one["standard_errors"] == kind
    rows = rows_of(california)[:3000]
    place = california.features.index("HouseAge")
    table = sm.add_constant(np.delete(rows, place, axis=1), prepend=False)
    results = sm.OLS(rows[:, place], table).fit()
    expected = results.bse if kind == "classical" else getattr(results, f"{kind}_se")
    names = [name for name in california.features if name != "HouseAge"]
    found = [one["coefficients"][name]["error"] for name in (*names, "(intercept)")]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    printed = run(*wanted, "report=text").out
    assert ("HC3 standard errors, F is the classical one" in printed) == (kind == "HC3")


def test_where_there_are_none_the_reason_is_the_same(run):
    houses = ("dataset=csv", f"dataset.path={PROJECT / 'docs' / 'houses.csv'}", "dataset.target=price")
    done = run("train", "model=ridge", "standard_errors=HC3", *houses)
    assert "no standard errors: Ridge is not least squares" in done.out
    assert "standard_errors=HC5: must be" in run("train", "standard_errors=HC5", *houses).err
