"""What a signature says of its arguments: shapes and dtypes in annotations, or in defaults.

Read are annotations that carry ``dim_str`` and ``dtypes``, as those of jaxtyping do, ``Annotated[...]`` with a
`jax.ShapeDtypeStruct`, and defaults that are shapes or arrays; of several, in tuples, named tuples and typed dicts.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import jax

from dummyio.errors import DimError, SourceError
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio_jax.calling.example_leaf import leaf_of
from dummyio_jax.calling.pure_function import Model
from dummyio_jax.calling.pytrees import node_of
from dummyio_jax.calling.symbolic_dims import default_dim

__all__ = ["annotated_inputs"]

_PREFERRED = ("float32", "int32", "bool", "complex64")


def annotated_inputs(model: Model) -> dict[str, Node]:
    """Return the inputs that a signature describes; arguments with a plain default are none.

    Raises
    ------
    SourceError
        for an argument that must be given and of which the signature says nothing.
    """
    if model.signature is None:
        raise _needs_arguments(model, "it has no signature to read")
    reader, found = _Reader(), dict[str, Node]()
    hints = _hints(model)
    for parameter in model.signature.parameters.values():
        node = reader.default(parameter.name, parameter.default)
        if node is None:
            node = reader.annotation(parameter.name, hints.get(parameter.name, parameter.annotation))
        if node is not None:
            found[parameter.name] = node
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            raise _needs_arguments(model, f"its signature says nothing of {parameter.name!r}")
    if not found:
        raise _needs_arguments(model, f"its signature {model.signature} says nothing of its inputs")
    return found


def _needs_arguments(model: Model, reason: str) -> SourceError:
    return SourceError(
        f"{model.name} cannot be described alone: {reason}. Give example arguments, arrays or jax.ShapeDtypeStructs: "
        "describe(function, args=(x, y)) or describe(function, kwargs={'x': x}); or annotate it with shapes and dtypes."
    )


def _hints(model: Model) -> Mapping[str, Any]:
    target = inspect.unwrap(model.function)
    try:
        return get_type_hints(target, include_extras=True)
    except Exception:  # noqa: BLE001 - annotations may name anything, or nothing that can be imported
        return {}


class _Reader:
    """Reads annotations; the same name is the same symbol in all of them."""

    def __init__(self) -> None:
        self.dims: dict[str, Dim] = {}

    def default(self, path: str, value: Any) -> Node | None:
        """Return what a default describes: a shape, an array, or a tree of these; None for a setting."""
        leaves = jax.tree.leaves(value) if value is not inspect.Parameter.empty else []
        if not leaves or not all(hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in leaves):
            return None
        return node_of(value, path, leaf_of)

    def annotation(self, path: str, kind: Any) -> Node | None:
        """Return what an annotation describes; None where it says no shape."""
        if isinstance(getattr(kind, "dim_str", None), str):
            return self._array(path, kind.dim_str, kind.dtypes)
        for extra in getattr(kind, "__metadata__", ()):
            if hasattr(extra, "shape") and hasattr(extra, "dtype"):
                return leaf_of(path, extra)
        if is_typeddict(kind) or (isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")):
            items = {k: self.annotation(f"{path}.{k}", v) for k, v in get_type_hints(kind, include_extras=True).items()}
            return _nest("dict" if is_typeddict(kind) else "record", items)
        if get_origin(kind) is tuple and Ellipsis not in get_args(kind):
            return _nest("tuple", {str(n): self.annotation(f"{path}.{n}", v) for n, v in enumerate(get_args(kind))})
        return None

    def _array(self, path: str, text: str, dtypes: Any) -> TensorSpec:
        shape = [self._size(path, place, word) for place, word in enumerate(text.split())]
        known = [str(name) for name in dtypes] if isinstance(dtypes, (list, tuple)) else []
        names = [name for name in _PREFERRED if name in known] or known or ["float32"]
        return TensorSpec(path.rpartition(".")[2], shape, DType.of(names[0].removesuffix("_")))

    def _size(self, path: str, place: int, word: str) -> Size:
        if "..." in word or word.startswith("*"):
            raise SourceError(f"{path}: {word!r} is any number of axes; give example arguments, which have one.")
        plain = word.lstrip("#?").rpartition("=")[2]
        if plain.isdecimal():
            return int(plain)
        if plain.startswith("_"):
            plain = f"{path.replace('.', '_')}_size_{place}"
        if plain.isidentifier():
            return self._dim(plain)
        try:
            return parse_size(plain.strip("{}"), self.dims)
        except DimError as error:
            raise SourceError(f"{path}: the axis {word!r} cannot be read: {error}") from error

    def _dim(self, name: str) -> Dim:
        if name not in self.dims:
            self.dims[name] = default_dim(name)
        return self.dims[name]


def _nest(kind: Any, items: Mapping[str, Node | None]) -> Node | None:
    known = {name: node for name, node in items.items() if node is not None}
    return Nest.of(kind, known) if known and len(known) == len(items) else None
