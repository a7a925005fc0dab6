"""Specs as `tf.TensorSpec`s, of which `tf.function` and SavedModel signatures are made."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from dummyio.spec.dims import Size, evaluate_size, is_static
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_tensorflow.dtypes import to_native


def abstract(leaves: Mapping[str, TensorSpec]) -> dict[str, Any]:
    """Return `tf.TensorSpec`s, with None for symbolic sizes, under the names of `argument_names`."""
    names = argument_names(leaves)
    return {
        path: tf.TensorSpec([_axis(size) for size in leaf.shape], to_native(leaf.dtype), name=names[path])
        for path, leaf in leaves.items()
    }


def argument_names(paths: Iterable[str]) -> dict[str, str]:
    """Return path → the name that the input has in a signature: letters, digits and underscores, all different.

    `tf.function` takes other characters, which a SavedModel then replaces like this, or refuses two paths that become one
    name.
    """
    names: dict[str, str] = {}
    for path in paths:
        name = re.sub(r"\W", "_", path, flags=re.ASCII)
        name = name if name[0].isalpha() else f"arg_{name}"
        others = set(names.values())
        numbered = (f"{name}_{number}" for number in range(1, len(others) + 2))
        names[path] = name if name not in others else next(other for other in numbered if other not in others)
    return names


def _axis(size: Size) -> int | None:
    return evaluate_size(size) if is_static(size) else None
