"""Sizes of outputs are expressions of the inputs' dims only where they are that at all sizes."""

import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

import dummyio

L = keras.layers


def sequence(name="x"):
    return keras.Input((None, 4), name=name)


def image():
    return keras.Input((None, None, 3), name="image")


def build(make, *inputs):
    return keras.Model(list(inputs) if len(inputs) > 1 else inputs[0], make(*inputs))


def of_rows(function):
    return tf.function(function, input_signature=[tf.TensorSpec([None, None, 4], name="x")])


OWN = ("output_dim_1", "output_dim_2")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: build(lambda x: L.UpSampling1D(2)(L.AveragePooling1D(2, padding="same")(x)), sequence()), OWN[:1]),
        (lambda: build(L.Conv1D(2, 3), sequence()), ("sequence_length - 2",)),
        (lambda: build(L.ZeroPadding1D(1), sequence()), ("sequence_length + 2",)),
        (lambda: build(lambda x: L.UpSampling2D(4)(L.MaxPool2D(4)(x)), image()), OWN),
        (lambda: build(L.Conv2DTranspose(2, 3, strides=2), image()), ("height * 2 + 1", "width * 2 + 1")),
        (
            lambda: build(lambda b, a: L.Concatenate(axis=1)([a, b]), sequence("b"), sequence("a")),
            ("a_sequence_length + b_sequence_length",),
        ),
        (lambda: of_rows(lambda x: x[:, :32]), OWN[:1]),
        (lambda: of_rows(lambda x: x[:, ::2]), OWN[:1]),
        (lambda: of_rows(lambda x: tf.pad(x, [[0, 0], [0, -tf.shape(x)[1] % 8], [0, 0]])), OWN[:1]),
        (lambda: of_rows(lambda x: tf.pad(x, [[0, 0], [0, tf.maximum(8 - tf.shape(x)[1], 0)], [0, 0]])), OWN[:1]),
        (lambda: of_rows(lambda x: tf.einsum("bif,bjf->bij", x, x)), ("sequence_length", "sequence_length")),
    ],
    ids=[
        "halved and doubled",
        "a window",
        "padded",
        "pooled and repeated",
        "transposed",
        "joined, in another order",
        "cut",
        "every second",
        "padded to a multiple",
        "padded to a length",
        "pairs",
    ],
)
def test_the_size_of_an_output(make, expected):
    (output,) = dummyio.describe(make(), prove="off").outputs
    assert output.shape is not None
    assert tuple(map(str, output.shape[1 : 1 + len(expected)])) == expected
    assert str(output.shape[0]) == "batch_size"


def test_a_batch_that_is_padded_is_no_batch_size():
    net = tf.function(
        lambda x: tf.pad(x, [[0, tf.shape(x)[0] % 2], [0, 0]]), input_signature=[tf.TensorSpec([None, 4])]
    )
    assert str(dummyio.describe(net, prove="off").outputs[0].shape[0]) == "output_dim_0"


def test_a_model_without_dynamic_traces_has_the_sizes_of_several_static_ones():
    net = tf.function(lambda x: tf.reshape(tf.tile(x, [1, 2]), [-1, 2 * x.shape[1]]))
    net(tf.ones([2, 3]))
    spec = dummyio.describe(net, prove="off", shapes={"x": ("batch_size", "length")})
    assert "does not trace with dynamic sizes" in spec.provenance["graph"]
    assert tuple(map(str, spec.outputs[0].shape)) == ("batch_size", "length * 2")
