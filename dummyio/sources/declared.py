"""The inputs that a model or a file declares, before anything is concluded from them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import SourceError
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Rule
from dummyio.typing import Axes


@dataclass(frozen=True, slots=True)
class Leaf:
    """One input as it is declared; dynamic sizes are None."""

    axes: Axes | None
    """None if not even their number is declared."""
    dtype: DType


@dataclass
class Declared:
    """All inputs as they are declared."""

    label: str
    tree: dict[str, Any]
    """Top-level name → leaf, or dicts, lists and tuples of them."""

    callable: Any = None
    """A model or function that can be traced to see more; None for a file that is not run."""

    graph: Any = None
    """A graph whose placeholders have the names of the leaves, if there is one already."""

    rows: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Inputs that index a table → its number of rows, and its name."""

    notes: dict[str, str] = field(default_factory=dict[str, str])
    outputs: tuple[str, ...] = ()
    guessed: frozenset[str] = frozenset()
    """Inputs whose dtype and dynamic sizes are not declared."""

    ranges: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Inputs with known numbers, quantized ones and pixels → the smallest, and the first above the largest."""

    rules: dict[str, Rule] = field(default_factory=dict[str, Rule])
    """Inputs whose values are looked up → the rule of values that the table has, and one that it lacks."""


def leaves_from_nest(tree: Any, make_leaf: Callable[[Any, str], Leaf], name: str = "") -> Any:
    """Return a nest of specs or symbolic tensors as a nest of leaves, which `make_leaf` makes of one and its path."""
    if isinstance(tree, Mapping):
        return {
            str(key): leaves_from_nest(value, make_leaf, f"{name}.{key}" if name else str(key))
            for key, value in tree.items()
        }
    if isinstance(tree, (list, tuple)):
        leaves = [leaves_from_nest(value, make_leaf, f"{name}.{index}") for index, value in enumerate(tree)]
        return tuple(leaves) if type(tree) is tuple else leaves
    if hasattr(tree, "shape") and hasattr(tree, "dtype"):
        return make_leaf(tree, name)
    raise SourceError(f"input {name!r} is not a tensor but a {qualified_name(tree)}: only tensors can be described.")


def iterate_declared(tree: Any, prefix: str = "") -> Iterator[tuple[str, Leaf]]:
    """Yield path and leaf of a nest of leaves, in order."""
    if isinstance(tree, Leaf):
        yield prefix, tree
        return
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield from iterate_declared(value, f"{prefix}.{key}" if prefix else str(key))
