"""Programs as people write them: counters in a call, sums at indices, spectra and buckets reach the formats that can carry them."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

import dummyio
from dummyio.errors import ExportError


class Counter(tf.Module):
    def __init__(self):
        super().__init__()
        self.calls, self.kernel = tf.Variable(0), tf.Variable(tf.ones((4, 2)))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
    def __call__(self, x):
        self.calls.assign_add(1)
        return x @ self.kernel


class Average(tf.Module):
    def __init__(self):
        super().__init__()
        self.mean = tf.Variable(tf.zeros(4))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
    def __call__(self, x):
        self.mean.assign(0.9 * self.mean + 0.1 * tf.reduce_mean(x, 0))
        return x - self.mean


def test_a_counter_that_no_result_depends_on_is_left_out_and_named(tmp_path):
    written = dummyio.export(Counter(), tmp_path / "model.pb")
    assert any("AssignAddVariableOp" in note and "no result depends on" in note for note in written.notes)
    runner = dummyio.open_runner(written.path, written.spec)
    assert np.array_equal(runner({"x": np.ones((3, 4), np.float32)})["output"], np.full((3, 2), 4))


def test_state_that_reaches_a_result_is_refused(tmp_path):
    with pytest.raises(ExportError, match="its results depend on it"):
        dummyio.export(Average(), tmp_path / "model.pb")


def scatter(updates, index):
    return tf.scatter_nd(tf.math.floormod(index, 4)[:, None], updates, [4])


def spectrum(x):
    return tf.abs(tf.signal.stft(x, 32, 16, fft_length=32))


def one_head(x):
    batch = tf.shape(x)[0]
    values = tf.reshape(tf.reshape(x, (-1, 16)) @ (tf.eye(16) + 1), (batch, -1, 16))
    heads = tf.transpose(tf.reshape(values, (batch, -1, 1, 16)), (0, 2, 1, 3))
    return tf.matmul(heads, heads, transpose_b=True)


ONNX = {
    "what is scattered to one index is added": (scatter, [tf.TensorSpec([None]), tf.TensorSpec([None], tf.int32)]),
    "a reshape stays before one that copies its sizes": (one_head, [tf.TensorSpec([None, None, 16])]),
    "a spectrum of a free batch": (spectrum, [tf.TensorSpec([None, 80])]),
}


@pytest.mark.slow
@pytest.mark.usefixtures("onnx_packages")
@pytest.mark.parametrize("name", ONNX)
def test_operators_that_tf2onnx_does_not_write_alone(name, tmp_path):
    function, signature = ONNX[name]
    model = tf.function(function, input_signature=signature)
    assert dummyio.validate(dummyio.export(model, tmp_path / "model.onnx").path, model).ok


@pytest.mark.slow
@pytest.mark.usefixtures("onnx_packages")
def test_a_value_on_a_boundary_is_in_the_bucket_above_it_in_onnx_too(tmp_path):
    x = keras.Input((5,), name="x")
    model = keras.Model(x, keras.layers.Discretization(bin_boundaries=[0.0, 0.5, 2.0])(x))
    written = dummyio.export(model, tmp_path / "model.onnx")
    feeds = {"x": np.array([[-1, 0, 0.5, 1.9, 2]], np.float32)}
    (buckets,) = dummyio.open_runner(written.path, written.spec)(feeds).values()
    assert buckets.tolist() == [[0, 1, 2, 2, 3]]


@pytest.mark.slow
@pytest.mark.usefixtures("onnx_packages")
def test_padding_before_a_maximum_counts_in_onnx_too(tmp_path):
    """All values are negative, so that the zeros of the padding are the largest."""
    inputs = keras.Input((None, None, 3))
    below = keras.layers.Conv2D(4, 3, padding="same", bias_initializer=keras.initializers.Constant(-9))(inputs)
    model = keras.Model(inputs, keras.layers.MaxPooling2D(3, strides=2)(keras.layers.ZeroPadding2D(1)(below)))
    written = dummyio.export(model, tmp_path / "model.onnx")
    feeds = written.spec.feeds()
    found = dummyio.open_runner(written.path, written.spec)(feeds)["output"]
    assert found[:, 0].max() == 0 > found[:, 1:-1, 1:-1].max()
    assert dummyio.validate(written.path, model, spec=written.spec).ok


def test_a_class_of_a_module_whose_name_begins_with_keras_is_described():
    kind = type("Net", (keras.Model,), {"__module__": "keras_nets", "call": lambda self, x: 2 * x})
    model = kind()
    model(np.ones((2, 3), np.float32))
    assert dummyio.describe(model).provenance["source"]


def collect(element_shape):
    def call(x):
        states, state = tf.TensorArray(tf.float32, 5, element_shape=element_shape), x[:, 0]
        for step in tf.range(5):
            state = tf.tanh(x[:, step] + state)
            states = states.write(step, state)
        return tf.transpose(states.stack(), (1, 0, 2))

    return tf.function(call, input_signature=[tf.TensorSpec([None, 5, 4], name="x")])


@pytest.mark.slow
def test_a_tensor_array_without_a_shape_is_named_and_the_remedy_works(tmp_path):
    with pytest.raises(ExportError, match=r"element_shape=\) with all sizes as numbers"):
        dummyio.export(collect(None), tmp_path / "model.tflite")
    written = dummyio.export(collect((2, 4)), tmp_path / "model.tflite", static="batch_size")
    assert dummyio.validate(written.path, collect((2, 4))).ok
