"""Operators and layers that a format of TensorFlow may lack: which route carries each, and what a refusal says; by running them.

    python tests/coverage/tensorflow_operators.py [--only fft,sparse] [--rows FILE] [--write]

``--write`` puts the table into ``docs/reference/tensorflow.md``.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.append(str(Path(__file__).parent))

import keras
import tensorflow as tf
from marks import write_between
from route_table import ROUTES, Found, build_table, measure_routes, measure_rows

import dummyio
from dummyio.errors import DummyioError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "tensorflow.md"
Made = Any
L = keras.layers


def plain(function: Callable[[Any], Any], *shape: int | None, dtype: Any = tf.float32) -> Callable[[], Made]:
    """Return a function that makes a ``tf.function`` of one input."""

    def call(x: Any) -> Any:
        return function(x)

    return lambda: tf.function(call, input_signature=[tf.TensorSpec(shape, dtype, name="x")])


def layer(make: Callable[[], Any], *shape: int | None, dtype: str = "float32") -> Callable[[], Made]:
    """Return a function that makes a Keras model of one layer."""

    def build() -> Any:
        keras.utils.set_random_seed(0)
        x = keras.Input(shape, dtype=dtype, name="x")
        return keras.Model(x, make()(x))

    return build


def spectral() -> Any:
    """Return a convolution whose weights are normalized."""
    return L.SpectralNormalization(L.Conv2D(4, 3))


def double_rows(x: Any) -> Any:
    """Return what Python computes."""
    return tf.ensure_shape(tf.py_function(lambda y: y * 2, [x], tf.float32), x.shape)


def collect(x: Any) -> Any:
    """Return squares that a loop collects."""
    array = tf.TensorArray(tf.float32, size=tf.shape(x)[0])
    _, array = tf.while_loop(
        lambda i, a: i < tf.shape(x)[0], lambda i, a: (i + 1, a.write(i, x[i] * x[i])), [tf.constant(0), array]
    )
    return array.stack()


def sparse_product(x: Any) -> Any:
    """Return a product with a sparse matrix."""
    return tf.sparse.sparse_dense_matmul(tf.sparse.from_dense(tf.eye(4)), x)


def ragged_mean(x: Any) -> Any:
    """Return the means of ragged rows."""
    return tf.reduce_mean(tf.RaggedTensor.from_tensor(x, padding=0.0), axis=1)


def check_square(x: Any) -> Any:
    """Return a value after an assertion."""
    with tf.control_dependencies([tf.debugging.assert_non_negative(x * x)]):
        return tf.identity(x) * 2


CASES: dict[str, Callable[[], Made]] = {
    "tf.signal.fft": plain(lambda x: tf.abs(tf.signal.fft(tf.cast(x, tf.complex64))), None, 8),
    "tf.signal.rfft2d": plain(lambda x: tf.abs(tf.signal.rfft2d(x)), None, 8, 8),
    "tf.signal.stft": plain(lambda x: tf.abs(tf.signal.stft(x, 16, 8)), None, 64),
    "tf.linalg.inv": plain(lambda x: tf.linalg.inv(x + 4 * tf.eye(3)), None, 3, 3),
    "tf.linalg.cholesky": plain(lambda x: tf.linalg.cholesky(x @ tf.transpose(x, (0, 2, 1)) + tf.eye(3)), None, 3, 3),
    "tf.linalg.svd": plain(lambda x: tf.linalg.svd(x, compute_uv=False), None, 3, 3),
    "tf.linalg.qr": plain(lambda x: tf.linalg.qr(x)[1] ** 2, None, 3, 3),
    "tf.linalg.det": plain(
        lambda x: tf.linalg.det(x),  # noqa: PLW0108 - a line of its own
        None,
        3,
        3,
    ),
    "tf.linalg.solve": plain(lambda x: tf.linalg.solve(x + 4 * tf.eye(3), x), None, 3, 3),
    "tf.linalg.band_part": plain(lambda x: tf.linalg.band_part(x, 1, 0), None, 3, 3),
    "tf.image.resize, bicubic": plain(lambda x: tf.image.resize(x, (6, 6), "bicubic"), None, 4, 4, 3),
    "tf.image.crop_and_resize": plain(
        lambda x: tf.image.crop_and_resize(x, [[0.0, 0.0, 0.5, 0.5]], [0], (3, 3)), 2, 8, 8, 3
    ),
    "tf.image.adjust_hue": plain(lambda x: tf.image.adjust_hue(x, 0.2), None, 4, 4, 3),
    "tf.image.non_max_suppression": plain(lambda x: tf.image.non_max_suppression(x, tf.reduce_sum(x, -1), 3), 6, 4),
    "tf.image.extract_patches": plain(
        lambda x: tf.image.extract_patches(x, [1, 3, 3, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"), None, 9, 9, 1
    ),
    "ConvLSTM2D": layer(lambda: L.ConvLSTM2D(3, 2), 4, 6, 6, 2),
    "LSTM": layer(lambda: L.LSTM(4), 6, 3),
    "SimpleRNN, a free length": layer(lambda: L.SimpleRNN(4), None, 3),
    "Bidirectional GRU": layer(lambda: L.Bidirectional(L.GRU(4)), 6, 3),
    "SpectralNormalization": layer(spectral, 8, 8, 2),
    "Conv3D": layer(lambda: L.Conv3D(2, 2), 4, 4, 4, 1),
    "UpSampling2D, bilinear": layer(lambda: L.UpSampling2D(2, interpolation="bilinear"), 4, 4, 2),
    "Discretization": layer(lambda: L.Discretization([0.0, 0.5]), 4),
    "Hashing": layer(lambda: L.Hashing(7), 2, dtype="string"),
    "tf.py_function": plain(double_rows, 2, 3),
    "tf.numpy_function": plain(
        lambda x: tf.ensure_shape(tf.numpy_function(lambda y: y + 1, [x], tf.float32), x.shape), 2, 3
    ),
    "tf.raw_ops.Bucketize": plain(lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[0.0, 1.0]), None, 4),
    "tf.raw_ops.Betainc": plain(lambda x: tf.raw_ops.Betainc(a=x * 0 + 2, b=x * 0 + 3, x=tf.sigmoid(x)), None, 4),
    "tf.sparse.sparse_dense_matmul": plain(sparse_product, 4, 3),
    "tf.RaggedTensor": plain(ragged_mean, 3, 5),
    "tf.strings.length": plain(tf.strings.length, None, dtype=tf.string),
    "tf.strings.regex_replace": plain(lambda x: tf.strings.regex_replace(x, "a", "b"), None, dtype=tf.string),
    "tf.random.normal": plain(lambda x: x + tf.random.normal(tf.shape(x)), None, 4),
    "tf.random.stateless_normal": plain(lambda x: x + tf.random.stateless_normal((4,), (1, 2)), None, 4),
    "TensorArray in a loop": plain(collect, None, 4),
    "tf.unique": plain(lambda x: tf.unique(x)[0], None, dtype=tf.int32),
    "tf.where, one argument": plain(lambda x: tf.where(x > 0), None, 4),
    "tf.boolean_mask": plain(lambda x: tf.boolean_mask(x, x[:, 0] > 0), None, 4),
    "tf.map_fn": plain(lambda x: tf.map_fn(lambda row: tf.reduce_sum(row * row), x), None, 4),
    "tf.vectorized_map": plain(lambda x: tf.vectorized_map(lambda row: tf.reduce_sum(row * row), x), 3, 4),
    "tf.scan": plain(lambda x: tf.scan(lambda a, row: a + row, x), None, 4),
    "float64": plain(lambda x: tf.matmul(x, tf.ones((4, 2), tf.float64)), None, 4, dtype=tf.float64),
    "float16": plain(lambda x: tf.matmul(x, tf.ones((4, 2), tf.float16)), None, 4, dtype=tf.float16),
    "bfloat16 inside": plain(lambda x: tf.cast(tf.cast(x, tf.bfloat16) * 2, tf.float32), None, 4),
    "int64 parameters": plain(lambda x: tf.gather(tf.range(7, dtype=tf.int64), x), None, dtype=tf.int64),
    "uint16": plain(lambda x: tf.bitwise.bitwise_and(x, 3), None, 4, dtype=tf.uint16),
    "complex64 output": plain(lambda x: tf.complex(x, x) * 2, None, 4),
    "tf.math.bessel_i0": plain(tf.math.bessel_i0, None, 4),
    "tf.math.lgamma": plain(lambda x: tf.math.lgamma(tf.abs(x) + 1), None, 4),
    "tf.math.segment_sum": plain(lambda x: tf.math.segment_sum(x, [0, 0, 1, 1]), 4, 3),
    "tf.nn.ctc_greedy_decoder": plain(lambda x: tf.sparse.to_dense(tf.nn.ctc_greedy_decoder(x, [5, 5])[0][0]), 5, 2, 4),
    "tf.nn.max_pool_with_argmax": plain(lambda x: tf.nn.max_pool_with_argmax(x, 2, 2, "VALID")[0], None, 4, 4, 2),
    "tf.histogram_fixed_width": plain(lambda x: tf.histogram_fixed_width(x, [0.0, 1.0], 4), 8),
    "tf.sort": plain(lambda x: tf.sort(x, axis=-1), None, 5),
    "tf.Assert": plain(check_square, None, 4),
}


def measure(name: str, folder: Path) -> Found:
    """Return route → "yes", "yes" with the sizes that must be static, or the error."""
    return measure_routes(lambda path, static: attempt(name, path, static), folder)


def attempt(name: str, path: Path, static: str | None) -> str:
    """Return "yes" if a model is written and its file is valid, else the reason."""
    try:
        model = CASES[name]()
        artifact = dummyio.export(model, path, static=static, force=True, prove="off")
        report = dummyio.validate(artifact.path, model)
    except DummyioError as error:
        return "yes, random" if "the reference is not deterministic" in str(error) else str(error)
    return "yes" if report.ok else f"wrong: {report.findings[0].message}"


def main() -> int:
    """Run all operators, or the selected ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="parts of names, by comma")
    parser.add_argument("--rows", type=Path, help="a file that keeps what was measured")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    only = options.only.split(",") if options.only else [""]
    rows = measure_rows(CASES, only, options.rows, measure)
    text = build_table(rows, "operator or layer", tuple(ROUTES), "{rows} operators and layers; carried by {counts}:")
    if options.write:
        write_between(PAGE, text, "operators")
    return 0


if __name__ == "__main__":
    sys.exit(main())
