"""Columns as they come: categories, truth values and missing cells, against pandas and scikit-learn."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from support.tables import table_of

from mlrq.datasets import csv, csv_numbers, parquet
from mlrq.datasets.column_rules import ColumnRules
from mlrq.datasets.split import Split, hashed
from mlrq.errors import MlrqError
from mlrq.stats.exact_sums import total
from mlrq.streaming.train_test import TrainTest

ALL = Split("hash", 0.0, 42)
CITIES = ["Bonn", "Köln", "NA", "Berlin, Mitte", 'the "Hague"']


def flats(rows: int = 300, seed: int = 0) -> pandas.DataFrame:
    """A table with a name that has a blank, categories that have commas and quotes, and a number for each."""
    chance = np.random.default_rng(seed)
    frame = pandas.DataFrame(
        {
            "area": chance.integers(20, 150, rows).astype(float),
            "home city": chance.choice(CITIES, rows, p=[0.2, 0.35, 0.2, 0.15, 0.1]),
            "furnished": chance.choice([True, False], rows),
            "age": chance.normal(40, 10, rows),
            "level": chance.choice(["low", "mid", "high"], rows),
        }
    )
    effect = frame["home city"].map(dict(zip(CITIES, [0, 100, -50, 300, 20], strict=True)))
    frame["price"] = 10 * frame.area + effect + 50 * frame.furnished - frame.age + chance.normal(0, 30, rows)
    return frame


def saved(frame: pandas.DataFrame, folder: Path, name: str = "flats.csv", **how: object) -> str:
    path = folder / name
    if name.endswith(".parquet"):
        frame.to_parquet(path, row_group_size=64)
    else:
        frame.to_csv(path, index=False, **how)
    return str(path)


def read(path: str, target: str = "price", **rules: object):
    rules = ColumnRules(**{"split": ALL, **rules})
    if path.endswith(".parquet"):
        return parquet.load(path, [target], None, None, rules=rules)
    return csv.load(path, [target], None, ",", 1 << 30, rules=rules)


def column(stream, name: str) -> np.ndarray:
    return table_of(stream)[:, stream.features.index(name)]


@pytest.mark.parametrize("name", ["flats.csv", "flats.csv.gz", "flats.parquet"])
def test_categories_are_those_of_pandas_against_the_most_frequent_one(tmp_path, name):
    frame = flats()
    stream = read(saved(frame, tmp_path, name))
    often = frame["home city"].value_counts().index[0]
    assert [one.kind for one in stream.encoding.columns] == [
        "numeric", "categorical", "boolean", "numeric", "categorical",
    ]  # fmt: skip
    assert stream.encoding.columns[1].categories[0] == often
    expected = pandas.get_dummies(frame, columns=["home city", "level"], prefix_sep="=", dtype=float)
    found = pandas.DataFrame(table_of(stream), columns=[*stream.features, *stream.targets])
    level = frame["level"].value_counts().index[0]
    assert set(found) == set(expected) - {f"home city={often}", f"level={level}"}
    for one in found:
        assert found[one].tolist() == expected[one].astype(float).tolist(), one


@pytest.mark.parametrize("name", ["flats.csv", "flats.parquet"])
@pytest.mark.parametrize("missing", ["mean", "indicator"])
def test_fills_and_indicators_are_those_of_scikit_learn(tmp_path, name, missing):
    frame, chance = flats(), np.random.default_rng(1)
    frame.loc[chance.random(len(frame)) < 0.2, "age"] = np.nan
    frame.loc[chance.random(len(frame)) < 0.1, "level"] = None
    stream = read(saved(frame, tmp_path, name), missing=missing)
    filled = SimpleImputer(add_indicator=missing == "indicator").fit_transform(frame[["age"]])
    np.testing.assert_allclose(column(stream, "age"), filled[:, 0], rtol=1e-15)
    assert ("age is missing" in stream.features) == (missing == "indicator")
    if missing == "indicator":
        assert column(stream, "age is missing").tolist() == filled[:, 1].tolist()
        assert column(stream, "level is missing").tolist() == frame["level"].isna().astype(float).tolist()
    assert "area is missing" not in stream.features  # it is never missing there
    mean = float(sum(map(Fraction, frame["age"].dropna())) / int(frame["age"].notna().sum()))
    assert next(one.fill for one in stream.encoding.columns if one.name == "age") == mean
    assert stream.encoding.columns[0].fill == float(frame["area"].mean())
    dummies = [column(stream, name) for name in stream.features if name.startswith("level=")]
    assert not np.sum(dummies, axis=0)[frame["level"].isna()].any()


def test_the_fit_is_that_of_a_column_transformer(tmp_path):
    frame, chance = flats(), np.random.default_rng(2)
    frame.loc[chance.random(len(frame)) < 0.2, "age"] = np.nan
    data = TrainTest(read(saved(frame, tmp_path), missing="mean"), ALL)
    numbers, texts = ["area", "furnished", "age"], ["home city", "level"]
    steps = ColumnTransformer(
        [("n", SimpleImputer(), numbers), ("c", OneHotEncoder(drop="first"), texts)], sparse_threshold=0
    )
    theirs = make_pipeline(steps, LinearRegression()).fit(frame.drop(columns="price"), frame["price"])
    from mlrq.models import closed_form

    spec = {"_target_": "sklearn.linear_model.LinearRegression"}
    model = closed_form.fit(data.summary, spec, False, data.features, data.targets).model
    rows = data.first(len(frame))[0]
    np.testing.assert_allclose(
        model.predict(rows)[:, 0], theirs.predict(frame.drop(columns="price")), rtol=1e-9
    )


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_pieces_streams_and_the_slow_reader_give_the_same_numbers(tmp_path, monkeypatch, missing):
    frame, chance = flats(2000), np.random.default_rng(3)
    frame.loc[chance.random(len(frame)) < 0.2, "age"] = np.nan
    path, split = saved(frame, tmp_path), Split("hash", 0.3, 7)
    whole = read(path, missing=missing, split=split)
    monkeypatch.setattr("mlrq.datasets.csv_pieces.PIECE", 1 << 12)
    monkeypatch.setattr("mlrq.datasets.csv_pieces.BLOCK", 1 << 10)
    pieces = read(path, missing=missing, split=split)
    assert len(pieces.parts) > 5
    monkeypatch.setattr(csv, "parse_cells", lambda *_: None)
    slow = read(path, missing=missing, split=split)
    columnar = read(saved(frame, tmp_path, "flats.parquet"), missing=missing, split=split)
    for other in (pieces, slow, columnar):
        assert other.encoding == whole.encoding
        assert np.array_equal(table_of(other), table_of(whole))
    assert TrainTest(pieces, split).sha256 == TrainTest(columnar, split).sha256


@pytest.mark.parametrize("rule", ["hash", "shuffle"])
def test_means_and_the_reference_are_of_the_training_rows_alone(tmp_path, rule):
    frame = flats(400)
    split = Split(rule, 0.25, 3)
    frame.loc[::7, "age"] = np.nan
    stream = read(saved(frame, tmp_path), missing="mean", split=split)
    data = TrainTest(stream, split)
    rows, _ = data.training_rows("test")
    place = list(data.features).index("age")
    fill = next(one.fill for one in stream.encoding.columns if one.name == "age")
    present = rows[:, place][rows[:, place] != fill]
    assert fill == pytest.approx(present.mean(), rel=1e-14)
    assert fill != pytest.approx(frame["age"].mean(), rel=1e-6)


def test_rows_with_missing_cells_are_dropped_with_a_count(tmp_path):
    frame = flats(300)
    frame.loc[[0, 5, 299], "age"] = np.nan
    frame.loc[[5, 9], "price"] = np.nan
    for name in ("flats.csv", "flats.parquet"):
        stream = read(saved(frame, tmp_path, name), missing="drop")
        assert column(stream, "age").tolist() == frame.dropna()["age"].tolist()
        data = TrainTest(stream, ALL)
        assert data.notices == ["4 of 300 rows dropped, which have missing cells"]
        assert data.source.endswith("4 of 300 rows dropped, which have missing cells")


def test_a_missing_cell_is_an_error_unless_something_is_said(tmp_path):
    frame = flats(100)
    frame.loc[41, "level"] = None
    with pytest.raises(MlrqError, match=r"csv, line 43, column 'level': is empty: dataset.missing=mean"):
        table_of(read(saved(frame, tmp_path)))
    with pytest.raises(
        MlrqError, match=r"row group 0, column 'level': row 42, is empty: dataset.missing=mean"
    ):
        table_of(read(saved(frame, tmp_path, "flats.parquet")))


def test_the_target_is_never_filled(tmp_path):
    frame = flats(100)
    frame.loc[41, "price"] = None
    with pytest.raises(MlrqError, match=r"line 43, column 'price': is missing: dataset.missing=drop"):
        table_of(read(saved(frame, tmp_path), missing="mean"))


def test_missing_values_are_missing_and_na_is_a_category_without(tmp_path):
    frame = flats(100)
    path = saved(frame, tmp_path)
    assert "home city=NA" in read(path).features
    stream = read(path, missing="indicator", missing_values=("NA", "-999"))
    assert "home city=NA" not in stream.features
    missing = (frame["home city"] == "NA").astype(float).tolist()
    assert column(stream, "home city is missing").tolist() == missing
    frame["age"] = frame["age"].round()
    frame.loc[3, "age"] = -999
    for name in ("flats.csv", "flats.parquet"):
        stream = read(saved(frame, tmp_path, name), missing="mean", missing_values=("-999",))
        assert column(stream, "age")[3] == frame["age"].drop(3).mean()


def test_numbers_can_be_categories_and_whole_ones_lose_their_fraction(tmp_path):
    frame = flats(100)
    frame["zip"] = np.random.default_rng(0).choice([53111.0, 53113.0, 50667.0], 100)
    for name in ("flats.csv", "flats.parquet"):
        stream = read(saved(frame, tmp_path, name), kinds={"zip": "categorical"})
        assert set(stream.encoding.columns[-1].categories) == {"53111", "53113", "50667"}
    assert "zip" in read(saved(frame, tmp_path)).features


@pytest.mark.parametrize(
    ("words", "kinds", "kind"),
    [
        (("true", "false"), {}, "boolean"),
        (("TRUE", "False"), {}, "boolean"),
        (("yes", "no"), {}, "categorical"),
        (("yes", "no"), {"flag": "boolean"}, "boolean"),
        (("1", "0"), {"flag": "boolean"}, "boolean"),
        (("1", "0"), {}, "numeric"),
    ],
)
def test_truth_values(tmp_path, words, kinds, kind):
    frame = flats(100)
    truth = np.arange(100) % 3 == 0
    frame["flag"] = np.where(truth, *words)
    stream = read(saved(frame, tmp_path), kinds=kinds)
    assert stream.encoding.columns[-1].kind == kind
    name = "flag" if kind != "categorical" else "flag=yes"
    assert column(stream, name).tolist() == truth.astype(float).tolist()


def test_thirty_categories_with_rare_ones_together(tmp_path):
    frame = flats(600)
    chance = np.random.default_rng(5)
    frame["town"] = chance.choice([f"T{i:02}" for i in range(30)], 600, p=np.arange(1, 31) / 465)
    counts = frame["town"].value_counts()
    assert len(counts) == 30
    stream = read(saved(frame, tmp_path), rare_below=10)
    told = stream.encoding.columns[-1]
    assert set(told.rare) == set(counts.index[counts < 10])
    encoder = OneHotEncoder(min_frequency=10, sparse_output=False).fit(frame[["town"]])
    theirs = dict(zip(encoder.get_feature_names_out(), encoder.transform(frame[["town"]]).T, strict=True))
    assert column(stream, "town=(rare)").tolist() == theirs["town_infrequent_sklearn"].tolist()
    for one in told.categories[1:]:
        assert column(stream, f"town={one}").tolist() == theirs[f"town_{one}"].tolist()


def test_a_category_of_test_rows_alone_is_an_error_or_counts_as_the_reference(tmp_path):
    frame, split = flats(200), Split("hash", 0.2, 42)
    row = int(np.flatnonzero(hashed(0, 200, split))[0])
    frame.loc[row, "level"] = "attic"
    path = saved(frame, tmp_path)
    with pytest.raises(MlrqError, match=rf"line {row + 2}, column 'level': 'attic' is no category"):
        TrainTest(read(path, split=split), split)
    data = TrainTest(read(path, split=split, unknown="baseline"), split)
    assert data.notices == ["1 row has a category of 'level' that no training row has"]
    level = next(one for one in data.encoding.columns if one.name == "level")
    assert "attic" not in level.categories


def test_a_column_that_is_empty_in_the_test_rows_is_filled(tmp_path):
    frame, split = flats(200), Split("hash", 0.2, 42)
    frame.loc[hashed(0, 200, split), "age"] = np.nan
    data = TrainTest(read(saved(frame, tmp_path), split=split, missing="indicator"), split)
    assert "age is missing" not in data.features
    rows, _ = data.first(data.test_count)
    assert np.unique(rows[:, data.features.index("age")]).tolist() == [
        float(sum(map(Fraction, frame["age"].dropna())) / int(frame["age"].notna().sum()))
    ]


REFUSED = [
    (lambda n: [f"id-{i}" for i in range(n)], "has 100 distinct values in 100 rows, so it is an identifier"),
    (lambda n: [f"flat no. {i}" for i in range(n)], "100 distinct values in 100 rows, so it is free text"),
    (lambda n: [f"2024-01-{1 + i % 28:02}" for i in range(n)], "has dates such as '2024-01-01'"),
    (lambda n: ["same"] * n, "constant feature in the training rows: 'new' (always 'same')"),
    (lambda n: [""] * n, "column 'new' has no value in the training rows"),
    (lambda n: ["x"] * 50 + ["3"] * (n - 50), "'x' is not a number; if it is a category: 'dataset.columns={"),
]


@pytest.mark.parametrize(("cells", "reason"), REFUSED)
def test_what_is_no_feature_is_refused_by_name_with_a_reason(tmp_path, cells, reason):
    frame = flats(100)
    frame["new"] = cells(100)
    path = saved(frame, tmp_path)
    with pytest.raises(MlrqError) as caught:
        table_of(read(path, missing="mean"))
    assert reason in str(caught.value)
    assert "new" not in read(path, missing="mean", kinds={"new": "drop"}).features


def test_a_column_of_text_with_numbers_further_down_is_refused(tmp_path):
    frame = flats(1200)
    frame["new"] = ["x"] * 1100 + ["3"] * 100
    with pytest.raises(
        MlrqError, match=r"numbers such as '3' and text such as 'x': 'dataset\.columns={new: c"
    ):
        read(saved(frame, tmp_path))
    stream = read(saved(frame, tmp_path), kinds={"new": "categorical"})
    assert stream.encoding.columns[-1].categories == ("x", "3")


def test_dates_of_parquet_are_refused_by_their_type(tmp_path):
    frame = flats(100)
    frame["day"] = pandas.Timestamp("2024-01-01")
    with pytest.raises(MlrqError, match=r"column 'day' is timestamp\[\w+\], neither numbers"):
        read(saved(frame, tmp_path, "flats.parquet"))
    assert "day" not in read(saved(frame, tmp_path, "flats.parquet"), kinds={"day": "drop"}).features
    frame["end"] = pandas.Timestamp("2024-02-01")
    with pytest.raises(MlrqError, match=r"2 columns are no features: .*{day: drop, end: drop}"):
        read(saved(frame, tmp_path, "flats.parquet"))


def test_pandas_categories_and_nullable_integers_are_read(tmp_path):
    frame = flats(100)
    frame["level"] = frame["level"].astype("category")
    frame["rooms"] = pandas.array([None if i % 9 == 0 else i % 5 for i in range(100)], dtype="Int64")
    stream = read(saved(frame, tmp_path, "flats.parquet"), missing="mean")
    assert stream.encoding == read(saved(frame, tmp_path), missing="mean").encoding


def test_crlf_and_quotes_change_nothing(tmp_path):
    frame = flats(200)
    plain = table_of(read(saved(frame, tmp_path)))
    dressed = read(saved(frame, tmp_path, quoting=1, lineterminator="\r\n"))
    assert np.array_equal(table_of(dressed), plain)


def test_plain_numbers_are_read_once_and_have_no_encoding(tmp_path, monkeypatch):
    frame = flats(100)[["area", "age", "price"]]
    monkeypatch.setattr(csv_numbers, "parse_cells", None)
    monkeypatch.setattr(csv, "parse_cells", None)
    stream = read(saved(frame, tmp_path))
    assert stream.encoding is None
    assert read(saved(frame, tmp_path, "flats.parquet")).encoding is None
    assert np.array_equal(table_of(stream), frame.to_numpy())


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e90])
def test_sums_are_exact(scale):
    values = np.random.default_rng(0).normal(size=3000) * scale * 10.0 ** np.arange(-6, 6).repeat(250)
    assert total(values) == sum(map(Fraction, values.tolist()))
    assert total(np.zeros(0)) == 0


# From CSV to predictions, as a user does it.


@pytest.fixture
def trained(run, tmp_path):
    """A folder in which a model of a table with holes was trained, and the table."""
    frame = flats(400)
    frame.loc[::11, "age"] = np.nan
    saved(frame, tmp_path)
    wanted = ["dataset=csv", "dataset.path=flats.csv", "dataset.target=price"]
    done = run(*wanted, "dataset.missing=indicator", "quantization.bits=6")
    assert done.code == 0, done.err
    return frame, done


def test_predict_reads_the_columns_as_they_were(run, trained, tmp_path):
    frame, done = trained
    assert "home city  categorical; 5 categories, each against 'Köln'" in done.out
    from mlrq.artifacts.documents import read_quantized

    artifact = read_quantized(tmp_path / "outputs/quantized.json")
    assert json.loads((tmp_path / "outputs/quantized.json").read_text())["schema"] == 3
    cells = read(str(tmp_path / "flats.csv"), missing="indicator", known=artifact.training.columns)
    expected = artifact.model.predict(table_of(cells)[:, :-1])[:, 0].tolist()
    for name in ("flats.csv", "rows.jsonl", "flats.parquet"):
        saved(frame, tmp_path, "flats.parquet")
        (tmp_path / "rows.jsonl").write_text(frame.to_json(orient="records", lines=True, double_precision=15))
        told = run("predict", f"predict.input={name}", "predict.output=made")
        assert told.code == 0, told.err
        if name == "flats.parquet":
            found = pandas.read_parquet(tmp_path / "made")["price"].tolist()
        elif name == "flats.csv":
            found = list(map(float, (tmp_path / "made").read_text().splitlines()[1:]))
            (tmp_path / "made").unlink()
        else:
            found = [json.loads(line)["price"] for line in (tmp_path / "made").read_text().splitlines()]
            (tmp_path / "made").unlink()
            np.testing.assert_allclose(found, expected, rtol=1e-12)  # pandas writes 15 digits
            continue
        assert found == expected


def test_an_unknown_category_to_predict_is_an_error_with_its_row(run, trained, tmp_path):
    rows = "area,home city,furnished,age,level\n50,Bonn,true,,low\n50,Oslo,true,30,low\n"
    done = run("predict", stdin=rows)
    assert done.code == 1
    assert "standard input, line 3, column 'home city': 'Oslo' is no category of the" in done.err
    baseline = run("predict", "predict.unknown=baseline", stdin=rows)
    known = run("predict", stdin=rows.replace("Oslo", "Köln"))
    assert baseline.out == known.out
    assert run("predict", "predict.on_error=null", stdin=rows).out.splitlines()[2] == '""'


def test_stages_that_start_from_the_model_take_its_columns(run, trained, tmp_path):
    frame, _ = trained
    for stage in ("quantize", "evaluate", "verify"):
        done = run(stage)
        assert done.code == 0, done.err
    few = frame[frame["level"] != "mid"].iloc[:100]  # to which another encoding would be learned
    saved(few, tmp_path, "few.csv")
    done = run("evaluate", "dataset.path=few.csv", "report=json", "save=false")
    assert done.code == 0, done.err


def test_what_was_said_of_columns_is_said_again_by_stages_that_start_from_the_model(run, tmp_path):
    frame = flats(200).drop(columns=["level", "furnished"])
    saved(frame, tmp_path)
    wanted = ["dataset=csv", "dataset.path=flats.csv", "dataset.target=price"]
    assert run(*wanted, "dataset.columns={home city: drop, age: numeric}").code == 0
    for stage in ("quantize", "evaluate", "verify"):
        done = run(stage)
        assert done.code == 0, done.err


def test_faults_of_the_configuration_are_listed(run):
    done = run(
        "dataset=csv",
        "dataset.path=x.csv",
        "dataset.target=y",
        "dataset.columns={a: date}",
        "dataset.missing=median",
    )
    assert done.code == 2
    assert "dataset.columns={'a': 'date'}: must be names with numeric, boolean" in done.err
    assert "dataset.missing=median: must be error, mean, indicator or drop" in done.err
