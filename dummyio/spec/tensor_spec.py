"""`TensorSpec`: one tensor, as data. `Nest`: tensors in a container, as data."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import prod
from typing import Any, Literal, get_args

from dummyio.errors import DimError, SpecError
from dummyio.spec.dims import Dim, Size, evaluate_size, substitute_dims, to_size
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Boxes, Rule, Strings, Uniform, canonicalize_rule, substitute_rule_dims

Container = Literal["dict", "list", "tuple", "record", "cache"]

_MAX_AXES = 32
_OPTIONAL_FIELDS = ("hidden_states", "attentions", "attention_mask", "router_logits")
"""Fields that models read from an encoder's output by name; a record without them has None there."""
MAX_NESTING = 32
"""The largest number of containers inside each other."""


@dataclass(frozen=True, slots=True, init=False)
class TensorSpec:
    """One tensor: its name, shape, dtype and value rule.

    Parameters
    ----------
    name
        The input's name.
    shape
        Sizes: ints, `Dim` and expressions of these.
    dtype
        A `DType` or anything `DType.of` accepts.
    values
        A rule of `dummyio.values`; by default uniform in [0, 1) for floats, [0, 2) for other numbers, and words for
        strings.

    Examples
    --------
    >>> batch = Dim("batch_size", 2)
    >>> print(TensorSpec("pixel_values", (batch, 3, 224, 224), "float32", values.Uniform(-1, 1)))
    float32[batch_size, 3, 224, 224] Uniform(low=-1)
    """

    name: str
    shape: tuple[Size, ...]
    dtype: DType
    values: Rule

    def __init__(
        self, name: str, shape: Iterable[object], dtype: object = "float32", values: Rule | None = None
    ) -> None:
        """Check that the parts agree."""
        sizes = tuple(to_size(size) for size in shape)
        kind = DType.of(dtype)
        try:
            if len(sizes) > _MAX_AXES:
                raise SpecError(f"{len(sizes)} axes: a tensor has at most {_MAX_AXES}.")
            rule = canonicalize_rule(values) if values is not None else _default_rule(kind)
            rule.check(kind, len(sizes))
            if isinstance(rule, Boxes) and sizes[-1] != 4:
                raise SpecError(f"{rule!r}: the last axis of boxes has 4 elements, not {sizes[-1]}.")
        except SpecError as error:
            raise SpecError(f"input {name!r}: {error}") from None
        for attribute, value in (("name", name), ("shape", sizes), ("dtype", kind), ("values", rule)):
            object.__setattr__(self, attribute, value)

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def sizes(self, sizes: Mapping[str, int] | None = None) -> tuple[int, ...]:
        """Return the shape as ints, with the dims' sizes from `sizes`, and their default sizes for those not in it.

        Examples
        --------
        >>> TensorSpec("x", (Dim("batch_size", 2), 3)).sizes({"batch_size": 8})
        (8, 3)
        """
        shape = tuple(evaluate_size(size, sizes) for size in self.shape)
        for axis, size in enumerate(shape):
            if not 0 <= size < 2**63:
                raise DimError(f"input {self.name!r}, axis {axis}: {self.shape[axis]} is {size} at these sizes.")
        return shape

    def nbytes(self, sizes: Mapping[str, int] | None = None) -> int:
        """Return the number of bytes in memory at these sizes."""
        return prod(self.sizes(sizes), start=self.dtype.itemsize)

    def replace(self, **changes: Any) -> TensorSpec:
        """Return a copy with some fields changed.

        Examples
        --------
        >>> print(TensorSpec("x", (2, 3)).replace(dtype="bfloat16"))
        bfloat16[2, 3] Uniform()
        """
        fields: dict[str, Any] = {"name": self.name, "shape": self.shape, "dtype": self.dtype, "values": self.values}
        return TensorSpec(**{**fields, **changes})

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}] {self.values!r}"


def _default_rule(dtype: DType) -> Rule:
    if dtype.kind == "string":
        return Strings()
    return Uniform() if dtype.kind in ("float", "complex") else Uniform(0, 2 if dtype.limits.max >= 1 else 1)


@dataclass(frozen=True, slots=True)
class Nest:
    """Tensors in a container.

    Parameters
    ----------
    kind
        ``"dict"``, ``"list"``, ``"tuple"``, ``"record"`` (a tuple whose items are attributes too, as a model's output), or
        ``"cache"`` (a model's past state with an item per layer: the framework's cache class, else a list of tuples).
    items
        Names and tensors or nests. Lists and tuples use the names in flat paths only (``past_key_values.0.key``).

    Examples
    --------
    >>> state = TensorSpec("", (Dim("batch_size", 2), 12, Dim("past", 8), 64))
    >>> spec = InputSpec({"past_key_values": Nest.of("cache", [(state, state)])})
    >>> list(spec.feeds())
    ['past_key_values.0.0', 'past_key_values.0.1']
    """

    kind: Container
    items: tuple[tuple[str, Node], ...]
    depth: int = field(init=False, compare=False, repr=False)
    """The number of containers inside each other, including this one."""

    def __post_init__(self) -> None:
        """Reject unknown kinds, names that cannot be part of a path, and nests that are too deep to be walked."""
        if self.kind not in get_args(Container):
            raise SpecError(f"kind={self.kind!r} is not a container: use one of {', '.join(get_args(Container))}.")
        names = [name for name, _ in self.items]
        for name in names:
            check_name(name)
        if len(set(names)) != len(names):
            raise SpecError(f"a {self.kind} has two items of one name: {names}.")
        object.__setattr__(self, "items", tuple((name, to_node(item, name)) for name, item in self.items))
        if self.kind == "record" and not all(name.isidentifier() and not name.startswith("_") for name in names):
            raise SpecError(f"the names of a record's items must be attribute names: {names}.")
        depth = 1 + max((item.depth for _, item in self.items if isinstance(item, Nest)), default=0)
        if depth > MAX_NESTING:
            raise SpecError(f"{depth} containers inside each other: the limit is {MAX_NESTING}.")
        object.__setattr__(self, "depth", depth)

    @classmethod
    def of(cls, kind: Container, items: Mapping[str, Any] | Iterable[Any]) -> Nest:
        """Return a nest of this kind; items without a name are named by their place.

        Examples
        --------
        >>> pair = Nest.of("tuple", [TensorSpec("", (2,)), TensorSpec("", (3,))])
        >>> [(name, item.shape) for name, item in pair.items]
        [('0', (2,)), ('1', (3,))]
        """
        pairs = items.items() if isinstance(items, Mapping) else ((str(i), item) for i, item in enumerate(items))
        return cls(kind, tuple(pairs))

    def __getitem__(self, key: str | int) -> Node:
        if isinstance(key, int):
            return self.items[key][1]
        return dict(self.items)[key]

    def __len__(self) -> int:
        return len(self.items)

    def map(self, function: Callable[[TensorSpec], TensorSpec]) -> Nest:
        """Return this nest with `function` applied to every tensor."""
        return replace(self, items=tuple((name, map_node(node, function)) for name, node in self.items))

    def build(self, leaves: Mapping[str, Any], path: str, cache: Callable[[list[Any]], Any]) -> Any:
        """Return the container of `leaves` (by path); `cache` makes a cache of its layers."""
        built = {name: build_nested(node, leaves, f"{path}.{name}", cache) for name, node in self.items}
        match self.kind:
            case "dict":
                return built
            case "list":
                return list(built.values())
            case "tuple":
                return tuple(built.values())
            case "record":
                return _record(tuple(built))(*built.values())
            case "cache":
                return cache(list(built.values()))


Node = TensorSpec | Nest


@lru_cache(maxsize=64)
def _record(names: tuple[str, ...]) -> Callable[..., Any]:
    """Return the type of records with these items: always the same one, as frameworks compare the types of trees."""
    kind: Any = namedtuple("record", names)  # type: ignore[misc] # noqa: PYI024 - the names are data
    for name in _OPTIONAL_FIELDS:
        if name not in names:
            setattr(kind, name, None)
    return kind


def check_name(name: object) -> str:
    """Return `name`, or raise `SpecError` if it cannot be the name of an input or item."""
    if not isinstance(name, str) or not name:
        raise SpecError(f"name={name!r}: a name is a string with at least one character.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SpecError(f"name={name!r}: a name must be valid Unicode, without lone surrogates.") from None
    return name


def to_node(value: object, name: str) -> Node:
    """Return dicts, lists and tuples of tensors as nests, and a tensor with `name` as its name."""
    if isinstance(value, TensorSpec):
        return value if value.name == name else value.replace(name=name)
    if isinstance(value, Nest):
        return value
    if isinstance(value, Mapping):
        return Nest.of("dict", value)
    if isinstance(value, tuple):
        return Nest.of("tuple", value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return Nest.of("list", value)
    raise SpecError(f"{value!r} is not a description: use a TensorSpec, or a dict, list or tuple of these.")


def map_node(node: Node, function: Callable[[TensorSpec], TensorSpec]) -> Node:
    """Apply `function` to every tensor of `node`."""
    return node.map(function) if isinstance(node, Nest) else function(node)


def iterate_leaves(items: Iterable[tuple[str, Node]], prefix: str = "") -> Iterator[tuple[str, TensorSpec]]:
    """Yield (path, tensor) in order; paths join names by dots."""
    for name, node in items:
        path = f"{prefix}{name}"
        if isinstance(node, Nest):
            yield from iterate_leaves(node.items, f"{path}.")
        else:
            yield path, node


def build_nested(node: Node, leaves: Mapping[str, Any], path: str, cache: Callable[[list[Any]], Any] = list) -> Any:
    """Return the tensor or container that `node` describes, made of `leaves` (by path)."""
    return node.build(leaves, path, cache) if isinstance(node, Nest) else leaves[path]


def replace_dims(node: Node, old: Mapping[str, Dim], new: Mapping[str, Dim]) -> Node:
    """Return `node`, whose dims are `old`, with the dims of the names in `new` replaced, in shapes and in rules."""

    def replace_in_tensor(spec: TensorSpec) -> TensorSpec:
        shape = [substitute_dims(size, new) for size in spec.shape]
        return spec.replace(shape=shape, values=substitute_rule_dims(spec.values, old, new))

    return map_node(node, replace_in_tensor)
