"""Pytrees: from example values to the nodes of a spec, from results to named arrays, and to built-in containers."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import jax

from dummyio.backend.frameworks import qualified_name
from dummyio.backend.result_names import name_outputs, separate_names
from dummyio.errors import SourceError
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec


def build_node(value: Any, path: str, describe: Callable[[str, Any], TensorSpec]) -> Node:
    """Return a tree of example values as a node, with `describe` for each value that is not a container.

    None is a tree without leaves, as in JAX. A registered container whose items are its attributes (a dataclass, ``flax.struct``)
    becomes a record, whose items are attributes too.

    Raises
    ------
    SourceError
        for containers that a spec cannot express; and as `describe`.
    """
    if value is None:
        return Nest.of("none", ())
    if isinstance(value, Mapping):
        strange = [key for key in value if not isinstance(key, str)]
        if strange:
            raise SourceError(f"{path}: the key {strange[0]!r} is not a string; the items of an input go by name.")
        return Nest.of("dict", {key: build_node(item, f"{path}.{key}", describe) for key, item in value.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        names: tuple[str, ...] = getattr(value, "_fields", ())
        items = zip(names, value, strict=True)
        return Nest.of("record", {name: build_node(item, f"{path}.{name}", describe) for name, item in items})
    if isinstance(value, (list, tuple)):
        nodes = [build_node(item, f"{path}.{place}", describe) for place, item in enumerate(value)]
        return Nest.of("list" if isinstance(value, list) else "tuple", nodes)
    if not jax.tree_util.all_leaves([value]):
        children = _named_children(value)
        if children and all(name.isidentifier() and hasattr(value, name) for name, _ in children):
            _check_settings(value, path, {name for name, _ in children})
            return Nest.of("record", {name: build_node(item, f"{path}.{name}", describe) for name, item in children})
        raise SourceError(
            f"{path}: a spec cannot express the container {qualified_name(value)}. Wrap the "
            "function in one that takes dicts, lists and tuples, or close over the value."
        )
    return describe(path, value)


def _check_settings(value: Any, path: str, arrays: Collection[str]) -> None:
    """Refuse a dataclass that has settings beside its arrays: the record that stands for it would lack them."""
    others = [each.name for each in fields(value) if each.name not in arrays] if is_dataclass(value) else []
    if others:
        raise SourceError(
            f"{path}: {qualified_name(value)} has fields beside its arrays, {', '.join(others)}, and a spec contains arrays only. "
            f"Describe a function that takes its arrays, {', '.join(sorted(arrays))}, and makes the {type(value).__name__} of them itself."
        )


def to_builtin_containers(value: Any) -> Any:
    """Return a tree of dicts, lists and tuples: a registered container can be read only where it is registered too."""
    if value is None or jax.tree_util.all_leaves([value]):
        return value
    if type(value) in (list, tuple):
        return type(value)(map(to_builtin_containers, value))
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return [*map(to_builtin_containers, value)]
    items = value.items() if isinstance(value, Mapping) else _named_children(value)
    return {key: to_builtin_containers(item) for key, item in items}


def name_results(result: Any, declared: tuple[str, ...] = (), inputs: Collection[str] = ()) -> dict[str, Any]:
    """Return name → array for the result of a function; a result with the name of one of the `inputs` gets another, as in a file.

    The items of dicts come in the order of their sorted keys, as traced functions return them, so that a reference that
    runs untraced has the same order as its exports.
    """
    named = name_outputs(jax.tree.map(lambda leaf: leaf, result), declared, _expand_container)
    apart = separate_names(list(named), inputs)
    return {apart[name]: value for name, value in named.items()}


def _expand_container(value: Any, path: str) -> Mapping[str, Any] | None:
    """Return name → array for a registered container; None for built-in ones and for arrays."""
    if isinstance(value, (Mapping, list, tuple)) or jax.tree_util.all_leaves([value]):
        return None
    found: dict[str, Any] = {}
    for key, item in _named_children(value):
        own = f"{path}.{key}" if path else f"_{key}" if key.isdecimal() else key
        if jax.tree_util.all_leaves([item]):
            found[own] = item
        else:
            inner = name_outputs(item, (), _expand_container)
            found |= {f"{own}.{name.removeprefix('output_')}": leaf for name, leaf in inner.items()}
    return found


def _named_children(value: Any) -> list[tuple[str, Any]]:
    """Return the children of a container, one level deep, with their names."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(value, is_leaf=lambda other: other is not value)
    return [(jax.tree_util.keystr(keys, simple=True, separator="."), child) for keys, child in pairs]
