"""Describing a file computes nothing of it but small sizes, whatever a shape depends on."""

import time

import pytest

tf = pytest.importorskip("tensorflow")

import dummyio
from dummyio.errors import SourceError
from dummyio_tensorflow.calling.shape_constants import guard_constants

INT32 = tf.int32.as_datatype_enum


def build_graph(function):
    with tf.Graph().as_default() as graph:
        function(tf.compat.v1.placeholder(tf.float32, [None], "x"))
    return graph.as_graph_def()


SIZES = {
    "fill": lambda: tf.stack([tf.reduce_sum(tf.raw_ops.Fill(dims=[700_000_000], value=1)), 1]),
    "range": lambda: tf.stack([tf.reduce_sum(tf.range(700_000_000)), 1]),
    "broadcast": lambda: tf.stack([tf.reduce_sum(tf.reshape(tf.range(1), [-1, 1]) + tf.ones([60000, 1], tf.int32) * tf.ones([1, 60000], tf.int32)), 1]),
    "products": lambda: tf.stack([tf.cast(tf.reduce_sum(tf.linalg.matmul(*[tf.random.stateless_uniform([9000, 9000], [1, 2])] * 2)), tf.int32), 1]),
    "list": lambda: tf.stack([tf.raw_ops.TensorListLength(input_handle=tf.raw_ops.TensorListReserve(element_shape=[1], num_elements=300_000_000, element_dtype=tf.int32)), 1]),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("file", ["model.pb", "saved"])
def test_large_constants_are_not_computed(name, file, tmp_path):
    def function(x):
        sizes = tf.raw_ops.GuaranteeConst(input=SIZES[name]())  # keeps the test itself from computing it
        return tf.reshape(x, sizes, name="out")

    path = write(function, file, tmp_path)
    unguard(path)
    before = time.process_time()
    spec = dummyio.describe(path)
    assert time.process_time() - before < 1
    assert [str(size) for size in spec["x"].shape] == ["batch_size"]


def write(function, file, tmp_path):
    if file == "model.pb":
        (tmp_path / file).write_bytes(build_graph(function).SerializeToString())
    else:
        module = tf.Module()
        module.call = tf.function(function, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        tf.saved_model.save(module, tmp_path / file, signatures={"serving_default": module.call})
    return tmp_path / file


def unguard(path):
    """Make plain copies of the operators that kept the test from computing the sizes."""
    proto = tf.compat.v1.GraphDef() if path.suffix else tf.__internal__.saved_model.parse_saved_model(str(path))
    if path.suffix:
        proto.ParseFromString(path.read_bytes())
    graph = proto if path.suffix else proto.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    kept = [node for node in nodes if node.op == "GuaranteeConst"]
    assert kept
    for node in kept:
        node.op = "Identity"
    (path if path.suffix else path / "saved_model.pb").write_bytes(proto.SerializeToString())


@pytest.mark.parametrize("file", ["model.pb", "saved"])
def test_no_operator_that_writes_a_file_is_computed(file, tmp_path):
    marker = tmp_path / "marker"

    def function(x):
        sizes = tf.raw_ops.GuaranteeConst(input=tf.constant([3, 1]))
        seen = tf.raw_ops.DebugIdentity(
            input=sizes, device_name="d", tensor_name="a:0", debug_urls=[f"file://{marker}"]
        )
        return tf.reshape(x, seen, name="out")

    path = write(function, file, tmp_path)
    unguard(path)
    dummyio.describe(path)
    assert not marker.exists()


def test_sizes_of_few_numbers_are_still_computed(tmp_path):
    def function(x):
        rows = tf.shape(tf.zeros([2, 3], name="table"))
        tf.reshape(x, tf.stack([rows[1] * 2, -1]), name="out")

    definition = build_graph(function)
    guard_constants(definition)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(definition, name="")
    assert graph.get_tensor_by_name("out:0").shape.as_list() == [6, None]


def test_operators_of_very_many_results(tmp_path):
    definition = build_graph(lambda x: x)
    node = definition.node.add(name="many", op="Unpack", input=["x"])
    node.attr["num"].i, node.attr["T"].type = 1 << 30, INT32
    (tmp_path / "model.pb").write_bytes(definition.SerializeToString())
    with pytest.raises(SourceError, match="1073741824 results"):
        dummyio.describe(tmp_path / "model.pb")


@pytest.mark.slow
@pytest.mark.parametrize("constant", [True, False])
def test_very_many_operators_in_a_row(constant, tmp_path):
    """TensorFlow follows them from the operand of a shape by calling itself, which would end the process."""
    definition = build_graph(
        lambda x: (tf.shape(x), tf.constant([], tf.int32, name="none"), tf.constant(0, name="axis"))
    )
    if not constant:
        node = definition.node.add(name="p", op="Placeholder")
        node.attr["dtype"].type = INT32
        node.attr["shape"].shape.dim.add(size=1)
    last = "Shape" if constant else "p"
    for number in range(60_000):
        node = definition.node.add(name=f"c{number}", op="ConcatV2", input=[last, "none", "axis"])
        node.attr["N"].i, node.attr["T"].type, node.attr["Tidx"].type = 2, INT32, INT32
        last = node.name
    node = definition.node.add(name="y", op="Reshape", input=["x", last])
    node.attr["T"].type, node.attr["Tshape"].type = tf.float32.as_datatype_enum, INT32
    (tmp_path / "model.pb").write_bytes(definition.SerializeToString())
    assert "x" in dummyio.describe(tmp_path / "model.pb")
