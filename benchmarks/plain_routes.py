"""What a user writes by hand to export a model of TensorFlow or JAX and to run it once: ``python plain_routes.py FRAMEWORK ROUTE FILE``.

`make_keras_model` and `make_jax_function` are the models, here and in ``routes.py``.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

LENGTH, WIDTH = 16, 32


def make_keras_model() -> Any:
    """Return a block of a transformer: [batch, length, 32] → [batch, length, 32]."""
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, WIDTH), name="features")
    attended = keras.layers.MultiHeadAttention(4, 8)(inputs, inputs)
    normed = keras.layers.LayerNormalization()(attended + inputs)
    wide = keras.layers.Dense(64, activation="tanh")(normed)
    return keras.Model(inputs, keras.layers.Dense(WIDTH)(wide) + normed)


def make_jax_function() -> Any:
    """Return attention and a product as a function of [batch, length, 32]."""
    import jax
    import jax.numpy as jnp

    weights = [np.random.default_rng(seed).normal(size=(WIDTH, WIDTH)).astype("float32") / 6 for seed in range(4)]

    def attend(features):
        query, key, value = (features @ each for each in weights[:3])
        scores = jax.nn.softmax(query @ key.swapaxes(1, 2) / 6)
        return jnp.tanh(scores @ value @ weights[3])

    return attend


def convert_keras(route: str, path: str, features: Any) -> None:
    """Convert the Keras model by TensorFlow's own functions or tf2onnx, and run the result."""
    import tensorflow as tf

    model = make_keras_model()
    if route == "saved_model":
        model.export(path, verbose=False)
        loaded = tf.saved_model.load(path)
        loaded.serve(features)
        return
    signature = [tf.TensorSpec((None, None, WIDTH), tf.float32, name="features")]
    if route == "onnx":
        import tf2onnx

        tf2onnx.convert.from_function(tf.function(model), signature, opset=18, output_path=path)
        run_onnx(path, features)
        return
    concrete = tf.function(model).get_concrete_function(*signature)
    if route == "tflite":
        Path(path).write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], model).convert())
        run_tflite(path, features)
        return
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(concrete)
    Path(path).write_bytes(frozen.graph.as_graph_def().SerializeToString())
    frozen(tf.constant(features))


def convert_jax(route: str, path: str, features: Any) -> None:
    """Convert the function by JAX's own functions or jax2onnx, and run the result."""
    import jax

    function = make_jax_function()
    if route == "onnx":
        import jax2onnx

        jax2onnx.to_onnx(function, [("batch", "length", WIDTH)], return_mode="file", output_path=path)
        run_onnx(path, features)
        return
    shape = jax.export.symbolic_shape(f"batch, length, {WIDTH}")
    if route == "stablehlo":
        exported = jax.export.export(jax.jit(function))(jax.ShapeDtypeStruct(shape, "float32"))
        Path(path).write_bytes(exported.serialize())
        exported.call(features)
        return
    import tensorflow as tf
    from jax.experimental import jax2tf

    signature = [tf.TensorSpec((None, None, WIDTH), tf.float32, name="features")]
    converted = tf.function(
        jax2tf.convert(function, polymorphic_shapes=[f"batch, length, {WIDTH}"]), signature, autograph=False
    )
    module = tf.Module()
    module.serve = converted
    if route == "saved_model":
        tf.saved_model.save(module, path)
        loaded = tf.saved_model.load(path)
        loaded.serve(features)
        return
    concrete = converted.get_concrete_function()
    Path(path).write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert())
    run_tflite(path, features)


def run_onnx(path: str, features: Any) -> None:
    """Run a file once."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    session.run(None, {session.get_inputs()[0].name: features})


def run_tflite(path: str, features: Any) -> None:
    """Run a file once."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, features.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, features)
    interpreter.invoke()


if __name__ == "__main__":
    made = np.random.default_rng(0).normal(size=(2, LENGTH, WIDTH)).astype("float32")
    {"tf": convert_keras, "jax": convert_jax}[sys.argv[1]](sys.argv[2], sys.argv[3], made)
