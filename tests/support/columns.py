"""Tables with categories and holes for the tests of exports, and C that reads rows of them."""

import ctypes
import json
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas

import mlrq
from mlrq.artifacts.documents import QuantizedArtifact
from mlrq.datasets.encoding import Column, Encoding, category, text_of
from mlrq.export.c import export
from support.compiling import C99, STRICT, compiled
from support.exporting import TRAINING, artifact, random_model

TOWNS = [f"Town {i:02}" for i in range(28)] + ["NA", "Köln, am Rhein"]


def rentals(rows: int = 600, seed: int = 0) -> pandas.DataFrame:
    """Headers with blanks, 30 categories, NA among them, whole numbers as floats, holes, truth values."""
    chance = np.random.default_rng(seed)
    frame = pandas.DataFrame(
        {
            "living area (m²)": chance.integers(20, 150, rows).astype(float),
            "home town": chance.choice(TOWNS, rows),
            "Level": chance.choice(["low", "mid", "high", "missing", "unknown"], rows),
            "level": np.round(chance.normal(3, 2, rows), 1),
            "has lift": chance.choice([True, False], rows),
            "postal code": chance.choice([53111.0, 53113.0, 50667.0], rows),
            "int": chance.normal(40, 10, rows),
        }
    )
    effect = dict(zip(TOWNS, chance.normal(0, 80, len(TOWNS)), strict=True))
    frame["rent"] = 8 * frame["living area (m²)"] + frame["home town"].map(effect) - frame["int"]
    frame["rent"] += 30 * frame["has lift"] + chance.normal(0, 20, rows)
    frame.loc[::7, "int"] = np.nan
    frame.loc[3::11, "Level"] = None
    frame.loc[5::13, "home town"] = None
    return frame


def random_encoding(rng: np.random.Generator, names: list[str], texts: list[str]) -> Encoding:
    """An encoding of any kinds of columns with these names, of two categories or more."""
    columns = []
    for name in names:
        kind = str(rng.choice(["numeric", "boolean", "categorical"]))
        fill = float(rng.normal()) if rng.random() < 0.6 else None
        indicator = fill is not None and bool(rng.random() < 0.5)
        cut = int(rng.integers(2, len(texts) + 1))
        known, rare = (tuple(texts[:cut]), tuple(texts[cut:])) if kind == "categorical" else ((), ())
        if kind == "categorical" and fill is not None:
            fill = 0.0
        columns.append(Column(name, kind, known, rare, fill, indicator))
    return Encoding(tuple(columns), ("-999", "n/a") if rng.random() < 0.5 else ())


def encoded_artifact(rng: np.random.Generator, encoding: Encoding, **kind: object) -> QuantizedArtifact:
    """Any model of the features that columns become."""
    model = random_model(rng, features=max(len(encoding.features), 1), **kind)
    model = replace(model, features=encoding.features)
    return artifact(model, replace(TRAINING, columns=encoding))


def trained(frame: pandas.DataFrame, **settings: object) -> mlrq.QuantizedModel:
    keys = {"missing": "indicator", "inputs": "int8", "rare_below": 12, **settings}
    return mlrq.quantize("linear_regression", frame.drop(columns="rent"), frame[["rent"]], **keys)


def by_pandas(model: mlrq.QuantizedModel, frame: pandas.DataFrame) -> np.ndarray:
    """Features as pandas makes them, in integers as the documentation has it; mlrq computes nothing here."""
    encoding = {one.name: one for one in model.artifact.training.columns.columns}
    rows = {}
    for name, column in encoding.items():
        cells = frame[name]
        if column.kind == "categorical":
            known = cells.map(
                lambda cell: cell if cell is None or cell != cell else re.sub(r"\.0$", "", str(cell))
            )
            together = known.where(~known.isin(column.rare), "(rare)")
            dummies = pandas.get_dummies(together, prefix=name, prefix_sep="=", dtype=float)
            rows |= {one: dummies[one].to_numpy() for one in dummies if one in model.features}
        else:
            rows[name] = cells.astype(float).fillna(column.fill or 0.0).to_numpy()
        rows[f"{name} is missing"] = cells.isna().to_numpy(dtype=float)
    inputs, made = model.artifact.model.inputs, np.zeros((len(frame), 1), dtype=object)
    made += int(model.artifact.model.intercept[0])
    for place, name in enumerate(model.features):
        with np.errstate(over="ignore"):
            position = (rows[name].astype(np.float32) - inputs.offset[place]) / inputs.scale[place]
        codes = np.clip(np.rint(position), -(2 ** (inputs.bits - 1)), 2 ** (inputs.bits - 1) - 1)
        made[:, 0] += codes.astype(int).astype(object) * int(model.artifact.model.steps[0, place])
    return made.astype(np.float64).astype(np.float32) * model.scale


# ---- C


def enums(header: str) -> dict[str, dict[str, int]]:
    """The enums of a header: of each type its names and numbers."""
    found = {}
    for body, name in re.findall(r"typedef enum \{\n(.*?)\n\} (\w+);", header, re.DOTALL):
        found[name] = {
            one: int(number) for one, number in re.findall(r"^    (\w+) = (\d+),? /\*", body, re.M)
        }
    return found


def labels(header: str, kind: str) -> dict[str, int]:
    """The numbers of an enum by the categories that its comments quote; of special values by their names."""
    (body,) = (
        body
        for body, name in re.findall(r"typedef enum \{\n(.*?)\n\} (\w+);", header, re.DOTALL)
        if name == kind
    )
    found = {}
    for name, number, told in re.findall(r"^    (\w+) = (\d+),? /\* (.*) \*/$", body, re.MULTILINE):
        end = name.rpartition("_")[2].lower()
        quoted = json.loads(f"[{told}]") if told.startswith('"') else [f"({end})"]
        found |= dict.fromkeys(quoted, int(number))
    return found


def members(header: str, kind: str = "columns", prefix: str = "mlrq") -> list[tuple[str, str, str]]:
    """(type, name, column) of each member of a struct, in order."""
    body = header.partition(f"}} {prefix}_{kind};")[0].rpartition("typedef struct {\n")[2]
    found = re.findall(r"^    (\w+) (\w+); /\* (\".*\").*? \*/$", body, re.MULTILINE)
    return [(kind, name, json.loads(column)) for kind, name, column in found]


def places(header: str, frame: pandas.DataFrame) -> list[np.ndarray]:
    """Each column of a table as the members of the struct of a row want it."""
    made = []
    for kind, _, column in members(header):
        cells = frame[column]
        if kind in ("float", "bool"):
            made.append(cells.to_numpy(dtype=np.float32 if kind == "float" else bool))
            continue
        known = labels(header, kind)
        texts = [category(text_of(cell)) or "(missing)" for cell in cells]
        made.append(np.array([known.get(text, known.get("(unknown)")) for text in texts], dtype=np.uint32))
    return made


ROWS = """
#include "mlrq.c"
void mlrq_rows(long rows, const mlrq_columns *columns, float *made, int *unfit, int32_t *outputs);
void mlrq_rows(long rows, const mlrq_columns *columns, float *made, int *unfit, int32_t *outputs)
{
    while (rows--) {
        mlrq_cells cells;

        *unfit = mlrq_predict_columns(columns, made);
        if (mlrq_quantize_columns(columns, &cells) != *unfit) {
            *unfit = -1;
        }
        mlrq_infer_cells(&cells, outputs);
        columns++, unfit++, made += MLRQ_TARGETS, outputs += MLRQ_TARGETS;
    }
}
"""


class Table:
    """The C of an artifact, compiled, that takes rows of a table.

    Args:
        made: The artifact.
        folder: Where to compile.
        options: Of the export.
    """

    def __init__(self, made: QuantizedArtifact, folder: Path, **options: object) -> None:
        files = export(made, vectors=0, **options)
        self.header = files["mlrq.h"]
        for name, text in files.items():
            (folder / name).write_text(text, encoding="ascii")
        self.members, self.targets = members(self.header), len(made.model.targets)
        (folder / "rows.c").write_text(ROWS)
        compiled(folder, *C99, *STRICT, "-O1", "-shared", "-fPIC", "rows.c", "-o", "rows.so")
        self._function = ctypes.CDLL(str(folder / "rows.so")).mlrq_rows

    def predict(self, cells: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(rows, targets) predictions, (rows,) unfit columns, (rows, targets) outputs of columns of cells."""
        layout = "@" + "".join({"float": "f", "bool": "?"}.get(kind, "I") for kind, _, _ in self.members)
        size = struct.calcsize(
            layout + ("0I" if set(layout) & set("fI") else "")
        )  # a struct's end is aligned
        rows = list(zip(*(one.tolist() for one in cells), strict=True))
        packed = b"".join(struct.pack(layout, *row).ljust(size, b"\0") for row in rows)
        made = np.empty((len(rows), self.targets), dtype=np.float32)
        unfit, outputs = np.empty(len(rows), dtype=np.intc), np.empty(made.shape, dtype=np.int32)
        pointers = (ctypes.c_void_p(one.ctypes.data) for one in (made, unfit, outputs))
        self._function(ctypes.c_long(len(rows)), ctypes.c_char_p(packed), *pointers)
        return made, unfit, outputs


# ---- ONNX


def feeds(told: list[dict], frame: pandas.DataFrame) -> dict[str, np.ndarray]:
    """Each column of a table as the input of an ONNX file, of which the metadata `told`."""
    made = {}
    for one in told:
        cells = frame[one["column"]]
        if one["kind"] == "numeric":
            made[one["input"]] = cells.to_numpy(dtype=one["type"])[:, None]
            continue
        known = {text: place for place, text in enumerate(one["values"])}
        known |= dict.fromkeys(one.get("rare_values", ()), one.get("rare"))
        texts = [category(text_of(cell)) for cell in cells]
        places = [one["missing"] if text == "" else known.get(text, one.get("unknown")) for text in texts]
        made[one["input"]] = np.array(places, dtype=np.int64)[:, None]
    return made
