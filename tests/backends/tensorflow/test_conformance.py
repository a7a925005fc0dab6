import subprocess
import sys

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from dummyio.errors import DTypeError, OptionError
from dummyio.input_spec import InputSpec
from dummyio.running.signatures import argument_names
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.testing.backend_conformance import BackendConformance
from dummyio_tensorflow import BACKEND, DTYPE_MAPPER, from_native, to_native

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 5)


class TestTensorflow(BackendConformance):
    framework = "tf"
    imports = ("tensorflow", "keras", "jax")  # TensorFlow imports Keras, and Keras imports what it finds


def test_dtypes_survive_the_round_trip():
    assert all(from_native(to_native(dtype)) is dtype for dtype in DTYPE_MAPPER)
    with pytest.raises(DTypeError, match="qint8"):
        from_native(tf.qint8)


UNALIGNED = """
import numpy as np, tensorflow as tf
from dummyio.spec.dtypes import DType
from dummyio_tensorflow import BACKEND
for offset in (0, 1, 4, 16, 60):
    raw = np.zeros((1 << 22) + 128, np.uint8)
    values = raw[offset : offset + (1 << 22)].view(np.float32)
    assert float(tf.reduce_sum(BACKEND.from_numpy(values, DType.FLOAT32) + 1)) == 1 << 20
"""


@pytest.mark.slow
def test_unaligned_arrays_do_not_end_the_process():
    done = subprocess.run([sys.executable, "-c", UNALIGNED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_bytes_that_are_not_utf8_survive():
    values = BACKEND.to_numpy(tf.constant([b"\xff\x00", "é".encode()]))
    assert values.tolist() == ["\udcff\0", "é"]
    assert values[0].encode("utf-8", "surrogateescape") == b"\xff\x00"


@pytest.mark.parametrize("device", ["cpu", "CPU:0", "/device:CPU:0", "/job:localhost/replica:0/task:0/device:CPU:0"])
def test_present_devices(device):
    assert BACKEND.from_numpy(np.zeros(2, np.float32), DType.FLOAT32, device).device.endswith("device:CPU:0")


@pytest.mark.parametrize("device", ["CPU:9", "TPU", "cuda:0", "", ["CPU"]])
def test_an_absent_device_is_not_replaced(device):
    with pytest.raises(OptionError, match="use one of /device:CPU:0"):
        BACKEND.from_numpy(np.zeros(2, np.float32), DType.FLOAT32, device)


def test_signatures_drive_a_function_and_a_saved_model(tmp_path):
    spec = InputSpec(
        {
            "ids": TensorSpec("", (BATCH, LENGTH), "int32"),
            "past": [({"key": TensorSpec("", (BATCH, LENGTH + 1), "float32")}, TensorSpec("", (BATCH,), "float32"))],
        }
    )
    seen = spec.abstract("tf")
    assert seen["ids"] == tf.TensorSpec((None, None), tf.int32, "ids")
    assert seen["past"][0][0]["key"].name == "past_0_0_key"

    @tf.function(input_signature=[seen["ids"], seen["past"]])
    def total(ids, past):
        return {"total": tf.reduce_sum(past[0][0]["key"]) + tf.cast(tf.reduce_sum(ids), tf.float32)}

    for sizes in ({}, {"batch_size": 3, "sequence_length": 9}):
        assert total(*spec.generate("tf", **sizes).values())["total"].shape == ()
    assert total.experimental_get_tracing_count() == 1
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures={"serving_default": total.get_concrete_function()})
    _, arguments = tf.saved_model.load(str(tmp_path)).signatures["serving_default"].structured_input_signature
    assert set(arguments) == set(argument_names(path for path, _ in spec.leaves).values())


def test_argument_names_are_valid_and_differ():
    names = argument_names(["a.b", "a_b", "1x", "a b", "_y", "é"])
    assert names == {"a.b": "a_b", "a_b": "a_b_1", "1x": "arg_1x", "a b": "a_b_2", "_y": "arg__y", "é": "arg__"}


def test_sizes_that_cannot_change_are_ints():
    side = Dim("side", 8, choices=(8,))
    shape = BACKEND.abstract({"x": TensorSpec("x", (BATCH, side, side * 2, side + LENGTH, 3), "float32")})["x"].shape
    assert shape.as_list() == [None, 8, 16, None, 3]
