"""Runners: feeds by the spec's paths, checked before the runtime gets them."""

import ml_dtypes
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from tf_models import made

import dummyio
from dummyio import Dim, DType, InputSpec, TensorSpec
from dummyio.errors import OptionError, RunError, SourceError


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    model, spec = made("functional")
    found = {}
    for name in ("saved", "model.pb", "model.tflite"):
        if name.endswith("tflite"):
            try:
                import ai_edge_litert  # noqa: F401
            except ModuleNotFoundError:
                continue
        (folder / name).mkdir()
        found[name] = dummyio.export(model, folder / name / name, spec=spec)
    return found


@pytest.fixture(params=["saved", "model.pb", "model.tflite"])
def opened(request, files):
    if request.param not in files:
        pytest.skip("LiteRT is not installed")
    artifact = files[request.param]
    return dummyio.open_runner(artifact.path, artifact.spec), artifact.spec


def test_declared_ports_are_the_specs(opened):
    runner, spec = opened
    assert [port.name for port in runner.inputs] == [path for path, _ in spec.leaves]
    assert all(port.shape == (None, None) and port.dtype is DType.INT32 for port in runner.inputs)
    assert [port.name for port in runner.outputs] == [output.name for output in spec.outputs]
    assert runner.outputs[1].shape[-1] == 16
    assert any(name in runner.engine for name in ("tensorflow 2", "ai-edge-litert 2"))


def test_feeds_that_do_not_fit(opened):
    runner, spec = opened
    feeds = spec.feeds()
    with pytest.raises(RunError, match="no feed for padding_mask"):
        runner({"token_ids": feeds["token_ids"]})
    with pytest.raises(RunError, match="token_ids"):
        runner({**feeds, "token_idz": feeds["token_ids"]})
    with pytest.raises(RunError, match="int64"):
        runner({**feeds, "token_ids": feeds["token_ids"].astype(np.int64)})
    with pytest.raises(RunError, match=r"\[\?, \?\]"):
        runner({**feeds, "token_ids": feeds["token_ids"][0]})
    assert list(runner(feeds))


def test_feeds_may_be_read_only_and_results_are_copies(opened):
    runner, spec = opened
    feeds = spec.feeds()
    for values in feeds.values():
        values.flags.writeable = False
    first = runner(feeds)
    kept = {name: values.copy() for name, values in first.items()}
    runner(spec.feeds(sample=1, batch_size=5, sequence_length=9))
    for name, values in first.items():
        np.testing.assert_array_equal(values, kept[name])


def test_a_fixed_size_is_kept(tmp_path):
    """Without this check, the interpreter takes any shape and returns numbers for it."""
    pytest.importorskip("ai_edge_litert")
    model, spec = made("sequential")
    artifact = dummyio.export(model, tmp_path / "model.tflite", spec=spec)
    runner = dummyio.open_runner(artifact.path, artifact.spec)
    with pytest.raises(RunError, match=r"\[\?, 12, 12, 4\]"):
        runner({"inputs": np.zeros((2, 13, 12, 4), np.float32)})


def test_a_truncated_file(files, tmp_path):
    for name in files:
        source = files[name].path
        place = tmp_path / name
        if source.is_dir():
            place.mkdir()
            (place / "saved_model.pb").write_bytes((source / "saved_model.pb").read_bytes()[:-500])
        else:
            place.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
        with pytest.raises((SourceError, RunError)):
            dummyio.open_runner(place, files[name].spec)(files[name].spec.feeds())


def test_another_spec_is_refused(files):
    other = InputSpec({"x": TensorSpec("x", (2, 3))})
    for artifact in files.values():
        with pytest.raises(SourceError, match="token_ids"):
            dummyio.open_runner(artifact.path, other)


def test_engines(files):
    with pytest.raises(OptionError, match="one engine"):
        dummyio.open_runner(files["saved"].path, engine="flex")


def test_models_in_memory():
    model, spec = made("module")
    runner = dummyio.open_runner(model)  # it is described first
    assert list(runner(spec.feeds())) == ["output_0", "output_1.rows"]
    assert runner.inputs is None
    with pytest.raises(RunError, match=r"inputs\.zz"):
        runner({**spec.feeds(), "inputs.zz": np.zeros(2)})
    with pytest.raises(RunError, match="float64"):
        runner({**spec.feeds(), "scale": np.zeros((), np.float64)})
    with pytest.raises(RunError, match="failed"):
        runner({**spec.feeds(), "inputs.a": np.zeros((3, 5), np.float32)})


def test_positional_arguments_and_plain_functions():
    spec = InputSpec({"a": TensorSpec("a", (2,)), "b": TensorSpec("b", (2,))})

    def difference(left, right):
        return left - right

    function = tf.function(difference)
    feeds = {"a": np.array([3, 4], np.float32), "b": np.array([1, 1], np.float32)}
    assert dummyio.open_runner(function, spec)(feeds)["output"].tolist() == [2, 3]
    three = InputSpec({**dict(spec), "c": TensorSpec("c", (2,))})
    with pytest.raises(SourceError, match="left, right"):
        dummyio.open_runner(function, three)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "int64", "uint8", "bool", "complex64"])
def test_dtypes_go_through(dtype, tmp_path):
    """Dtypes that NumPy does not have come back unchanged."""

    @tf.function
    def same(x):
        return {"y": tf.reverse(x, [0])}

    spec = InputSpec({"x": TensorSpec("x", (Dim("batch_size", 3), 2), dtype)})
    feeds = spec.feeds()
    routes = ["saved", "model.pb"]
    for route in routes:
        (tmp_path / route).mkdir()
        artifact = dummyio.export(same, tmp_path / route / route, spec=spec)
        results = dummyio.open_runner(artifact.path, artifact.spec)(feeds)
        assert results["y"].dtype == DType.of(dtype).numpy
        np.testing.assert_array_equal(results["y"], feeds["x"][::-1])


def test_bfloat16_in_tflite(tmp_path):
    pytest.importorskip("ai_edge_litert")

    @tf.function
    def same(x):
        return {"y": tf.reshape(x, [-1])}

    spec = InputSpec({"x": TensorSpec("x", (4, 2), "bfloat16")})
    artifact = dummyio.export(same, tmp_path / "model.tflite", spec=spec)
    results = dummyio.open_runner(artifact.path, artifact.spec)(spec.feeds())
    assert results["y"].dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(results["y"], spec.feeds()["x"].reshape(-1))


class Two(tf.Module):
    """Two functions of other inputs."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def encode(self, x):
        return x + 1

    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def decode(self, y):
        return y - 1


def test_the_spec_chooses_the_function_of_a_module(tmp_path):
    spec = dummyio.describe(Two(), signature="decode")
    feeds = spec.feeds()
    for target in (Two(), dummyio.export(Two(), tmp_path / "decode.pb", signature="decode").path):
        results = dummyio.open_runner(target, spec)(feeds)
        np.testing.assert_array_equal(results["output"], feeds["y"] - 1)


def test_keras_on_a_framework_without_a_backend_is_refused(monkeypatch):
    model, spec = made("sequential")
    monkeypatch.setattr(keras.config, "backend", lambda: "numpy")
    with pytest.raises(SourceError, match=r"Keras runs on 'numpy' here.*KERAS_BACKEND"):
        dummyio.describe(model)
    with pytest.raises(SourceError, match=r"Keras runs on 'numpy' here.*KERAS_BACKEND"):
        dummyio.open_runner(model, spec)


class Counter(tf.Module):
    """A model that counts its calls."""

    def __init__(self):
        super().__init__()
        self.count = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([1, 3], tf.float32, name="x")])
    def __call__(self, x):
        self.count.assign_add(1.0)
        return {"y": x + self.count}


def test_each_run_of_a_tflite_file_begins_with_its_first_state(tmp_path):
    model = Counter()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([model.__call__.get_concrete_function()], model)
    converter.experimental_enable_resource_variables = True
    (tmp_path / "model.tflite").write_bytes(converter.convert())
    spec = dummyio.describe(tmp_path / "model.tflite")
    run, feeds = dummyio.open_runner(tmp_path / "model.tflite", spec), spec.feeds()
    for _ in range(3):
        np.testing.assert_array_equal(run(feeds)["y"], feeds["x"] + 1)
    assert dummyio.validate(tmp_path / "model.tflite", reference=tmp_path / "model.tflite").ok
