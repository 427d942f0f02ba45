"""Artifacts of any valid numbers: every use agrees with the others, or refuses in one line."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import onnxruntime
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.compiling import call, library
from support.exporting import TRAINING
from support.hostile import texts

from mlrq.artifacts.documents import (
    FloatArtifact,
    QuantizedArtifact,
    encode_float,
    encode_quantized,
    read_float,
    read_quantized,
)
from mlrq.artifacts.schema import FLOAT32_LEAST, FLOAT32_MOST
from mlrq.datasets import memory
from mlrq.datasets.split import Split
from mlrq.errors import MlrqError
from mlrq.export import c, onnx, sklearn
from mlrq.models.linear import LinearModel
from mlrq.pipeline.evaluate import evaluate
from mlrq.pipeline.predict import predict
from mlrq.pipeline.predictions import Options
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.options import SCHEMES
from mlrq.quantization.settings import Settings
from mlrq.streaming.train_test import TrainTest

UNNAMED = "ignore:X does not have valid feature names"
SINGLE = st.floats(-(2.0**100), 2.0**100, width=32)
SCALES = st.floats(FLOAT32_LEAST, 2.0**60, width=32)  # with which no prediction overflows
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def arrays(kind: object, shape: tuple[int, ...], dtype: str) -> st.SearchStrategy[np.ndarray]:
    size = int(np.prod(shape))
    listed = st.lists(kind, min_size=size, max_size=size)
    return listed.map(lambda values: np.array(values, dtype=dtype).reshape(shape))


def training(width: int, count: int) -> object:
    return replace(TRAINING, target_spread=[1.0] * count, input_range=[[0.0] * width, [1.0] * width])


def names(count: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(texts(), min_size=count, max_size=count, unique=True).map(tuple)


@st.composite
def models(draw) -> QuantizedArtifact:
    """Any model of integer or float inputs."""
    width, count, bits = draw(st.integers(1, 4)), draw(st.integers(1, 2)), draw(st.integers(2, 16))
    inputs = draw(st.sampled_from([0, 8, 16]))
    scheme = draw(st.sampled_from(["symmetric", "affine"] if inputs else list(SCHEMES)))
    low, high = SCHEMES[scheme].limits(bits)
    zero = st.integers(low, high) if scheme == "affine" else st.just(0)
    bound = 2 ** draw(st.sampled_from([0, 15, 30, 31]))
    every = tuple(f"n{i}" for i in range(width + count))
    model = QuantizedLinear(
        features=every[:width],
        targets=every[width:],
        bits=bits,
        scheme=scheme,
        granularity="per_channel",
        rounding="nearest",
        codes=draw(arrays(st.integers(low, high), (count, width), "int32")),
        scale=draw(arrays(SCALES, (count,), "float32")),
        zero_point=draw(arrays(zero, (count,), "int32")),
        offset=draw(arrays(SINGLE if scheme == "offset" else st.just(0.0), (count,), "float32")),
        intercept=draw(
            arrays(st.integers(-bound, bound - 1), (count,), "int32")
            if inputs
            else arrays(SINGLE, (count,), "float32")
        ),
        factor=np.ones(width, dtype=np.float32),
        inputs=InputGrid(
            inputs,
            draw(arrays(st.floats(FLOAT32_LEAST, 2.0**100, width=32), (width,), "float32")),
            draw(arrays(SINGLE, (width,), "float32")),
        )
        if inputs
        else None,
    )
    chosen = Settings(
        bits=bits, scheme=scheme, granularity="per_channel", rounding="nearest",
        inputs=f"int{inputs}" if inputs else "float",
    )  # fmt: skip
    return QuantizedArtifact(model, training(width, count), chosen, 0.5, None)


def rows_for(model: QuantizedLinear) -> np.ndarray:
    """(n, features) float32 rows near the grid and at the ends of float32."""
    generator = np.random.default_rng(0)
    width = len(model.features)
    ends = np.array([0.0, -0.0, 1.0, 1e-45, -1e-38, FLOAT32_MOST, -FLOAT32_MOST], dtype=np.float32)
    rows = generator.choice(ends, (20, width))
    if model.inputs is None:
        return np.concatenate([rows[:, :] * np.float32(1e-30), generator.normal(size=(20, width))]).astype(
            "f4"
        )
    near = generator.uniform(1.2 * model.inputs.low, 1.2 * model.inputs.high, (40, width))
    grid = near * model.inputs.scale.astype(np.float64) + model.inputs.offset
    return np.concatenate([rows, np.clip(grid, -FLOAT32_MOST, FLOAT32_MOST).astype(np.float32)])


def written(folder: Path, names: tuple[str, ...], rows: np.ndarray) -> Path:
    path = folder / "rows.csv"
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        csv.writer(file).writerows([names, *rows.astype(np.float64).tolist()])
    return path


def predicted(artifact: QuantizedArtifact, rows: np.ndarray, folder: Path) -> np.ndarray | None:
    """What the stage predict writes; None where it refuses a name."""
    path, out = written(folder, artifact.model.features, rows), folder / "out.csv"
    options = Options(str(path), str(out), format="csv")
    try:
        predict(artifact, options, lambda text: None, lambda count: None)
    except MlrqError as error:
        text = str(error)
        assert len(text.splitlines()) == 1
        return None
    with out.open(newline="", encoding="utf-8") as file:
        return np.array([[float(cell) for cell in line] for line in list(csv.reader(file))[1:]])


def refused(make) -> object:
    """What `make` gives; None where it refuses in one line."""
    try:
        return make()
    except MlrqError as error:
        text = str(error)
        assert len(text.splitlines()) == 1
        return None


@pytest.mark.slow
@settings(max_examples=25, phases=[Phase.generate])
@given(models())
def test_predictions_exports_and_evaluation_of_any_integer_model_agree(drawn):
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "quantized.json").write_bytes(encode_quantized(drawn))
        artifact = refused(lambda: read_quantized(folder / "quantized.json"))
        if artifact is None:
            return
        model, rows = artifact.model, rows_for(artifact.model)
        expected = model.predict(rows.astype(np.float64))
        found = predicted(artifact, rows, folder)
        assert found is None or found.tolist() == expected.tolist()
        values = np.clip(expected, -1e3, 1e3) + np.arange(len(rows))[:, None]
        modest = np.clip(rows.astype(np.float64), -1e9, 1e9)
        table = memory.of_arrays("it", "tests", model.features, model.targets, modest, values)
        refused(lambda: evaluate(TrainTest(table, Split("shuffle", 0.2, 1)), artifact, None, 3))
        blob = refused(lambda: onnx.export(artifact))
        if blob is not None and model.inputs:
            session = onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"])
            (found,) = session.run(None, {"features": rows})
            assert found.astype(np.float64).tolist() == expected.tolist()
        if refused(lambda: c.export(artifact)) is not None:
            loaded = library(folder, {"m": (model, False)})
            codes = np.empty(rows.shape, dtype=f"int{model.inputs.bits}")
            found, beyond = np.empty(expected.shape, dtype=np.float32), np.empty(len(rows), dtype=np.intc)
            call(loaded["m_rows_batch"], rows, codes, found, beyond)
            assert found.astype(np.float64).tolist() == expected.tolist()


@pytest.mark.slow
@pytest.mark.filterwarnings(UNNAMED)
@given(st.data())
def test_exports_of_any_float_model_agree(drawn):
    width, count = drawn.draw(st.integers(1, 4)), drawn.draw(st.integers(1, 2))
    every = drawn.draw(names(width + count))
    weights = drawn.draw(arrays(NUMBERS, (count, width), "float64"))
    model = LinearModel(
        weights, drawn.draw(arrays(NUMBERS, (count,), "float64")), every[:width], every[width:]
    )
    made = FloatArtifact(model, training(width, count), np.zeros((2, count)))
    with TemporaryDirectory() as place:
        path = Path(place, "float.json")
        path.write_bytes(encode_float(made))
        artifact = read_float(path)
    rows = np.random.default_rng(0).normal(size=(20, width)) * 1e-3
    with np.errstate(all="ignore"):
        expected = artifact.model.predict(rows)
        reach = np.abs(rows) @ np.abs(weights).T + np.abs(model.intercept)
        estimator = joblib.load(io.BytesIO(sklearn.export(artifact)))
        found = estimator.predict(rows).reshape(expected.shape)
        # Where the sum of the terms is beyond a double, the order in which they cancel decides.
        assert ((np.abs(found - expected) <= 1e-14 * reach) | (reach == np.inf)).all()
    refused(lambda: onnx.export_float(artifact))
