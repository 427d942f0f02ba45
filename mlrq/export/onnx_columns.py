"""ONNX from the columns of a table on: an input for each column, (rows, 1).

A number is a float, not a number where it is missing. A category or truth value is the int64 place of it in a
list that the metadata have, with places for missing and for unknown ones; a place that is none is an error of
the runtime. With integer inputs the graph is that of plain numbers for the columns of numbers, and

    IsNaN, Equal, Or, Where    what is missing, and the number that stands for it
    Gather, Add                what the other columns add to the accumulator, looked up

as `raw_columns` has it. With float inputs it is

    Gather, Equal, Cast        the features of 0 and 1
    Concat                     all features, in their order

and then that of the features.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts.documents import QuantizedArtifact
from mlrq.datasets.encoding import BOOLEAN, NUMERIC, Column, Encoding
from mlrq.export.identifiers import distinct
from mlrq.export.onnx_graph import Graph
from mlrq.export.raw_columns import (
    MISSING,
    RARE_VALUE,
    UNKNOWN,
    missing_numbers,
    names_of,
    raw_model,
    values_of,
)
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Attributes:
        encoding: How they become features.
        names: Their identifiers.
    """

    encoding: Encoding
    names: tuple[str, ...]

    def input(self, name: str) -> str:
        """What an input is called while the graph is built: as nothing else is."""
        return f"column:{name}"

    def final(self, taken: set[str]) -> dict[str, str]:
        """What each input is called in the end, as nothing in `taken` is, by what it was."""
        every = set(taken)
        return {self.input(name): distinct(name, every) for name in self.names}

    def told(self, final: dict[str, str], kind: np.dtype[Any]) -> list[dict[str, Any]]:
        """What each input takes, in the order of the columns."""
        pairs = zip(self.encoding.columns, self.names, strict=True)
        return [{"input": final[self.input(name)], **self._told(column, kind)} for column, name in pairs]

    def _told(self, column: Column, kind: np.dtype[Any]) -> dict[str, Any]:
        values = values_of(column)
        found: dict[str, Any] = {"column": column.name, "kind": column.kind, "type": "int64"}
        if column.kind == NUMERIC:
            lost = None if column.fill is None else "NaN"
            return found | {"type": str(kind), "missing": lost, "missing_values": list(self.missing)}
        found["missing"] = values.index(MISSING) if MISSING in values else None
        if column.kind == BOOLEAN:
            return found | {"values": ["false", "true"]}
        rare = values.index(RARE_VALUE) if column.rare else None
        found |= {"values": list(column.categories), "unknown": values.index(UNKNOWN)}
        return found | {"rare": rare, "rare_values": list(column.rare)}

    @property
    def missing(self) -> tuple[float, ...]:
        """Numbers that mean a missing cell."""
        return missing_numbers(self.encoding)


def columns_of(encoding: Encoding | None) -> Columns | None:
    """The columns that an encoding reads, where there is one."""
    return None if encoding is None else Columns(encoding, names_of(encoding))


def narrowed(artifact: QuantizedArtifact) -> QuantizedLinear:
    """The model of the columns of numbers alone."""
    model, raw = artifact.model, raw_model(artifact)
    assert raw is not None
    assert model.inputs is not None
    places = [one.feature for one in raw.numbers]
    inputs = InputGrid(model.inputs.bits, model.inputs.scale[places], model.inputs.offset[places])
    names = tuple(model.features[place] for place in places)
    return replace(
        model, features=names, codes=model.codes[:, places], factor=model.factor[places], inputs=inputs
    )


def add_lookups(
    graph: Graph, artifact: QuantizedArtifact, columns: Columns, kind: np.dtype[Any]
) -> tuple[str | None, str]:
    """The numbers, (rows, numbers) float32 and none missing, and what all else adds to the accumulators.

    The latter starts from `base`, so that no sum exceeds the bound.
    """
    raw = raw_model(artifact)
    assert raw is not None
    numbers, lost = None, ""
    if raw.numbers:
        fills = [-np.inf if one.column.fill is None else one.column.fill for one in raw.numbers]
        numbers = _joined(graph, "numbers", [columns.input(one.name) for one in raw.numbers])
        lost = _lost(graph, "lost", numbers, raw.missing_values, np.dtype(np.float32))
        fill = graph.constant("fill", np.array(fills, dtype=np.float32))
        numbers = graph.add("number", "Where", lost, fill, numbers)
    total = graph.constant("base", raw.base.astype(kind))
    shape = ""
    for one in raw.columns:
        if one.table is None:
            continue
        table, index = one.table.T.astype(kind), columns.input(one.name)
        if one.is_number:
            place = graph.constant(f"place_{one.name}", np.array([raw.numbers.index(one)]))
            flag = graph.add(f"lost_{one.name}", "Gather", lost, place, axis=1)
            index = graph.cast(f"index_{one.name}", flag, np.dtype(np.int64))
        elif UNKNOWN in one.values:
            table = np.concatenate([table, table[:1]])
        found = graph.add(f"add_{one.name}", "Gather", graph.constant(f"by_{one.name}", table), index, axis=0)
        total = graph.add(f"with_{one.name}", "Add", found, total)
        shape = total
    if shape:
        total = graph.add("looked_up", "Squeeze", shape, graph.constant("axis", np.array([1])))
    return numbers, total


def add_features(graph: Graph, columns: Columns) -> str:
    """The features, (rows, features) float64."""
    pieces: list[str] = []
    for column, name in zip(columns.encoding.columns, columns.names, strict=True):
        pieces += _features(graph, column, name, columns)
    return _joined(graph, "rows", pieces)


def _features(graph: Graph, column: Column, name: str, columns: Columns) -> list[str]:
    """The features of a column, in pieces."""
    double, cell, values = np.dtype(np.float64), columns.input(name), values_of(column)
    if column.kind == NUMERIC:
        number, lost = cell, ""
        if column.fill is not None or columns.missing:
            lost = _lost(graph, f"lost_{name}", cell, columns.missing, double)
            fill = np.array(np.nan if column.fill is None else column.fill)
            number = graph.add(f"filled_{name}", "Where", lost, graph.constant(f"fill_{name}", fill), cell)
        return [number, *([graph.cast(f"missing_{name}", lost, double)] if column.indicator else [])]
    if column.kind == BOOLEAN:
        known = np.array([0.0, 1.0, *([] if column.fill is None else [column.fill])])
        pieces = [graph.add(f"number_{name}", "Gather", graph.constant(f"numbers_{name}", known), cell)]
    else:
        width = len(column.features) - column.indicator
        slots = np.array([place if place <= width else 0 for place in range(len(values))])
        slot = graph.add(f"slot_{name}", "Gather", graph.constant(f"slots_{name}", slots), cell)
        same = graph.constant(f"own_{name}", np.arange(1, width + 1))
        pieces = (
            [graph.cast(f"ones_{name}", graph.add(f"is_{name}", "Equal", slot, same), double)]
            if width
            else []
        )
    if column.indicator:
        place = graph.constant(f"place_{name}", np.array(values.index(MISSING)))
        flag = graph.add(f"lost_{name}", "Equal", cell, place)
        pieces.append(graph.cast(f"missing_{name}", flag, double))
    return pieces


def _joined(graph: Graph, output: str, pieces: list[str]) -> str:
    return graph.add(output, "Concat", *pieces, axis=1)


def _lost(graph: Graph, name: str, numbers: str, missing: tuple[float, ...], kind: np.dtype[Any]) -> str:
    """Whether numbers are missing."""
    lost = graph.add(f"nan_{name}", "IsNaN", numbers)
    for place, value in enumerate(missing):
        one = graph.constant(f"{name}_value_{place}", np.array(value, dtype=kind))
        same = graph.add(f"{name}_is_{place}", "Equal", numbers, one)
        lost = graph.add(f"{name}_or_{place}", "Or", lost, same)
    return lost


def constants_of(artifact: QuantizedArtifact) -> dict[str, NDArray[Any]]:
    """The constants of a graph of columns that are not those of a graph of plain numbers; none without."""
    raw = raw_model(artifact)
    if raw is None:
        return {}
    found = {"base": raw.base}
    for one in raw.columns:
        if one.table is not None:
            first = one.table[:, :1] if UNKNOWN in one.values else one.table[:, :0]
            found[f"by_{one.name}"] = np.concatenate([one.table, first], axis=1).T
    return found
