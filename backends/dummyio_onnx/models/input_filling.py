"""From the tensors of a call to the values of every input of a graph: checked, converted, and made where they may be left out.

What Transformers makes itself is made here: masks of ones, token types of zeros, positions that go on behind the past, the
empty cache of a first step. Everything about the graph is resolved once, when a part is opened: a step only looks up.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import numpy as np

from dummyio.errors import DimError, OptionError, RunError
from dummyio.running.runner import DeclaredTensor
from dummyio.sources.input_names import is_padding_mask, is_position_ids, is_type_ids
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, evaluate_size, find_dims
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_onnx.models.array_kinds import (
    Value,
    convert_dtype,
    copy_to_value,
    get_shape,
    is_value,
    make_value,
    to_array,
)
from dummyio_onnx.models.cache import OnnxCache, flatten_cache, is_cross
from dummyio_onnx.models.model_part import ModelPart

_KEPT, _KEPT_SIZE = 1024, 4096
"""How many made inputs are kept as values, and of how many elements at most."""

_WORD = re.compile(r"[A-Za-z_]\w*")
_Role: TypeAlias = Literal["ones", "zeros", "positions", "branch"]
_Size: TypeAlias = int | Callable[[Mapping[str, int]], int | None] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """One plain input, with what is asked of it at each call."""

    name: str
    declared: DeclaredTensor
    rank: int | None
    static: tuple[tuple[int, int], ...]
    symbols: tuple[tuple[int, str], ...]
    numpy: np.dtype[Any] | None
    role: _Role | None
    sizes: tuple[_Size, ...]


class Filled(NamedTuple):
    """The feeds of one run."""

    values: dict[str, Value]
    held: list[Any]
    """What the memory of the values belongs to."""

    cache: OnnxCache | None
    tokens: int
    """How many tokens each row gets."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is made where the same inputs are left out."""

    absent: tuple[str, ...]
    """Inputs that cannot be made."""

    items: tuple[_Item, ...]
    sources: tuple[tuple[str, str, int], ...]
    """A symbol, and the input and axis that have its size."""

    past: tuple[tuple[str, int, int], ...]
    """A symbol, and the tensor of the cache and the axis that have its size."""


class InputFiller:
    """Makes the feeds of one part."""

    def __init__(self, part: ModelPart) -> None:
        self.part = part
        self._items = tuple(_build_item(declared, types=part.types) for declared in part.plain_inputs)
        self.names = tuple(item.name for item in self._items)
        self.required = tuple(item.name for item in self._items if item.role is None)
        ids = (item.name for item in self._items if item.name.endswith(("input_ids", "inputs_embeds")))
        self._main = next(ids, None)
        self._takes_cache = bool(part.slots)
        self._axes = tuple((slot.batch_axis, slot.growing_axis) for slot in part.slots)
        self._plans: dict[tuple[_Item, ...], _Plan] = {}
        self._empty: dict[int, OnnxCache] = {}
        self._values: dict[tuple[_Item, tuple[int, ...], int], Value] = {}
        self._made: dict[tuple[str, DType], Array] = {}

    def fill(self, given: Mapping[str, Any], cache: OnnxCache | None) -> Filled:
        """Return a value for each plain input, and the past.

        Parameters
        ----------
        given
            Input → tensor, under the graph's names; None counts as left out.
        cache
            The past; None for an empty one, which is made if the graph takes one.

        Raises
        ------
        RunError
            if an input that is needed is missing, or has another rank or size than the graph declares.
        DTypeError
            if an input is not a tensor, or its values would change in the graph's dtype.
        """
        feeds: dict[str, Any] = {}
        missing: tuple[_Item, ...] = ()
        for item in self._items:
            value = given.get(item.name)
            if value is None:
                missing = (*missing, item)
            else:
                feeds[item.name] = _check_input(item, value)
        if cache is None and self._takes_cache:
            cache = self._make_empty_cache(self._count_rows(feeds))
        if missing:
            self._make_missing(feeds, missing, cache)
        main = feeds.get(self._main) if self._main is not None else None
        shape = () if main is None else get_shape(main)
        held: list[Any] = []
        for item in self._items:
            array = feeds[item.name]
            if isinstance(array, np.ndarray):
                feeds[item.name] = make_value(array, item.declared.dtype, held)
        return Filled(feeds, held, cache, shape[1] if len(shape) > 1 else 1)

    def _make_missing(self, feeds: dict[str, Any], missing: tuple[_Item, ...], cache: OnnxCache | None) -> None:
        plan = self._plans.get(missing)
        if plan is None:
            plan = self._plans[missing] = self._plan(missing)
        if plan.absent:
            optional = [item.name for item in self._items if item.role is not None]
            raise RunError(
                f"no value for {', '.join(plan.absent)}: {self.part.path.name} needs {', '.join(self.required)}"
                f"{', and makes ' + ', '.join(optional) + ' if they are left out' if optional else ''}. Give the missing inputs."
            )
        sizes = {symbol: get_shape(feeds[name])[axis] for symbol, name, axis in plan.sources}
        if cache is not None:
            for symbol, at, axis in plan.past:
                sizes[symbol] = cache.values[at].shape()[axis]
        past = 0 if cache is None else cache.length
        for item in plan.items:
            shape = self._choose_shape(item, sizes, feeds, past)
            key = (item, shape, past)
            found = self._values.get(key)
            if found is None:
                found = self._make_input(item, shape, past)
                if found.size <= _KEPT_SIZE:
                    found = self._keep(key, found)
            feeds[item.name] = found

    def _plan(self, missing: tuple[_Item, ...]) -> _Plan:
        """Return the plan for a call that leaves these inputs out."""
        absent = tuple(item.name for item in missing if item.role is None)
        sources: dict[str, tuple[str, str, int]] = {}
        for item in self._items:
            if item not in missing:
                for axis, symbol in item.symbols:
                    sources.setdefault(symbol, (symbol, item.name, axis))
        past: dict[str, tuple[str, int, int]] = {}
        for at, slot in enumerate(self.part.slots):
            size = None if slot.growing_axis is None else (slot.declared.shape or ())[slot.growing_axis]
            if isinstance(size, str) and slot.growing_axis is not None and size not in sources:
                past.setdefault(size, (size, at, slot.growing_axis))
        words = {word for item in missing for size in item.declared.shape or () for word in _list_words(size)}
        return _Plan(
            absent,
            missing,
            tuple(source for symbol, source in sources.items() if symbol in words),
            tuple(source for symbol, source in past.items() if symbol in words),
        )

    def _make_input(self, item: _Item, shape: tuple[int, ...], past: int) -> Array:
        dtype = item.declared.dtype or DType.INT64
        if item.role == "branch":
            return np.array([past > 0])
        if item.role == "positions":
            count = shape[-1]
            row = self._take("positions", dtype, past + count)[past:]
            return row.reshape(shape) if count == prod(shape) else np.broadcast_to(row, shape)
        return self._take(item.role or "zeros", dtype, prod(shape)).reshape(shape)

    def _keep(self, key: tuple[_Item, tuple[int, ...], int], array: Array) -> Value:
        """Return a small array as a value that is kept: the steps of the next text are as long as those of this one."""
        if len(self._values) >= _KEPT:
            self._values.clear()
        made = self._values[key] = copy_to_value(array, key[0].declared.dtype or DType.of(array.dtype))
        return made

    def _choose_shape(
        self, item: _Item, sizes: Mapping[str, int], feeds: Mapping[str, Any], past: int
    ) -> tuple[int, ...]:
        """Return the shape of an input that was left out: as declared, else as long as the tokens and their past."""
        shape = [size(sizes) if callable(size) else size for size in item.sizes]
        if None not in shape and shape:
            return cast("tuple[int, ...]", tuple(shape))
        main = feeds.get(self._main) if self._main is not None else None
        if main is None:
            raise RunError(
                f"{item.name} was left out, and its shape {item.declared.shape} does not follow from the other inputs: give it."
            )
        rows, tokens = get_shape(main)[:2]
        whole = tokens + (past if item.role == "ones" else 0)
        usual = [rows, whole] if item.rank in (2, None) else [whole] if item.rank == 1 else []
        if len(usual) != len(shape) and shape:
            raise RunError(f"{item.name} was left out, and its rank {item.rank} has no usual shape: give it.")
        return tuple(usual[axis] if found is None else found for axis, found in enumerate(shape)) or tuple(usual)

    def _take(self, kind: str, dtype: DType, count: int) -> Array:
        """Return the first numbers of a store that grows: ones, zeros or 0, 1, 2 ..."""
        store = self._made.get((kind, dtype))
        if store is None or store.size < count:
            size = max(1024, 2 * count)
            made: Array = np.arange(size) if kind == "positions" else np.full(size, int(kind == "ones"))
            store = self._made[kind, dtype] = made.astype(dtype.numpy)
        return store[:count]

    def _count_rows(self, feeds: Mapping[str, Any]) -> int:
        for item in self._items:
            for axis, symbol in item.symbols if item.name in feeds else ():
                if symbol == self.part.batch_symbol:
                    return get_shape(feeds[item.name])[axis]
        main = feeds.get(self._main) if self._main is not None else None
        return 1 if main is None else get_shape(main)[0]

    def _make_empty_cache(self, rows: int) -> OnnxCache:
        found = self._empty.get(rows)
        if found is None:
            values = []
            for slot in self.part.slots:
                if slot.declared.shape is None or slot.declared.dtype is None:
                    raise RunError(
                        f"{slot.declared.name} has no shape in {self.part.path.name}, so that no empty cache can be made: "
                        "give past_key_values."
                    )
                shape = [size if isinstance(size, int) else 0 for size in slot.declared.shape]
                shape[slot.batch_axis] = rows
                values.append(copy_to_value(np.zeros(shape, slot.declared.dtype.numpy), slot.declared.dtype))
            found = self._empty[rows] = OnnxCache(self.part.paths, values, 0, self._axes)
        return found

    def take_cache(self, given: Any) -> OnnxCache | None:
        """Return the caller's past in this part's order: an `OnnxCache`, a cache of Transformers, or tuples of tensors.

        Raises
        ------
        OptionError
            if this part takes no past, or one of other layers.
        """
        if isinstance(given, OnnxCache):
            if given.paths is self.part.paths or not given.values:
                return given if given.values else None
            known = dict(zip(given.paths, given.values, strict=True))
            if set(self.part.paths) <= set(known):
                return OnnxCache(self.part.paths, [known[path] for path in self.part.paths], given.length, self._axes)
            raise OptionError(
                f"past_key_values has {', '.join(given.paths[:4])} ..., and {self.part.path.name} takes "
                f"{', '.join(self.part.paths[:4]) or 'no past'} ...: give the cache that this model returned."
            )
        tensors = flatten_cache(given)
        if tensors is None:
            raise OptionError(
                f"past_key_values is a {type(given).__name__}: give the cache that this model returned, a cache of Transformers, "
                "or a tuple of tensors for each layer."
            )
        return self._convert_cache(tensors) if tensors else None

    def _convert_cache(self, tensors: Sequence[Any]) -> OnnxCache:
        if len(tensors) != len(self.part.slots):
            raise OptionError(
                f"past_key_values has {len(tensors)} tensors, and {self.part.path.name} takes {len(self.part.slots)}: give all "
                "layers."
            )
        values, length = [], 0
        for slot, tensor in zip(self.part.slots, tensors, strict=True):
            array = _check_input(_build_item(slot.declared), tensor)
            if slot.growing_axis is not None and not is_cross(slot.path):
                length = length or get_shape(array)[slot.growing_axis]
            dtype = slot.declared.dtype
            values.append(array if is_value(array) else copy_to_value(array, dtype or DType.of(array.dtype)))
        return OnnxCache(self.part.paths, values, length, self._axes)


def _check_input(item: _Item, value: Any) -> Any:
    """Return an array in the dtype, rank and sizes that the graph declares."""
    if type(value) is np.ndarray:
        array = value
        shape = value.shape
        if value.dtype != item.numpy:
            array = convert_dtype(value, item.declared, item.name)
    else:
        array = to_array(value, item.name)
        if isinstance(array, np.ndarray):
            array = convert_dtype(array, item.declared, item.name)
        shape = get_shape(array)
    if item.rank is not None:
        if len(shape) != item.rank:
            raise _build_shape_error(item, shape)
        for axis, size in item.static:
            if shape[axis] != size:
                raise _build_shape_error(item, shape)
    return array


def _build_item(declared: DeclaredTensor, *, types: bool = True) -> _Item:
    shape = declared.shape
    axes = tuple(enumerate(shape or ()))
    return _Item(
        declared.name,
        declared,
        None if shape is None else len(shape),
        tuple((axis, size) for axis, size in axes if isinstance(size, int)),
        tuple((axis, size) for axis, size in axes if isinstance(size, str) and size.isidentifier()),
        None if declared.dtype is None else declared.dtype.numpy,
        _find_role(declared, types=types),
        tuple(_compile_size(size) for size in shape or ()),
    )


def _find_role(declared: DeclaredTensor, *, types: bool) -> _Role | None:
    """Return how an input is made if it is left out; None if it must be given."""
    name = declared.name
    if name == "use_cache_branch":
        return "branch"
    if is_type_ids(name):
        return "zeros" if types and name == "token_type_ids" else None
    if name == "bbox" or ("global" in name and is_padding_mask(name)):
        return "zeros"
    if is_position_ids(name):
        return "positions" if declared.shape is None or len(declared.shape) <= 2 else None
    if is_padding_mask(name) or name in ("pixel_mask", "pixel_attention_mask"):
        return "ones"
    return None


def _compile_size(size: int | str | None) -> _Size:
    """Return a size as a number, or as a function of the sizes of symbols; None for an axis without a name."""
    if not isinstance(size, str):
        return size
    if size.isidentifier():
        return lambda sizes: sizes.get(size)
    words = _list_words(size)
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


def _list_words(size: int | str | None) -> set[str]:
    """Return the symbols in a size."""
    return set(_WORD.findall(size)) if isinstance(size, str) else set()


def _build_shape_error(item: _Item, shape: Sequence[int]) -> RunError:
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
