"""From the tensors of a call to the values of every input of a graph: checked, converted, and made where they may be left out.

What Transformers makes itself is made here: masks of ones, token types of zeros, positions that go on behind the past, the
empty cache of a first step. Everything about the graph is resolved once, when a part is opened: a step only looks up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple, cast

import numpy as np

from dummyio.errors import OptionError, RunError
from dummyio.huggingface.facts.left_out_inputs import IN_ORDER
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_onnx import tensors
from dummyio_onnx.models.array_kinds import Value, copy_to_value, get_shape, is_value, make_value, wrap_value
from dummyio_onnx.models.cache import OnnxCache, is_cross
from dummyio_onnx.models.filling.graph_input import GraphInput, build_graph_input, check_input, list_words
from dummyio_onnx.models.filling.left_out import LeftOut, count_positions
from dummyio_onnx.models.foreign_cache import ForeignCache, read_foreign_cache
from dummyio_onnx.models.model_part import ModelPart

_MASK = "attention_mask"
_KEPT, _KEPT_SIZE = 1024, 4096
"""How many made inputs are kept as values, and of how many elements at most."""


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

    items: tuple[GraphInput, ...]
    sources: tuple[tuple[str, str, int], ...]
    """A symbol, and the input and axis that have its size."""

    past: tuple[tuple[str, int, int], ...]
    """A symbol, and the tensor of the cache and the axis that have its size."""


class InputFiller:
    """Makes the feeds of one part."""

    def __init__(self, part: ModelPart, left_out: LeftOut) -> None:
        self.part = part
        self._positions = left_out.positions or IN_ORDER
        self._items = tuple(
            build_graph_input(declared, left_out, part.tables.get(declared.name)) for declared in part.plain_inputs
        )
        self._slots = tuple(build_graph_input(slot.declared, left_out) for slot in part.slots)
        self.names = tuple(item.name for item in self._items)
        self.required = tuple(item.name for item in self._items if item.role is None)
        ids = (item.name for item in self._items if item.name.endswith(("input_ids", "inputs_embeds")))
        self._main = next(ids, None)
        self._takes_cache = bool(part.slots)
        self._axes = tuple((slot.batch_axis, slot.growing_axis) for slot in part.slots)
        self._plans: dict[tuple[GraphInput, ...], _Plan] = {}
        self._empty: dict[int, OnnxCache] = {}
        self._values: dict[tuple[GraphInput, tuple[int, ...], int], Value] = {}
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
        missing: tuple[GraphInput, ...] = ()
        for item in self._items:
            value = given.get(item.name)
            if value is None:
                missing = (*missing, item)
            else:
                feeds[item.name] = check_input(item, value)
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

    def _make_missing(self, feeds: dict[str, Any], missing: tuple[GraphInput, ...], cache: OnnxCache | None) -> None:
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
        mask = feeds.get(_MASK) if self._positions.by_mask else None
        for item in plan.items:
            if mask is not None and item.role == "positions":
                feeds[item.name] = self._count_positions(item, mask, past)
                continue
            shape = self._choose_shape(item, sizes, feeds, past)
            key = (item, shape, past)
            found = self._values.get(key)
            if found is None:
                found = self._make_input(item, shape, past)
                if found.size <= _KEPT_SIZE:
                    found = self._keep(key, found)
            feeds[item.name] = found

    def _plan(self, missing: tuple[GraphInput, ...]) -> _Plan:
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
        words = {word for item in missing for size in item.declared.shape or () for word in list_words(size)}
        return _Plan(
            absent,
            missing,
            tuple(source for symbol, source in sources.items() if symbol in words),
            tuple(source for symbol, source in past.items() if symbol in words),
        )

    def _make_input(self, item: GraphInput, shape: tuple[int, ...], past: int) -> Array:
        dtype = item.declared.dtype or DType.INT64
        if item.role == "branch":
            return np.array([past > 0])
        if item.role in ("order", "positions"):
            count = shape[-1]
            first = past + (self._positions.first if item.role == "positions" else 0)
            row = self._take("order", dtype, first + count)[first:]
            return row.reshape(shape) if count == prod(shape) else np.broadcast_to(row, shape)
        return self._take(item.role or "zeros", dtype, prod(shape)).reshape(shape)

    def _count_positions(self, item: GraphInput, mask: Any, past: int) -> Array:
        array = tensors.to_numpy(wrap_value(mask)) if is_value(mask) else mask
        return count_positions(array, self._positions, past).astype((item.declared.dtype or DType.INT64).numpy)

    def _keep(self, key: tuple[GraphInput, tuple[int, ...], int], array: Array) -> Value:
        """Return a small array as a value that is kept: the steps of the next text are as long as those of this one."""
        if len(self._values) >= _KEPT:
            self._values.clear()
        made = self._values[key] = copy_to_value(array, key[0].declared.dtype or DType.of(array.dtype))
        return made

    def _choose_shape(
        self, item: GraphInput, sizes: Mapping[str, int], feeds: Mapping[str, Any], past: int
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
            made: Array = np.arange(size) if kind == "order" else np.full(size, int(kind == "ones"))
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
        found = read_foreign_cache(given)
        if found is None:
            raise OptionError(
                f"past_key_values is a {type(given).__name__}: give the cache that this model returned, a cache of Transformers, "
                "or a tuple of tensors for each layer."
            )
        return self._convert_cache(found) if found.tensors else None

    def _convert_cache(self, given: ForeignCache) -> OnnxCache:
        if len(given.tensors) != len(self._slots):
            raise OptionError(
                f"past_key_values has {len(given.tensors)} tensors, and {self.part.path.name} takes {len(self._slots)}: give all "
                "layers."
            )
        values, length = [], 0
        for slot, item, tensor in zip(self.part.slots, self._slots, given.tensors, strict=True):
            array = check_input(item, tensor)
            if slot.growing_axis is not None and not is_cross(slot.path):
                length = length or get_shape(array)[slot.growing_axis]
            dtype = slot.declared.dtype
            values.append(array if is_value(array) else copy_to_value(array, dtype or DType.of(array.dtype)))
        return OnnxCache(self.part.paths, values, length if given.length is None else given.length, self._axes)
