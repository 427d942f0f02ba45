"""The embedded table against scikit-learn's own derivation."""

import csv
import gzip
import hashlib
import io
import tarfile
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets._california_housing as fetcher
from sklearn.datasets._base import RemoteFileMetadata
from support.tables import rows_of, shuffled, values_of

from mlrq.datasets import california_housing
from mlrq.errors import MlrqError

# In the order of StatLib's cal_housing.data, which is that of the embedded header.
COLUMNS = (
    "longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms",
    "population", "households", "median_income", "median_house_value",
)  # fmt: skip


@pytest.fixture(scope="module")
def raw() -> list[list[str]]:
    packed = (resources.files("mlrq.datasets") / "cal_housing.csv.gz").read_bytes()
    header, *rows = csv.reader(io.StringIO(gzip.decompress(packed).decode()))
    assert tuple(header) == COLUMNS
    return rows


@pytest.fixture
def archive(raw, tmp_path: Path, monkeypatch) -> Path:
    """StatLib's archive, made of the embedded table, where scikit-learn's fetcher looks for it."""
    text = "".join(",".join(row) + "\n" for row in raw).encode()
    path = tmp_path / "server" / "cal_housing.tgz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo("CaliforniaHousing/cal_housing.data")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    monkeypatch.setattr(
        fetcher,
        "ARCHIVE",
        RemoteFileMetadata(path.name, path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest()),
    )
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "cache"))
    return path


def test_the_table_has_the_rows_and_columns_of_the_original(california, raw):
    assert len(raw) == 20_640
    assert rows_of(california).shape == (20_640, 8)
    assert values_of(california).shape == (20_640, 1)
    assert rows_of(california).dtype == values_of(california).dtype == np.float64


def test_every_feature_is_derived_from_the_raw_columns_as_documented(california, raw):
    column = {name: [float(row[i]) for row in raw] for i, name in enumerate(COLUMNS)}

    def ratio(name: str) -> list[float]:
        return [a / b for a, b in zip(column[name], column["households"], strict=True)]

    expected = {
        "MedInc": column["median_income"],
        "HouseAge": column["housing_median_age"],
        "AveRooms": ratio("total_rooms"),
        "AveBedrms": ratio("total_bedrooms"),
        "Population": column["population"],
        "AveOccup": ratio("population"),
        "Latitude": column["latitude"],
        "Longitude": column["longitude"],
    }
    assert california.features == tuple(expected)
    for name, values in zip(california.features, rows_of(california).T, strict=True):
        assert values.tolist() == expected[name], name
    assert california.targets == ("MedHouseVal",)
    assert values_of(california)[:, 0].tolist() == [v / 100_000 for v in column["median_house_value"]]


def test_scikit_learns_fetcher_gives_the_same_doubles_first_and_from_its_cache(california, archive):
    fetched = california_housing.load("sklearn")
    archive.unlink()
    cached = california_housing.load("sklearn")
    bunch = fetcher.fetch_california_housing()
    assert tuple(bunch.feature_names) == california.features
    assert tuple(bunch.target_names) == california.targets
    for other in (fetched, cached):
        assert rows_of(other).tobytes() == rows_of(california).tobytes()
        assert values_of(other).tobytes() == values_of(california).tobytes()
        assert shuffled(other).sha256 == shuffled(california).sha256
        assert other.source != california.source


def test_a_fetch_that_fails_is_one_line_that_says_what_to_use_instead(archive, monkeypatch):
    archive.unlink()
    monkeypatch.setattr("time.sleep", lambda _: None)  # the fetcher waits before it tries again
    with pytest.raises(MlrqError, match=r"could not fetch .* dataset\.source=embedded") as caught:
        california_housing.load("sklearn")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("damage", [b"", b"not a joblib file", "cut"])
def test_a_damaged_cache_is_one_line(archive, damage):
    california_housing.load("sklearn")
    (cached,) = (archive.parent.parent / "cache").glob("*.pkz")
    cached.write_bytes(cached.read_bytes()[:-5000] if damage == "cut" else damage)
    with pytest.raises(MlrqError, match=r"dataset\.source=embedded") as caught:
        california_housing.load("sklearn")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("place", [0, 10, 100_000, -1])
def test_one_flipped_byte_in_the_embedded_table_is_noticed(tmp_path: Path, monkeypatch, place):
    packed = bytearray((resources.files("mlrq.datasets") / "cal_housing.csv.gz").read_bytes())
    packed[place] ^= 1
    (tmp_path / "cal_housing.csv.gz").write_bytes(packed)
    monkeypatch.setattr(california_housing.resources, "files", lambda _: tmp_path)
    with pytest.raises(MlrqError, match="damaged"):
        california_housing.load("embedded")


def test_the_source_names_the_hash_of_the_table(california):
    packed = (resources.files("mlrq.datasets") / "cal_housing.csv.gz").read_bytes()
    assert hashlib.sha256(packed).hexdigest()[:12] in california.source
