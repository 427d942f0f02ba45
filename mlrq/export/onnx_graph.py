"""Builder of an ONNX graph."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError, not_installed

try:
    from onnx import NodeProto, TensorProto, helper, numpy_helper
except ModuleNotFoundError as error:
    raise MlrqError(not_installed("export=onnx", "onnx", "onnx")) from error


class Graph:
    """Builder of a graph: its nodes and constants so far."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant tensor, and return its name."""
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def add(self, output: str, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def cast(self, output: str, source: str, kind: np.dtype[Any]) -> str:
        """`source` converted to `kind`."""
        return self.add(output, "Cast", source, to=helper.np_dtype_to_tensor_dtype(kind))

    def clamp(self, values: str, limits: NDArray[np.floating]) -> str:
        """`values` within the (2, targets) `limits`."""
        low, high = (self.constant(name, row) for name, row in zip(("low", "high"), limits, strict=True))
        return self.add("below", "Min", self.add("above", "Max", values, low), high)

    def rename(self, names: dict[str, str]) -> None:
        """Call inputs of the graph, by their names so far, otherwise."""
        for node in self.nodes:
            node.input[:] = [names.get(name, name) for name in node.input]
