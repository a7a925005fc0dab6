"""Every format with every kind of model: the artifact returns the same values as the model, at other sizes too."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from tf_models import compare, functional, made, module

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.errors import ExportError, OptionError
from dummyio.spec.values import TokenIds

pytestmark = pytest.mark.slow

NAMES = ["module", "subclassed", "functional", "sequential"]


@pytest.fixture(scope="module")
def models():
    return {name: made(name) for name in NAMES}


@pytest.fixture(scope="module")
def references(models):
    return {name: dummyio.open_runner(model, spec) for name, (model, spec) in models.items()}


def exported(models, name, path, **options):
    model, spec = models[name]
    return dummyio.export(model, path, spec=spec, **options)


@pytest.mark.parametrize("file", ["saved", "model.pb"])
@pytest.mark.parametrize("name", NAMES)
def test_frozen_graphs_are_exact(models, references, name, file, tmp_path):
    artifact = exported(models, name, tmp_path / file)
    compare(references[name], dummyio.open_runner(artifact.path, artifact.spec), artifact.spec, 1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_tflite(models, references, name, tmp_path):
    pytest.importorskip("ai_edge_litert")
    artifact = exported(models, name, tmp_path / "model.tflite")
    compare(references[name], dummyio.open_runner(artifact.path, artifact.spec), artifact.spec, 1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_onnx(models, references, name, tmp_path):
    """GELU needs the handler for Erfc, and the grouped convolution must not be compiled: else the file loads nowhere."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnx_ir")
    before = keras.src.backend.tensorflow.nn.tf
    artifact = exported(models, name, tmp_path / "model.onnx")
    assert keras.src.backend.tensorflow.nn.tf is before
    compare(references[name], dummyio.open_runner(artifact.path, artifact.spec), artifact.spec, 1e-5)
    graph = onnx.load(artifact.path).graph
    assert [value.name for value in graph.input] == [path for path, _ in artifact.spec.leaves]
    first = graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in first] == [
        str(size) if isinstance(size, Dim) else size for size in artifact.spec.leaves[0][1].shape
    ]
    assert not [dim for value in graph.output for dim in value.type.tensor_type.shape.dim if "unk" in dim.dim_param]


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [({"quantize": "float16"}, 5e-3), ({"quantize": "dynamic"}, 5e-2), ({"quantize": "int8"}, 0.5)],
    ids=["float16", "dynamic", "int8"],
)
def test_quantized(models, references, options, tolerance, tmp_path):
    pytest.importorskip("ai_edge_litert")
    if "int8" in options.values():
        pytest.importorskip("ai_edge_quantizer")
    artifact = exported(models, "functional", tmp_path / "model.tflite", **options)
    assert options["quantize"] in artifact.notes[0]
    compare(references["functional"], dummyio.open_runner(artifact.path, artifact.spec), artifact.spec, tolerance)


def test_calibration_goes_by_name(tmp_path):
    """A list would be taken in the order of the alphabet: here the ranges of the two inputs would be exchanged."""
    pytest.importorskip("ai_edge_litert")

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="z"), tf.TensorSpec([None, 4], name="a")])
    def model(z, a):
        return {"wide": z * 2.0, "narrow": a * 2.0}

    batch = Dim("batch_size", 2)
    spec = InputSpec(
        {
            "z": TensorSpec("z", (batch, 4), values=dummyio.values.Uniform(0, 1000)),
            "a": TensorSpec("a", (batch, 4), values=dummyio.values.Uniform(0, 1)),
        }
    )
    artifact = dummyio.export(model, tmp_path / "m.tflite", spec=spec, quantize="int8", int8_io=True)
    feeds = spec.feeds()
    runner = dummyio.open_runner(artifact.path, artifact.spec)
    results = runner(feeds)
    np.testing.assert_allclose(results["narrow"], feeds["a"] * 2, atol=0.05)
    np.testing.assert_allclose(results["wide"], feeds["z"] * 2, atol=50)
    raw = dummyio.open_runner(artifact.path)
    assert {port.dtype for port in raw.inputs} == {dummyio.DType.INT8}
    assert dummyio.describe(artifact.path)["z"].dtype is dummyio.DType.INT8


def test_sizes_that_do_not_lower_are_named_and_can_be_fixed(tmp_path):
    """TFLite cannot cut at a dynamic size and add an axis at once; the converter would offer an operation that loads nowhere."""
    pytest.importorskip("ai_edge_litert")

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])
    def model(x):
        return x[:, : tf.shape(x)[1], None] * tf.range(4, dtype=tf.float32)

    with pytest.raises(ExportError, match=r"StridedSlice.*static="):
        dummyio.export(model, tmp_path / "free.tflite")
    artifact = dummyio.export(model, tmp_path / "fixed.tflite", static="all_but_batch", sequence_length=7)
    assert artifact.spec.dims["sequence_length"].fixed
    assert not artifact.spec.dims["batch_size"].fixed
    assert "sequence_length=7" in artifact.notes[0]
    compare(
        dummyio.open_runner(model, artifact.spec), dummyio.open_runner(artifact.path, artifact.spec), artifact.spec, 0
    )
    bucketed = dummyio.export(model, tmp_path / "some.tflite", buckets={"sequence_length": (5, 9)})
    assert bucketed.spec.dims["sequence_length"].choices == (5, 9)
    compare(
        dummyio.open_runner(model, bucketed.spec), dummyio.open_runner(bucketed.path, bucketed.spec), bucketed.spec, 0
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"static": "sequence_lenght"}, "sequence_length"),
        ({"static": ["batch_size", "nothing"]}, "nothing"),
        ({"buckets": {"a": (1,), "b": (2,)}}, "one dim"),
        ({"buckets": {"length": (1,)}}, "sequence_length"),
        ({"quantize": "int4"}, "int8"),
        ({"int8_io": True}, "int8"),
        ({"calibration_samples": 0, "quantize": "int8"}, "at least 1"),
        ({"quantise": "int8"}, "quantize"),
    ],
)
def test_invalid_options(models, options, reason, tmp_path):
    with pytest.raises(OptionError, match=reason):
        exported(models, "functional", tmp_path / "model.tflite", **options)
    assert list(tmp_path.iterdir()) == []


def test_operations_that_tf2onnx_lacks_are_named(tmp_path):
    """It only logs them, and returns a model that loads nowhere."""
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnx_ir")

    @tf.function(input_signature=[tf.TensorSpec([None, 8], tf.float32, name="x")])
    def model(x):
        return tf.abs(tf.signal.fft(tf.cast(x, tf.complex64)))

    with pytest.raises(ExportError, match="FFT"):
        dummyio.export(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_bfloat16_does_not_become_float16(tmp_path):
    pytest.importorskip("tf2onnx")

    @tf.function(input_signature=[tf.TensorSpec([None, 8], tf.float32, name="x")])
    def model(x):
        return tf.cast(tf.cast(x, tf.bfloat16) * 2, tf.float32)

    with pytest.raises(ExportError, match="bfloat16"):
        dummyio.export(model, tmp_path / "model.onnx")


@pytest.mark.parametrize("opset", [8, 19])
def test_opsets_that_tf2onnx_does_not_write(models, opset, tmp_path):
    with pytest.raises(OptionError, match="9 to 18"):
        exported(models, "module", tmp_path / "model.onnx", opset=opset)


def test_a_file_that_would_read_variables_is_refused(tmp_path):
    """A Keras model with its variables converts and loads, and then returns noise."""
    pytest.importorskip("ai_edge_litert")
    from dummyio_tensorflow.calling.silence import silence_output
    from dummyio_tensorflow.exporting.export_tflite import _check_operators

    model = functional()
    specs = {name: tf.TensorSpec(value.shape, value.dtype, name=name) for name, value in model.input.items()}
    with silence_output():
        concrete = tf.function(model).get_concrete_function(specs)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
        (tmp_path / "model.tflite").write_bytes(converter.convert())
    with pytest.raises(ExportError, match=r"VARIABLE|VAR_HANDLE"):
        _check_operators(tmp_path / "model.tflite")


def test_state_cannot_be_frozen(tmp_path):
    class Counting(tf.Module):
        def __init__(self):
            super().__init__()
            self.count = tf.Variable(0.0)

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def __call__(self, x):
            return x + self.count.assign_add(1.0)

    with pytest.raises(ExportError, match="state"):
        dummyio.export(Counting(), tmp_path / "model.pb")


QUIET = """
import sys
from importlib.util import find_spec
from pathlib import Path
sys.path.append(sys.argv[1])
from tf_models import module
import dummyio
model = module()
for file in sys.argv[3:]:
    dummyio.export(model, f"{sys.argv[2]}/{file.split('.')[-1]}/{file}")
    dummyio.open_runner(f"{sys.argv[2]}/{file.split('.')[-1]}/{file}")
"""


def test_converters_print_nothing(tmp_path):
    files = ["saved", "model.pb"]
    files += ["model.tflite"] if find_spec("ai_edge_litert") else []
    files += ["model.onnx"] if find_spec("tf2onnx") and find_spec("onnxruntime") else []
    for file in files:
        (tmp_path / file.rsplit(".", maxsplit=1)[-1]).mkdir()
    beside = str(Path(__file__).parents[2] / "models")
    command = [sys.executable, "-c", QUIET, beside, str(tmp_path), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    # TensorFlow itself prints lines about the machine when it starts, before it can be silenced.
    start = re.compile(r"absl::InitializeLog|port\.cc|cuda|cpu_feature_guard|To enable the following")
    assert [line for line in done.stderr.splitlines() if not start.search(line)] == []


def test_names_with_dots_and_their_order_survive(tmp_path):
    @tf.function
    def model(past, ids):
        return {"z": past[0]["key"] + 1.0, "past": [{"key": past[0]["key"] * 2.0}], "a": ids}

    batch = Dim("batch_size", 2)
    spec = InputSpec(
        {"past": [{"key": TensorSpec("", (batch, 3))}], "ids": TensorSpec("ids", (batch,), "int64", TokenIds(5))}
    )
    reference = dummyio.open_runner(model, spec)
    for file in ("saved", "model.pb"):
        (tmp_path / file).mkdir()
        artifact = dummyio.export(model, tmp_path / file / file, spec=spec)
        assert [output.name for output in artifact.spec.outputs] == ["z", "past.0.key", "a"]
        compare(reference, dummyio.open_runner(artifact.path, artifact.spec), artifact.spec, 0)


def test_a_model_that_does_not_take_its_spec(tmp_path):
    batch = Dim("batch_size", 2)
    spec = InputSpec(
        {
            "inputs": {"z": TensorSpec("z", (batch, 3)), "a": TensorSpec("a", (batch, 4))},
            "scale": TensorSpec("scale", ()),
        }
    )
    with pytest.raises(ExportError, match="does not trace"):
        dummyio.export(module(), tmp_path / "model.pb", spec=spec)


@pytest.mark.parametrize("file", ["model.pb", "model.onnx"])
def test_an_output_with_an_inputs_name(file, tmp_path):
    if file.endswith("onnx"):
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnx_ir")

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="cache")])
    def model(cache):
        return {"cache": cache + 1}

    with pytest.raises(ExportError, match="new_cache"):
        dummyio.export(model, tmp_path / file)


def test_a_converter_that_ends_the_process_ends_its_own(models, monkeypatch, tmp_path):
    """Calibration does so on some models, by a segmentation fault."""
    pytest.importorskip("ai_edge_litert")
    from dummyio_tensorflow.exporting import calibration_worker as tflite_worker

    crash = tmp_path / "crash.sh"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    monkeypatch.setattr(tflite_worker.sys, "executable", str(crash))
    with pytest.raises(ExportError, match="signal 11"):
        exported(models, "module", tmp_path / "model.tflite", quantize="int8", int8_io=True)
    assert [path.name for path in tmp_path.iterdir()] == ["crash.sh"]
