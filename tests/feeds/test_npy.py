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


def test_two_files_of_one_input(tmp_path):
    npy.write({"x": np.zeros(1)}, tmp_path / "out")
    (tmp_path / "out" / "%78.npy").write_bytes((tmp_path / "out" / "x.npy").read_bytes())
    with pytest.raises(SourceError, match=r"x\.npy: another file of this folder is input 'x' too"):
        npy.read(tmp_path / "out")


def test_a_name_that_is_not_utf_8(tmp_path):
    npy.write({"x": np.zeros(1)}, tmp_path / "out")
    (tmp_path / "out" / "x.npy").rename(tmp_path / "out" / "\udcff.npy")
    with pytest.raises(SourceError, match="is not named in UTF-8"):
        npy.read(tmp_path / "out")


def test_other_byte_orders_are_written(tmp_path):
    npy.write({"x": np.array([1, 2], ">i4")}, tmp_path / "out")
    np.testing.assert_array_equal(npy.read(tmp_path / "out")["x"], np.array([1, 2], np.int32), strict=True)
