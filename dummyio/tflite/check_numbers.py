"""The numbers in a TFLite file that name its parts: LiteRT verifies where the parts lie, and follows these numbers without a check.

A number that is out of range makes LiteRT read memory that is not the file's, and ends the process.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dummyio.errors import SourceError


def check_numbers(path: Path, model: Any) -> None:
    """Raise `SourceError` if a signature, a graph, an operator or a tensor names a part that the file does not have."""
    graphs = list(_list_parts(model.Subgraphs, model.SubgraphsLength()))
    if not graphs:
        raise SourceError(f"{path}: the file has no graph; it may be damaged.")
    for number, graph in enumerate(graphs):
        _check_graph(path, model, graph, f"graph {number}")
    for signature in _list_parts(model.SignatureDefs, model.SignatureDefsLength()):
        name = _read_text(path, signature.SignatureKey(), "a signature")[:80]
        where = f"signature {name!r}"
        graph = graphs[_check_range(path, where, "graph", int(signature.SubgraphIndex()), len(graphs))]
        for side, count in (
            (signature.Inputs, signature.InputsLength()),
            (signature.Outputs, signature.OutputsLength()),
        ):
            entries = list(_list_parts(side, count))
            names = [_read_text(path, entry.Name(), f"a tensor of {where}") for entry in entries]
            if len(set(names)) < len(names):
                raise SourceError(f"{path}: {where} has two tensors of one name: names must differ.")
            for entry in entries:
                _check_range(path, where, "tensor", int(entry.TensorIndex()), graph.TensorsLength())


def _check_graph(path: Path, model: Any, graph: Any, where: str) -> None:
    count = graph.TensorsLength()
    for tensor in _list_parts(graph.Tensors, count):
        _check_range(path, where, "buffer", int(tensor.Buffer()), model.BuffersLength())
        rank = tensor.ShapeSignatureLength()
        if rank and rank != tensor.ShapeLength():
            raise SourceError(f"{path}: a tensor of {where} has {tensor.ShapeLength()} sizes and {rank} dynamic sizes.")
    for index, length in ((graph.Inputs, graph.InputsLength()), (graph.Outputs, graph.OutputsLength())):
        _check_numbers(path, where, index, length, count, absent=False)
    for operator in _list_parts(graph.Operators, graph.OperatorsLength()):
        _check_range(path, where, "operator", int(operator.OpcodeIndex()), model.OperatorCodesLength())
        _check_numbers(path, where, operator.Inputs, operator.InputsLength(), count, absent=True)
        _check_numbers(path, where, operator.Outputs, operator.OutputsLength(), count, absent=True)
        _check_numbers(path, where, operator.Intermediates, operator.IntermediatesLength(), count, absent=True)


def _check_numbers(
    path: Path, where: str, numbers: Callable[[int], int], length: int, count: int, *, absent: bool
) -> None:
    """Check numbers of tensors; -1 stands for an optional one that is absent."""
    for number in _list_parts(numbers, length):
        if not (absent and number == -1):
            _check_range(path, where, "tensor", int(number), count)


def _check_range(path: Path, where: str, kind: str, number: int, count: int) -> int:
    if not 0 <= number < count:
        raise SourceError(f"{path}: {where} names the {kind} {number}, and there are {count}; the file is damaged.")
    return number


def _read_text(path: Path, value: bytes | None, what: str) -> str:
    if value is None:
        raise SourceError(f"{path}: {what} has no name; the file is damaged.")
    return value.decode()


def _list_parts(part: Callable[[int], Any], count: int) -> Iterator[Any]:
    return (part(index) for index in range(count))
