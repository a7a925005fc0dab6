"""Models that look words or numbers up in a table: a SavedModel holds them, and the other formats refuse with the route that does."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import keras

import dummyio
from dummyio.errors import ExportError

pytestmark = pytest.mark.slow
L = keras.layers


def on_the_input_side():
    words = keras.Input((4,), dtype="string", name="words")
    ids = L.StringLookup(vocabulary=["red", "green", "blue"])(words)
    return keras.Model(words, L.Dense(2)(L.Flatten()(L.Embedding(5, 6)(ids))))


def on_the_output_side():
    x = keras.Input((4,), name="x")
    found = keras.ops.argmax(L.Dense(3)(x), axis=-1)
    return keras.Model(x, L.StringLookup(vocabulary=["red", "green"], invert=True)(found))


def texts():
    vectorize = L.TextVectorization(output_sequence_length=6)
    vectorize.adapt(["the cat sat", "a dog ran"])
    text = keras.Input((), dtype="string", name="text")
    return keras.Model(text, L.Dense(2)(L.GlobalAveragePooling1D()(L.Embedding(20, 4)(vectorize(text)))))


class Plain(tf.Module):
    def __init__(self):
        super().__init__()
        numbers = tf.lookup.KeyValueTensorInitializer([10, 20], [1, 2], tf.int64, tf.int64)
        self.table = tf.lookup.StaticHashTable(numbers, 0)
        self.rows = tf.Variable(tf.reshape(tf.range(6.0), (3, 2)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="codes")])
    def __call__(self, codes):
        return tf.gather(self.rows, self.table.lookup(codes))


INSIDE_AND_OUTSIDE = {
    on_the_input_side: {"words": np.array([["red", "green", "blue", "mauve"], ["mauve"] * 4], object)},
    on_the_output_side: {"x": np.array([[4, 3, 2, 1], [-9, 0, 0, 9]], np.float32)},
    texts: {"text": np.array(["the dog sat", "no word of it"], object)},
    Plain: {"codes": np.array([10, 20, 30], np.int64)},
}


@pytest.mark.parametrize("make", INSIDE_AND_OUTSIDE, ids=lambda make: make.__name__)
def test_a_saved_model_holds_tables(make, tmp_path):
    keras.utils.set_random_seed(0)
    model = make()
    artifact = dummyio.export(model, tmp_path / "saved", prove="off")
    assert "the SavedModel keeps them" in artifact.notes[-1]
    feeds = INSIDE_AND_OUTSIDE[make]
    (expected,) = dummyio.open_runner(model, artifact.spec)(feeds).values()
    (found,) = dummyio.open_runner(artifact.path, artifact.spec)(feeds).values()
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(expected[0], expected[-1])
    assert dummyio.validate(artifact.path, model).ok


def test_samples_have_words_of_the_vocabulary_and_one_outside():
    words = {
        word
        for sample in range(8)
        for word in dummyio.describe(on_the_input_side(), prove="off").feeds(sample=sample)["words"].flat
    }
    assert words > {"red", "green", "blue"}


@pytest.mark.parametrize("file", ["model.pb", "model.tflite", "model.onnx"])
def test_other_formats_name_the_operator_and_the_route(file, tmp_path):
    with pytest.raises(
        ExportError, match=r"string_lookup.*/LookupTableFindV2\), which this format cannot hold: export a SavedModel"
    ):
        dummyio.export(on_the_input_side(), tmp_path / file, prove="off")
    assert not list(tmp_path.iterdir())


def test_a_table_that_no_object_holds(tmp_path):
    table = Plain().table

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="codes")])
    def look_up(codes):
        return table.lookup(codes)

    with pytest.raises(ExportError, match=r"TensorFlow cannot save the model: .*untracked"):
        dummyio.export(look_up, tmp_path / "saved", prove="off")
