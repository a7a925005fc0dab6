"""What a TFLite file declares, and which tables its inputs index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dummyio.spec.dtypes import DType
from dummyio_tensorflow.calling.tflite_schema import read_model, subgraphs
from dummyio_tensorflow.declarations.declared_inputs import Declared, Leaf, choose_signature
from dummyio_tensorflow.declarations.embedding_tables import Operation, find_indexed_tables
from dummyio_tensorflow.running.tflite_runner import PLAIN, declared, open_interpreter

__all__ = ["of_tflite"]


def of_tflite(path: Path, signature: str | None) -> Declared:
    """Return the inputs of a signature; errors as `dummyio_tensorflow.reading.of_file`."""
    inputs, outputs = declared(open_interpreter(path))
    name = choose_signature(inputs, signature, str(path))
    details = inputs[name]
    found = Declared(str(path), {key: _leaf(one) for key, one in details.items()}, outputs=tuple(outputs[name]))
    found.rows = _rows(path, name, details)
    if name != PLAIN:
        found.notes["signature"] = name
    for key, one in details.items():
        if len(one["quantization_parameters"]["scales"]):
            scale, zero = one["quantization"]
            limits = np.iinfo(one["dtype"])
            found.ranges[key] = (int(limits.min), int(limits.max) + 1)
            found.notes[f"input {key}"] = f"quantized: it stands for (value - {zero}) * {scale:.6g}"
    return found


def _leaf(details: Mapping[str, Any]) -> Leaf:
    sizes = details["shape_signature"] if len(details["shape_signature"]) else details["shape"]
    axes = tuple(None if size < 0 else int(size) for size in sizes)
    return Leaf(axes, DType.of(np.dtype(details["dtype"])))


def _rows(path: Path, signature: str, details: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    model = read_model(path)
    place = _subgraph(model, signature)
    graph = model.Subgraphs(place)
    operations = [
        Operation(kind, str(index), tuple(inputs), tuple(outputs))
        for index, (kind, inputs, outputs) in enumerate(subgraphs(model)[place])
    ]

    def rows(op: Operation) -> int | None:
        if op.kind == "ONE_HOT":
            return None
        table = op.inputs[1 if op.kind == "EMBEDDING_LOOKUP" else 0]
        tensor = graph.Tensors(table) if isinstance(table, int) and table >= 0 else None
        if tensor is None or tensor.ShapeLength() < 2 or not model.Buffers(tensor.Buffer()).DataLength():
            return None  # not a constant table
        return int(tensor.Shape(0))

    found = find_indexed_tables(operations, {one["index"]: key for key, one in details.items()}, rows)

    def table(place: int) -> str:
        op = operations[place]
        return graph.Tensors(op.inputs[1 if op.kind == "EMBEDDING_LOOKUP" else 0]).Name().decode()

    return {key: (count, table(int(name))) for key, (count, name) in found.items()}


def _subgraph(model: Any, signature: str) -> int:
    for place in range(model.SignatureDefsLength()):
        one = model.SignatureDefs(place)
        if one.SignatureKey().decode() == signature:
            return int(one.SubgraphIndex())
    return 0
