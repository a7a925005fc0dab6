"""What TFLite does not take is named with a remedy that works."""

import pytest

tf = pytest.importorskip("tensorflow")

import keras

import dummyio
from dummyio.errors import ExportError, SourceError

pytestmark = pytest.mark.slow


def test_a_loop_with_a_free_batch(tmp_path):
    keras.utils.set_random_seed(0)
    tokens = keras.Input((12,), dtype="int32", name="tokens")
    model = keras.Model(tokens, keras.layers.GRU(6)(keras.layers.Embedding(50, 8)(tokens)))
    with pytest.raises(ExportError, match=r"a loop of the model.* static='batch_size'"):
        dummyio.export(model, tmp_path / "free.tflite")
    artifact = dummyio.export(model, tmp_path / "fixed.tflite", static="batch_size")
    assert dummyio.validate(artifact.path, model).ok


def test_arithmetic_in_half_precision(tmp_path):
    half = keras.mixed_precision.DTypePolicy("mixed_float16")
    image = keras.Input((16, 16, 3), name="image")
    model = keras.Model(image, keras.layers.Conv2D(8, 3, activation="relu", dtype=half)(image))
    with pytest.raises(ExportError, match="computes in float16, for which TFLite has no kernels"):
        dummyio.export(model, tmp_path / "half.tflite")


def test_the_remedy_for_an_unknown_rank():
    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32)])
    def net(x):
        return x * 2.0

    with pytest.raises(SourceError, match=r"not even a number of axes. Give it, shapes=\{'x': \('batch_size', 3\)\}"):
        dummyio.describe(net)
    assert tuple(map(str, dummyio.describe(net, shapes={"x": ("batch_size", 3)})["x"].shape)) == ("batch_size", "3")


class Running(keras.layers.Layer):
    """A sum with a loop of Python, which traces at a fixed length only."""

    def call(self, x):
        total = x[:, 0]
        for step in range(1, keras.ops.shape(x)[1]):
            total = keras.ops.tanh(total) + x[:, step]
        return total

    def compute_output_shape(self, shape):
        return shape[0], shape[2]


@pytest.mark.parametrize("file", ["saved_model", "model.pb"])
def test_a_model_that_traces_at_fixed_sizes_only(file, tmp_path):
    x = keras.Input((None, 4), name="x")
    model = keras.Model(x, Running()(x))
    with pytest.raises(ExportError, match=r"interpreted as an integer.* With static='all_but_batch' it traces\.$"):
        dummyio.export(model, tmp_path / file)
    artifact = dummyio.export(model, tmp_path / file, static="all_but_batch")
    assert dummyio.validate(artifact.path, model).ok
