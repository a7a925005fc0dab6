import gc

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper

from dummyio.errors import DTypeError, OptionError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Uniform
from dummyio.testing.backend_conformance import BackendConformance, same_bits
from dummyio_onnx import BACKEND, DTYPE_MAPPER, from_native, to_native
from dummyio_onnx.dtypes import ONNX_TYPES
from dummyio_onnx.tensors import run_with_ort_values, session_feeds

BATCH, LENGTH = Dim("batch_size", 3), Dim("sequence_length", 5)
SMALL = [dtype for dtype in DTYPE_MAPPER if 0 < dtype.bits < 8 and dtype.kind != "float"]


class TestOnnx(BackendConformance):
    framework = "ort"
    imports = ("onnx", "onnxruntime")
    copies = False

    def shape_of(self, signature):
        axes = signature.type.tensor_type.shape.dim
        return tuple(axis.dim_param or axis.dim_value for axis in axes)

    def dtype_of(self, signature):
        return signature.type.tensor_type.elem_type


def test_dtypes_go_there_and_back():
    assert all(from_native(to_native(dtype)) is dtype for dtype in DTYPE_MAPPER)


def test_every_type_of_the_format_can_be_read():
    named = {number for name, number in TensorProto.DataType.items() if name != "UNDEFINED"}
    assert set(ONNX_TYPES.values()) == named
    assert from_native(TensorProto.COMPLEX64) is DType.COMPLEX64
    with pytest.raises(DTypeError, match="complex64"):
        to_native(DType.COMPLEX64)


def session(spec, nodes, outputs, opset=21, constants=()):
    graph = helper.make_graph(nodes, "graph", list(spec.abstract("ort").values()), outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


KINDS = [
    DType.BFLOAT16,
    *(d for d in DTYPE_MAPPER if d.startswith(("float8_e4m3", "float8_e5"))),
    DType.INT64,
    DType.BOOL,
    DType.STRING,
]


@pytest.mark.parametrize("sizes", [{}, {"batch_size": 1}, {"sequence_length": 1}])
def test_sessions_take_and_return_every_dtype(sizes):
    spec = InputSpec({f"in_{kind}": TensorSpec("", (BATCH, LENGTH), kind) for kind in KINDS})
    nodes = [helper.make_node("Identity", [f"in_{kind}"], [f"out_{kind}"]) for kind in KINDS]
    outputs = [helper.make_tensor_value_info(f"out_{kind}", to_native(DType(kind)), None) for kind in KINDS]
    running = session(spec, nodes, outputs)
    expected = spec.feeds(**sizes)
    for feeds in (expected, spec.generate("ort", **sizes)):
        found = run_with_ort_values(running, feeds)
        assert all(same_bits(found[f"out_{kind}"], expected[f"in_{kind}"]) for kind in KINDS)
        assert list(run_with_ort_values(running, feeds, ["out_bool"])) == ["out_bool"]


def test_session_run_takes_feeds():
    spec = InputSpec({name: TensorSpec("", (BATCH,), name) for name in ("bfloat16", "int64", "string")})
    nodes = [
        helper.make_node("Cast", ["bfloat16"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Identity", ["int64"], ["ids"]),
        helper.make_node("Identity", ["string"], ["text"]),
    ]
    kinds = {"wide": TensorProto.FLOAT, "ids": TensorProto.INT64, "text": TensorProto.STRING}
    running = session(spec, nodes, [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()])
    expected = spec.feeds()
    feeds = session_feeds(expected)
    assert feeds["int64"] is expected["int64"]
    wide, ids, text = running.run(None, feeds)
    assert wide.tolist() == expected["bfloat16"].astype(np.float32).tolist()
    assert ids.tolist() == expected["int64"].tolist()
    assert text.tolist() == expected["string"].tolist()


@pytest.mark.parametrize("dtype", SMALL, ids=str)
@pytest.mark.parametrize("count", [1, 2, 7, 16])
def test_small_integers_are_packed_as_the_runtime_reads_them(dtype, count):
    spec = InputSpec({"x": TensorSpec("x", (count,), dtype, Uniform(dtype.limits.min, dtype.limits.max + 1))})
    node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    try:
        running = session(spec, [node], [output], opset=21 if dtype.bits == 4 else 25)
    except Exception as error:  # noqa: BLE001 - every version has its own, and they share no base
        pytest.skip(f"this version has no kernel for {dtype}: {error}")
    found = run_with_ort_values(running, spec.generate("ort"))["y"]
    assert found.tolist() == spec.feeds()["x"].astype(np.float32).tolist()


def test_memory_is_shared_and_outlives_its_owners():
    values = np.arange(1 << 18, dtype=np.float32)
    tensor = BACKEND.from_numpy(values, DType.FLOAT32)
    assert tensor.data_ptr() == values.ctypes.data
    del values
    gc.collect()
    found = BACKEND.to_numpy(tensor)
    del tensor
    gc.collect()
    noise = [np.ones(1 << 18, np.float32) for _ in range(8)]
    assert found.tolist() == list(range(1 << 18))
    del noise


@pytest.mark.parametrize("dtype", [DType.BFLOAT16, DType.FLOAT8_E5M2])
def test_bits_are_shared_and_outlive_their_owner(dtype):
    values = np.ones(1 << 18, dtype.numpy)
    tensor = BACKEND.from_numpy(values, dtype)
    assert tensor.data_ptr() == values.ctypes.data
    del values
    gc.collect()
    noise = [np.zeros(1 << 18, dtype.numpy) for _ in range(8)]
    assert (BACKEND.to_numpy(tensor) == 1).all()
    del noise


def test_value_infos_declare_a_graph():
    spec = InputSpec({"x": {"ids": TensorSpec("", (BATCH, LENGTH + 1, 3), "int64")}})
    node = helper.make_node("Identity", ["x.ids"], ["y"])
    running = session(spec, [node], [helper.make_tensor_value_info("y", TensorProto.INT64, None)])
    assert [(i.name, i.type, i.shape) for i in running.get_inputs()] == [
        ("x.ids", "tensor(int64)", ["batch_size", "sequence_length + 1", 3])
    ]


def test_what_is_no_tensor_is_an_error():
    spec = InputSpec({"x": TensorSpec("x", (2,), "float32")})
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    running = session(spec, [helper.make_node("SequenceConstruct", ["x"], ["y"])], [helper.make_value_info("y", kind)])
    with pytest.raises(DTypeError, match="not a tensor"):
        run_with_ort_values(running, spec.generate("ort"))


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_devices_that_are_there(device):
    assert BACKEND.from_numpy(np.zeros(2, np.float32), DType.FLOAT32, device).device_name() == "cpu"


@pytest.mark.skipif(
    "CUDAExecutionProvider" in ort.get_available_providers(), reason="asks for a device that is not there"
)
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cpu:1", "cuda:x"])
def test_absent_devices(device):
    with pytest.raises(OptionError, match="use cpu"):
        BACKEND.from_numpy(np.zeros(2, np.float32), DType.FLOAT32, device)
