"""Specs as `tf.TensorSpec`s, of which `tf.function` and SavedModel signatures are made."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from dummyio.running.signatures import argument_names
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


def _axis(size: Size) -> int | None:
    return evaluate_size(size) if is_static(size) else None
