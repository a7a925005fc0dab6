"""The precision that a Keras model computes in, and a copy of it in double precision."""

from typing import Any

import keras

from dummyio.spec.dtypes import DType

_NARROW = (DType.FLOAT16, DType.BFLOAT16)


def find_narrow_dtype(model: Any) -> DType | None:
    """Return float16 or bfloat16 if a layer of a model computes in it, as with a mixed policy; else None."""
    if not isinstance(model, keras.Layer):
        return None
    found = {str(layer.compute_dtype) for layer in model._flatten_layers()}  # noqa: SLF001 - inner models have layers too
    return next((dtype for dtype in _NARROW if str(dtype) in found), None)


def copy_in_double(model: Any) -> Any:
    """Return a copy of a functional or sequential Keras model whose layers compute in float64, with the same weights.

    Raises
    ------
    ValueError
        if it is not such a model, or a layer cannot be made from its configuration.
    """
    if not isinstance(model, (keras.Sequential, keras.models.Model)) or not model.built:
        raise ValueError("only functional and sequential Keras models are copied")

    def copy_layer(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        dtype = config.get("dtype")
        kept = isinstance(layer, keras.layers.InputLayer) or (isinstance(dtype, str) and "int" in dtype)
        return type(layer).from_config(config if kept else {**config, "dtype": "float64"})

    made = keras.models.clone_model(model, clone_function=copy_layer, recursive=True)
    for own, other in zip(made.variables, model.variables, strict=True):
        own.assign(keras.ops.cast(other, own.dtype))
    return made
