"""The JSON form of a spec: versioned, canonical, checked on loading.

Shapes hold ints and expressions as text; each dim is defined once, in ``dims``. Keys are sorted and white space is left
out, so equal specs have equal bytes. `make_json_schema` returns the JSON Schema.
"""

from __future__ import annotations

import hashlib
import os
from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal

import msgspec

from dummyio.atomic_files import atomic_file
from dummyio.errors import DimError, DTypeError, SourceError, SpecError
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size, to_size
from dummyio.spec.dtypes import DType
from dummyio.spec.plain_values import show_value
from dummyio.spec.proof import Proof
from dummyio.spec.spec_data import OutputSpec, SpecData
from dummyio.spec.tensor_spec import MAX_NESTING, Container, Nest, Node, TensorSpec, check_name
from dummyio.spec.values import Rule
from dummyio.typing import FilePath

VERSION: Literal[1] = 1
_MAX_BYTES = 64 << 20


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the document; unknown fields are errors."""


class _Dim(_Part, frozen=True):
    size: int
    min: int = 1
    max: int | None = None
    multiple_of: int = 1
    choices: tuple[int, ...] | None = None


class _Tensor(_Part, frozen=True, tag_field="kind", tag="tensor"):
    name: str
    shape: tuple[int | str, ...]
    dtype: str
    values: Rule


class _Nest(_Part, frozen=True, tag_field="kind", tag="nest"):
    name: str
    container: Container
    items: tuple[_Tensor | _Nest, ...]


class _Output(_Part, frozen=True):
    name: str
    shape: tuple[int | str, ...] | None = None
    dtype: str | None = None


class _Document(_Part, frozen=True):
    inputs: tuple[_Tensor | _Nest, ...]
    dummyio: Literal[1]
    dims: dict[str, _Dim] = {}
    task: str | None = None
    outputs: tuple[_Output, ...] = ()
    provenance: dict[str, str] = {}
    proof: Proof | None = None


def make_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the JSON form."""
    form = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "dummyio input spec"}
    return {**form, **_normalize(msgspec.json.schema(_Document))}


def _normalize(part: Any) -> Any:
    """Make a schema the same on all versions: Python before 3.13 indents docstrings, releases of msgspec order alternatives."""
    if isinstance(part, dict):
        part = {key: cleandoc(item) if key == "description" else _normalize(item) for key, item in part.items()}
        if "anyOf" in part:
            part["anyOf"].sort(key=lambda alternative: alternative.get("type") == "null")
        return part
    return [_normalize(item) for item in part] if isinstance(part, list | tuple) else part


def encode_spec(spec: SpecData, *, provenance: bool = True) -> bytes:
    """Return the canonical JSON form of `spec`, with or without its provenance, to which its proof belongs."""
    document = _Document(
        dummyio=VERSION,
        task=spec.task,
        dims={name: _Dim(dim.size, dim.min, dim.max, dim.multiple_of, dim.choices) for name, dim in spec.dims.items()},
        inputs=tuple(_encode_node(name, node) for name, node in spec.items()),
        outputs=tuple(
            _Output(
                o.name, None if o.shape is None else _encode_shape(o.shape), None if o.dtype is None else str(o.dtype)
            )
            for o in spec.outputs
        ),
        provenance=dict(spec.provenance) if provenance else {},
        proof=spec.proof if provenance and spec.proof != Proof() else None,
    )
    return msgspec.json.encode(document, order="sorted")


def hash_spec(spec: SpecData) -> str:
    """Return the sha256 of the canonical form without provenance, in hexadecimal."""
    return hashlib.sha256(encode_spec(spec, provenance=False)).hexdigest()


def _encode_node(name: str, node: Node) -> _Tensor | _Nest:
    if isinstance(node, Nest):
        return _Nest(name, node.kind, tuple(_encode_node(key, item) for key, item in node.items))
    return _Tensor(name, _encode_shape(node.shape), str(node.dtype), node.values)


def _encode_shape(shape: tuple[Size, ...]) -> tuple[int | str, ...]:
    return tuple(size if isinstance(size, int) else str(size) for size in shape)


def decode_spec(text: str | bytes, make: Any = SpecData) -> Any:
    """Return the spec that a JSON form describes, made by `make`; the form need not be canonical."""
    if not isinstance(text, (str, bytes, bytearray)):
        raise SpecError(f"not a valid spec: {show_value(text)} is not text: give the str or bytes of the JSON form.")
    if len(text) > _MAX_BYTES:
        raise SpecError(f"a spec of {len(text)} bytes exceeds the limit of {_MAX_BYTES} bytes.")
    try:
        document = msgspec.json.decode(text, type=_Document)
    except (msgspec.DecodeError, UnicodeError, OverflowError) as error:
        raise SpecError(f"not a valid spec: {error}") from None
    except RecursionError:
        raise SpecError("not a valid spec: nested too deeply.") from None
    dims = {
        name: _with_json_path(f"$.dims.{name}", Dim, name, dim.size, dim.min, dim.max, dim.multiple_of, dim.choices)
        for name, dim in document.dims.items()
    }
    inputs: dict[str, Node] = {}
    for place, item in enumerate(document.inputs):
        if item.name in inputs:
            raise SpecError(f"not a valid spec: two inputs are named {show_value(item.name)} - at `$.inputs[{place}]`")
        inputs[item.name] = _decode_node(item, dims, f"$.inputs[{place}]")
    outputs = tuple(_decode_output(o, dims, f"$.outputs[{i}]") for i, o in enumerate(document.outputs))
    texts = {"task": document.task, "provenance": document.provenance, "proof": document.proof}
    return _with_json_path("$", make, inputs, outputs=outputs, **texts)


def _with_json_path(path: str, make: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `make`; its errors get the place in the file."""
    try:
        return make(*args, **kwargs)
    except (SpecError, DimError, DTypeError) as error:
        if str(error).startswith("not a valid spec"):
            raise
        raise SpecError(f"not a valid spec: {error} - at `{path}`") from None


def _decode_shape(shape: tuple[int | str, ...], dims: dict[str, Dim], path: str) -> list[Size]:
    return [
        _with_json_path(f"{path}.shape[{i}]", *((parse_size, size, dims) if isinstance(size, str) else (to_size, size)))
        for i, size in enumerate(shape)
    ]


def _decode_node(item: _Tensor | _Nest, dims: dict[str, Dim], path: str, depth: int = 1) -> Node:
    _with_json_path(path, check_name, item.name)
    if isinstance(item, _Nest):
        if depth > MAX_NESTING:
            raise SpecError(f"not a valid spec: the limit is {MAX_NESTING} containers inside each other - at `{path}`")
        parts = enumerate(item.items)
        items = tuple((part.name, _decode_node(part, dims, f"{path}.items[{i}]", depth + 1)) for i, part in parts)
        return _with_json_path(path, Nest, item.container, items)
    shape = _decode_shape(item.shape, dims, path)
    return _with_json_path(path, TensorSpec, item.name, shape, item.dtype, item.values)


def _decode_output(item: _Output, dims: dict[str, Dim], path: str) -> OutputSpec:
    shape = None if item.shape is None else _decode_shape(item.shape, dims, path)
    dtype = None if item.dtype is None else _with_json_path(f"{path}.dtype", DType.of, item.dtype)
    return _with_json_path(path, OutputSpec, item.name, shape, dtype)


def save_spec(spec: SpecData, path: FilePath, *, force: bool = True) -> None:
    """Write `spec` to a file, whole or not at all; without `force` only if there is none of this name."""
    with atomic_file(path, force=force) as stream:
        stream.write(msgspec.json.format(encode_spec(spec), indent=2) + b"\n")


def load_spec(path: FilePath, make: Any = SpecData) -> Any:
    """Return the spec of a file that `save_spec` wrote, made by `make`; errors name the file."""
    try:
        with Path(path).open("rb") as stream:
            text = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{os.fspath(path)}: cannot be read ({error.strerror}).") from error
    except (TypeError, ValueError) as error:  # not a path, or one with a NUL
        raise SourceError(f"{show_value(path)}: not the path of a file ({error}).") from None
    try:
        return decode_spec(text, make)
    except SpecError as error:
        raise SpecError(f"{os.fspath(path)}: {error}") from None
