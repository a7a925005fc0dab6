"""The files that a model names for its contents: each must be in the model's own folder.

A runtime opens these files without a question, so a model could read any file. Everything that can name one is checked before
a runtime or an evaluator gets the model; describing never opens them.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import onnx

from dummyio.errors import SourceError
from dummyio.sources.read_file import is_inside, is_plain_location

_MAX_SHOWN = 200
_MEMORY = "_ORT_MEM_ADDR_"
"""In a location, this makes ONNX Runtime read an address of its own memory."""

_MAX_OFFSET = 1 << 63

Graph = onnx.GraphProto | onnx.FunctionProto


def check_external_data(model: onnx.ModelProto, path: Path | None, *, opening: bool = False) -> None:
    """Check everything in a model that names a file; no file is opened.

    Parameters
    ----------
    model
        The model; contents of its tensors are not needed.
    path
        Its file; None for a model in memory.
    opening
        Whether a runtime opens the files next: then they must exist and be as long as the model declares.

    Raises
    ------
    SourceError
        If a file is outside of the model's folder or not a regular file, or its part is not in it.
    """
    checked: dict[str, int | None] = {}
    for name, locations, parts in _find_references(model):
        if opening and path is None:
            raise SourceError(
                f"this ModelProto: the data of {shorten(name)} is in another file, and a model in memory has no folder. "
                "Give its path, or load it with its data: onnx.load(path)."
            )
        for location in locations or [""]:
            if location not in checked:
                checked[location] = _check_location(name, location, path, opening=opening)
        for key, text in parts:
            if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _MAX_OFFSET):
                raise SourceError(
                    f"{_where(path)}: the {key} of the data of {shorten(name)} is {shorten(text)}, but must be a number of "
                    "bytes. The model is damaged: export it again."
                )
        sizes = [size for location in locations if (size := checked[location]) is not None]
        if opening and sizes:
            _check_end(name, parts, min(sizes), path)


def list_external_files(model: onnx.ModelProto, path: Path) -> list[Path]:
    """Return the files next to a model that its tensors name, each once."""
    names = {location for _, locations, _ in _find_references(model) for location in locations}
    return [file for name in sorted(names) if (file := path.parent / name).is_file()]


def iterate_graphs(model: onnx.ModelProto) -> Iterator[Graph]:
    """Yield the model's graph, its functions, and all graphs in the attributes of their nodes."""
    return iterate_graphs_within(model.graph, *model.functions)


def iterate_graphs_within(*outer: Graph) -> Iterator[Graph]:
    """Yield graphs, and all graphs in the attributes of their nodes."""
    graphs = [*outer][::-1]
    while graphs:
        graph = graphs.pop()
        yield graph
        for attribute in _iterate_attributes(graph):
            if attribute.HasField("g"):
                graphs.append(attribute.g)
            graphs += attribute.graphs


def _iterate_attributes(graph: Graph) -> Iterator[onnx.AttributeProto]:
    for node in graph.node:
        yield from node.attribute
    yield from getattr(graph, "attribute_proto", ())  # defaults of a function


def _find_references(model: onnx.ModelProto) -> Iterator[tuple[Any, list[str], list[tuple[str, str]]]]:
    """Yield the name of everything that is in another file, its locations, and the numbers that say which part."""
    training = chain.from_iterable((part.initialization, part.algorithm) for part in model.training_info)
    for graph in chain(iterate_graphs(model), iterate_graphs_within(*training)):
        for tensor in _iterate_tensors(graph):
            if not tensor.external_data and tensor.data_location != onnx.TensorProto.EXTERNAL:
                continue
            # A runtime may take the first entry of a kind or the last one.
            entries = [(str(entry.key), _decode(entry.value)) for entry in tensor.external_data]
            yield (
                tensor.name,
                [value for key, value in entries if key == "location"],
                [(key, value) for key, value in entries if key in ("offset", "length")],
            )
        for node in graph.node:
            if node.op_type == "EPContext":  # a compiled part of a model, in the model or in a file
                yield from _read_context(node)


def _iterate_tensors(graph: Graph) -> Iterator[onnx.TensorProto]:
    sparse: list[Sequence[onnx.SparseTensorProto]] = []
    if isinstance(graph, onnx.GraphProto):
        yield from graph.initializer
        sparse.append(graph.sparse_initializer)
    for attribute in _iterate_attributes(graph):
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        sparse.append(attribute.sparse_tensors)
        if attribute.HasField("sparse_tensor"):
            sparse.append([attribute.sparse_tensor])
    for tensor in chain.from_iterable(sparse):
        yield from (tensor.values, tensor.indices)


def _read_context(node: onnx.NodeProto) -> Iterator[tuple[Any, list[str], list[tuple[str, str]]]]:
    modes = [attribute.i for attribute in node.attribute if attribute.name == "embed_mode"]
    if any(mode != 1 for mode in modes):
        yield node.name, [_decode(part.s) for part in node.attribute if part.name == "ep_cache_context"], []


def _decode(value: str | bytes) -> str:
    """Return a name as the system has it: protobuf returns names that are not UTF-8 as bytes."""
    return os.fsdecode(value) if isinstance(value, bytes) else value


def _check_location(name: Any, location: str, path: Path | None, *, opening: bool) -> int | None:
    """Return the size of a file, or None if it does not exist and need not; raise `SourceError` if it may not be opened."""
    is_own = is_plain_location(location) if path is None else is_inside(location, path)
    if not is_own or _MEMORY in location:
        raise SourceError(
            f"{_where(path)}: the data of {shorten(name)} is declared to be in {shorten(location)}, which is not in the "
            "model's folder. Such a model could read any file: save it again with its data next to it."
        )
    if path is None:
        return None
    try:
        status = (path.parent / location).stat()
    except (OSError, ValueError) as error:
        if not opening:
            return None
        raise SourceError(
            f"{path}: the data of {shorten(name)} is declared to be in {shorten(location)}, which cannot be read "
            f"({getattr(error, 'strerror', error)}). Put the file next to the model."
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(
            f"{path}: the data of {shorten(name)} is declared to be in {shorten(location)}, which is not a regular file. "
            "Save the model again with its data in a file next to it."
        )
    return status.st_size


def _check_end(name: Any, parts: Iterable[tuple[str, str]], size: int, path: Path | None) -> None:
    numbers = {key: max((int(text) for kind, text in parts if kind == key), default=0) for key in ("offset", "length")}
    if sum(numbers.values()) > size:
        raise SourceError(
            f"{_where(path)}: the data of {shorten(name)} is declared to end at byte {sum(numbers.values())} of a file of "
            f"{size} bytes. The file is cut short, or belongs to another model: export both again."
        )


def _where(path: Path | None) -> str:
    return "this ModelProto" if path is None else str(path)


def shorten(text: object) -> str:
    """Return a name from a file for a message, which must stay short."""
    shown = repr(text)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}... ({len(shown)} characters)"
