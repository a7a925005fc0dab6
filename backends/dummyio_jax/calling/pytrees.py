"""Containers: from trees of arrays to named nodes of a spec, and to plain containers that any file can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from dummyio.backend.result_names import name_outputs
from dummyio.errors import SourceError
from dummyio.input_spec import InputSpec
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec, build_nested

__all__ = ["leaf_paths", "node_of", "replaced", "result_names", "to_builtin_containers"]


def node_of(value: Any, path: str, leaf: Callable[[str, Any], TensorSpec]) -> Node:
    """Return a tree of example values as a node, with `leaf` for what is no container.

    Raises
    ------
    SourceError
        for containers that a spec has no word for, and for what is no array.
    """
    if isinstance(value, Mapping):
        strange = [key for key in value if not isinstance(key, str)]
        if strange:
            raise SourceError(f"{path}: the key {strange[0]!r} is no text; the items of an input go by name.")
        return Nest.of("dict", {key: node_of(item, f"{path}.{key}", leaf) for key, item in value.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields: Any = value
        return Nest.of("record", {k: node_of(item, f"{path}.{k}", leaf) for k, item in fields._asdict().items()})
    if isinstance(value, (list, tuple)):
        items = [node_of(item, f"{path}.{place}", leaf) for place, item in enumerate(value)]
        return Nest.of("list" if isinstance(value, list) else "tuple", items)
    if not jax.tree_util.all_leaves([value]):
        raise SourceError(
            f"{path}: a {type(value).__module__}.{type(value).__qualname__} is a container that a spec has no word for. Wrap "
            "the function in one that takes dicts, lists and tuples, or close over it."
        )
    return leaf(path, value)


def replaced(node: Node, path: str, leaves: Mapping[str, TensorSpec]) -> Node:
    """Return `node`, which stands at `path`, with the tensors of `leaves` in the place of its own."""
    if isinstance(node, Nest):
        return Nest(node.kind, tuple((name, replaced(item, f"{path}.{name}", leaves)) for name, item in node.items))
    return leaves[path]


def leaf_paths(spec: InputSpec) -> list[str]:
    """Return the paths of a spec in the order in which JAX flattens its inputs: dicts by their sorted keys."""
    paths = {path: path for path, _ in spec.leaves}
    found: list[str] = jax.tree.leaves({name: build_nested(node, paths, name) for name, node in spec.items()})
    return found


def to_builtin_containers(value: Any) -> Any:
    """Return a tree of dicts, lists and tuples: what registers its own container cannot be read where it is not known."""
    if value is None or jax.tree_util.all_leaves([value]):
        return value
    if isinstance(value, Mapping) or hasattr(value, "_fields"):
        items = value.items() if isinstance(value, Mapping) else value._asdict().items()
        return {key: to_builtin_containers(item) for key, item in items}
    if isinstance(value, (list, tuple)):
        return (
            type(value)(map(to_builtin_containers, value))
            if type(value) in (list, tuple)
            else [*map(to_builtin_containers, value)]
        )
    return {key: to_builtin_containers(item) for key, item in _children(value)}


def result_names(result: Any, declared: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return name → array of what a function returned.

    Dicts come by their sorted keys, as every traced function returns them: a reference that runs untraced has the order
    of its exports.
    """
    return name_outputs(jax.tree.map(lambda leaf: leaf, result), declared, _expand)


def _expand(value: Any, path: str) -> Mapping[str, Any] | None:
    """Name what a registered container holds."""
    if isinstance(value, (Mapping, list, tuple)) or jax.tree_util.all_leaves([value]):
        return None
    found: dict[str, Any] = {}
    for key, item in _children(value):
        own = f"{path}.{key}" if path else f"_{key}" if key.isdecimal() else key
        inner = name_outputs(item, (), _expand)
        nameless = jax.tree_util.all_leaves([item])
        found |= (
            {own: item} if nameless else {f"{own}.{name.removeprefix('output_')}": leaf for name, leaf in inner.items()}
        )
    return found


def _children(value: Any) -> list[tuple[str, Any]]:
    """Return the children of a registered container, one level deep, with their names."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(value, is_leaf=lambda other: other is not value)
    return [(jax.tree_util.keystr(keys, simple=True, separator="."), child) for keys, child in pairs]
