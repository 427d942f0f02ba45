"""California Housing (Pace and Barry, 1997), embedded: no download, the same bytes for everybody."""

import gzip
import io
import warnings
from importlib import resources

import numpy as np

from mlrq.datasets.memory import of_arrays
from mlrq.datasets.parts import Stream
from mlrq.errors import MlrqError
from mlrq.files import digest

FEATURES = (
    "MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude",
)  # fmt: skip
TARGETS = ("MedHouseVal",)
FILE = "cal_housing.csv.gz"
SHA256 = "12819f136d817d2ac0d5c7c30110c6c039d6332cc439b8cb0bf11536fb71c782"


def load(source: str) -> Stream:
    """The 20,640 rows, eight features and target of `sklearn.datasets.fetch_california_housing`.

    Args:
        source: "embedded" for the table inside this package, or "sklearn" for scikit-learn's fetcher,
            which downloads it once into its cache. Both give the same doubles.

    Raises:
        MlrqError: If the embedded table is damaged, or the fetcher fails.
    """
    return _fetch() if source == "sklearn" else _embedded()


def _embedded() -> Stream:
    packed = (resources.files("mlrq.datasets") / FILE).read_bytes()
    if digest(packed) != SHA256:
        raise MlrqError(f"{FILE}: damaged (its SHA-256 does not match); install mlrq anew")
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=",", skiprows=1)
    longitude, latitude, age, rooms, bedrooms, population, households, income, value = table.T
    features = np.column_stack(
        [
            income,
            age,
            rooms / households,
            bedrooms / households,
            population,
            population / households,
            latitude,
            longitude,
        ]
    )
    source = f"embedded {FILE}, sha256 {SHA256[:12]}"
    return _stream(source, features, (value / 100_000)[:, None])


def _fetch() -> Stream:
    try:
        from sklearn.datasets import fetch_california_housing

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it announces each of its attempts over two lines
            rows, values = fetch_california_housing(return_X_y=True)
    except ImportError as error:
        raise MlrqError(f"dataset.source=sklearn needs scikit-learn: {error}") from error
    except Exception as error:  # no network, a refused download, a damaged cache: it raises anything
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise MlrqError(
            f"scikit-learn could not fetch California Housing ({reason}): "
            "empty scikit-learn's cache, or use dataset.source=embedded"
        ) from error
    return _stream("scikit-learn's fetcher", rows, values[:, None])


def _stream(source: str, rows: np.ndarray, values: np.ndarray) -> Stream:
    return of_arrays("california_housing", source, FEATURES, TARGETS, rows, values)
