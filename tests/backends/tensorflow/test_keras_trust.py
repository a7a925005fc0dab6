"""Keras files that run code or read other files when they are loaded."""

import json
import zipfile

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")

from dummyio.errors import SourceError, TrustError
from dummyio.running.load_model import load_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, with NumPy 2

LAYERS = keras.layers


def small(*layers):
    return keras.Sequential([keras.Input((4,)), *layers, LAYERS.Dense(2)])


def edit(source, target, change):
    """Write a ``.keras`` file with another configuration."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                tree = json.loads(content)
                change(tree["config"]["layers"])
                content = json.dumps(tree).encode()
            new.writestr(name, content)
    return target


def refuse(path, found):
    with pytest.raises(TrustError, match=f"{found}.*trust=True, or --trust"):
        load_model(str(path))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_lambda_runs_only_if_trusted(suffix, nested, tmp_path):
    marker, path = tmp_path / "marker", tmp_path / f"model{suffix}"
    code = f"lambda x: (x, __import__('pathlib').Path({str(marker)!r}).touch())[0]"
    layer = LAYERS.Lambda(eval(code))
    small(keras.Sequential([keras.Input((4,)), layer]) if nested else layer).save(path)
    marker.unlink()
    refuse(path, "Python code of a Lambda")
    assert not marker.exists()
    load_model(str(path), trust=True)
    assert marker.exists()


OBJECTS = {
    "os.system": {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
    "builtins of a module": {"module": "builtins.x", "class_name": "eval", "config": {}, "registered_name": None},
    "a download": {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "file:///etc"}, "registered_name": None},
    "a download by a dotted name": {"module": "keras", "class_name": "utils.get_file", "config": {}, "registered_name": None},
    "another file": {"module": "keras.models", "class_name": "load_model", "config": {"filepath": "x"}, "registered_name": None},
    "a SavedModel": {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}, "registered_name": None},
    "a pickle": {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "x"}, "registered_name": None},
    "a function by its name": {"class_name": "deserialize", "config": {}},
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_that_do_more_than_compute(name, tmp_path):
    small().save(tmp_path / "sound.keras")
    path = edit(tmp_path / "sound.keras", tmp_path / "model.keras", lambda layers: layers.append(OBJECTS[name]))
    refuse(path, "the object|a layer")


def test_vocabularies_in_files(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")
    lookup = LAYERS.StringLookup(vocabulary=["a", "b"])
    keras.Sequential([keras.Input((2,), dtype="string"), lookup]).save(tmp_path / "sound.keras")
    load_model(str(tmp_path / "sound.keras"))
    path = edit(
        tmp_path / "sound.keras",
        tmp_path / "model.keras",
        lambda layers: layers[1]["config"].update(vocabulary=str(words)),
    )
    refuse(path, "a vocabulary in the file")


def test_weights_in_other_files(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["values"] = np.ones(3)
    for kind in ("link", "values"):
        path = tmp_path / f"{kind}.h5"
        small().save(path)
        with h5py.File(path, "a") as file:
            if kind == "link":
                file["model_weights/more"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/values")
            else:
                file.create_dataset("more", (4,), "u1", external=[(str(tmp_path / "raw"), 0, 4)])
        refuse(path, f"{'a link to' if kind == 'link' else 'values in'} the file")


@keras.saving.register_keras_serializable("dummyio_test")
class Doubled(LAYERS.Layer):
    def call(self, x):
        return x * 2


SOUND = {
    "activations": lambda: small(LAYERS.Activation("gelu"), LAYERS.LeakyReLU(), LAYERS.Dense(3, activation=keras.activations.silu)),
    "options": lambda: small(LAYERS.Dense(3, kernel_initializer="he_normal", kernel_regularizer="l2", dtype="mixed_float16")),
    "state": lambda: small(LAYERS.Normalization(mean=0.0, variance=1.0), LAYERS.BatchNormalization(), LAYERS.Dropout(0.5, seed=1)),
    "recurrent": lambda: keras.Sequential(
        [keras.Input((None, 4)), LAYERS.Bidirectional(LAYERS.LSTM(3, return_sequences=True)), LAYERS.TimeDistributed(LAYERS.Dense(2))]
    ),
    "words": lambda: keras.Sequential([keras.Input((2,), dtype="string"), LAYERS.StringLookup(vocabulary=["a"]), LAYERS.Embedding(4, 2)]),
    "registered": lambda: small(Doubled()),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", SOUND)
def test_sound_files_need_no_trust(name, suffix, tmp_path):
    model = SOUND[name]()
    model.save(tmp_path / f"model{suffix}")
    loaded, _ = load_model(str(tmp_path / f"model{suffix}"))
    assert loaded.count_params() == model.count_params()


@pytest.mark.filterwarnings("ignore:The object being serialized:UserWarning")
def test_operations_of_keras_and_training_need_no_trust(tmp_path):
    x = keras.Input((4,))
    model = keras.Model(x, keras.ops.relu(x) + x[:, :1])
    model.compile("adam", loss=lambda true, found: found)  # what it was trained with is not loaded
    model.save(tmp_path / "model.keras")
    loaded, _ = load_model(str(tmp_path / "model.keras"))
    assert loaded.count_params() == 0


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_damaged_files(suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    small().save(path)
    content = path.read_bytes()
    for damaged in (
        content[: len(content) // 2],
        b"",
        b"PK\x03\x04" + content[4:99],
        content.replace(b"class_name", b"glass_name"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(SourceError, match=rf"model\{suffix}"):
            load_model(str(path))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_shapes_that_the_file_has_no_values_for(suffix, tmp_path):
    """A compressed dataset without values declares 4 GiB in a few bytes."""
    path, weights = tmp_path / f"model{suffix}", tmp_path / "weights.h5"
    small().save(path)
    inner = path
    if suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        weights.write_bytes(members["model.weights.h5"])
        inner = weights
    with h5py.File(inner, "a") as file:
        found = []
        file.visititems(lambda name, one: found.append(name) if getattr(one, "ndim", 0) == 2 else None)
        assert found
        for name in found:
            del file[name]
            file.create_dataset(name, (1 << 20, 1 << 10), "float32", chunks=(1024, 1024), compression="gzip")
    if suffix == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**members, "model.weights.h5": weights.read_bytes()}.items():
                archive.writestr(name, content)
    with pytest.raises(SourceError, match="its weights take 4294967304 bytes"):
        load_model(str(path))


@pytest.mark.parametrize("trust", [False, True])
def test_layers_larger_than_the_weights_of_the_file(trust, tmp_path):
    small().save(tmp_path / "sound.keras")
    path = edit(
        tmp_path / "sound.keras", tmp_path / "model.keras", lambda layers: layers[1]["config"].update(units=400_000_000)
    )
    with pytest.raises(SourceError, match="its configuration makes weights of 6400000000 bytes"):
        load_model(str(path), trust=trust)


def test_large_sound_weights_are_loaded(tmp_path):
    model = small(LAYERS.Embedding(1 << 20, 20))  # 80 MiB
    model.save(tmp_path / "model.keras")
    assert load_model(str(tmp_path / "model.keras"))[0].count_params() == model.count_params()
