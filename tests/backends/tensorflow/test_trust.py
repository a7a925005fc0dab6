"""Files that run code or touch files: describing never does it, and running does it only if the caller trusts the file."""

import re
import shutil

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from tensorflow.core.framework.op_def_pb2 import OpList
from tensorflow.python.client import pywrap_tf_session
from tf_models import made

import dummyio
from dummyio.errors import TrustError
from dummyio_tensorflow.running.operator_trust import _is_listed, _read_table, is_harmless

FLOATS = tf.TensorSpec([None, 3])


def save(function, path, spec=FLOATS, **resources):
    module = tf.Module()
    for name, value in resources.items():
        setattr(module, name, value)
    module.call = tf.function(function, input_signature=[spec])
    tf.saved_model.save(module, path, signatures={"serving_default": module.call})
    return path


def save_graph(function, path):
    """A frozen graph."""
    with tf.Graph().as_default() as graph:
        tf.identity(function(tf.compat.v1.placeholder(tf.float32, [None, 3], "x")), "y")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def refuse(path, found, marker):
    """The file is described, and needs trust to be opened; nothing has run."""
    assert dict(dummyio.describe(path).leaves)
    for use in (dummyio.open_runner, lambda file: dummyio.validate(file, reference=file)):
        with pytest.raises(TrustError, match=f"{found}.*trust=True, or --trust"):
            use(path)
    assert not marker.exists()


def run(path):
    runner = dummyio.open_runner(path, trust=True)
    runner(
        {
            one.name: np.zeros([2 if size is None else size for size in one.shape], one.dtype.numpy)
            for one in runner.inputs
        }
    )


HARMFUL = {
    "WriteFile": lambda x, marker: (tf.io.write_file(str(marker), "x"), x * 2)[1],
    "ReadFile": lambda x, marker: x + tf.cast(tf.strings.length(tf.io.read_file(__file__)), tf.float32),
    "MatchingFiles": lambda x, marker: x + tf.cast(tf.size(tf.io.matching_files(f"{marker}*")), tf.float32),
    "EagerPyFunc": lambda x, marker: tf.ensure_shape(tf.py_function(lambda v: (marker.touch(), v)[1], [x], tf.float32), [None, 3]),
    "PyFunc": lambda x, marker: tf.ensure_shape(tf.numpy_function(lambda v: (marker.touch(), v)[1], [x], tf.float32), [None, 3]),
    "PrintV2": lambda x, marker: (tf.print(x, output_stream=f"file://{marker}"), x)[1],
    "SaveV2": lambda x, marker: (tf.raw_ops.SaveV2(prefix=str(marker), tensor_names=["x"], shape_and_slices=[""], tensors=[x]), x)[1],
    "RestoreV2": lambda x, marker: x + tf.raw_ops.RestoreV2(prefix=str(marker), tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32])[0],
    "TextLineDataset": lambda x, marker: x + tf.cast(tf.data.TextLineDataset(__file__).reduce(np.int64(0), lambda n, _: n + 1), tf.float32),
    "ImmutableConst": lambda x, marker: x + tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[3], memory_region_name=__file__),
}  # fmt: skip


@pytest.mark.parametrize("operator", HARMFUL)
def test_harmful_operators_of_signatures(operator, tmp_path):
    marker = tmp_path / "marker"
    refuse(save(lambda x: HARMFUL[operator](x, marker), tmp_path / "saved"), operator, marker)


@pytest.mark.parametrize("operator", ["WriteFile", "ReadFile", "PyFunc", "PrintV2", "SaveV2"])
def test_harmful_operators_of_graphs(operator, tmp_path):
    marker = tmp_path / "marker"

    def function(x):
        result = HARMFUL[operator](x, marker)
        effects = [op for op in tf.compat.v1.get_default_graph().get_operations() if op.type == operator]
        with tf.control_dependencies(effects):
            return tf.identity(result)

    refuse(save_graph(function, tmp_path / "model.pb"), operator, marker)


def test_a_trusted_file_runs(tmp_path):
    marker = tmp_path / "marker"
    path = save(lambda x: HARMFUL["WriteFile"](x, marker), tmp_path / "saved")
    run(path)
    assert marker.exists()


def test_functions_inside_loops_and_branches_are_checked(tmp_path):
    marker = tmp_path / "marker"

    @tf.function
    def inner(row):
        tf.io.write_file(str(marker), "x")
        return row

    def call(x):
        return tf.map_fn(lambda row: tf.cond(row[0] > 9.0, lambda: row, lambda: inner(row)), x)

    refuse(save(call, tmp_path / "saved"), "WriteFile", marker)


def test_describing_runs_no_initializer(tmp_path):
    marker = tmp_path / "marker"
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1, 2], [3.0, 4.0]), 0.0)
    before = table._initialize
    table._initialize = lambda: (tf.io.write_file(str(marker), "x"), before())[1]
    path = save(table.lookup, tmp_path / "saved", tf.TensorSpec([None], tf.int32), table=table)
    marker.unlink(missing_ok=True)
    refuse(path, "WriteFile", marker)
    run(path)
    assert marker.exists()


def save_v1(path, marker, *, initializer):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.int32, [None], "x")
        y = tf.gather(tf.compat.v1.get_variable("table", (7, 2)), x)
        session.run(tf.compat.v1.global_variables_initializer())
        effect = tf.io.write_file(str(marker), "x") if initializer else None
        tf.compat.v1.saved_model.simple_save(session, str(path), {"ids": x}, {"y": y}, legacy_init_op=effect)
    return path


def test_saved_models_of_tensorflow_1(tmp_path):
    marker = tmp_path / "marker"
    refuse(save_v1(tmp_path / "harmful", marker, initializer=True), "WriteFile", marker)
    path = save_v1(tmp_path / "sound", marker, initializer=False)
    spec = dummyio.describe(path)
    assert spec["ids"].values.high == 7
    assert dummyio.open_runner(path)(spec.feeds())["y"].shape == (2, 2)


def test_assets_stay_in_their_folder(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")
    lines = tf.lookup.TextFileInitializer(
        str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    table = tf.lookup.StaticHashTable(lines, -1)
    path = save(table.lookup, tmp_path / "saved", tf.TensorSpec([None], tf.string), table=table)
    runner = dummyio.open_runner(path)
    assert runner({runner.inputs[0].name: np.array(["b", "c"], object)})["output_0"].tolist() == [1, -1]
    for name in ("../../words.txt", "/etc/hostname"):
        other = shutil.copytree(path, tmp_path / f"other{len(name)}")
        proto = tf.__internal__.saved_model.parse_saved_model(str(other))
        proto.meta_graphs[0].asset_file_def[0].filename = name
        (other / "saved_model.pb").write_bytes(proto.SerializeToString())
        refuse(other, "an asset outside of its folder", tmp_path / "marker")


def test_a_table_of_a_file_that_is_not_an_asset_needs_trust(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1]), -1)

    def call(x):
        tf.raw_ops.InitializeTableFromTextFileV2(
            table_handle=table.resource_handle, filename=str(words), key_index=-2, value_index=-1
        )
        return table.lookup(x)

    path = save(call, tmp_path / "saved", tf.TensorSpec([None], tf.string), table=table)
    refuse(path, "InitializeTableFromTextFileV2", tmp_path / "marker")


def test_functions_that_call_each_other_many_times_are_not_inlined(tmp_path):
    path = save(lambda x: x * 2, tmp_path / "saved")
    proto = tf.__internal__.saved_model.parse_saved_model(str(path))
    graph = proto.meta_graphs[0].graph_def
    wrapper = next(one for one in graph.library.function if "signature_wrapper" in one.signature.name)
    call = next(node for node in wrapper.node_def if "PartitionedCall" in node.op)
    for number in range(40):
        copy = graph.library.function.add()
        copy.CopyFrom(wrapper)
        copy.signature.name = f"level{number}"
        ours = [node for node in copy.node_def if "PartitionedCall" in node.op]
        ours[0].attr["f"].func.name = f"level{number + 1}" if number < 39 else call.attr["f"].func.name
        extra = copy.node_def.add()
        extra.CopyFrom(ours[0])
        extra.name = "again"
    call.attr["f"].func.name = "level0"
    (path / "saved_model.pb").write_bytes(proto.SerializeToString())
    spec = dummyio.describe(path)
    assert "nodes when its functions are inlined" in spec.provenance["graph"]
    assert spec["x"].shape[1] == 3


SOUND = {
    "table of words": lambda: keras.Sequential(
        [keras.Input((None,), dtype="string"), keras.layers.StringLookup(vocabulary=["a", "b"]), keras.layers.Embedding(5, 4)]
    ),
    "random": lambda: keras.Sequential([keras.Input((4,)), keras.layers.GaussianNoise(0.1), keras.layers.Dense(2)]),
    "lstm": lambda: keras.Sequential([keras.Input((None, 6)), keras.layers.LSTM(5, return_sequences=True)]),
    "gru": lambda: keras.Sequential([keras.Input((None, 6)), keras.layers.Bidirectional(keras.layers.GRU(5))]),
    "image": lambda: keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.RandomFlip(), keras.layers.Conv2D(2, 3)]
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
def test_sound_saved_models_need_no_trust(name, tmp_path):
    SOUND[name]().export(tmp_path / "saved", verbose=False)
    spec = dummyio.describe(tmp_path / "saved")
    assert dummyio.open_runner(tmp_path / "saved")(spec.feeds())


@pytest.mark.slow
@pytest.mark.parametrize("file", ["saved", "model.pb", "model.tflite"])
def test_own_exports_need_no_trust(file, tmp_path):
    if file.endswith("tflite"):
        pytest.importorskip("ai_edge_litert")
    model, spec = made("functional")
    artifact = dummyio.export(model, tmp_path / file, spec=spec)
    assert dummyio.open_runner(artifact.path, artifact.spec)(artifact.spec.feeds())


def test_every_operator_of_tensorflow_is_classified():
    """A new operator with state, or with the name of a file, is harmful or listed; every entry of the lists is in use."""
    listed = OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())).op
    table = _read_table()
    kinds = {definition.name: definition for definition in listed}
    assert len(kinds) > 1500
    words = re.compile(
        "file|path|pattern|prefix|url|address|directory|_dir$|memory_region|descriptor|graph_def|mlir|^token$|debug_ops"
    )
    unclassified = [
        name
        for name, one in kinds.items()
        if is_harmless(name) and not one.is_stateful and not _is_listed(name, {"": table["names without effect"]})
        for part in (*one.input_arg, *one.attr)
        if part.type in (tf.string.as_datatype_enum, "string") and words.search(part.name)
    ]
    assert not unclassified
    for group in ("stateful and harmless", "stateless and harmful"):
        for patterns in table[group].values():
            for pattern in patterns:
                matching = [one for name, one in kinds.items() if _is_listed(name, {"": [pattern]})]
                assert matching, pattern
                assert any(one.is_stateful == (group == "stateful and harmless") for one in matching), pattern
    for name in (
        "WriteFile",
        "ReadFile",
        "SaveV2",
        "PyFunc",
        "EagerPyFunc",
        "RpcCall",
        "RemoteCall",
        "TFRecordDataset",
        "Unknown",
    ):
        assert is_harmless(name) is False
