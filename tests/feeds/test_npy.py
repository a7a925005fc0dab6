import ml_dtypes
import numpy as np
import pytest

from dummyio.errors import DTypeError, OutputError, SourceError
from dummyio.feeds import npy
from dummyio.spec.dtypes import DType


def test_numpy_reads_what_is_written(tmp_path):
    npy.write({"input_ids": np.arange(3), "text": np.array(["a", "bc"], object)}, tmp_path / "out")
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "input_ids.npy"), np.arange(3), strict=True)
    assert np.load(tmp_path / "out" / "text.npy").dtype == np.dtype("<U2")


@pytest.mark.parametrize(
    "name", ["x", "scope/x:0", "../up", "..", "a b", "50%", "%2F", ".hidden", "δ", "x.npy", "con\\x"]
)
def test_any_name_is_one_file_in_the_folder(tmp_path, name):
    npy.write({name: np.arange(2)}, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len(list((tmp_path / "out").iterdir())) == 1
    assert list(npy.read(tmp_path / "out")) == [name]


@pytest.mark.parametrize("dtype", sorted(npy.DTYPES))
def test_every_dtype_comes_back(tmp_path, dtype):
    array = np.array(["a", ""] if dtype is DType.STRING else [0, 1], dtype.numpy)
    npy.write({"x": array}, tmp_path / "out")
    np.testing.assert_array_equal(npy.read(tmp_path / "out")["x"], array, strict=True)


def test_an_unknown_dtype_leaves_nothing(tmp_path):
    with pytest.raises(DTypeError, match="bfloat16"):
        npy.write({"ok": np.zeros(1), "x": np.zeros(2, ml_dtypes.bfloat16)}, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_force(tmp_path):
    npy.write({"x": np.zeros(1)}, tmp_path / "out")
    with pytest.raises(OutputError, match="not empty"):
        npy.write({"y": np.zeros(1)}, tmp_path / "out")
    npy.write({"y": np.zeros(1)}, tmp_path / "out", force=True)
    assert list(npy.read(tmp_path / "out")) == ["y"]


def test_broken_file_is_named(tmp_path):
    npy.write({"x": np.zeros(9)}, tmp_path / "out")
    file = tmp_path / "out" / "x.npy"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(SourceError, match=r"out/x\.npy"):
        npy.read(tmp_path / "out")
