"""The specs of TensorFlow models and files, by kind of source."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from tf_models import Module, Subclassed, made

import dummyio
from dummyio import DType
from dummyio.errors import OptionError, SourceError
from dummyio.spec.values import Indices, Lengths, PaddingMask, TokenIds, Uniform


@pytest.fixture(scope="module")
def functional():
    return made("functional")[0]


def shapes(spec):
    return {path: [str(size) for size in leaf.shape] for path, leaf in spec.leaves}


def both(spec):
    """Every input as long as the others."""
    return {name: ["batch_size", "sequence_length"] for name in spec}


def test_a_functional_model(functional):
    spec = dummyio.describe(functional, batch_size=3)
    assert list(spec) == ["token_ids", "padding_mask"]
    assert shapes(spec) == both(spec)
    assert spec["token_ids"].values == TokenIds(50, mask="padding_mask")
    assert spec["padding_mask"].values == PaddingMask()
    assert spec.dims["batch_size"].size == 3
    assert {output.name: [str(size) for size in output.shape] for output in spec.outputs} == {
        "pooled": ["batch_size", "16"],
        "hidden": ["batch_size", "sequence_length", "16"],
    }
    assert "below 50" in spec.provenance["input token_ids"]
    assert {"pooled", "hidden"} == set(functional(spec.generate("tf")))


def test_the_smallest_size_of_a_sequential_model_fits_its_windows():
    model = keras.Sequential([keras.layers.Conv2D(3, 5), keras.layers.GlobalAveragePooling2D()])
    with pytest.raises(SourceError, match="not built"):
        dummyio.describe(model)
    model.build((None, None, None, 3))
    spec = dummyio.describe(model)
    assert shapes(spec) == {"inputs": ["batch_size", "height", "width", "3"]}
    assert (spec.dims["height"].min, spec.dims["width"].min) == (5, 5)


def test_an_image_that_a_layer_rescales_has_pixels():
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(2, 3)]
    assert dummyio.describe(keras.Sequential(layers))["inputs"].values == Uniform(0, 256)
    assert dummyio.describe(keras.Sequential([layers[0], layers[2]]))["inputs"].values == Uniform(0, 1)


def test_guessed_dtypes_of_a_subclassed_model_are_noted():
    spec = dummyio.describe(made("subclassed")[0])
    assert shapes(spec) == both(spec)
    assert spec["token_ids"].dtype is DType.INT32
    assert spec["token_ids"].values.high == 30
    assert "guessed" in spec.provenance["dtype token_ids"]


def test_an_index_of_a_table_is_an_integer_whatever_its_name():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.embed = keras.layers.Embedding(7, 2)

        def call(self, words, weight=None):
            return self.embed(words)

    model = Model()
    model(np.zeros((2, 5), np.int32))
    spec = dummyio.describe(model)
    assert spec["words"].dtype is DType.INT32
    assert spec["words"].values == Uniform(0, 7)
    assert shapes(spec) == {"words": ["batch_size", "5"]}


def test_lengths_differ_if_the_model_allows_it():
    x, y = keras.Input((None, 8), name="x"), keras.Input((None, 8), name="y")
    apart = dummyio.describe(keras.Model([x, y], keras.layers.MultiHeadAttention(2, 4)(x, y)))
    assert shapes(apart)["x"] != shapes(apart)["y"]
    added = dummyio.describe(keras.Model([x, y], keras.layers.Add()([x, y])))
    assert shapes(added)["x"] == shapes(added)["y"] == ["batch_size", "sequence_length", "8"]
    assert "one length" in added.provenance["lengths"]


def test_parts_of_a_model_have_lengths_of_their_own():
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("encoder_ids", "decoder_ids")}
    embed = keras.layers.Embedding(9, 4)
    spec = dummyio.describe(keras.Model(inputs, {name: embed(value) for name, value in inputs.items()}))
    assert shapes(spec)["encoder_ids"] == ["batch_size", "encoder_sequence_length"]
    assert shapes(spec)["decoder_ids"] == ["batch_size", "decoder_sequence_length"]


class Positions(keras.layers.Layer):
    """Adds as many rows of a table as the sequence is long."""

    def __init__(self, rows, **options):
        super().__init__(**options)
        self.rows = rows

    def build(self, shape):
        self.table = self.add_weight(shape=(self.rows, shape[-1]))

    def call(self, x):
        return x + self.table[: keras.ops.shape(x)[1]]


def test_tables_of_positions_bound_the_lengths():
    sound = keras.Input((None, 8), name="encoder_features")
    ids = keras.Input((None,), dtype="int32", name="decoder_ids")
    halved = Positions(30, name="encoder_positions")(keras.layers.Conv1D(4, 3, strides=2, padding="same")(sound))
    text = Positions(12, name="decoder_positions")(keras.layers.Embedding(9, 4)(ids))
    spec = dummyio.describe(keras.Model([sound, ids], [halved, text]))
    # The encoder halves its input before it adds positions, of which there are 30.
    assert spec.dims["encoder_sequence_length"].max == 60
    assert (spec.dims["decoder_sequence_length"].size, spec.dims["decoder_sequence_length"].max) == (12, 12)


class TakenPositions(Positions):
    """Takes its rows along the second axis of a table with a batch of one."""

    def build(self, shape):
        self.table = self.add_weight(shape=(1, self.rows, shape[-1]))

    def call(self, x):
        return x + keras.ops.take(self.table, keras.ops.arange(keras.ops.shape(x)[1]), axis=1)


def test_rows_of_a_table_are_counted_along_the_axis_they_are_taken_from():
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    spec = dummyio.describe(keras.Model(ids, TakenPositions(12)(keras.layers.Embedding(9, 4)(ids))))
    assert spec.dims["sequence_length"].max == 12


def test_a_module_with_nested_inputs():
    spec = dummyio.describe(Module())
    assert sorted(path for path, _ in spec.leaves) == ["inputs.a", "inputs.z", "scale"]
    assert dict(spec.leaves)["inputs.z"].values == Uniform(0, 11)
    assert dict(spec.leaves)["scale"].shape == ()
    assert [output.name for output in spec.outputs] == ["output_0", "output_1.rows"]


def test_functions():
    @tf.function
    def free(x):
        return x * 2

    with pytest.raises(SourceError, match="input_signature"):
        dummyio.describe(free)
    with pytest.raises(SourceError, match=r"input_signature.*open_runner\(model, spec\)"):
        dummyio.open_runner(free)
    concrete = free.get_concrete_function(tf.TensorSpec([None, 3], tf.float64))
    assert shapes(dummyio.describe(concrete)) == {"x": ["batch_size", "3"]}
    assert dummyio.describe(free)["x"].dtype is DType.FLOAT64  # it has been traced now


def test_a_module_of_several_functions_needs_a_signature():
    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2])])
        def encode(self, x):
            return x

        @tf.function(input_signature=[tf.TensorSpec([None, 3])])
        def decode(self, y):
            return y

    with pytest.raises(SourceError, match=r"decode, encode.*signature="):
        dummyio.describe(Two())
    assert list(dummyio.describe(Two(), signature="decode")) == ["y"]
    with pytest.raises(OptionError, match="encode"):
        dummyio.describe(Two(), signature="encoder")


@pytest.mark.slow
@pytest.mark.parametrize("file", ["saved", "model.pb", "model.tflite"])
def test_files_are_described_as_their_model(functional, file, tmp_path):
    if file.endswith("tflite"):
        pytest.importorskip("ai_edge_litert")
    dummyio.export(functional, tmp_path / file)
    spec = dummyio.describe(tmp_path / file, sequence_length=5)
    assert shapes(spec) == both(spec)
    assert spec["token_ids"].values == TokenIds(50, mask="padding_mask")
    assert {output.name for output in spec.outputs} == {"pooled", "hidden"}
    assert spec.dims["sequence_length"].size == 5
    runner = dummyio.open_runner(tmp_path / file)
    assert set(runner({path: spec.feeds()[path] for path in ("token_ids", "padding_mask")})) == {"pooled", "hidden"}


@pytest.mark.parametrize("file", ["model.tflite", "model.pb", "saved/saved_model.pb"])
def test_damaged_files(file, tmp_path):
    pytest.importorskip("ai_edge_litert")
    place = tmp_path / file
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"not a model at all, but long enough to be one")
    source = place.parent if "/" in file else place
    with pytest.raises(SourceError, match=place.parent.name):
        dummyio.describe(source)
    with pytest.raises(SourceError, match=place.parent.name):
        dummyio.open_runner(source)


def test_invalid_options(functional):
    with pytest.raises(OptionError, match="sequence_length"):
        dummyio.describe(functional, sequence_lenght=3)
    with pytest.raises(OptionError, match="right"):
        dummyio.describe(functional, padding_side="rigth")
    with pytest.raises(OptionError, match="shapes"):
        dummyio.describe(functional, shapes={"token_ids": 3})
    with pytest.raises(OptionError, match="token_ids"):
        dummyio.describe(functional, shapes={"token_id": (2, 3)})
    with pytest.raises(OptionError, match="task"):
        dummyio.describe(functional, "text-classification")
    assert dummyio.describe(functional, padding_side="left")["padding_mask"].values.side == "left"
    given = dummyio.describe(functional, shapes=dict.fromkeys(("token_ids", "padding_mask"), ("rows", 7)))
    assert shapes(given)["token_ids"] == ["rows", "7"]


def test_describing_does_not_change_a_model():
    model = Subclassed()
    model({"token_ids": np.ones((2, 6), np.int32), "padding_mask": np.ones((2, 6), np.int32)})
    before = [variable.numpy().copy() for variable in model.variables]
    dummyio.describe(model)
    for variable, values in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), values)


def test_lengths_and_indices_vary_below_what_they_count():
    nodes, edges = tf.TensorSpec([None, 6], name="nodes"), tf.TensorSpec([2, None], tf.int32, name="edge_index")

    @tf.function(input_signature=[nodes, edges])
    def sum_neighbours(nodes, edge_index):
        chosen = tf.gather(nodes, edge_index[0])
        return tf.math.unsorted_segment_sum(chosen, edge_index[1], tf.shape(nodes)[0])

    assert dummyio.describe(sum_neighbours)["edge_index"].values == Indices("batch_size")

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, 5], name="rows"), tf.TensorSpec([None], tf.int32, name="lengths")]
    )
    def cut(rows, lengths):
        return rows * tf.sequence_mask(lengths, tf.shape(rows)[1], tf.float32)[..., None]

    assert dummyio.describe(cut)["lengths"].values == Lengths("sequence_length")


def pool(*inputs):
    return [keras.layers.GlobalAveragePooling2D()(each) for each in inputs]


def test_sizes_of_images_are_one_only_if_they_must_be():
    def image(name, height=None, width=None, channels=3):
        return keras.Input((height, width, channels), name=name)

    boxes, photo = image("boxes", None, 2, 2), image("photo")
    for inputs in ([boxes, photo], [photo, boxes]):
        spec = dummyio.describe(keras.Model(inputs, pool(*inputs)))
        assert shapes(spec)["photo"] == ["batch_size", "height", "width", "3"]
        assert shapes(spec)["boxes"] == ["batch_size", "boxes_height", "2", "2"]
    left, right = image("left"), image("right")
    apart = dummyio.describe(keras.Model([left, right], pool(left, right)))
    assert shapes(apart)["left"] == ["batch_size", "left_height", "left_width", "3"]
    joined = keras.layers.Concatenate()([left, right])
    tied = dummyio.describe(keras.Model([left, right, boxes], pool(joined, boxes)))
    assert shapes(tied)["left"] == shapes(tied)["right"] == ["batch_size", "height", "width", "3"]
    assert shapes(tied)["boxes"] == ["batch_size", "boxes_height", "2", "2"]
    assert tied.provenance["lengths"].endswith("images of one size: left, right")


@pytest.mark.parametrize(
    "take",
    [
        lambda table, count: table[:count],
        lambda table, count: tf.slice(table, [0, 0], [count, 8]),
        lambda table, count: tf.gather(table, tf.range(count)),
        lambda table, count: tf.nn.embedding_lookup(table, tf.range(count)[None]),
    ],
    ids=["slice", "tf.slice", "gather", "lookup"],
)
@pytest.mark.parametrize("make", [tf.Variable, tf.constant], ids=["variable", "constant"])
def test_rows_from_the_first_on_bound_the_length(take, make):
    table = make(np.ones((32, 8), np.float32))
    net = tf.function(
        lambda x: x + take(table, tf.shape(x)[1]),
        input_signature=[tf.TensorSpec([None, None, 8], name="x")],
        autograph=False,
    )
    spec = dummyio.describe(net, prove="off")
    assert spec.dims["sequence_length"].max == 32
    assert spec.provenance["dim sequence_length"].startswith("at most 32, because of ")


@pytest.mark.parametrize(("last", "least"), [(4, 71), (1, 47)])
def test_windows_without_padding_need_images_larger_than_usual(last, least):
    layers = keras.layers
    steps = [layers.Conv2D(2, 3, strides=2) for _ in range(3)] + [layers.Conv2D(2, 5), layers.Conv2D(2, last)]
    model = keras.Sequential([keras.Input((None, None, 3), name="image"), *steps])
    spec = dummyio.describe(model)
    assert [(size.min, size.size) for size in spec[next(iter(spec))].shape[1:3]] == [(least, max(least, 64))] * 2


@pytest.mark.parametrize(
    ("kind", "part"),
    [("ragged", tf.RaggedTensorSpec([None, None], tf.int32)), ("sparse", tf.SparseTensorSpec([None, 5], tf.float32))],
)
@pytest.mark.parametrize("nested", [False, True])
def test_ragged_and_sparse_inputs_are_refused_by_name(kind, part, nested):
    function = tf.function(lambda tags: tags, input_signature=[{"tags": part} if nested else part])
    with pytest.raises(
        SourceError, match=rf"input '[\w.]*tags' is {kind}, and {kind} inputs are not described\. Take its parts"
    ):
        dummyio.describe(function)
