"""Functions as people write them, and modules with several: Python defaults, signatures, loaded SavedModels."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import dummyio
from dummyio.errors import ExportError, SourceError
from dummyio.spec.values import Choices

ONES = {"x": np.ones((2, 5), np.float32)}
ROW = tf.TensorSpec([None, 5], name="x")


class Two(tf.Module):
    """A module with two functions of the same input."""

    @tf.function(input_signature=[ROW])
    def __call__(self, x):
        return {"y": x}

    @tf.function(input_signature=[ROW])
    def features(self, x):
        return {"y": 100 * x}


def first(path, spec=None):
    return float(dummyio.open_runner(path, spec)(ONES)["y"][0, 0])


def test_python_defaults_are_part_of_the_function(tmp_path):
    @tf.function(input_signature=[ROW])
    def net(x, training=False, scale=2.0, mask=None):  # noqa: FBT002 - as people write it
        return tf.nn.dropout(x, 0.5) if training else x * scale

    assert list(dummyio.describe(net)) == ["x"]
    artifact = dummyio.export(net, tmp_path / "net.pb")
    assert dummyio.validate(artifact.path, net).ok


@pytest.mark.parametrize("name", ["net.pb", "net"])
def test_a_signature_that_is_asked_for_is_written(tmp_path, name):
    module = Two()
    artifact = dummyio.export(module, tmp_path / name, signature="features")
    assert next(iter(dummyio.open_runner(artifact.path)(ONES).values()))[0, 0] == 100
    assert dummyio.validate(artifact.path, module).ok
    assert not dummyio.validate(artifact.path, module.__call__).ok


def test_a_file_runs_the_signature_of_its_spec(tmp_path):
    module = Two()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"a": module.__call__, "b": module.features})
    for signature, expected in (("a", 1), ("b", 100)):
        assert first(tmp_path / "saved", dummyio.describe(tmp_path / "saved", signature=signature)) == expected


def test_a_loaded_saved_model_is_a_source(tmp_path):
    module = Two()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.features)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    artifact = dummyio.export(loaded, tmp_path / "again.pb")
    assert first(artifact.path) == 100
    with pytest.raises(
        ExportError, match=r"is an artifact, and `export` takes a model: load it first, with tf.saved_model.load"
    ):
        dummyio.export(str(tmp_path / "saved"), tmp_path / "other.pb")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore")
def test_a_file_of_keras_is_a_source(tmp_path, suffix):
    keras = pytest.importorskip("keras")
    x = keras.Input((8,), name="x")
    model = keras.Model(x, keras.layers.Dense(4)(x))
    model.save(tmp_path / f"model{suffix}")
    described = dummyio.describe(tmp_path / f"model{suffix}")
    assert [path for path, _ in described.leaves] == ["x"]
    artifact = dummyio.export(tmp_path / f"model{suffix}", tmp_path / "model.pb")
    assert dummyio.validate(artifact.path, model).ok
    (tmp_path / f"bad{suffix}").write_bytes(b"no model")
    for use in (dummyio.describe, lambda path: dummyio.export(path, tmp_path / "other.pb")):
        with pytest.raises(SourceError, match=r"bad\.\w+: "):
            use(tmp_path / f"bad{suffix}")


def test_words_are_those_of_the_vocabulary_and_one_outside(tmp_path):
    keras = pytest.importorskip("keras")
    words, numbers = keras.Input((1,), dtype="string", name="words"), keras.Input((1,), dtype="int64", name="numbers")
    looked = keras.layers.StringLookup(vocabulary=["red", "blue"])(words)
    counted = keras.layers.IntegerLookup(vocabulary=[12, 36], num_oov_indices=0)(numbers)
    model = keras.Model([words, numbers], keras.layers.Embedding(5, 2)(keras.layers.Concatenate()([looked, counted])))
    spec = dummyio.describe(model)
    assert spec["words"].values == Choices(("red", "blue", "unknown word"))
    assert spec["numbers"].values == Choices((12, 36))
    with pytest.raises(ExportError, match=r"looks words or numbers up in a table .* export a SavedModel"):
        dummyio.export(model, tmp_path / "model.onnx", spec=spec)
    assert not list(tmp_path.iterdir())
