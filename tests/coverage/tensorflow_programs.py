"""Plain TensorFlow programs as people write them: each route of TensorFlow is measured on them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import tensorflow as tf

WEIGHTS = tf.random.stateless_normal((4, 4), seed=(1, 2))


def spec(*shape: int | None, dtype: Any = tf.float32, name: str = "x") -> Any:
    return tf.TensorSpec(shape, dtype, name)


def signed(*inputs: Any) -> Callable[[Any], Callable[[], Any]]:
    """Return a decorator: the function becomes one that makes a `tf.function` of this signature."""
    return lambda function: lambda: tf.function(function, input_signature=inputs)


class TwoSignatures(tf.Module):
    """A model with two methods to export."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(WEIGHTS)

    @tf.function(input_signature=[spec(None, 4)])
    def __call__(self, x: Any) -> Any:
        return {"probabilities": tf.nn.softmax(self.features(x))}

    @tf.function(input_signature=[spec(None, 4)])
    def features(self, x: Any) -> Any:
        return tf.nn.relu(x @ self.kernel)


class Counter(tf.Module):
    """A module that changes a variable when it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.kernel = tf.Variable(0), tf.Variable(WEIGHTS)

    @tf.function(input_signature=[spec(None, 4)])
    def __call__(self, x: Any) -> Any:
        self.calls.assign_add(1)
        return x @ self.kernel


class Mlp(tf.Module):
    """A module of modules, with variables that the first call creates."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[Any] = []

    @tf.function(input_signature=[spec(None, 4)])
    def __call__(self, x: Any) -> Any:
        if not self.kernels:
            self.kernels = [tf.Variable(WEIGHTS), tf.Variable(WEIGHTS * 0.5)]
        return tf.tanh(x @ self.kernels[0]) @ self.kernels[1]


def loaded() -> Any:
    folder = tempfile.mkdtemp()
    tf.saved_model.save(TwoSignatures(), folder)
    return tf.saved_model.load(folder)


def defaults() -> Any:
    @tf.function
    def call(x: Any, mask: Any = None, *, training: bool = False, scale: float = 2.0) -> Any:
        x = x * scale if not training else tf.nn.dropout(x, 0.5)
        return x @ WEIGHTS if mask is None else (x @ WEIGHTS) * mask

    call(tf.ones((2, 4)))
    return call


def called_twice() -> Any:
    @tf.function(reduce_retracing=True)
    def call(image: Any, *, normalize: bool = True) -> Any:
        return tf.reduce_mean(image / 255.0 if normalize else image, axis=[1, 2])

    call(tf.ones((1, 8, 8, 3)))
    call(tf.ones((2, 9, 7, 3)))
    return call


@signed({"a": spec(None, 4), "pair": (spec(None, 4, name="b"), spec(None, dtype=tf.int32, name="row"))})
def nested(inputs: Any) -> Any:
    b, row = inputs["pair"]
    return {"sum": inputs["a"] + b, "parts": (tf.reduce_sum(b, -1), {"row": row + 1})}


@signed(spec(None, 4), spec(dtype=tf.int32, name="steps"))
def while_loop(x: Any, steps: Any) -> Any:
    return tf.while_loop(lambda n, y: n < steps, lambda n, y: (n + 1, tf.tanh(y @ WEIGHTS)), [0, x])[1]


@signed(spec(None, 4), spec(dtype=tf.bool, name="flag"))
def cond(x: Any, flag: Any) -> Any:
    return tf.cond(flag, lambda: x @ WEIGHTS, lambda: -x)


@signed(spec(None, 4))
def python_branch(x: Any) -> Any:
    if tf.reduce_mean(x) > 0:  # autograph
        y = x * 2
    else:
        y = tf.sin(x)
        y = y - 1
    for _ in tf.range(3):
        y = y + tf.sin(x)
    return y


@signed(spec(None, 5, 4))
def tensor_array(x: Any) -> Any:
    states, state = tf.TensorArray(tf.float32, 5), tf.zeros_like(x[:, 0])
    for step in tf.range(5):
        state = tf.tanh(x[:, step] + state @ WEIGHTS)
        states = states.write(step, state)
    return tf.transpose(states.stack(), (1, 0, 2))


@signed(spec(None, 6, 4), spec(None, dtype=tf.int32, name="index"))
def gather_nd(x: Any, index: Any) -> Any:
    rows = tf.stack([tf.range(tf.shape(x)[0]), tf.clip_by_value(index, 0, 5)], axis=1)
    return tf.gather_nd(x, rows)


@signed(spec(None, name="updates"), spec(None, dtype=tf.int32, name="index"))
def scatter(updates: Any, index: Any) -> Any:
    return tf.scatter_nd(tf.math.floormod(index, 8)[:, None], updates, [8])


@signed(spec(None, 4, name="features"), spec(None, dtype=tf.int32, name="segment_ids"))
def segments(features: Any, segment_ids: Any) -> Any:
    return tf.math.unsorted_segment_sum(features, segment_ids, 5)


@signed(spec(None, 4, name="nodes"), spec(2, None, dtype=tf.int32, name="edges"))
def graph_network(nodes: Any, edges: Any) -> Any:
    sent = tf.gather(nodes @ WEIGHTS, edges[0])
    return nodes + tf.math.unsorted_segment_sum(sent, edges[1], tf.shape(nodes)[0])


@signed(spec(None, 10, name="logits"))
def top_k(logits: Any) -> Any:
    values, indices = tf.math.top_k(logits, 3)
    return {"values": values, "indices": indices, "best": tf.argmax(logits, -1), "sorted": tf.sort(logits)}


@signed(spec(None, dtype=tf.int32, name="label"))
def one_hot(label: Any) -> Any:
    return tf.one_hot(label, 5, on_value=0.9, off_value=0.1)


@signed(spec(None, None, name="series"))
def running_mean(series: Any) -> Any:
    count = tf.cumsum(tf.ones_like(series), axis=1)
    return tf.cumsum(series, axis=1) / count, tf.cumsum(series, axis=1, reverse=True, exclusive=True)


@signed(spec(None, None, 8, name="q"), spec(None, None, 8, name="k"), spec(None, None, 8, name="v"))
def attention(q: Any, k: Any, v: Any) -> Any:
    return tf.einsum("bqk,bkd->bqd", tf.nn.softmax(tf.einsum("bqd,bkd->bqk", q, k) / 8**0.5), v)


@signed(spec(None, None, None, 3, dtype=tf.uint8, name="image"))
def preprocess(image: Any) -> Any:
    small = tf.image.resize(tf.image.convert_image_dtype(image, tf.float32), (16, 16))
    return tf.image.per_image_standardization(tf.image.rgb_to_grayscale(small))


@signed(spec(None, 12, 12, 3, name="image"))
def augment(image: Any) -> Any:
    flipped = tf.image.flip_left_right(tf.image.central_crop(image, 0.5))
    return tf.image.adjust_contrast(tf.image.adjust_brightness(flipped, 0.1), 1.5)


@signed(spec(None, 1600, name="waveform"))
def mel(waveform: Any) -> Any:
    power = tf.abs(tf.signal.stft(waveform, 256, 128, fft_length=256)) ** 2
    table = tf.signal.linear_to_mel_weight_matrix(20, 129, 16000, 80.0, 7600.0)
    return tf.math.log(power @ table + 1e-6)


@signed(spec(None, 4, dtype=tf.int8))
def small_integers(x: Any) -> Any:
    return tf.cast(x, tf.int32) * 3 + 1


@signed(spec(None, 4, dtype=tf.bool, name="a"), spec(None, 4, dtype=tf.bool, name="b"))
def booleans(a: Any, b: Any) -> Any:
    return tf.logical_and(a, tf.logical_not(b)), tf.reduce_any(a, axis=-1)


@signed(spec(None, dtype=tf.string, name="text"))
def strings(text: Any) -> Any:
    return {"length": tf.strings.length(text), "lower": tf.strings.lower(text)}


@signed(spec(None, 4, dtype=tf.float16))
def half(x: Any) -> Any:
    return tf.nn.relu(x @ tf.cast(WEIGHTS, tf.float16))


@signed(spec(None, 4, dtype=tf.float64))
def double(x: Any) -> Any:
    return tf.linalg.matmul(x, tf.cast(WEIGHTS, tf.float64)) / tf.reduce_max(tf.abs(x) + 1)


@signed(spec(None, None, 4, name="rows"), spec(None, dtype=tf.int32, name="lengths"))
def sequence_mask(rows: Any, lengths: Any) -> Any:
    mask = tf.sequence_mask(lengths, tf.shape(rows)[1], tf.float32)[..., None]
    return tf.reduce_sum(rows * mask, 1) / tf.maximum(tf.reduce_sum(mask, 1), 1.0)


@signed(spec(None, None, 4, name="points"))
def distances(points: Any) -> Any:
    apart = points[:, :, None] - points[:, None]
    return tf.sqrt(tf.reduce_sum(apart * apart, -1) + 1e-6)


@signed(spec(None, 8, 8, 4, name="image"))
def patches(image: Any) -> Any:
    return tf.reshape(tf.nn.space_to_depth(image, 2), [-1, 16, 16]), tf.nn.depth_to_space(image, 2)


@signed(spec(None, 4))
def split_and_stack(x: Any) -> Any:
    left, right = tf.split(x, 2, axis=-1)
    return (
        tf.stack([left, right], 1),
        tf.roll(x, 1, -1),
        tf.reverse(x, [-1]),
        tf.tile(x, [1, 2]),
        tf.pad(x, [[0, 0], [1, 1]]),
    )


@signed(spec(None, 6))
def statistics(x: Any) -> Any:
    mean, variance = tf.nn.moments(x, -1)
    return {"mean": mean, "variance": variance, "norm": tf.norm(x, axis=-1), "log": tf.reduce_logsumexp(x, -1)}


PROGRAMS: dict[str, Callable[[], Any]] = {
    "tf.Module, two signatures: __call__": TwoSignatures,
    "tf.Module, two signatures: features": lambda: (TwoSignatures(), {"signature": "features"}),
    "tf.Module that counts its calls": Counter,
    "tf.Module, variables of the first call": Mlp,
    "tf.saved_model.load": loaded,
    "tf.function: mask=None, training=False, scale=2.0": defaults,
    "tf.function called twice": called_twice,
    "nested dict and tuple": nested,
    "tf.while_loop": while_loop,
    "tf.cond": cond,
    "if and for of Python": python_branch,
    "TensorArray": tensor_array,
    "tf.map_fn": signed(spec(None, 4))(lambda x: tf.map_fn(lambda row: tf.linalg.matvec(WEIGHTS, row), x)),
    "tf.scan": signed(spec(5, 4))(lambda x: tf.scan(lambda state, row: 0.5 * state + row, x)),
    "tf.gather_nd": gather_nd,
    "tf.scatter_nd": scatter,
    "unsorted_segment_sum": segments,
    "graph network": graph_network,
    "top_k, sort, argmax": top_k,
    "one_hot": one_hot,
    "cumsum": running_mean,
    "einsum, attention": attention,
    "uint8 images of any size": preprocess,
    "tf.image, crop and contrast": augment,
    "stft and mel": mel,
    "int8": small_integers,
    "bool": booleans,
    "string": strings,
    "float16": half,
    "float64": double,
    "sequence_mask": sequence_mask,
    "pairwise distances": distances,
    "space_to_depth": patches,
    "split, stack, roll, tile, pad": split_and_stack,
    "moments, norm, logsumexp": statistics,
    "identity": signed(spec(None, 3))(lambda x: x),
}
