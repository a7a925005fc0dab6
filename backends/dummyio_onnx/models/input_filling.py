"""From the tensors of a call to the values of every input of a graph: checked, converted, and made where they may be left out.

What Transformers makes itself is made here: masks of ones, token types of zeros, positions that go on behind the past, the
empty cache of a first step. Everything about the graph is resolved once, when a part is opened: a step only looks up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from dummyio.errors import DimError, OptionError, RunError
from dummyio.running.runner import DeclaredTensor
from dummyio.sources.input_names import is_padding_mask, is_position_ids, is_type_ids
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, evaluate_size, find_dims
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_onnx.models.array_kinds import Value, convert_dtype, copy_to_value, is_value, make_value, to_array
from dummyio_onnx.models.cache import OnnxCache, flatten_cache
from dummyio_onnx.models.model_part import ModelPart

_Role: TypeAlias = Literal["ones", "zeros", "positions", "branch"]
_Size: TypeAlias = int | Callable[[Mapping[str, int]], int | None] | None


@dataclass(frozen=True, slots=True)
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


class InputFiller:
    """Makes the feeds of one part."""

    def __init__(self, part: ModelPart) -> None:
        self.part = part
        self._items = tuple(_build_item(declared) for declared in part.plain_inputs)
        self.names = tuple(item.name for item in self._items)
        self.required = tuple(item.name for item in self._items if item.role is None)
        self._main = next(
            (item.name for item in self._items if item.name.endswith(("input_ids", "inputs_embeds"))), None
        )
        slot = next(
            (slot for slot in part.slots if slot.growing_axis is not None and ".encoder." not in slot.path), None
        )
        self._past_symbol = None
        if slot is not None and slot.declared.shape is not None and slot.growing_axis is not None:
            self._past_symbol = slot.declared.shape[slot.growing_axis]
            self._past_at = (part.slots.index(slot), slot.growing_axis)
        self._empty: dict[int, OnnxCache] = {}
        self._made: dict[tuple[str, str], Array] = {}

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
        missing: list[_Item] = []
        for item in self._items:
            value = given.get(item.name)
            if value is None:
                missing.append(item)
                continue
            array = value if isinstance(value, np.ndarray) else to_array(value, item.name)
            shape = array.shape
            if callable(shape):
                shape = shape()
            elif item.numpy is not None and array.dtype != item.numpy:
                array = convert_dtype(array, item.declared, item.name)
            if item.rank is not None:
                if len(shape) != item.rank:
                    raise _build_shape_error(item, shape)
                for axis, size in item.static:
                    if shape[axis] != size:
                        raise _build_shape_error(item, shape)
            feeds[item.name] = array
        if cache is None and self.part.slots:
            cache = self._make_empty_cache(self._count_rows(feeds))
        if missing:
            self._make_missing(feeds, missing, cache)
        tokens = 1
        if self._main in feeds:
            array = feeds[self._main]
            tokens = array.shape[1] if isinstance(array, np.ndarray) and array.ndim > 1 else self._measure(array)
        held: list[Any] = []
        for item in self._items:
            array = feeds[item.name]
            if isinstance(array, np.ndarray):
                feeds[item.name] = make_value(array, item.declared.dtype, held)
        return Filled(feeds, held, cache, tokens)

    def _measure(self, array: Any) -> int:
        shape = array.shape if isinstance(array, np.ndarray) else array.shape()
        return int(shape[1]) if len(shape) > 1 else 1

    def _make_missing(self, feeds: dict[str, Any], missing: Sequence[_Item], cache: OnnxCache | None) -> None:
        absent = [item.name for item in missing if item.role is None]
        if absent:
            optional = [item.name for item in self._items if item.role is not None]
            raise RunError(
                f"no value for {', '.join(absent)}: {self.part.path.name} needs {', '.join(self.required)}"
                f"{', and makes ' + ', '.join(optional) + ' if they are left out' if optional else ''}. Give the missing inputs."
            )
        past = 0 if cache is None else cache.length
        sizes = self._measure_sizes(feeds, cache)
        for item in missing:
            dtype = item.declared.dtype or DType.INT64
            if item.role == "branch":
                feeds[item.name] = np.array([past > 0])
                continue
            shape = self._choose_shape(item, sizes, feeds, past)
            if item.role == "positions":
                feeds[item.name] = np.broadcast_to(self._take("positions", dtype, past + shape[-1])[past:], shape)
            else:
                count = 1
                for size in shape:
                    count *= size
                feeds[item.name] = self._take(item.role or "zeros", dtype, count).reshape(shape)

    def _measure_sizes(self, feeds: Mapping[str, Any], cache: OnnxCache | None) -> dict[str, int]:
        """Return the size of each symbol that the given inputs and the past tell."""
        sizes: dict[str, int] = {}
        for item in self._items:
            array = feeds.get(item.name)
            if array is not None and item.symbols:
                shape = array.shape
                shape = shape() if callable(shape) else shape
                for axis, symbol in item.symbols:
                    sizes[symbol] = shape[axis]
        if isinstance(self._past_symbol, str):
            at, axis = self._past_at
            sizes[self._past_symbol] = 0 if cache is None else cache.values[at].shape()[axis]
        return sizes

    def _choose_shape(
        self, item: _Item, sizes: Mapping[str, int], feeds: Mapping[str, Any], past: int
    ) -> tuple[int, ...]:
        """Return the shape of an input that was left out: as declared, else as long as the tokens and their past."""
        shape = [size(sizes) if callable(size) else size for size in item.sizes]
        if None not in shape and shape:
            return tuple(size for size in shape if size is not None)
        main = feeds.get(self._main) if self._main is not None else None
        if main is None:
            raise RunError(
                f"{item.name} was left out, and its shape {item.declared.shape} does not follow from the other inputs: give it."
            )
        own = main.shape() if callable(main.shape) else main.shape
        rows, tokens = int(own[0]), int(own[1])
        whole = tokens + (past if item.role == "ones" else 0)
        usual = [rows, whole] if item.rank in (2, None) else [whole] if item.rank == 1 else []
        if len(usual) != len(shape) and shape:
            raise RunError(f"{item.name} was left out, and its rank {item.rank} has no usual shape: give it.")
        return tuple(found if found is not None else usual[axis] for axis, found in enumerate(shape)) or tuple(usual)

    def _take(self, kind: str, dtype: DType, count: int) -> Array:
        """Return the first numbers of a store that grows: ones, zeros or 0, 1, 2 ..."""
        key = (kind, dtype.value)
        store = self._made.get(key)
        if store is None or store.size < count:
            size = max(1024, 2 * count)
            made: Array = (
                np.arange(size) if kind == "positions" else np.ones(size) if kind == "ones" else np.zeros(size)
            )
            store = self._made[key] = made.astype(dtype.numpy)
        return store[:count]

    def _count_rows(self, feeds: Mapping[str, Any]) -> int:
        for item in self._items:
            array = feeds.get(item.name)
            if array is not None and item.rank != 0:
                shape = array.shape() if callable(array.shape) else array.shape
                for axis, symbol in item.symbols:
                    if symbol == self.part.batch_symbol:
                        return int(shape[axis])
        main = feeds.get(self._main) if self._main is not None else None
        if main is None:
            return 1
        return int((main.shape() if callable(main.shape) else main.shape)[0])

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
            axes = tuple((slot.batch_axis, slot.growing_axis) for slot in self.part.slots)
            found = self._empty[rows] = OnnxCache(self.part.paths, values, 0, axes)
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
                axes = tuple((slot.batch_axis, slot.growing_axis) for slot in self.part.slots)
                return OnnxCache(self.part.paths, [known[path] for path in self.part.paths], given.length, axes)
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
        if not tensors:
            return None
        if len(tensors) != len(self.part.slots):
            raise OptionError(
                f"past_key_values has {len(tensors)} tensors, and {self.part.path.name} takes {len(self.part.slots)}: give all "
                "layers."
            )
        values, length = [], 0
        for slot, tensor in zip(self.part.slots, tensors, strict=True):
            item = _build_item(slot.declared)
            array = to_array(tensor, slot.declared.name)
            shape = array.shape() if callable(array.shape) else array.shape
            if item.rank is not None and (
                len(shape) != item.rank or any(shape[at] != size for at, size in item.static)
            ):
                raise _build_shape_error(item, shape)
            if slot.growing_axis is not None and ".encoder." not in slot.path:
                length = length or int(shape[slot.growing_axis])
            if not is_value(array):
                array = convert_dtype(array, slot.declared, item.name)
                array = copy_to_value(array, slot.declared.dtype or DType.of(array.dtype))
            values.append(array)
        axes = tuple((slot.batch_axis, slot.growing_axis) for slot in self.part.slots)
        return OnnxCache(self.part.paths, values, length, axes)


def _build_item(declared: DeclaredTensor) -> _Item:
    shape = declared.shape
    axes = tuple(enumerate(shape or ()))
    return _Item(
        declared.name,
        declared,
        None if shape is None else len(shape),
        tuple((axis, size) for axis, size in axes if isinstance(size, int)),
        tuple((axis, size) for axis, size in axes if isinstance(size, str) and size.isidentifier()),
        None if declared.dtype is None else declared.dtype.numpy,
        _find_role(declared),
        tuple(_compile_size(size) for size in shape or ()),
    )


def _find_role(declared: DeclaredTensor) -> _Role | None:
    """Return how an input is made if it is left out; None if it must be given."""
    name = declared.name
    if name == "use_cache_branch":
        return "branch"
    if name == "bbox" or is_type_ids(name) or ("global" in name and is_padding_mask(name)):
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
    terms = size.split(" + ")
    if all(term.isidentifier() or term.isdecimal() for term in terms):
        numbers = sum(int(term) for term in terms if term.isdecimal())
        names = tuple(term for term in terms if not term.isdecimal())

        def add(sizes: Mapping[str, int]) -> int | None:
            total = numbers
            for name in names:
                found = sizes.get(name)
                if found is None:
                    return None
                total += found
            return total

        return add
    words = {word for word in size.replace("(", " ").replace(")", " ").split() if word.isidentifier()}
    try:
        parsed = parse_size(size, {word: Dim(word, 1, min=0) for word in words})
    except DimError:
        return None
    needed = [dim.name for dim in find_dims(parsed)]

    def evaluate(sizes: Mapping[str, int]) -> int | None:
        return evaluate_size(parsed, sizes) if all(name in sizes for name in needed) else None

    return evaluate


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
