"""Keras programs as people write them: each route of TensorFlow is measured on them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import Input, Model, Sequential, layers, ops

WORDS = ["the", "cat", "sat", "on", "mat", "dog", "ran"]


class Residual(layers.Layer):
    """A layer of a user, with a default argument."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.outer = layers.Dense(width, activation="swish"), layers.Dense(width)

    def call(self, x: Any, training: Any = None, scale: float = 2.0) -> Any:
        return x + scale * self.outer(self.inner(x))


class Scores(layers.Layer):
    """Additive attention with weights of its own, and a mask."""

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], 8), initializer="glorot_uniform")
        self.query = self.add_weight(shape=(8, 1), initializer="glorot_uniform")

    def call(self, x: Any, mask: Any = None) -> Any:
        scores = ops.matmul(ops.tanh(ops.matmul(x, self.kernel)), self.query)
        if mask is not None:
            scores = ops.where(mask[..., None], scores, -1e9)
        return ops.sum(x * ops.softmax(scores, axis=1), axis=1)


class Tagger(Model):
    """A subclassed model of two inputs and a dict of results."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.rnn, self.tags = layers.Embedding(40, 8), layers.GRU(8, return_sequences=True), layers.Dense(5)

    def call(self, inputs: Any, training: Any = None) -> Any:
        x = self.words(inputs["input_ids"]) * ops.cast(inputs["attention_mask"], "float32")[..., None]
        return {"logits": self.tags(self.rnn(x)), "mean": ops.mean(x, axis=1)}


class Siamese(Model):
    """One tower, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = Sequential([layers.Dense(16, activation="relu"), layers.Dense(8)])

    def call(self, pair: Any) -> Any:
        left, right = pair
        return ops.sum(self.tower(left) * self.tower(right), axis=-1)


class Variational(Model):
    """An autoencoder with a latent vector, which is random in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = layers.Dense(8), Sequential([layers.Dense(12, activation="sigmoid")])
        self.seed = keras.random.SeedGenerator(3)

    def call(self, x: Any, training: Any = None) -> Any:
        mean, deviation = ops.split(self.encoder(x), 2, axis=-1)
        noise = keras.random.normal(ops.shape(mean), seed=self.seed) if training else 0.0
        return self.decoder(mean + ops.exp(0.5 * deviation) * noise), mean, deviation


class TiedWeights(Model):
    """A language model whose output is the transposed table of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.places = layers.Embedding(32, 8), layers.Embedding(16, 8)
        self.attention, self.norm = layers.MultiHeadAttention(2, 4), layers.LayerNormalization()

    def call(self, token_ids: Any) -> Any:
        x = self.table(token_ids) + self.places(ops.arange(ops.shape(token_ids)[1]))
        x = self.norm(x + self.attention(x, x, use_causal_mask=True))
        return ops.matmul(x, ops.transpose(self.table.embeddings))


def built(model: Any, *arguments: Any) -> Any:
    """Call a subclassed model once, which builds it."""
    model(*arguments)
    return model


def ones(*shape: int, dtype: str = "float32") -> Any:
    return np.ones(shape, dtype)


def stack(shape: tuple[int | None, ...], *parts: Any, **options: Any) -> Callable[[], Any]:
    """Return a function that makes a Sequential model of layers; each part is a function that makes one."""
    return lambda: Sequential([Input(shape, **options), *(part() for part in parts)])


def layer(make: Any, *arguments: Any, **options: Any) -> Callable[[], Any]:
    return lambda: make(*arguments, **options)


def unet() -> Any:
    x = Input((16, 16, 3), name="image")
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(a))
    c = layers.Conv2DTranspose(4, 2, strides=2)(b)
    return Model(x, layers.Conv2D(2, 1, activation="softmax")(layers.Concatenate()([a, c])))


def free_unet() -> Any:
    x = Input((None, None, 1), name="image")
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(a))
    return Model(x, layers.Conv2D(1, 1)(layers.Concatenate()([a, layers.UpSampling2D()(b)])))


def two_towers() -> Any:
    query, passage = Input((None,), dtype="int32", name="query"), Input((None,), dtype="int32", name="passage")
    table, pool = layers.Embedding(50, 8), layers.GlobalAveragePooling1D()
    left, right = pool(table(query)), pool(table(passage))
    return Model([query, passage], {"score": layers.Dot(axes=-1, normalize=True)([left, right]), "query_vector": left})


def masked_embedding() -> Any:
    x = Input((None,), dtype="int32", name="token_ids")
    return Model(x, layers.Dense(2)(Scores()(layers.Embedding(30, 8, mask_zero=True)(x))))


def masked_lstm() -> Any:
    x = Input((None,), dtype="int32", name="token_ids")
    return Model(x, layers.Dense(1)(layers.Bidirectional(layers.LSTM(6))(layers.Embedding(30, 8, mask_zero=True)(x))))


def translator() -> Any:
    source, target = Input((None,), dtype="int32", name="source_ids"), Input((None,), dtype="int32", name="target_ids")
    state = layers.GRU(8)(layers.Embedding(30, 8)(source))
    hidden = layers.GRU(8, return_sequences=True)(layers.Embedding(30, 8)(target), initial_state=state)
    return Model([source, target], layers.Dense(30, activation="softmax")(hidden))


def cross_attention() -> Any:
    query, memory, mask = Input((None, 8), name="query"), Input((None, 8), name="memory"), Input((None,), dtype="bool")
    seen = layers.MultiHeadAttention(2, 4)(query, memory, attention_mask=mask[:, None, :])
    return Model([query, memory, mask], layers.LayerNormalization()(query + seen))


def wide_and_deep() -> Any:
    wide, deep = Input((5,), name="wide"), {name: Input((1,), name=name) for name in ("age", "income")}
    x = layers.Dense(8, activation="relu")(layers.Concatenate()(list(deep.values())))
    return Model({"wide": wide, **deep}, [layers.Dense(1)(layers.Concatenate()([wide, x])), x])


def text_classifier() -> Any:
    vectorize = layers.TextVectorization(vocabulary=WORDS, output_sequence_length=6)
    x = Input((), dtype="string", name="text")
    return Model(x, layers.Dense(2)(layers.GlobalMaxPooling1D()(layers.Embedding(10, 4)(vectorize(x)))))


def words() -> Any:
    x = Input((4,), dtype="string", name="words")
    return Model(x, layers.Flatten()(layers.Embedding(9, 3)(layers.StringLookup(vocabulary=WORDS)(x))))


def categories() -> Any:
    x = Input((1,), dtype="int32", name="kind")
    return Model(x, layers.Dense(3)(layers.CategoryEncoding(num_tokens=6, output_mode="one_hot")(x)))


def normalized() -> Any:
    normalize = layers.Normalization()
    normalize.adapt(np.arange(40, dtype="float32").reshape(10, 4))
    return Sequential([Input((4,), name="features"), normalize, layers.Dense(2)])


def pixels() -> Any:
    x = Input((20, 20, 3), dtype="uint8", name="image")
    y = layers.Rescaling(1 / 255)(layers.CenterCrop(16, 16)(x))
    return Model(x, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(layers.Resizing(8, 8)(y))))


def buckets() -> Any:
    x = Input((1,), name="age")
    return Model(x, layers.Flatten()(layers.Embedding(4, 3)(layers.Discretization(bin_boundaries=[0.2, 0.5, 0.8])(x))))


def hashed() -> Any:
    x = Input((1,), dtype="int64", name="user_id")
    return Model(x, layers.Flatten()(layers.Embedding(16, 3)(layers.Hashing(num_bins=16)(x))))


def mixed_precision() -> Any:
    x = Input((12,), name="features")
    y = layers.Dense(16, activation="gelu", dtype="mixed_float16")(x)
    return Model(x, layers.Dense(3, dtype="float32")(y))


def double() -> Any:
    x = Input((6,), dtype="float64", name="features")
    return Model(x, layers.Dense(3, dtype="float64")(layers.Dense(8, activation="tanh", dtype="float64")(x)))


def passed_through() -> Any:
    x, key = Input((4,), name="features"), Input((1,), dtype="int64", name="key")
    return Model([x, key], {"prediction": layers.Dense(2)(x), "same_key": key})


def keras_file() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        Sequential([Input((7,), name="features"), layers.Dense(8, activation="relu"), layers.Dense(2)]).save(path)
        return keras.models.load_model(path)


def residual() -> Any:
    x = Input((10,), name="features")
    return Model(x, layers.Dense(2)(Residual(10)(Residual(10)(x), scale=0.5)))


def transformer_block() -> Any:
    x = Input((None, 16), name="hidden_states")
    y = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 4, dropout=0.1)(x, x))
    z = layers.Dense(16)(layers.Dropout(0.1)(layers.Dense(32, activation="gelu")(y)))
    return Model(x, layers.LayerNormalization()(y + z))


def gated() -> Any:
    x = Input((None, 8), name="series")
    y = layers.Multiply()([layers.Conv1D(8, 3, padding="causal")(x), layers.Dense(8, activation="sigmoid")(x)])
    return Model(x, layers.Lambda(lambda t: ops.mean(t, axis=1) * 2.0)(y))


def image_and_text() -> Any:
    image, ids = Input((12, 12, 3), name="image"), Input((None,), dtype="int32", name="input_ids")
    left = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(8, 3)(image))
    right = layers.GlobalAveragePooling1D()(layers.Embedding(20, 8)(ids))
    return Model({"image": image, "input_ids": ids}, ops.matmul(left, ops.transpose(right)))


def squeeze_and_excite() -> Any:
    x = Input((12, 12, 4), name="image")
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    gate = layers.Dense(4, activation="sigmoid")(layers.Dense(2, activation="relu")(layers.GlobalAveragePooling2D()(y)))
    return Model(x, layers.Add()([x, y * layers.Reshape((1, 1, 4))(gate)]))


def dot_attention() -> Any:
    query, value = Input((None, 8), name="query"), Input((None, 8), name="value")
    return Model([query, value], layers.GlobalMaxPooling1D()(layers.Attention()([query, value])))


_IDS, _SAME = ones(2, 6, dtype="int32"), {"padding": "same", "activation": "relu"}

PROGRAMS: dict[str, Callable[[], Any]] = {
    "residual layers of a user, scale=0.5": residual,
    "subclassed tagger, a dict in and out": lambda: built(Tagger(), {"input_ids": _IDS, "attention_mask": _IDS}),
    "siamese, a tuple": lambda: built(Siamese(), (ones(2, 6), ones(2, 6))),
    "variational autoencoder": lambda: built(Variational(), ones(2, 12)),
    "tied weights and a position table": lambda: built(TiedWeights(), _IDS),
    "UNet of fixed size": unet,
    "UNet of free sizes": free_unet,
    "two towers of two lengths": two_towers,
    "mask_zero and attention of a user": masked_embedding,
    "cross attention with a bool mask": cross_attention,
    "wide and deep, a dict": wide_and_deep,
    "TextVectorization": text_classifier,
    "StringLookup": words,
    "CategoryEncoding": categories,
    "Normalization": normalized,
    "uint8, CenterCrop, Resizing, Rescaling": pixels,
    "Discretization": buckets,
    "Hashing": hashed,
    "mixed_float16": mixed_precision,
    "Keras in float64": double,
    "a key that passes through": passed_through,
    "a .keras file": keras_file,
    "transformer block": transformer_block,
    "causal Conv1D, gate, Lambda": gated,
    "image and text": image_and_text,
    "Conv3D": stack((8, 8, 8, 1), layer(layers.Conv3D, 4, 3, **_SAME), layers.MaxPooling3D, layers.GlobalMaxPooling3D),
    "separable and dilated convolutions": stack(
        (16, 16, 3), layer(layers.SeparableConv2D, 8, 3, **_SAME), layer(layers.Conv2D, 4, 3, dilation_rate=2)
    ),
    "transposed convolution, 1-D": stack((None, 4), layer(layers.Conv1DTranspose, 3, 4, strides=2, padding="same")),
    "batch norm and dropout": stack(
        (8, 8, 2), layer(layers.Conv2D, 4, 3), layers.BatchNormalization, layers.ReLU, layer(layers.Dropout, 0.5)
    ),
    "GroupNormalization": stack((8, 8, 4), layer(layers.Conv2D, 8, 3, **_SAME), layer(layers.GroupNormalization, 4)),
    "SpectralNormalization": stack((6,), lambda: layers.SpectralNormalization(layers.Dense(4)), layers.PReLU),
    "TimeDistributed": stack((4, 8, 8, 1), lambda: layers.TimeDistributed(layers.Conv2D(2, 3)), layers.Flatten),
    "Reshape, Permute, RepeatVector": stack(
        (12,),
        layer(layers.Reshape, (3, 4)),
        layer(layers.Permute, (2, 1)),
        layers.Flatten,
        layer(layers.RepeatVector, 3),
    ),
    "padding and cropping": stack(
        (10, 10, 1), layer(layers.ZeroPadding2D, 2), layer(layers.Conv2D, 2, 5, strides=2), layer(layers.Cropping2D, 1)
    ),
    "augmentation, off in inference": stack(
        (12, 12, 3), layer(layers.RandomFlip), layer(layers.RandomRotation, 0.1), layer(layers.Conv2D, 2, 3)
    ),
    "SimpleRNN with a state": stack((6, 3), layer(layers.SimpleRNN, 4, unroll=True), layer(layers.Dense, 2)),
    "regression, dropout": stack(
        (13,), layer(layers.Dense, 16, activation="relu"), layer(layers.Dropout, 0.2), layer(layers.Dense, 1)
    ),
    "LeNet": stack(
        (28, 28, 1),
        layer(layers.Conv2D, 6, 5, activation="tanh"),
        layer(layers.AveragePooling2D, 2),
        layer(layers.Conv2D, 16, 5, activation="tanh"),
        layer(layers.AveragePooling2D, 2),
        layers.Flatten,
        layer(layers.Dense, 10, activation="softmax"),
    ),
    "1-D convolutions of a free length": stack(
        (None, 6),
        layer(layers.Conv1D, 8, 5, **_SAME),
        layers.BatchNormalization,
        layers.GlobalAveragePooling1D,
        layer(layers.Dense, 2),
    ),
    "autoencoder of images": stack(
        (16, 16, 1),
        layer(layers.Conv2D, 4, 3, strides=2, **_SAME),
        layer(layers.Conv2DTranspose, 1, 3, strides=2, padding="same"),
    ),
    "squeeze and excitation": squeeze_and_excite,
    "LayerNormalization, LeakyReLU, softplus": stack(
        (None, 6),
        layers.LayerNormalization,
        layers.LeakyReLU,
        layer(layers.Dense, 4, activation="softplus"),
        layer(layers.UnitNormalization),
    ),
    "Attention, GlobalMaxPooling1D": dot_attention,
    "LSTM, stacked": stack((None, 4), layer(layers.LSTM, 6, return_sequences=True), layer(layers.LSTM, 3)),
    "ConvLSTM2D": stack((5, 8, 8, 1), layer(layers.ConvLSTM2D, 2, 3, padding="same"), layers.GlobalMaxPooling2D),
    "mask_zero and a bidirectional LSTM": masked_lstm,
    "encoder and decoder, GRU": translator,
}
