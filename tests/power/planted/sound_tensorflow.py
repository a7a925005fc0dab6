"""Sound exports of TensorFlow's and Keras's models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.values import Normal, PaddingMask, TokenIds
from planted.sound import Sound

ROUTES = {"SavedModel": "model", "frozen graph": "model.pb", "TFLite": "model.tflite", "ONNX": "model.onnx"}


def sounds() -> Iterator[Sound]:
    """Yield each model on each route."""
    for name, make in (("perceptron", _perceptron), ("images", _images), ("text", _text), ("function", _function)):
        for route, file in ROUTES.items():

            def write(folder: Path, make: Any = make, file: str = file) -> tuple[Path, Any, InputSpec]:
                model, spec = make()
                return dummyio.export(model, folder / file, spec=spec).path, model, spec

            yield Sound(name, f"TensorFlow → {route}", write)


@cache
def _perceptron() -> tuple[Any, InputSpec]:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,), name="features"), keras.layers.Dense(8, "gelu"), keras.layers.Dense(3)])
    features = TensorSpec("features", (Dim("batch_size", 2), 6), "float32", Normal())
    return model, InputSpec({"features": features})


@cache
def _images() -> tuple[Any, InputSpec]:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((16, 16, 3), name="image")
    found = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", activation="relu")(image))
    model = keras.Model({"image": image}, {"logits": layers.Dense(5)(layers.GlobalAveragePooling2D()(found))})
    return model, InputSpec({"image": TensorSpec("image", (Dim("batch_size", 2), 16, 16, 3), "float32", Normal())})


@cache
def _text() -> tuple[Any, InputSpec]:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="int32", name="mask")
    hidden = layers.Embedding(50, 16)(ids)
    hidden = hidden + layers.MultiHeadAttention(2, 8)(hidden, hidden, attention_mask=layers.Reshape((1, -1))(mask))
    model = keras.Model({"ids": ids, "mask": mask}, {"states": layers.LayerNormalization()(hidden)})
    shape = (Dim("batch_size", 2), Dim("sequence_length", 8, max=32))
    inputs = {
        "ids": TensorSpec("ids", shape, "int32", TokenIds(50, reserved=(0,), mask="mask")),
        "mask": TensorSpec("mask", shape, "int32", PaddingMask()),
    }
    return model, InputSpec(inputs)


@cache
def _function() -> tuple[Any, InputSpec]:
    weights = tf.constant(np.random.default_rng(0).normal(size=(4, 4)).astype("float32"))

    @tf.function
    def double(x: Any, scale: Any) -> Any:
        return {"product": tf.matmul(x, weights) * tf.expand_dims(scale, -1), "sum": tf.reduce_sum(x, -1)}

    rows = Dim("batch_size", 3)
    inputs = {
        "x": TensorSpec("x", (rows, 4), "float32", Normal()),
        "scale": TensorSpec("scale", (rows,), "float32", Normal()),
    }
    return double, InputSpec(inputs)
