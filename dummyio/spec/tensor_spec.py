"""`TensorSpec`: one tensor, as data. `Nest`: tensors in a container, as data."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, get_args

from dummyio.errors import DimError, SpecError
from dummyio.spec import dims as _dims
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Boxes, Rule, Uniform, canonicalize_rule, get_rule_expression, replace_rule_expression

__all__ = ["Container", "Nest", "Node", "TensorSpec", "iterate_leaves", "to_node"]

Container = Literal["dict", "list", "tuple", "record", "cache"]

_AXES = 32
_OPTIONAL = ("hidden_states", "attentions", "attention_mask", "router_logits")
"""What is asked of an encoder's output by name, and is None where it is not there."""
MAX_NESTING = 32
"""As many containers can be inside each other."""


@dataclass(frozen=True, slots=True, init=False)
class TensorSpec:
    """One tensor: its name, shape, dtype and what it holds.

    Parameters
    ----------
    name
        The input's name.
    shape
        Sizes: ints, `Dim` and expressions of these.
    dtype
        A `DType` or anything `DType.of` accepts.
    values
        A rule of `dummyio.values`; uniform in [0, 1) for floats and [0, 2) for the rest, where not given.
    """

    name: str
    shape: tuple[Size, ...]
    dtype: DType
    values: Rule

    def __init__(
        self, name: str, shape: Iterable[object], dtype: object = "float32", values: Rule | None = None
    ) -> None:
        """Check that the parts fit together."""
        sizes = tuple(_dims.to_size(size) for size in shape)
        kind = DType.of(dtype)
        try:
            if len(sizes) > _AXES:
                raise SpecError(f"{len(sizes)} axes: a tensor has at most {_AXES}.")
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
        """How many axes it has."""
        return len(self.shape)

    def sizes(self, sizes: Mapping[str, int] | None = None) -> tuple[int, ...]:
        """Return the shape as ints, with `sizes` for its symbols and their defaults for the rest."""
        shape = tuple(_dims.evaluate_size(size, sizes) for size in self.shape)
        for axis, size in enumerate(shape):
            if not 0 <= size < 2**63:
                raise DimError(f"input {self.name!r}, axis {axis}: {self.shape[axis]} is {size} at these sizes.")
        return shape

    def nbytes(self, sizes: Mapping[str, int] | None = None) -> int:
        """Return the bytes that it takes in memory at these sizes."""
        total = self.dtype.itemsize
        for size in self.sizes(sizes):
            total *= size
        return total

    def replace(self, **changes: Any) -> TensorSpec:
        """Return a copy with some fields changed."""
        fields: dict[str, Any] = {"name": self.name, "shape": self.shape, "dtype": self.dtype, "values": self.values}
        return TensorSpec(**{**fields, **changes})

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}] {self.values!r}"


def _default_rule(dtype: DType) -> Rule:
    from dummyio.spec.values import Strings  # noqa: PLC0415 - the one rule that is needed here only

    if dtype.kind == "string":
        return Strings()
    return Uniform() if dtype.kind in ("float", "complex") else Uniform(0, 2 if dtype.limits.max >= 1 else 1)


@dataclass(frozen=True, slots=True)
class Nest:
    """Tensors in a container: ``dict``, ``list``, ``tuple``, ``record``, or ``cache``, a model's past state with an item per layer.

    Items are named in every kind; in lists and tuples the names only make the flat paths (``past_key_values.0.key``).
    A ``record`` is a tuple whose items can be asked for by name too, as those of a model's output. A ``cache`` becomes what
    the framework's models take, else a list of tuples.
    """

    kind: Container
    items: tuple[tuple[str, Node], ...]
    depth: int = field(init=False, compare=False, repr=False)
    """How many containers are inside each other, this one counted."""

    def __post_init__(self) -> None:
        """Reject unknown kinds, names that cannot be path components, and what no function can walk through."""
        if self.kind not in get_args(Container):
            raise SpecError(f"kind={self.kind!r} is no container: use one of {', '.join(get_args(Container))}.")
        names = [name for name, _ in self.items]
        for name in names:
            check_name(name)
        if len(set(names)) != len(names):
            raise SpecError(f"a {self.kind} names an item twice: {names}.")
        object.__setattr__(self, "items", tuple((name, to_node(item, name)) for name, item in self.items))
        if self.kind == "record" and not all(name.isidentifier() and not name.startswith("_") for name in names):
            raise SpecError(f"a record names its items as attributes: {names}.")
        depth = 1 + max((item.depth for _, item in self.items if isinstance(item, Nest)), default=0)
        if depth > MAX_NESTING:
            raise SpecError(f"{depth} containers inside each other: at most {MAX_NESTING} are kept.")
        object.__setattr__(self, "depth", depth)

    @classmethod
    def of(cls, kind: Container, items: Mapping[str, Any] | Iterable[Any]) -> Nest:
        """Return a nest of that kind; unnamed items are named by their place."""
        pairs = items.items() if isinstance(items, Mapping) else ((str(i), item) for i, item in enumerate(items))
        return cls(kind, tuple((name, to_node(item, name)) for name, item in pairs))

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
        """Return the container of `leaves` (by path), with `cache` to wrap the layers of a cache."""
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
    """Return the type of records with these items: one type for one set of names, for frameworks compare the types of trees."""
    kind: Any = namedtuple("record", names)  # type: ignore[misc] # noqa: PYI024 - the names are data
    for name in _OPTIONAL:
        if name not in names:
            setattr(kind, name, None)
    return kind


def check_name(name: object) -> str:
    """Return `name` where it can be an input's or an item's name; it must not be empty."""
    if not isinstance(name, str) or not name:
        raise SpecError(f"name={name!r}: a name is a string with at least one character.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SpecError(f"name={name!r}: a name is text, and half of a surrogate pair is none.") from None
    return name


def to_node(value: object, name: str) -> Node:
    """Return plain dicts, lists and tuples of tensors as nests, and a tensor under the name that it has there."""
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
    raise SpecError(f"{value!r} is no description: use a TensorSpec, or a dict, list or tuple of these.")


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
    """Return what `node` describes, built of `leaves` by path."""
    return node.build(leaves, path, cache) if isinstance(node, Nest) else leaves[path]


def replace_dims(node: Node, old: Mapping[str, Dim], new: Mapping[str, Dim]) -> Node:
    """Return `node`, whose symbols are in `old`, with those of a name in `new` replaced, in shapes and in rules."""

    def swap(spec: TensorSpec) -> TensorSpec:
        return spec.replace(
            shape=[_dims.substitute_dims(size, new) for size in spec.shape], values=swap_rule(spec.values)
        )

    def swap_rule(rule: Rule) -> Rule:
        expression = get_rule_expression(rule)
        if expression is None:
            return rule
        size = _dims.substitute_dims(parse_size(expression, old), new)
        return replace_rule_expression(rule, size if isinstance(size, int) else str(size))

    return map_node(node, swap)
