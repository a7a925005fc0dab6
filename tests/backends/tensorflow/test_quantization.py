"""TFLite files of lower precision: their error is that of the rounding, and the spec beside them states it."""

import sys

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

import keras
import tensorflow as tf

import dummyio
from dummyio.errors import ExportError, NotInstalledError, OptionError
from dummyio.exporting.artifact import PRECISION
from dummyio_tensorflow.exporting import quantize_products
from dummyio_tensorflow.running.model_runner import ModelRunner

pytestmark = pytest.mark.slow
L = keras.layers


def build(name):
    keras.utils.set_random_seed(0)
    if name == "autoencoder":  # its last sigmoid in 8 bits alone would be off by six times the rounding of its products
        sizes = {"strides": 2, "padding": "same"}
        ends = L.Conv2D(8, 3, activation="relu", **sizes), L.Conv2DTranspose(1, 3, activation="sigmoid", **sizes)
        return keras.Sequential([keras.Input((16, 16, 1)), *ends])
    if name == "dense":
        return keras.Sequential([keras.Input((10,)), L.Dense(16, activation="relu"), L.Dense(3)])
    if name == "loop":  # on which TensorFlow's own calibration crashes
        return keras.Sequential([keras.Input((12, 4)), L.LSTM(8), L.Dense(3)])
    x = whole = keras.Input((16, 32))
    x = L.LayerNormalization()(x + L.MultiHeadAttention(4, 8)(x, x))
    return keras.Model(whole, L.LayerNormalization()(x + L.Dense(32)(L.Dense(64, activation="gelu")(x))))


PAIRS = [
    ("block", "fp16"),
    ("block", "int16x8"),
    ("autoencoder", "int8"),
    ("dense", "int16x8"),  # its result is a conversion from integers, and has a dynamic axis all the same
    ("loop", "int8"),
]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_the_error_is_that_of_the_rounding(tmp_path, name, kind):
    if "int" in kind:
        pytest.importorskip("ai_edge_quantizer")
    model = build(name)
    static = "batch_size" if name == "loop" else None
    artifact = dummyio.export(model, tmp_path / "model.tflite", quantize=kind, static=static, prove="off")
    precision = artifact.spec.provenance[PRECISION]
    assert precision == {"fp16": "float16"}.get(kind, kind)
    assert f"quantize={kind!r}" in " ".join(artifact.notes)
    run, reference = dummyio.open_runner(artifact.path, artifact.spec), ModelRunner(model, artifact.spec)
    worst, allowed = 0.0, 0.0
    for sample in range(3):
        feeds = artifact.spec.feeds(sample=sample)
        results = [each.values() for each in (reference(feeds), reference.in_precision(feeds, precision), run(feeds))]
        for values, rounded, found in zip(*results, strict=True):
            allowed = max(allowed, 3 * np.abs(rounded - values).max())
            worst = max(worst, np.abs(found - values).max())
    assert 0 < worst <= allowed
    assert dummyio.validate(artifact.path, model).ok


def test_weights_and_activations_are_rounded_in_their_own_bits():
    """In a loop too, where the weights are arguments of its body."""
    model = build("loop")
    spec = dummyio.describe(model, prove="off")
    reference, feeds = ModelRunner(model, spec), spec.feeds()
    (exact,) = reference(feeds).values()
    errors = {
        kind: float(np.abs(next(iter(reference.in_precision(feeds, kind).values())) - exact).max())
        for kind in ("float16", "bfloat16", "int8", "int16x8")
    }
    assert 0 < errors["float16"] < errors["bfloat16"]
    assert errors["float16"] < errors["int16x8"] < errors["int8"]


def test_a_model_without_products_is_not_called_quantized(tmp_path):
    pytest.importorskip("ai_edge_quantizer")

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
    def double(x):
        return x * 2.0

    with pytest.raises(ExportError, match="for products and convolutions, and the model has none"):
        dummyio.export(double, tmp_path / "model.tflite", quantize="int16x8")


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
    with pytest.raises(NotInstalledError, match=r"needs ai_edge_quantizer.*dummyio\[quantize\]"):
        quantize_products.quantize_products(b"", [], 8)
    with pytest.raises(OptionError, match="int8_io=True is for quantize='int8' only"):
        dummyio.export(build("loop"), tmp_path / "model.tflite", quantize="int16x8", int8_io=True)
