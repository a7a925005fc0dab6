import zipfile

import ml_dtypes
import numpy as np
import pytest

from dummyio.errors import DTypeError, MemoryBudgetError, OutputError, SourceError
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


def _zip(path, members, **options):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, **options)


def _member(**changes):
    header = {"descr": "<f8", "fortran_order": False, "shape": (2,), **changes}
    text = repr(header).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(16)


def test_the_member_that_the_tests_change_is_right(tmp_path):
    _zip(tmp_path / "a.npz", [("x.npy", _member())])
    np.testing.assert_array_equal(npz.read(tmp_path / "a.npz")["x"], np.zeros(2), strict=True)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("x.npy", _member()), ("x.npy", _member())], "another member has its name"),
        ([("../x.npy", _member())], "leaves its folder"),
        ([("a\\..\\x.npy", _member())], "leaves its folder"),
        ([("a\nb.npy", _member())], "control characters"),
        ([(".npy", _member())], "0 characters"),
        ([("x" * 10_001 + ".npy", _member())], "10001 characters"),
        ([("x", _member())], r"does not end in \.npy"),
        ([("x.npy/", b"")], r"does not end in \.npy"),
        ([("x.npy", _member(descr="|O"))], "pickled objects, which are never read"),
        ([("x.npy", _member(descr="O"))], "pickled objects, which are never read"),
        ([("x.npy", _member(descr=[("a", "<f8")]))], "not a plain one"),
        ([("x.npy", _member(descr="<M8[ns]"))], "not a plain one"),
        ([("x.npy", _member(shape=(10**15,)))], "describes 8000000000000000 bytes, 16 follow"),
        ([("x.npy", _member(shape=(10**15, 10**15)))], r"describes over 2\*\*64 bytes"),
        ([("x.npy", _member(shape=(-2,)))], "not a tuple of at most 64 sizes"),
        ([("x.npy", _member(shape=(True,)))], "not a tuple of at most 64 sizes"),
        ([("x.npy", _member(shape=[2]))], "not a tuple of at most 64 sizes"),
        ([("x.npy", _member(shape=(0,) * 65)[:-16])], "at most 64 sizes"),
        ([("x.npy", _member(fortran_order=1))], "its order is not a bool"),
        ([("x.npy", _member(descr="<U0", shape=(10**9,))[:-16])], "no bytes"),
        ([("x.npy", _member(descr="|b1", shape=(16,))[:-1] + b"\2")], "a bool is neither 0 nor 1"),
        ([("x.npy", _member(descr="<U4", shape=(1,))[:-4] + b"\xff" * 4)], "not a character"),
        ([("x.npy", _member(descr="<U4", shape=(1,))[:-4] + b"\x00\xd8\0\0")], "not a character"),
        ([("x.npy", _member() + b"more")], "16 bytes, 20 follow"),
        ([("x.npy", _member()[:-1])], "16 bytes, 15 follow"),
        ([("x.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(16))], "its header would have"),
        ([("x.npy", b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16)], "its header is not a dict"),
    ],
)
def test_members_that_are_not_whole_plain_arrays(tmp_path, members, reason):
    _zip(tmp_path / "a.npz", members)
    with pytest.raises(SourceError, match=reason):
        npz.read(tmp_path / "a.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path, method):
    _zip(tmp_path / "a.npz", [("x.npy", _member())], compress_type=method)
    with pytest.raises(SourceError, match="neither none nor deflate"):
        npz.read(tmp_path / "a.npz")


def test_a_member_that_claims_more_than_it_can_hold(tmp_path):
    _zip(tmp_path / "a.npz", [("x.npy", _member())], compress_type=zipfile.ZIP_DEFLATED)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (1 << 31).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(SourceError, match=r"it claims 2147483648 bytes, and \d+ cannot hold more than"):
        npz.read(tmp_path / "a.npz")


def test_what_is_declared_is_compared_with_the_memory_budget(tmp_path, monkeypatch):
    array = np.zeros(1 << 20)
    np.savez_compressed(tmp_path / "a.npz", x=array)
    np.testing.assert_array_equal(npz.read(tmp_path / "a.npz")["x"], array, strict=True)
    monkeypatch.setenv("DUMMYIO_MEMORY_BUDGET", "1000000")
    with pytest.raises(MemoryBudgetError, match=r"a\.npz needs 8\.0 MiB"):
        npz.read(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "a\nb", "", "x" * 10_001])
def test_names_that_would_not_be_read_are_not_written(tmp_path, name):
    with pytest.raises(OutputError, match="cannot be a name in a zip file"):
        npz.write({name: np.zeros(1)}, tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []
