"""One input of a graph: what it must be like, and how it is made if it is left out. All is resolved once, when a part is opened."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from dummyio.errors import DimError, DTypeError, RunError
from dummyio.huggingface.facts.left_out_inputs import IN_ORDER
from dummyio.running.runner import DeclaredTensor
from dummyio.sources.input_names import is_padding_mask, is_position_ids, is_type_ids
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, evaluate_size, find_dims
from dummyio.typing import Array
from dummyio_onnx.models.array_kinds import convert_dtype, get_shape, to_array
from dummyio_onnx.models.filling.left_out import LeftOut

Role: TypeAlias = Literal["ones", "zeros", "order", "positions", "branch"]
Size: TypeAlias = int | Callable[[Mapping[str, int]], int | None] | None

_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, eq=False)
class GraphInput:
    """One plain input, with what is asked of it at each call."""

    name: str
    declared: DeclaredTensor
    rank: int | None
    static: tuple[tuple[int, int], ...]
    symbols: tuple[tuple[int, str], ...]
    numpy: np.dtype[Any] | None
    role: Role | None
    sizes: tuple[Size, ...]
    rows: int | None
    """The rows of the table that its elements choose from; None if it is not the index of one."""


def build_graph_input(declared: DeclaredTensor, left_out: LeftOut, rows: int | None = None) -> GraphInput:
    """Return an input as it is declared.

    Parameters
    ----------
    declared
        Its name, dtype and shape.
    left_out
        What the model makes of inputs that are left out.
    rows
        See `GraphInput`.
    """
    shape = declared.shape
    axes = tuple(enumerate(shape or ()))
    return GraphInput(
        declared.name,
        declared,
        None if shape is None else len(shape),
        tuple((axis, size) for axis, size in axes if isinstance(size, int)),
        tuple((axis, size) for axis, size in axes if isinstance(size, str) and size.isidentifier()),
        None if declared.dtype is None else declared.dtype.numpy,
        _find_role(declared, left_out),
        tuple(_compile_size(size) for size in shape or ()),
        rows,
    )


def check_input(item: GraphInput, value: Any) -> Any:
    """Return an array in the dtype, rank and sizes that the graph declares; a value of the runtime as it is.

    Raises
    ------
    RunError
        if it has another rank or size, or an element is not a row of its table.
    DTypeError
        if it is not a tensor, or its values would change in the graph's dtype.
    """
    if type(value) is np.ndarray:
        array = value
        shape = value.shape
        if value.dtype != item.numpy:
            array = _convert(item, value)
    else:
        array = to_array(value, item.name)
        if isinstance(array, np.ndarray):
            array = _convert(item, array)
        shape = get_shape(array)
    if item.rank is not None:
        if len(shape) != item.rank:
            raise _build_shape_error(item, shape)
        for axis, size in item.static:
            if shape[axis] != size:
                raise _build_shape_error(item, shape)
    if item.rows is not None and isinstance(array, np.ndarray):
        check_rows(item, array)
    return array


def _convert(item: GraphInput, array: Array) -> Array:
    """Return an array in the dtype of the graph; a mask of floats too, if it has nothing but ones and zeros."""
    if item.numpy is None or array.dtype.kind != "f" or item.numpy.kind not in "biu" or not is_padding_mask(item.name):
        return convert_dtype(array, item.declared, item.name)
    if not np.isin(array, (0, 1)).all():
        raise DTypeError(
            f"{item.name} is {array.dtype} and has other values than 0 and 1: the model takes {item.numpy}. Give ones for tokens and "
            "zeros for padding."
        )
    return array.astype(item.numpy)


def check_rows(item: GraphInput, array: Array) -> None:
    """Raise `RunError` if an element is not a row of its table: the runtime counts a negative one from the end."""
    if array.size == 1 and 0 <= array.item() < (item.rows or 0):  # each step of a text: two reductions take longer
        return
    if array.size and (array.min() < 0 or array.max() >= (item.rows or 0)):
        raise RunError(
            f"{item.name} has values from {array.min()} to {array.max()}: the table that they choose from has the rows 0 to "
            f"{(item.rows or 0) - 1}. Give values in that range; a tokenizer of this model makes them."
        )


def list_words(size: int | str | None) -> set[str]:
    """Return the symbols in a size."""
    return set(_WORD.findall(size)) if isinstance(size, str) else set()


def _find_role(declared: DeclaredTensor, left_out: LeftOut) -> Role | None:
    """Return how an input is made if it is left out; None if it must be given."""
    name = declared.name
    if name == "use_cache_branch":
        return "branch"
    if is_type_ids(name):
        return "zeros" if left_out.types and name == "token_type_ids" else None
    if name == "bbox" or ("global" in name and is_padding_mask(name)):
        return "zeros"
    if is_position_ids(name):
        if declared.shape is not None and len(declared.shape) > 2:
            return None
        in_order = "cache" in name or left_out.positions == IN_ORDER  # places in a cache are not counted by a mask
        return "order" if in_order else "positions" if left_out.positions is not None else None
    if is_padding_mask(name) or name in ("pixel_mask", "pixel_attention_mask"):
        return "ones"
    return None


def _compile_size(size: int | str | None) -> Size:
    """Return a size as a number, or as a function of the sizes of symbols; None for an axis without a name."""
    if not isinstance(size, str):
        return size
    if size.isidentifier():
        return lambda sizes: sizes.get(size)
    words = list_words(size)
    try:
        parsed = parse_size(size, {word: Dim(word, 1, min=0) for word in words})
    except DimError:
        return None
    terms = size.split(" + ")
    if len(terms) == 2 and all(term.isidentifier() for term in terms):  # the mask of a decoder, at each step
        first, second = terms
        return lambda sizes: sizes[first] + sizes[second] if first in sizes and second in sizes else None
    needed = [dim.name for dim in find_dims(parsed)]
    return lambda sizes: evaluate_size(parsed, sizes) if all(name in sizes for name in needed) else None


def _build_shape_error(item: GraphInput, shape: Sequence[int]) -> RunError:
    sizes = ", ".join("?" if size is None else str(size) for size in item.declared.shape or ())
    if len(shape) != item.rank:
        remedy = f"Give a tensor with {item.rank} axes"
        remedy += ": one row is array[None]." if item.rank is not None and len(shape) == item.rank - 1 else "."
        return RunError(
            f"{item.name} has the shape {tuple(shape)}: the model takes rank {item.rank}, ({sizes}). {remedy}"
        )
    return RunError(
        f"{item.name} has the shape {tuple(shape)}: the model takes ({sizes}), whose numbers are fixed in the file. Give that "
        "size, or export the model again with that axis dynamic."
    )
