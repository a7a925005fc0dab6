"""What is changed in a graph before it is frozen computes the same: slices that add axes, and contrasts."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import dummyio
from dummyio_tensorflow.calling.frozen_function import freeze_model

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
