import json
import resource

import ml_dtypes
import numpy as np
import pytest

from dummyio.errors import DTypeError, OutputError, SourceError
from dummyio.feeds import safetensors
from dummyio.spec.dtypes import DType


def _array(dtype):
    return np.array([[4, 1, 0.5], [2, 1, 4]]).astype(dtype.numpy)


def _all():
    arrays = {str(dtype): _array(dtype) for dtype in sorted(safetensors.DTYPES)}
    return {**arrays, "scalar": np.array(3), "empty": np.zeros((2, 0), np.float32), "f": _array(DType.FLOAT32).T}


def test_every_dtype_comes_back(tmp_path):
    safetensors.write(_all(), tmp_path / "a.safetensors")
    loaded = safetensors.read(tmp_path / "a.safetensors")
    assert list(loaded) == list(_all())
    for name, array in _all().items():
        np.testing.assert_array_equal(loaded[name], array, strict=True)


def test_the_other_reader_agrees(tmp_path):
    """The format's own package, through PyTorch's dtypes, to which it maps them all."""
    package = pytest.importorskip("safetensors")
    torch = pytest.importorskip("torch")
    safetensors.write(_all(), tmp_path / "a.safetensors", metadata={"seed": "0"})
    with package.safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert file.metadata() == {"seed": "0"}
        assert set(file.keys()) == set(_all())
        for name, array in _all().items():
            tensor = file.get_tensor(name)
            assert tuple(tensor.shape) == array.shape
            assert str(tensor.dtype).removeprefix("torch.") == array.dtype.name
            if tensor.numel():
                raw = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
                assert raw.tobytes() == array.tobytes()


def test_the_other_writer_is_read(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    arrays = {"b": np.arange(6, dtype=np.int16).reshape(2, 3), "a": np.ones(5), "c": np.array([True])}
    package.save_file(arrays, tmp_path / "a.safetensors", metadata={"k": "v"})
    loaded = safetensors.read(tmp_path / "a.safetensors")
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array, strict=True)


def test_every_tensor_is_aligned_and_equal_samples_make_equal_bytes(tmp_path):
    for name in ("a", "b"):
        safetensors.write(_all(), tmp_path / name, metadata={"seed": "0", "sample": "1"})
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    header = json.loads(data[8 : 8 + length])
    for name, array in _all().items():
        assert header[name]["data_offsets"][0] % array.itemsize == 0


@pytest.mark.parametrize(
    "array",
    [np.array(["a"], object), np.zeros(2, ml_dtypes.int4), np.zeros(2, np.complex128)],
    ids=lambda a: a.dtype.name,
)
def test_dtypes_that_the_format_lacks(tmp_path, array):
    with pytest.raises(DTypeError, match="input 'x'"):
        safetensors.write({"x": array}, tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_reserved_name(tmp_path):
    with pytest.raises(OutputError, match="__metadata__"):
        safetensors.write({"__metadata__": np.zeros(1)}, tmp_path / "a.safetensors")


def test_writing_needs_no_second_copy(tmp_path):
    array = np.ones(64 << 20, ml_dtypes.bfloat16)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    safetensors.write({"x": array}, tmp_path / "a.safetensors")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 32 << 10  # KiB; the array has 128 MiB


def _file(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def _tensor(**changes):
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x05",
        _file(_tensor(), b"\0" * 7),
        (1 << 62).to_bytes(8, "little") + b"{}",
        _file(b"no json"),
        _file(b"\xff\xff"),
        _file([1]),
        _file({"x": 1}),
        _file(_tensor(dtype="Q4"), b"\0" * 8),
        _file(_tensor(shape=[-2]), b"\0" * 8),
        _file(_tensor(shape=[-1, -2]), b"\0" * 8),
        _file(_tensor(shape=[1 << 70]), b"\0" * 8),
        _file(_tensor(data_offsets=[8, 0]), b"\0" * 8),
        _file(_tensor(data_offsets=[-8, 0]), b"\0" * 8),
        _file(_tensor(data_offsets=[8, 16]), b"\0" * 8),
        _file(_tensor(data_offsets=[0, 1 << 70]), b"\0" * 8),
        _file(b'{"x":' + b"[" * 100_000),
        _file(_tensor(), b"\0" * 9),
        _file({**_tensor(), "y": _tensor()["x"]}, b"\0" * 8),
        _file({**_tensor(), "y": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"\0" * 8),
        _file({**_tensor(), "y": {"dtype": "F32", "shape": [1], "data_offsets": [12, 16]}}, b"\0" * 16),
        _file(json.dumps(_tensor())[:-1].encode() + b"," + json.dumps(_tensor())[1:].encode(), b"\0" * 8),
        _file(_tensor(shape=[1] * 100_000, data_offsets=[0, 4]), b"\0" * 4),
        _file(_tensor(shape=[1 << 62] * 64), b"\0" * 8),
        _file(_tensor(shape=[2.0]), b"\0" * 8),
        _file(_tensor(shape=[True, 2]), b"\0" * 8),
        _file(_tensor(dtype="BOOL", data_offsets=[0, 2]), b"\0\2"),
        _file({"__metadata__": {"a": 1}, **_tensor()}, b"\0" * 8),
        _file({"": _tensor()["x"]}, b"\0" * 8),
        _file({"\ud800": _tensor()["x"]}, b"\0" * 8),
        _file(b'{"x":' + b"9" * 5000 + b"}"),
    ],
)
def test_broken_files(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.safetensors: not a whole safetensors file"):
        safetensors.read(tmp_path / "a.safetensors")
