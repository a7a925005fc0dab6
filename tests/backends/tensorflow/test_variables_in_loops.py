"""Variables that loops and branches read, as a whole or in parts, become constants in every one of them."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import dummyio
from dummyio.errors import ExportError
from dummyio_tensorflow.calling.frozen_function import freeze_model

TABLE = tf.Variable(np.arange(81, dtype=np.float32).reshape(9, 9) % 7)
BIAS = tf.Variable(np.linspace(1, 2, 9, dtype=np.float32))
CUBE = tf.Variable(np.arange(24, dtype=np.float32).reshape(2, 4, 3))
IDS = np.array([1, 5], np.int32)


def given(*shape, name="ids"):
    return tf.function(input_signature=[tf.TensorSpec(shape, tf.int32, name=name)])


@given(None)
def loop(ids):
    total = tf.zeros([tf.shape(ids)[0], 9])
    for _ in tf.range(3):
        total += tf.gather(TABLE, ids) + BIAS
        ids = tf.argmax(total, -1, output_type=tf.int32)
    return total


@given(None)
def branches_in_loops(ids):
    total = tf.zeros([tf.shape(ids)[0], 9])
    for i in tf.range(3):
        for j in tf.range(2):
            if i > j:
                total += tf.gather(TABLE, (ids + i) % 9)
            else:
                total -= tf.gather_nd(TABLE, tf.stack([ids], 1))
    return total


@given(None)
def mapped(ids):
    return tf.map_fn(lambda i: tf.gather(TABLE, i) * BIAS, ids, fn_output_signature=tf.float32)


@given(None)
def scanned(ids):
    return tf.scan(lambda state, i: state * 0.5 + tf.gather(TABLE, i), ids, initializer=tf.zeros([9]))


@tf.function
def inner(ids):
    return tf.nn.embedding_lookup(TABLE, ids)


@given(None)
def calls(ids):
    return tf.cond(tf.reduce_sum(ids) > 3, lambda: inner(ids), lambda: inner(ids) * 2)


@given(None)
def numbered(ids):
    return tf.switch_case(ids[0], [lambda: BIAS, lambda: tf.gather(TABLE, ids[1]), lambda: BIAS * 2])


@given(2, None)
def batches(ids):
    total = tf.zeros([2, tf.shape(ids)[1], 3]) + tf.reduce_sum(CUBE)
    for _ in tf.range(2):
        total += tf.raw_ops.ResourceGather(resource=CUBE.handle, indices=ids, batch_dims=1, dtype=tf.float32)
    return total


@pytest.mark.parametrize("net", [loop, branches_in_loops, mapped, scanned, calls, numbered, batches])
def test_a_gather_from_a_variable_is_frozen_wherever_it_stands(net):
    spec = dummyio.describe(net, prove="off")
    frozen = freeze_model(net, spec)
    definition = frozen.graph.graph.as_graph_def()
    nodes = [*definition.node, *(node for each in definition.library.function for node in each.node_def)]
    assert not [node.op for node in nodes if node.op.startswith("Resource") or node.op == "ReadVariableOp"]
    ids = np.stack([IDS, IDS[::-1]]) % 4 if net is batches else IDS
    (found,) = frozen.function(tf.constant(ids)).values()
    np.testing.assert_array_equal(found, net(ids))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["net", "net.pb", "net.onnx", "net.tflite"])
def test_every_route_carries_branches_in_loops(tmp_path, name, request):
    if name.endswith(".onnx"):
        request.getfixturevalue("onnx_packages")
    artifact = dummyio.export(branches_in_loops, tmp_path / name)
    (found,) = dummyio.open_runner(artifact.path)({"ids": IDS}).values()
    np.testing.assert_array_equal(found, branches_in_loops(IDS))


def test_branches_by_number_are_refused_for_onnx_by_what_they_are(tmp_path):
    pytest.importorskip("tf2onnx")
    with pytest.raises(ExportError, match=r"chooses one of several branches by a number \(tf.switch_case"):
        dummyio.export(numbered, tmp_path / "net.onnx")
