"""Small models of every kind, and what the tests of routes ask of each."""

import keras
import numpy as np
import tensorflow as tf

import dummyio


class Module(tf.Module):
    """No Keras: nested inputs, a table, a scalar."""

    def __init__(self):
        super().__init__()
        self.table = tf.Variable(tf.random.stateless_normal((11, 4), seed=(1, 2)))

    @tf.function(
        input_signature=[
            {"z": tf.TensorSpec([None, None], tf.int32), "a": tf.TensorSpec([None, 4])},
            tf.TensorSpec([], tf.float32),
        ]
    )
    def __call__(self, inputs, scale):
        rows = tf.reduce_mean(tf.gather(self.table, inputs["z"]), axis=1)
        return rows * inputs["a"] * scale, {"rows": rows}


class Subclassed(keras.Model):
    """A dict of inputs, by subclassing."""

    def __init__(self):
        super().__init__()
        self.embed = keras.layers.Embedding(30, 8)
        self.dense = keras.layers.Dense(5)

    def call(self, inputs):
        mask = keras.ops.cast(inputs["padding_mask"], "float32")
        total = keras.ops.sum(self.embed(inputs["token_ids"]) * keras.ops.expand_dims(mask, -1), axis=1)
        return {"second": self.dense(total), "first": total}


def module():
    return Module()


def subclassed():
    model = Subclassed()
    model({"token_ids": np.ones((2, 6), np.int32), "padding_mask": np.ones((2, 6), np.int32)})
    return model


def functional():
    """An exact GELU (no ONNX of its own), attention, a dict of inputs whose order is not the alphabet's."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="int32", name="padding_mask")
    x = keras.layers.Embedding(50, 16)(ids)
    x = x + keras.layers.MultiHeadAttention(2, 8)(x, x, key_mask=keras.ops.cast(mask, "bool"))
    x = keras.layers.Dense(16, activation="gelu")(x)
    return keras.Model({"token_ids": ids, "padding_mask": mask}, {"pooled": keras.ops.mean(x, axis=1), "hidden": x})


def sequential():
    """A grouped convolution, which Keras compiles for the CPU."""
    layers = [
        keras.Input((12, 12, 4)),
        keras.layers.Conv2D(8, 3, groups=2, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3),
    ]
    return keras.Sequential(layers)


MODELS = {"module": module, "subclassed": subclassed, "functional": functional, "sequential": sequential}


def made(name):
    """A model with fixed weights, and its spec."""
    keras.utils.set_random_seed(0)
    model = MODELS[name]()
    return model, dummyio.describe(model)


def compare(reference, actual, spec, tolerance):
    """Both return the same names, dtypes and values, at two sizes of everything that is free."""
    plan = spec.probes()
    for sample, sizes in enumerate((plan[0], plan[min(1, len(plan) - 1)])):
        feeds = spec.feeds(sample=sample, **sizes)
        before = {name: values.copy() for name, values in feeds.items()}
        want, have = reference(feeds), actual(feeds)
        assert list(want) == list(have)
        for name, value in want.items():
            assert have[name].dtype == value.dtype
            np.testing.assert_allclose(have[name], value, atol=tolerance)
        assert all(np.array_equal(before[name], feeds[name]) for name in before)
