"""What is changed in a graph before it is frozen computes the same: slices that add axes, contrasts, and sign bits."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

import dummyio
from dummyio_tensorflow.calling.frozen_function import freeze_model
from dummyio_tensorflow.graph_edits.scopes import iterate_nodes

X = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
SLICES = {
    "x[..., None]": lambda x: x[..., None],
    "x[None]": lambda x: x[None],
    "x[:, 0, None]": lambda x: x[:, 0, None],
    "x[:, None, 1:3, ..., None, 0]": lambda x: x[:, None, 1:3, ..., None, 0],
    "x[::-1, None, ..., None, 1]": lambda x: x[::-1, None, ..., None, 1],
    "x[None, ..., None, :, None]": lambda x: x[None, ..., None, :, None],
    "x[0, None, ..., 0, None]": lambda x: x[0, None, ..., 0, None],
    "in a loop": lambda x: tf.while_loop(
        lambda n, y: n < 2, lambda n, y: (n + 1, y[:, None][..., None][:, 0, ..., 0]), [0, x]
    )[1],
}


def freeze(function):
    model = tf.function(function, input_signature=[tf.TensorSpec([None, 4, 5], name="x")], autograph=False)
    return freeze_model(model, dummyio.describe(model, prove="off")).graph


@pytest.mark.parametrize("name", SLICES)
def test_a_slice_that_adds_axes_has_the_same_values_without_adding_them(name):
    graph = freeze(SLICES[name])
    (result,) = graph(tf.constant(X))
    assert np.array_equal(result, SLICES[name](X) if name != "in a loop" else X)
    definition = graph.graph.as_graph_def()
    nodes = [*definition.node, *(node for each in definition.library.function for node in each.node_def)]
    assert not [node.name for node in nodes if node.op == "StridedSlice" and node.attr["new_axis_mask"].i]


def test_a_slice_whose_bounds_are_computed_stays():
    (result,) = freeze(lambda x: x[tf.shape(x)[0] - 1, None])(tf.constant(X))
    assert np.array_equal(result, X[2, None])


def test_contrast_is_the_distance_from_the_mean_of_each_image():
    graph = freeze(lambda x: tf.image.adjust_contrast(x, 1.5))
    assert "AdjustContrastv2" not in {op.type for op in graph.graph.get_operations()}
    means = X.mean(axis=(0, 1), keepdims=True)
    np.testing.assert_allclose(graph(tf.constant(X))[0], (X - means) * 1.5 + means, rtol=1e-5)


@pytest.mark.parametrize("scope", ["alone", "in a loop"])
def test_a_sign_bit_is_read_without_integers_and_zeros_keep_it(scope):
    def find_signs(x):
        if scope == "alone":
            return keras.ops.signbit(x)
        body = lambda n, y: (n + 1, tf.where(keras.ops.signbit(y), -1.0, 1.0))  # noqa: E731
        return tf.while_loop(lambda n, y: n < 1, body, [0, x])[1] < 0

    graph = freeze(find_signs)
    assert "LogicalOr" in {node.op for node in iterate_nodes(graph.graph.as_graph_def())}
    assert "Bitcast" not in {op.type for op in graph.graph.get_operations()}
    values = np.array([0.0, -0.0, 1, -1, np.inf, -np.inf, 1e-40, -1e-40, 3e38, -3e38] * 2, np.float32).reshape(1, 4, 5)
    assert np.array_equal(graph(tf.constant(values))[0], np.signbit(values))


@pytest.mark.slow
@pytest.mark.usefixtures("onnx_packages")
@pytest.mark.parametrize("file", ["model.tflite", "model.onnx"])
def test_keras_argmin_of_floats_reaches_every_format(file, tmp_path):
    x = keras.Input((6,), name="x")
    model = keras.Model(x, {"least": keras.ops.argmin(x, axis=-1), "most": keras.ops.argmax(x, axis=-1)})
    assert dummyio.validate(dummyio.export(model, tmp_path / file).path, model).ok
