"""The inputs that a TFLite file declares, and the tables that they index."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dummyio.running.signatures import SIGNATURE, choose_signature
from dummyio.sources.declared import Declared, Leaf
from dummyio.sources.graph.indexed_tables import Operation, find_indexed_tables
from dummyio.spec.dtypes import DType
from dummyio.tflite.interpreter import UNNAMED, declared_axes, list_signatures, open_interpreter
from dummyio.tflite.read_model import list_operators, read_model, refuse_damage

_PASSING = (
    *("CAST", "RESHAPE", "EXPAND_DIMS", "SQUEEZE", "STRIDED_SLICE", "SLICE", "TRANSPOSE", "BROADCAST_TO", "TILE"),
    *("PAD", "PADV2", "CONCATENATION", "PACK", "SELECT", "SELECT_V2", "MINIMUM", "MAXIMUM", "ABS", "UNPACK"),
)
"""Operators whose results are elements of their inputs, or smaller."""
_CHOOSING = {"GATHER": 1, "EMBEDDING_LOOKUP": 0, "ONE_HOT": 0}
"""Operators that choose by index → the number of the input with the indices."""


def declared_from_tflite(path: Path, signature: str | None) -> Declared:
    """Return the inputs of a signature; errors as `dummyio.tflite.describe.describe`."""
    with refuse_damage(path):
        return _read_declared(path, signature)


def _read_declared(path: Path, signature: str | None) -> Declared:
    inputs, outputs = list_signatures(open_interpreter(path))
    name = choose_signature(inputs, signature, str(path))
    details = inputs[name]
    tree = {key: Leaf(declared_axes(one), DType.of(np.dtype(one["dtype"]))) for key, one in details.items()}
    declared = Declared(str(path), tree, outputs=tuple(outputs[name]))
    declared.rows = _find_tables(path, name, {one["index"]: key for key, one in details.items()})
    if name != UNNAMED:
        declared.notes[SIGNATURE] = name
    for key, one in details.items():
        if len(one["quantization_parameters"]["scales"]) and np.issubdtype(one["dtype"], np.integer):
            scale, zero = one["quantization"]
            limits = np.iinfo(one["dtype"])
            declared.ranges[key] = (int(limits.min), int(limits.max) + 1)
            declared.notes[f"input {key}"] = f"quantized: it stands for (value - {zero}) * {scale:.6g}"
    return declared


def _find_tables(path: Path, signature: str, inputs: Mapping[Any, str]) -> dict[str, tuple[int, str]]:
    """Return input → (rows, name) of the table that it indexes; `inputs` is the number of an input's tensor → its name."""
    model = read_model(path)
    graph = model.Subgraphs(_find_subgraph(model, signature))
    operations = [
        Operation(kind, str(number), tuple(taken), tuple(made))
        for number, (kind, taken, made) in enumerate(list_operators(model, graph))
    ]

    def table(op: Operation) -> Any:
        number = op.inputs[1 if op.kind == "EMBEDDING_LOOKUP" else 0]
        return graph.Tensors(number) if isinstance(number, int) and number >= 0 else None

    def rows(op: Operation) -> int | None:
        tensor = None if op.kind == "ONE_HOT" else table(op)
        if tensor is None or tensor.ShapeLength() < 2 or not model.Buffers(tensor.Buffer()).DataLength():
            return None  # not a constant table
        return int(tensor.Shape(0))

    found = find_indexed_tables(operations, inputs, rows, passing=_PASSING, choosing=_CHOOSING)
    return {
        key: (count, table(operations[int(number)]).Name().decode("utf-8", "replace"))
        for key, (count, number) in found.items()
    }


def _find_subgraph(model: Any, signature: str) -> int:
    signatures = map(model.SignatureDefs, range(model.SignatureDefsLength()))
    own = (int(one.SubgraphIndex()) for one in signatures if one.SignatureKey().decode("utf-8", "replace") == signature)
    return next(own, 0)
