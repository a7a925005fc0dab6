"""Inputs from a signature: shapes and dtypes in annotations, or in defaults.

Supported are annotations with ``dim_str`` and ``dtypes``, as jaxtyping makes them, ``Annotated[...]`` with a
`jax.ShapeDtypeStruct`, defaults that are shapes or arrays, and tuples, named tuples and typed dicts of these.
"""

import inspect
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import jax

from dummyio.errors import DimError, SourceError
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio_jax.calling.example_leaf import describe_leaf
from dummyio_jax.calling.pure_function import Model
from dummyio_jax.calling.pytrees import build_node
from dummyio_jax.calling.symbolic_dims import make_dim

_PREFERRED = ("float32", "int32", "bool", "complex64")


def read_annotated_inputs(model: Model) -> dict[str, Node]:
    """Return the inputs that a signature describes. Arguments with other defaults are settings, not inputs.

    Raises
    ------
    SourceError
        if the signature does not describe a required argument, or no argument at all.
    """
    if model.signature is None:
        raise _missing_arguments(model, "it has no signature to read")
    reader, nodes = _AnnotationReader(), dict[str, Node]()
    hints = _read_type_hints(model)
    for parameter in model.signature.parameters.values():
        node = reader.read_default(parameter.name, parameter.default)
        if node is None:
            node = reader.read_annotation(parameter.name, hints.get(parameter.name, parameter.annotation))
        if node is not None:
            nodes[parameter.name] = node
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            raise _missing_arguments(model, f"its signature does not describe {parameter.name!r}")
    if not nodes:
        raise _missing_arguments(model, f"its signature {model.signature} does not describe its inputs")
    return nodes


def _missing_arguments(model: Model, reason: str) -> SourceError:
    return SourceError(
        f"{model.name} cannot be described alone: {reason}. Give example arguments, arrays or jax.ShapeDtypeStructs: "
        "describe(function, args=(x, y)) or describe(function, kwargs={'x': x}); or annotate it with shapes and dtypes."
    )


def _read_type_hints(model: Model) -> Mapping[str, Any]:
    try:
        return get_type_hints(inspect.unwrap(model.function), include_extras=True)
    except Exception:  # noqa: BLE001 - annotations may name anything, even names that cannot be imported
        return {}


class _AnnotationReader:
    """Reads defaults and annotations; one name is one dim in all of them."""

    def __init__(self) -> None:
        self.dims: dict[str, Dim] = {}

    def read_default(self, path: str, value: Any) -> Node | None:
        """Return the node of a shape, an array, or a tree of these; None for other defaults."""
        leaves = jax.tree.leaves(value) if value is not inspect.Parameter.empty else []
        if not leaves or not all(hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in leaves):
            return None
        return build_node(value, path, describe_leaf)

    def read_annotation(self, path: str, kind: Any) -> Node | None:
        """Return the node that an annotation describes; None if it has no shape."""
        if isinstance(getattr(kind, "dim_str", None), str):
            return self._read_array(path, kind.dim_str, kind.dtypes)
        for extra in getattr(kind, "__metadata__", ()):
            if hasattr(extra, "shape") and hasattr(extra, "dtype"):
                return describe_leaf(path, extra)
        if is_typeddict(kind) or (isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")):
            return self._read_items(
                "dict" if is_typeddict(kind) else "record", path, get_type_hints(kind, include_extras=True)
            )
        if get_origin(kind) is tuple and Ellipsis not in get_args(kind):
            return self._read_items("tuple", path, {str(place): item for place, item in enumerate(get_args(kind))})
        return None

    def _read_items(self, container: Any, path: str, kinds: Mapping[str, Any]) -> Nest | None:
        items = {name: self.read_annotation(f"{path}.{name}", kind) for name, kind in kinds.items()}
        return Nest.of(container, items) if items and None not in items.values() else None

    def _read_array(self, path: str, text: str, dtypes: Any) -> TensorSpec:
        shape = [self._read_size(path, place, word) for place, word in enumerate(text.split())]
        known = [str(name) for name in dtypes] if isinstance(dtypes, (list, tuple)) else []
        names = [name for name in _PREFERRED if name in known] or known or ["float32"]
        return TensorSpec(path.rpartition(".")[2], shape, DType.of(names[0].removesuffix("_")))

    def _read_size(self, path: str, place: int, word: str) -> Size:
        if "..." in word or word.startswith("*"):
            raise SourceError(f"{path}: {word!r} stands for any number of axes; give example arguments instead.")
        plain = word.lstrip("#?").rpartition("=")[2]
        if plain.isdecimal():
            return int(plain)
        if plain.startswith("_"):
            plain = f"{path.replace('.', '_')}_size_{place}"
        if plain.isidentifier():
            return self.dims.setdefault(plain, make_dim(plain))
        try:
            return parse_size(plain.strip("{}"), self.dims)
        except DimError as error:
            raise SourceError(f"{path}: the axis {word!r} cannot be read: {error}") from error
