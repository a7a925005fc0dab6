import zipfile

import ml_dtypes
import numpy as np
import pytest

from dummyio.errors import DTypeError, OutputError, SourceError
from dummyio.feeds import npz


def _arrays():
    return {
        "input_ids": np.arange(6, dtype=np.int64).reshape(2, 3),
        "past_key_values.0.key": np.linspace(0, 1, 8, dtype=np.float16).reshape(2, 4, order="F"),
        "scope/x:0": np.array(True),
        "file": np.array([1 + 2j], np.complex64),  # numpy.savez has a parameter of this name
        "empty": np.zeros((0, 3), np.uint8),
        "text": np.array([["a", "δ"], ["", "long sentence"]], object),
    }


def test_numpy_reads_what_is_written(tmp_path):
    npz.write(_arrays(), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as loaded:
        assert list(loaded) == list(_arrays())
        for name, array in _arrays().items():
            np.testing.assert_array_equal(loaded[name], array.astype(str) if name == "text" else array, strict=True)


def test_what_is_read_equals_what_was_written(tmp_path):
    npz.write(_arrays(), tmp_path / "a.npz")
    loaded = npz.read(tmp_path / "a.npz")
    assert list(loaded) == list(_arrays())
    for name, array in _arrays().items():
        np.testing.assert_array_equal(loaded[name], array, strict=True)
    assert type(loaded["text"][0, 0]) is str


def test_equal_samples_make_equal_bytes(tmp_path):
    npz.write(_arrays(), tmp_path / "a.npz")
    npz.write(_arrays(), tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_names_that_end_alike_stay_apart(tmp_path):
    arrays = {"x": np.zeros(1), "x.npy": np.ones(2)}
    npz.write(arrays, tmp_path / "a.npz")
    assert {name: array.shape for name, array in npz.read(tmp_path / "a.npz").items()} == {"x": (1,), "x.npy": (2,)}


def test_name_that_a_zip_file_would_cut(tmp_path):
    with pytest.raises(OutputError, match="cannot be a name"):
        npz.write({"a\0b": np.zeros(1)}, tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


def test_dtypes_that_would_lose_their_meaning_are_refused(tmp_path, ml_dtype):
    with pytest.raises(DTypeError, match=f"{ml_dtype.name}.*safetensors"):
        npz.write({"x": np.zeros(2, ml_dtype)}, tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["bfloat16", "float8_e4m3fn", "int4"])
def ml_dtype(request):
    return np.dtype(getattr(ml_dtypes, request.param))


def test_string_that_would_be_cut_is_refused(tmp_path):
    with pytest.raises(DTypeError, match="ends in NUL"):
        npz.write({"x": np.array(["a\0"], object)}, tmp_path / "a.npz")


def test_other_byte_order_is_read_as_the_machines(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([1, 2], ">i4"))
    x = npz.read(tmp_path / "a.npz")["x"]
    np.testing.assert_array_equal(x, np.array([1, 2], np.int32), strict=True)


def test_pickles_are_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}, 1], object))
    with pytest.raises(SourceError, match=r"a\.npz, 'x\.npy': not a whole .npy array of plain values .*allow_pickle"):
        npz.read(tmp_path / "a.npz")


def _no_zip(path):
    path.write_bytes(b"not a zip file")


def _cut(path):
    npz.write(_arrays(), path)
    path.write_bytes(path.read_bytes()[:-40])


def _no_array(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


def _lies(path):
    """Claim an array of terabytes."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00v\x00" + header)


def _nameless_dtype(path):
    np.savez(path, x=np.zeros(2, "V2"))


@pytest.mark.parametrize("make", [_no_zip, _cut, _no_array, _lies, _nameless_dtype])
def test_broken_files(tmp_path, make):
    make(tmp_path / "a.npz")
    with pytest.raises(SourceError, match=r"a\.npz"):
        npz.read(tmp_path / "a.npz")
