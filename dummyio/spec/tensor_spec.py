"""`TensorSpec`: one tensor, as data. `Nest`: tensors in a container, as data."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from math import prod
from typing import Any, Literal, get_args

from dummyio.errors import DimError, OptionError, SpecError
from dummyio.spec.dims import Dim, Size, evaluate_size, substitute_dims, to_size
from dummyio.spec.dtypes import DType
from dummyio.spec.plain_values import show_value, take_items, to_int
from dummyio.spec.values import Boxes, Rule, Strings, Uniform, canonicalize_rule, substitute_rule_dims

Container = Literal["dict", "list", "tuple", "record", "cache", "none"]

MAX_AXES = 32
MAX_TENSORS = 1 << 15
"""The largest number of tensors and containers in a spec."""
MAX_NAME = 255
"""The largest number of bytes of a name, as many as a file system allows."""
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
        if not isinstance(name, str):
            raise SpecError(f"name={show_value(name)}: a name is a string.")
        try:
            sizes = check_shape(shape)
            kind = DType.of(dtype)
            rule = canonicalize_rule(values) if values is not None else _default_rule(kind)
            rule.check(kind, len(sizes))
            if isinstance(rule, Boxes) and sizes[-1] != 4:
                raise SpecError(f"{rule!r}: the last axis of boxes has 4 elements, not {sizes[-1]}.")
        except SpecError as error:
            raise SpecError(f"input {show_value(name)}: {error}") from None
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
        return evaluate_shape(self, check_sizes(sizes))

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


def evaluate_shape(spec: TensorSpec, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return a tensor's shape as ints; raise `DimError` for a size that no tensor has."""
    shape = tuple(evaluate_size(size, sizes) for size in spec.shape)
    for axis, size in enumerate(shape):
        if not 0 <= size < 2**63:
            found = f"{spec.shape[axis]} is {show_value(size)}"
            raise DimError(f"input {spec.name!r}, axis {axis}: {found} at these sizes.")
    return shape


def check_sizes(sizes: object) -> dict[str, int]:
    """Return sizes of dims by name as ints; raise `DimError` for other types."""
    if sizes is not None and not isinstance(sizes, Mapping):
        raise OptionError(f"sizes={show_value(sizes)}: give a dict of dims' names to ints.")
    known = {}
    for name, given in (sizes or {}).items():
        size = to_int(given)
        if size is None:
            raise DimError(f"{name}={show_value(given)}: a size must be an int.")
        known[name] = size
    return known


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
        ``"dict"``, ``"list"``, ``"tuple"``, ``"record"`` (a tuple whose items are attributes too, as a model's output),
        ``"cache"`` (a model's past state with an item per layer: the framework's cache class, else a list of tuples), or
        ``"none"`` (a place that holds None, as an empty tree: it has no items).
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
    count: int = field(init=False, compare=False, repr=False)
    """The number of tensors and nests in it, at all depths."""

    def __post_init__(self) -> None:
        """Reject unknown kinds, names that cannot be part of a path, and nests that are too deep to be walked."""
        if self.kind not in get_args(Container):
            raise SpecError(
                f"kind={show_value(self.kind)} is not a container: use one of {', '.join(get_args(Container))}."
            )
        pairs = take_items(self.items, MAX_TENSORS)
        if pairs is None or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
            raise SpecError(
                f"items={show_value(self.items)}: give at most {MAX_TENSORS} pairs of a name and a tensor or nest."
            )
        names = [check_name(name) for name, _ in pairs]
        if len(set(names)) != len(names):
            raise SpecError(f"a {self.kind} has two items of one name: {show_value(names)}.")
        if self.kind == "record" and not all(name.isidentifier() and not name.startswith("_") for name in names):
            raise SpecError(f"the names of a record's items must be attribute names: {show_value(names)}.")
        if self.kind == "none" and names:
            raise SpecError(f"a none has items, {show_value(names)}: it stands for None, which is empty.")
        items = to_nodes(pairs, 1)
        nests = [item for _, item in items if isinstance(item, Nest)]
        depth = 1 + max((nest.depth for nest in nests), default=0)
        if depth > MAX_NESTING:
            raise SpecError(f"{depth} containers inside each other: the limit is {MAX_NESTING}.")
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "depth", depth)
        object.__setattr__(self, "count", len(items) + sum(nest.count for nest in nests))

    @classmethod
    def of(cls, kind: Container, items: Mapping[str, Any] | Iterable[Any]) -> Nest:
        """Return a nest of this kind; items without a name are named by their place.

        Examples
        --------
        >>> pair = Nest.of("tuple", [TensorSpec("", (2,)), TensorSpec("", (3,))])
        >>> [(name, item.shape) for name, item in pair.items]
        [('0', (2,)), ('1', (3,))]
        """
        return cls(kind, _name_items(items))

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
        """Return the container of `leaves` (by path), None if it is a none; `cache` makes a cache of its layers."""
        built = {name: build_nested(node, leaves, f"{path}.{name}", cache) for name, node in self.items}
        match self.kind:
            case "dict":
                return built
            case "list":
                return list(built.values())
            case "tuple":
                return tuple(built.values())
            case "record":
                return make_record(tuple(built))(*built.values())
            case "cache":
                return cache(list(built.values()))
            case "none":
                return None


Node = TensorSpec | Nest


@lru_cache(maxsize=64)
def make_record(names: tuple[str, ...]) -> Callable[..., Any]:
    """Return the type of records with these items: always the same one, as frameworks compare the types of trees."""
    kind: Any = namedtuple("record", names)  # type: ignore[misc] # noqa: PYI024 - the names are data
    for name in _OPTIONAL_FIELDS:
        if name not in names:
            setattr(kind, name, None)
    return kind


def check_shape(shape: object) -> tuple[Size, ...]:
    """Return the sizes of a shape; raise `SpecError` if it is not one."""
    sizes = take_items(shape, MAX_AXES)
    if sizes is not None:
        return tuple(to_size(size) for size in sizes)
    if isinstance(shape, Sized) and not isinstance(shape, (str, bytes, Mapping)):
        raise SpecError(f"{len(shape)} axes: a tensor has at most {MAX_AXES}.")
    raise SpecError(f"shape={show_value(shape)}: a shape is a tuple of at most {MAX_AXES} sizes.")


def check_name(name: object) -> str:
    """Return `name`, or raise `SpecError` if it cannot be the name of an input or item.

    Names become keys and names of files: a name has 1 to `MAX_NAME` bytes of UTF-8, no NUL, and no part ``..`` between
    slashes. All other characters are allowed; messages show control characters escaped.
    """
    if not isinstance(name, str) or not name:
        raise SpecError(f"name={show_value(name)}: a name is a string with at least one character.")
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        raise SpecError(f"name={show_value(name)}: a name must be valid Unicode, without lone surrogates.") from None
    if length > MAX_NAME:
        raise SpecError(f"name={show_value(name)}: a name has at most {MAX_NAME} bytes, this one {length}.")
    if "\0" in name:
        raise SpecError(f"name={show_value(name)}: a name must not contain NUL, at which files end a name.")
    if ".." in name and ".." in name.replace("\\", "/").split("/"):
        raise SpecError(f"name={show_value(name)}: '..' between slashes would leave the folder of a file.")
    return name


def to_node(value: object, name: str, depth: int = 0) -> Node:
    """Return dicts, lists and tuples of tensors as nests, and a tensor with `name` as its name."""
    if isinstance(value, TensorSpec):
        return value if value.name == name else _rename(value, name)
    if isinstance(value, Nest):
        return value
    kind: Container = "dict" if isinstance(value, Mapping) else "tuple" if isinstance(value, tuple) else "list"
    if kind == "list" and (not isinstance(value, Sequence) or isinstance(value, (str, bytes))):
        raise SpecError(
            f"{show_value(value)} is not a description: use a TensorSpec, or a dict, list or tuple of these."
        )
    if depth >= MAX_NESTING:
        raise SpecError(f"{depth + 1} containers inside each other: the limit is {MAX_NESTING}.")
    return Nest(kind, to_nodes(_name_items(value), depth + 1))


def _rename(spec: TensorSpec, name: str) -> TensorSpec:
    """Return a copy with another name; all other parts are checked already."""
    renamed = object.__new__(TensorSpec)
    for attribute, value in (("name", name), ("shape", spec.shape), ("dtype", spec.dtype), ("values", spec.values)):
        object.__setattr__(renamed, attribute, value)
    return renamed


def to_nodes(items: Iterable[tuple[str, object]], depth: int) -> tuple[tuple[str, Node], ...]:
    """Return items as nodes; raise `SpecError` as soon as there are too many of them."""
    nodes: list[tuple[str, Node]] = []
    count = 0
    for name, item in items:
        node = to_node(item, check_name(name), depth)
        nodes.append((name, node))
        count += 1 + (node.count if isinstance(node, Nest) else 0)
        if count > MAX_TENSORS:
            raise SpecError(f"more than {MAX_TENSORS} tensors and containers: a spec cannot have as many.")
    return tuple(nodes)


def _name_items(items: Any) -> tuple[tuple[str, Any], ...]:
    """Return the items of a container with their names, their places if they have none; at most one more than a spec has."""
    if not isinstance(items, (Mapping, Iterable)) or isinstance(items, (str, bytes)):
        raise SpecError(f"items={show_value(items)}: give a dict, list or tuple of tensors and nests.")
    pairs = items.items() if isinstance(items, Mapping) else ((str(i), item) for i, item in enumerate(items))
    return tuple(islice(pairs, MAX_TENSORS + 1))


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
