"""The models on which export formats of TensorFlow are measured: small, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.values import Constant, TokenIds

SMALL = {"vocabulary_size": 64, "num_layers": 2, "hidden_dim": 32, "intermediate_dim": 64}


def hub(name: str, **options: Any) -> Callable[[], Any]:
    """Return a function that builds a backbone of Keras Hub; options that are such functions are called."""
    return hub_part(f"{name}Backbone", **options)


def hub_part(name: str, module: str = "keras_hub.models", **options: Any) -> Callable[[], Any]:
    """Return a function that builds a model or a layer of Keras Hub; options that are such functions are called."""

    def build() -> Any:
        made = {key: value() if callable(value) else value for key, value in options.items()}
        return getattr(import_module(module), name)(**made)

    return build


def gemma_with_cache() -> tuple[Any, InputSpec]:
    """Build one step of generation, which takes its cache and returns it."""
    backbone = hub("Gemma", **SMALL, num_query_heads=2, num_key_value_heads=1, head_dim=16)()
    model = import_module("keras_hub.models").GemmaCausalLM(backbone=backbone, preprocessor=None)

    @tf.function
    def step(token_ids: Any, cache: Any, cache_update_index: Any) -> Any:
        logits, hidden, past = model.call_with_cache(token_ids, cache, cache_update_index)
        return {"logits": logits, "hidden_states": hidden, "new_cache": past}

    batch, length = Dim("batch_size", 2), 8
    spec = InputSpec(
        {
            "token_ids": TensorSpec("token_ids", (batch, 1), "int32", TokenIds(64)),
            "cache": TensorSpec("cache", (batch, 2, 2, length, 1, 16)),
            "cache_update_index": TensorSpec("cache_update_index", (), "int32", Constant(3)),
        }
    )
    return step, spec


def warm(model: Any) -> Any:
    """Run one training step of the normalization layers: untrained, they make deep networks return the same for any image."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    (noise,) = dummyio.generate(model, seed=1, batch_size=16).values()
    model(noise, training=True)
    return model


class Module(tf.Module):
    """A module without Keras, with nested inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = tf.Variable(tf.random.stateless_normal((11, 4), seed=(1, 2)))

    @tf.function(
        input_signature=[
            {"ids": tf.TensorSpec([None, None], tf.int32), "weights": tf.TensorSpec([None, 4])},
            tf.TensorSpec([], tf.float32),
        ]
    )
    def __call__(self, inputs: Any, scale: Any) -> Any:
        rows = tf.reduce_mean(tf.gather(self.table, inputs["ids"]), axis=1)
        return rows * inputs["weights"] * scale, {"length": tf.shape(inputs["ids"])[1]}


class Subclassed(keras.Model):
    """A subclassed model that takes a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = keras.layers.Embedding(30, 8)
        self.dense = keras.layers.Dense(5, activation="gelu")

    def call(self, inputs: Any) -> Any:
        mask = keras.ops.cast(inputs["padding_mask"], "float32")
        total = keras.ops.sum(self.embed(inputs["token_ids"]) * keras.ops.expand_dims(mask, -1), axis=1)
        return {"logits": self.dense(total), "mask": mask}


def functional() -> Any:
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="int32", name="padding_mask")
    x = keras.layers.Embedding(50, 16)(ids)
    x = x + keras.layers.MultiHeadAttention(2, 8)(x, x, key_mask=keras.ops.cast(mask, "bool"))
    x = keras.layers.LayerNormalization()(x)
    x = keras.layers.Dense(16, activation="gelu")(x)
    return keras.Model({"token_ids": ids, "padding_mask": mask}, {"hidden": x, "pooled": keras.ops.mean(x, axis=1)})


def sequential() -> Any:
    layers = [
        keras.Input((24, 24, 3)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.DepthwiseConv2D(3),
        keras.layers.Conv2D(8, 3, groups=2),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(4),
    ]
    return keras.Sequential(layers)


def loop() -> Any:
    return keras.Sequential([keras.Input((12, 4)), keras.layers.LSTM(8), keras.layers.Dense(3)])


def dense() -> Any:
    layers = [
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(3),
    ]
    return keras.Sequential([keras.Input((10,)), *layers])


def series() -> Any:
    layers = [
        keras.layers.Conv1D(8, 3, activation="relu"),
        keras.layers.MaxPooling1D(2),
        keras.layers.Conv1D(8, 3, activation="relu"),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(3),
    ]
    return keras.Sequential([keras.Input((32, 4)), *layers])


def autoencoder() -> Any:
    sizes = {"strides": 2, "padding": "same"}
    layers = [
        keras.layers.Conv2D(8, 3, activation="relu", **sizes),
        keras.layers.Conv2D(4, 3, activation="relu", **sizes),
        keras.layers.Conv2DTranspose(8, 3, activation="relu", **sizes),
        keras.layers.Conv2DTranspose(1, 3, activation="sigmoid", **sizes),
    ]
    return keras.Sequential([keras.Input((16, 16, 1)), *layers])


def subclassed() -> Any:
    model = Subclassed()
    model({"token_ids": np.ones((2, 6), np.int32), "padding_mask": np.ones((2, 6), np.int32)})
    return model


def with_softmax_off(name: str, size: int = 96) -> Callable[[], Any]:
    """Return a function that builds a Keras application for images of a size, without its softmax, which hides differences."""
    make = getattr(keras.applications, name)
    return lambda: warm(make(weights=None, input_shape=(size, size, 3), classes=10, classifier_activation=None))


HEADS = {**SMALL, "num_heads": 2, "max_sequence_length": 40}
QUERIES = {**SMALL, "num_query_heads": 2, "num_key_value_heads": 1}
MIT = {
    "layerwise_depths": [1, 1],
    "num_layers": 2,
    "layerwise_num_heads": [1, 2],
    "layerwise_sr_ratios": [2, 1],
    "max_drop_path_rate": 0.0,
    "layerwise_patch_sizes": [7, 3],
    "layerwise_strides": [4, 2],
    "image_shape": (32, 32, 3),
    "hidden_dims": [16, 32],
}
VIT = {
    "image_shape": (32, 32, 3),
    "patch_size": (8, 8),
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 32,
    "mlp_dim": 64,
}
WHISPER = {"num_mels": 80, "max_encoder_sequence_length": 60, "max_decoder_sequence_length": 40}

CASES: dict[str, Callable[[], Any]] = {
    "tf.Module, nested inputs": Module,
    "Keras functional, attention and GELU": functional,
    "Keras Sequential, grouped convolutions": sequential,
    "Keras subclassed, a dict": subclassed,
    "BertBackbone": hub("Bert", **HEADS),
    "RobertaBackbone": hub("Roberta", **HEADS),
    "AlbertBackbone": hub("Albert", **HEADS, embedding_dim=16),
    "DebertaV3Backbone": hub("DebertaV3", **HEADS, bucket_size=8),
    "GPT2Backbone": hub("GPT2", **HEADS),
    "LlamaBackbone": hub("Llama", **QUERIES),
    "GemmaBackbone": hub("Gemma", **QUERIES, head_dim=16),
    "T5Backbone": hub("T5", **SMALL, num_heads=2),
    "BartBackbone": hub("Bart", **HEADS),
    "WhisperBackbone": hub("Whisper", **SMALL, num_heads=2, **WHISPER),
    "ViTBackbone": hub("ViT", **VIT),
    "MiTBackbone": hub("MiT", **MIT),
    "FNetBackbone": hub("FNet", **{**SMALL, "max_sequence_length": 40}),
    "GemmaCausalLM.call_with_cache": gemma_with_cache,
    "applications.MobileNetV2": with_softmax_off("MobileNetV2"),
    "applications.EfficientNetB0": with_softmax_off("EfficientNetB0"),
}

PRECISIONS: dict[str, Callable[[], Any]] = {
    "Keras, dense": dense,
    "Keras, LSTM": loop,
    "Keras, 1-D convolutions": series,
    "Keras, autoencoder": autoencoder,
    **{
        name: CASES[name]
        for name in (
            "Keras functional, attention and GELU",
            "BertBackbone",
            "GPT2Backbone",
            "ViTBackbone",
            "applications.MobileNetV2",
            "applications.EfficientNetB0",
        )
    },
}
"""The models that each precision of TFLite is measured on."""
