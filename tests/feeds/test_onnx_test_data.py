import os
import sys

import numpy as np
import pytest

from dummyio.errors import DTypeError, NotInstalledError, OutputError, SourceError
from dummyio.feeds import onnx_test_data as onnx_data
from dummyio.spec.dtypes import DType

onnx = pytest.importorskip("onnx")


def _array(dtype):
    if dtype is DType.STRING:
        return np.array([["a", "δ", ""]], object)
    values = np.arange(7) % 2 if dtype.kind != "float" else np.array([1, 0.5, 2, 1, 0.5, 4, 1])
    return values.astype(dtype.numpy).reshape(1, 7)


@pytest.mark.parametrize("dtype", sorted(onnx_data.DTYPES))
def test_every_dtype_comes_back_and_is_what_onnx_reads(tmp_path, dtype):
    array = _array(dtype)
    onnx_data.write({"x": array}, tmp_path / "set")
    np.testing.assert_array_equal(onnx_data.read(tmp_path / "set")["x"], array, strict=True)
    tensor = onnx.load_tensor(tmp_path / "set" / "input_0.pb")
    assert (tensor.name, tuple(tensor.dims)) == ("x", array.shape)
    assert onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type) == dtype.numpy


def test_dtypes_are_all_that_onnx_has():
    enum = onnx.TensorProto.DataType
    natives = {onnx.helper.tensor_dtype_to_np_dtype(number) for name, number in enum.items() if name != "UNDEFINED"}
    assert {dtype.numpy for dtype in onnx_data.DTYPES} == natives


def test_small_integers_are_packed_low_half_first(tmp_path):
    values = np.array([1, -2, 7], DType.INT4.numpy)
    onnx_data.write({"x": values}, tmp_path / "set")
    tensor = onnx.load_tensor(tmp_path / "set" / "input_0.pb")
    assert tensor.data_type == onnx.TensorProto.INT4
    assert tensor.raw_data == bytes([0xE1, 0x07])


def test_files_are_in_the_models_order(tmp_path):
    arrays = {f"x{place}": np.full(2, place) for place in reversed(range(12))}
    onnx_data.write(arrays, tmp_path / "set")
    assert onnx.load_tensor(tmp_path / "set" / "input_0.pb").name == "x11"
    assert list(onnx_data.read(tmp_path / "set")) == list(arrays)


def test_onnxs_own_files_are_read(tmp_path):
    for place, tensor in enumerate(
        [
            onnx.helper.make_tensor("", onnx.TensorProto.BFLOAT16, [2], [1.0, 2.0]),
            onnx.helper.make_tensor("b", onnx.TensorProto.STRING, [1], [b"text"]),
        ]
    ):
        onnx.save_tensor(tensor, tmp_path / f"input_{place}.pb")
    (tmp_path / "output_0.pb").write_bytes(b"not read")
    loaded = onnx_data.read(tmp_path)
    np.testing.assert_array_equal(loaded["input_0"], np.array([1, 2], DType.BFLOAT16.numpy), strict=True)
    assert loaded["b"].tolist() == ["text"]


@pytest.mark.parametrize("dtype", sorted(set(DType) - onnx_data.DTYPES))
def test_dtypes_that_onnx_lacks(tmp_path, dtype):
    with pytest.raises(DTypeError, match="input 'x'"):
        onnx_data.write({"x": np.zeros(2, dtype.numpy)}, tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_tensors_over_the_limit_of_protobuf(tmp_path):
    huge = np.broadcast_to(np.zeros((), np.float32), (1 << 30,))
    with pytest.raises(OutputError, match="must be below 2 GiB"):
        onnx_data.write({"x": huge}, tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_broken_files(tmp_path):
    external = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL, data_type=1, dims=[2])
    external.external_data.add(key="location", value="/etc/passwd")
    for content in (b"\xff\xff", b"", external.SerializeToString()):
        (tmp_path / "input_0.pb").write_bytes(content)
        with pytest.raises(SourceError, match=r"input_0\.pb: not a whole ONNX tensor"):
            onnx_data.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dims": [-1]}, "not valid"),
        ({"dims": [1] * 65}, "65 axes"),
        ({"dims": [3]}, "8 bytes for 3 elements"),
        ({"dims": [1]}, "8 bytes for 1 elements"),
        ({"dims": [1 << 62, 1 << 62]}, "8 bytes for"),
        ({"dims": [3], "data_type": 22, "raw_data": b"abc"}, "3 bytes for 3 elements of int4"),
        ({"raw_data": b"", "dims": [1 << 40]}, "0 bytes"),
        ({"data_type": 99}, "KeyError"),
        ({"data_type": 0}, "KeyError|TypeError"),
        ({"data_type": 8, "string_data": [b"\xff"], "dims": [1]}, "UnicodeDecodeError"),
        ({"data_type": 8, "string_data": [b"a"]}, "cannot reshape"),
        ({"external_data": [{"key": "location", "value": "x"}]}, "in another file"),
        ({"segment": {"begin": 0, "end": 1}}, "segments"),
    ],
)
def test_tensors_whose_shape_and_data_do_not_fit(tmp_path, change, message):
    tensor = onnx.TensorProto(**{"name": "x", "data_type": 1, "dims": [2], "raw_data": bytes(8)} | change)
    (tmp_path / "input_0.pb").write_bytes(tensor.SerializeToString())
    with pytest.raises(SourceError, match=rf"input_0\.pb: not a whole ONNX tensor.*({message})"):
        onnx_data.read(tmp_path)


def test_one_long_text_does_not_make_the_others_long(tmp_path):
    """As NumPy's own strings, these would take 4 GB."""
    tensor = onnx.helper.make_tensor("x", onnx.TensorProto.STRING, [1000], [b"a" * 1_000_000, *[b"b"] * 999])
    onnx.save_tensor(tensor, tmp_path / "input_0.pb")
    assert [len(text) for text in onnx_data.read(tmp_path)["x"][:2]] == [1_000_000, 1]


def test_names_and_numbers_are_there_once(tmp_path):
    tensor = onnx.helper.make_tensor("x", onnx.TensorProto.FLOAT, [1], [1.0])
    for second in ("input_1.pb", "input_00.pb"):
        for file in ("input_0.pb", second):
            onnx.save_tensor(tensor, tmp_path / file)
        with pytest.raises(SourceError, match="'x' is there twice"):
            onnx_data.read(tmp_path)
        (tmp_path / second).unlink()
    (tmp_path / "input_0.pb").write_bytes(tensor.SerializeToString().replace(b"\x01x", b"\x01\xff"))
    with pytest.raises(SourceError, match="is not UTF-8"):
        onnx_data.read(tmp_path)


def test_pipes_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "input_0.pb")
    with pytest.raises(SourceError, match="not a file"):
        onnx_data.read(tmp_path)


def test_without_onnx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(NotInstalledError, match=r"pip install 'dummyio\[onnx\]'"):
        onnx_data.write({"x": np.zeros(1)}, tmp_path / "set")
