"""What a converter refuses is one sentence: the operator, its place in the model, and the route that carries it."""

import inspect
import traceback

import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

import keras

import dummyio
from dummyio.errors import ExportError
from dummyio_tensorflow.exporting.converter_errors import clean_cause, summarize

pytestmark = pytest.mark.slow
MATRICES = [tf.TensorSpec([None, 3, 3], name="x")]


def refuse(model, path, **options):
    with pytest.raises(ExportError) as caught:
        dummyio.export(model, path, prove="off", **options)
    assert not path.exists()
    shown = "".join(traceback.format_exception(caught.value))
    assert "\x1b" not in shown
    assert "loc(" not in shown
    assert "\n" not in str(caught.value)
    return str(caught.value)


def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return f"test_converter_errors.py:{first + next(at for at, line in enumerate(lines) if text in line)}"


@tf.function(input_signature=MATRICES)
def invert_in_a_loop(x):
    def invert(row):
        return tf.linalg.inv(row)

    return tf.map_fn(invert, x)


@pytest.mark.parametrize("file", ["model.tflite", "model.onnx"])
def test_an_operator_with_its_line(file, tmp_path):
    if file == "model.onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnx_ir")
    message = refuse(invert_in_a_loop, tmp_path / file)
    where = line_of(invert_in_a_loop.python_function, "linalg.inv")
    assert f"MatrixInverse ({where})" in message
    assert "A SavedModel and a .pb carry it" in message
    assert "'static=" not in message  # a remedy that does not help is not named
    assert dummyio.validate(
        dummyio.export(invert_in_a_loop, tmp_path / "model.pb", prove="off").path, invert_in_a_loop
    ).ok


def test_an_operator_in_a_layer(tmp_path):
    text = keras.Input((2,), dtype="string", name="text")
    model = keras.Model(text, keras.layers.Hashing(7, name="buckets")(text))
    message = refuse(model, tmp_path / "model.tflite")
    assert "StringToHashBucketFast (in " in message
    assert "/buckets" in message


def test_a_size_that_must_be_fixed_is_tried(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([None, None], name="x")])
    def outer(x):
        return x[:, : tf.shape(x)[1], None] * tf.range(4, dtype=tf.float32)

    message = refuse(outer, tmp_path / "model.tflite")
    assert "with dynamic sizes for StridedSlice (test_converter_errors.py:" in message
    assert "With static='all_but_batch' it is written." in message
    dummyio.export(outer, tmp_path / "model.tflite", static="all_but_batch", prove="off")


@pytest.mark.parametrize("file", ["saved", "model.pb", "model.tflite", "model.onnx"])
def test_no_file_contains_python(file, tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([2, 3], name="x")])
    def model(x):
        return tf.ensure_shape(tf.py_function(lambda y: y * 2, [x], tf.float32), x.shape)

    message = refuse(model, tmp_path / file)
    assert "calls a Python function, EagerPyFunc (test_converter_errors.py:" in message


def test_dumps_of_the_converter_are_left_out():
    dump = (
        '\x1b[1mmodel.py:12:0: \x1b[0m\x1b[31merror: \x1b[0mloc(callsite("a" at "b")): \'tf.Foo\' op is neither a custom op nor a flex op\n'
        '<unknown>:0: note: loc(fused["Foo:", "x"]): see current operation: %1 = "tf.Foo"(%0) : (tensor<?x8xf32>) -> tensor<*xf32>'
    )
    error = RuntimeError(dump)
    assert summarize(dump, error) == "Foo: is neither a custom op nor a flex op."
    assert str(clean_cause(error)) == "Foo: is neither a custom op nor a flex op."
    plain = ValueError("no such file")
    assert clean_cause(plain) is plain
