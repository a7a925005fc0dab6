"""The precision that Keras references compute in, and its part in a validation."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras

import dummyio
from dummyio.spec.dtypes import DType
from dummyio_tensorflow.running.model_runner import ModelRunner

pytestmark = pytest.mark.slow


def build(policy="float32"):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), name="image")
    inner = keras.Sequential(
        [keras.layers.Conv2D(8, 3, activation="relu", dtype=policy), keras.layers.BatchNormalization()]
    )
    found = keras.layers.GlobalAveragePooling2D()(inner(image))
    return keras.Model(image, keras.layers.Dense(4, dtype="float32")(found))


def test_a_copy_in_double_precision_has_the_same_results_and_less_rounding():
    model = build()
    runner = ModelRunner(model, dummyio.describe(model))
    feeds = dummyio.describe(model).feeds()
    (found,), (precise,) = runner(feeds).values(), runner.in_double(feeds).values()
    assert precise.dtype == np.float64
    assert 0 < np.abs(found - precise).max() < 1e-5
    assert runner.computes_in is None
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


@pytest.mark.usefixtures("onnx_packages")
def test_a_mixed_policy_is_judged_by_what_it_computes_in(tmp_path):
    model = build("mixed_float16")
    assert ModelRunner(model, dummyio.describe(model)).computes_in is DType.FLOAT16
    artifact = dummyio.export(model, tmp_path / "model.onnx")
    report = dummyio.validate(artifact.path, model)
    assert report.ok
    assert next(iter(report.tolerances.values())).of_scale > 1e-4
