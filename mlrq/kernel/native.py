"""The compiled library: the functions of `mlrq.kernel.reference` and `.inference`, with the same bits."""

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mlrq.kernel import inference
from mlrq.kernel.build import LIBRARY, identity
from mlrq.kernel.householder import Columns, FloatArray, canonical
from mlrq.kernel.inference import Codes, Integers, Sums
from mlrq.kernel.reference import Scanned

if TYPE_CHECKING:
    from mlrq.kernel.tree import Tree, Walk  # no prediction needs it

_INT, _UINT, _POINTER = ctypes.c_int64, ctypes.c_uint64, ctypes.c_void_p
_ARGUMENTS = {
    "below": [_INT, _UINT, _UINT, _UINT, _POINTER],
    "bounded": [_INT, _INT, _POINTER, ctypes.c_double],
    "affine": [_INT, _INT, _INT, _POINTER, _INT, _INT, *[_POINTER] * 3],
    "tally": [_INT, _POINTER, _INT, _POINTER, _INT, _POINTER],
    "encode": [_INT, _INT, _POINTER, _INT, _INT, _POINTER, _POINTER, _INT, _POINTER],
    "infer": [_INT, _INT, _INT, _POINTER, _INT, _INT, _INT, _INT, *[_POINTER] * 4],
    "scan": [_INT, _INT, _POINTER, _POINTER, _INT, _UINT, ctypes.c_double, *[_POINTER] * 6],
    "search": [*[_POINTER] * 12, _INT, ctypes.c_int],
    "stack": [_INT, _INT, _POINTER, _POINTER],
}
# Those of which there is one for each width of vectors.
_SIZED = ("tally", "scan", "stack")


@dataclass(frozen=True, eq=False)
class Native:
    """A loaded library; its methods are the functions of the modules in NumPy, which see."""

    library: ctypes.CDLL

    def below(self, start: int, count: int, key: int, limit: int) -> NDArray[np.bool_]:
        """See `reference.below`."""
        result = np.empty(count, dtype=np.bool_)
        self.library.mlrq_below(count, start, key, limit, result.ctypes.data)
        return result

    def bounded(self, columns: Columns, limit: float) -> bool:
        """See `reference.bounded`."""
        kept, table = _table(columns)
        return bool(self.library.mlrq_bounded(len(kept), len(kept[0]), table, limit))

    def affine(self, rows: FloatArray, weights: FloatArray, intercept: FloatArray) -> FloatArray:
        """See `reference.affine`."""
        rows = np.asarray(rows, dtype=np.float64)
        if rows.shape[1:] != weights.shape[1:] or weights.shape[:1] != intercept.shape:
            raise ValueError(f"shapes do not fit: {rows.shape}, {weights.shape}, {intercept.shape}")
        parts = [np.ascontiguousarray(part, dtype=np.float64) for part in (weights, intercept)]
        result = np.empty((len(rows), len(weights)))
        places = (rows.ctypes.data, *rows.strides, *(part.ctypes.data for part in parts))
        self.library.mlrq_affine(*rows.shape, len(weights), *places, result.ctypes.data)
        return result

    def tally(self, actual: FloatArray, predicted: FloatArray) -> FloatArray:
        """See `reference.tally`."""
        actual, predicted = (np.asarray(part, dtype=np.float64) for part in (actual, predicted))
        if actual.shape != predicted.shape or actual.ndim != 1:
            raise ValueError(f"shapes do not fit: {actual.shape}, {predicted.shape}")
        found = np.empty(7)
        places = (actual.ctypes.data, *actual.strides, predicted.ctypes.data, *predicted.strides)
        self.library.mlrq_tally(len(actual), *places, found.ctypes.data)
        found += 0.0
        return found

    def encode(
        self, rows: FloatArray, scale: NDArray[np.float32], offset: NDArray[np.float32], bits: int
    ) -> NDArray[np.int8] | NDArray[np.int16]:
        """See `inference.encode`."""
        rows = np.asarray(rows, dtype=np.float64)
        if not rows.shape[1:] == scale.shape == offset.shape:
            raise ValueError(f"shapes do not fit: {rows.shape}, {scale.shape}, {offset.shape}")
        if rows.itemsize not in rows.strides:
            rows = np.ascontiguousarray(rows)
        order: Literal["C", "F"] = "F" if rows.strides[0] == rows.itemsize else "C"
        result: NDArray[np.int8] | NDArray[np.int16] = np.empty(rows.shape, dtype=f"int{bits}", order=order)
        grid = [np.ascontiguousarray(part, dtype=np.float32) for part in (scale, offset)]
        places = (rows.ctypes.data, *rows.strides, *(part.ctypes.data for part in grid))
        self.library.mlrq_encode(*rows.shape, *places, bits // 8, result.ctypes.data)
        return result

    def infer(self, codes: Codes, model: Integers, result: Sums | NDArray[np.float32]) -> None:
        """See `inference.infer`."""
        if codes.dtype not in (np.int8, np.int16):
            inference.infer(codes, model, result)
            return
        weights, bias = (np.ascontiguousarray(part, dtype=np.int64) for part in (model.weights, model.bias))
        scale = np.ascontiguousarray(model.scale, dtype=np.float32)
        shape = (*codes.shape, len(bias))
        shapes = weights.shape[::-1] == shape[1:] and scale.shape == bias.shape and result.shape == shape[::2]
        if not (shapes and result.flags.c_contiguous and result.dtype in (model.sums, np.float32)):
            raise ValueError(f"do not fit: {codes.shape}, {weights.shape}, {scale.shape}, {result.shape}")
        places = (codes.ctypes.data, *codes.strides, codes.itemsize, model.sums.itemsize > 4)
        told = scale.ctypes.data if result.dtype == np.float32 else None
        parts = (weights.ctypes.data, bias.ctypes.data, told, result.ctypes.data)
        self.library.mlrq_infer(*shape, *places, *parts)

    def stack(self, triangle: FloatArray, rows: FloatArray) -> FloatArray:
        """See `householder.stack`."""
        if triangle.shape != (rows.shape[1], rows.shape[1]):
            raise ValueError(f"shapes do not fit: {triangle.shape}, {rows.shape}")
        result = np.array(triangle, dtype=np.float64, order="C")
        table = np.ascontiguousarray(rows, dtype=np.float64)
        if self.library.mlrq_stack(*table.shape[::-1], table.ctypes.data, result.ctypes.data):
            raise MemoryError
        return canonical(result)

    def centred(self, triangle: FloatArray, columns: Columns, pivot: FloatArray) -> FloatArray:
        """See `householder.centred`."""
        result = np.array(triangle, dtype=np.float64, order="C")
        self._scan(columns, None, 0, 0, 0.0, pivot, result, *[None] * 4)
        return canonical(result)

    def scan(
        self,
        columns: Columns,
        test: NDArray[np.bool_],
        start: int,
        bound: float,
        pivot: FloatArray,
        triangle: FloatArray,
    ) -> Scanned:
        """See `reference.scan`."""
        width, count = len(columns), int(np.count_nonzero(test))
        result, prints = np.array(triangle, dtype=np.float64, order="C"), np.zeros(width, dtype=np.uint64)
        low, high, tests = np.full(width, np.inf), np.full(width, -np.inf), np.empty((width, count))
        bounded = self._scan(columns, test, count, start, bound, pivot, result, prints, low, high, tests)
        return Scanned(canonical(result), low + 0.0, high + 0.0, prints, tests, bounded)

    def search(self, tree: "Tree", walk: "Walk", nodes: int, single: bool) -> None:
        """See `branch.search`."""
        counts = tree.mixing.shape[1], int(tree.groups.max()) + 1
        box = np.array([len(tree.target), *tree.box, *counts], dtype=np.int64)
        parts = tree.columns, tree.target, tree.inverse, tree.alone, tree.drag, tree.spread, tree.lengths
        tables = (_POINTER * len(parts))(*(part.ctypes.data for part in parts))
        arrays = walk.floats, walk.sums, walk.slopes, walk.integers, walk.ends, walk.found
        state = [part.ctypes.data for part in arrays]
        limits, counters = np.array([walk.best, walk.reach, walk.slack]), np.array([walk.level, walk.nodes])
        codes = box.ctypes.data, tree.mixing.ctypes.data, tree.groups.ctypes.data
        places = *codes, tables, *state, limits.ctypes.data, counters.ctypes.data
        if self.library.mlrq_search(*places, nodes, single):
            raise MemoryError
        walk.best, walk.reach, _ = limits.tolist()
        walk.level, walk.nodes = counters.tolist()

    def _scan(
        self,
        columns: Columns,
        test: NDArray[np.bool_] | None,
        taken: int,
        start: int,
        bound: float,
        *arrays: NDArray[np.generic] | None,
    ) -> bool:
        kept, table = _table(columns)
        contiguous = [None if array is None else np.ascontiguousarray(array) for array in (test, *arrays)]
        first, *rest = (None if array is None else array.ctypes.data for array in contiguous)
        code = self.library.mlrq_scan(len(kept), len(kept[0]), table, first, taken, start, bound, *rest)
        if code < 0:
            raise MemoryError
        return not code


def _table(columns: Columns) -> tuple[list[FloatArray], ctypes.Array[ctypes.c_void_p]]:
    """The columns as the library takes them, (n,) contiguous each, and where they are."""
    kept = [np.ascontiguousarray(column, dtype=np.float64) for column in columns]
    if len({column.shape for column in kept}) > 1:
        raise ValueError("columns are not of one length")
    return kept, (_POINTER * len(kept))(*(column.ctypes.data for column in kept))


def load(path: Path = LIBRARY) -> Native | None:
    """The library at `path`; None if it is not there, is another version's, or cannot be loaded here."""
    if not path.exists():
        return None
    try:
        library = ctypes.CDLL(str(path))
        made_of = ctypes.c_char.in_dll(library, "mlrq_source")
    except (OSError, ValueError):
        return None
    if ctypes.string_at(ctypes.addressof(made_of)) != identity().encode():
        return None
    for name in _SIZED:
        setattr(library, f"mlrq_{name}", getattr(library, f"mlrq_{name}_{library.mlrq_width()}"))
    for name, arguments in _ARGUMENTS.items():
        getattr(library, f"mlrq_{name}").argtypes = arguments
    return Native(library)
