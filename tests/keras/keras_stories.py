"""Describes, exports and validates small Keras models on the framework that the environment names; prints a row of JSON for each.

python keras_stories.py SUFFIX ...
"""

import json
import sys
import tempfile
from pathlib import Path

import keras

import dummyio
from dummyio.errors import DummyioError

layers = keras.layers


class Dropping(keras.Model):
    """A subclass: its layers have no weights before the first call."""

    def __init__(self):
        super().__init__()
        self.dense, self.norm, self.drop = layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5)

    def call(self, x, training=False):  # noqa: FBT002 - as Keras calls it
        return self.drop(self.norm(self.dense(x), training=training), training=training)


def attend():
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="bool", name="mask")
    x = layers.Embedding(50, 8)(ids)
    y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x, attention_mask=mask[:, None, :]))
    return keras.Model({"ids": ids, "mask": mask}, layers.Dense(3)(layers.GlobalAveragePooling1D()(y)))


def convolve():
    image = keras.Input((None, None, 3))
    return keras.Sequential([image, layers.Conv2D(4, 3, padding="same"), layers.GlobalAveragePooling2D()])


def subclass():
    model = Dropping()
    model.build((None, 5))
    return model


def measure(make, suffixes, folder):
    keras.utils.set_random_seed(0)
    model = make()
    spec = dummyio.describe(model)
    row = {"name": make.__name__, "spec": str(spec)}
    for suffix in suffixes:
        artifact = dummyio.export(model, folder / f"{make.__name__}{suffix}", spec=spec)
        row[suffix] = dummyio.validate(artifact.path, model, spec=artifact.spec).ok
    return row


def main():
    with tempfile.TemporaryDirectory() as folder:
        for make in (attend, convolve, subclass):
            print(json.dumps(measure(make, sys.argv[1:], Path(folder))))  # noqa: T201
    try:
        dummyio.describe(Dropping())
    except DummyioError as error:
        print(json.dumps({"name": "unbuilt", "error": str(error)}))  # noqa: T201


main()
