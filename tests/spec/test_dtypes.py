"""The neutral dtypes: all of them, their limits against NumPy's and ml_dtypes', and their neighbours by brute force."""

import json
import math
import pickle

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dummyio.errors import DTypeError
from dummyio.spec.dtypes import ALIASES, DType

FLOATS = {
    "float64": 64,
    "float32": 32,
    "float16": 16,
    "bfloat16": 16,
    "float8_e4m3fn": 8,
    "float8_e5m2": 8,
    "float8_e4m3fnuz": 8,
    "float8_e5m2fnuz": 8,
    "float8_e4m3b11fnuz": 8,
    "float8_e4m3": 8,
    "float8_e3m4": 8,
    "float8_e8m0fnu": 8,
    "float6_e2m3fn": 6,
    "float6_e3m2fn": 6,
    "float4_e2m1fn": 4,
}
INTS = {f"int{bits}": bits for bits in (64, 32, 16, 8, 4, 2, 1)}
UINTS = {f"uint{bits}": bits for bits in (64, 32, 16, 8, 4, 2, 1)}
OTHERS = {"bool": 8, "complex64": 64, "complex128": 128, "string": 0}
BITS = {**FLOATS, **INTS, **UINTS, **OTHERS}
SMALL_FLOATS = [name for name, bits in FLOATS.items() if bits <= 16]


def test_every_dtype_is_there_and_no_other():
    assert {dtype.value: dtype.bits for dtype in DType} == BITS


@pytest.mark.parametrize("name", BITS)
def test_a_dtype_is_its_name(name):
    dtype = DType.of(name)
    assert dtype == name
    assert name == dtype
    assert hash(dtype) == hash(name)
    assert str(dtype) == f"{dtype}" == name
    assert {name: 1}[dtype] == 1
    assert json.loads(json.dumps(dtype)) == name
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert DType.of(dtype) is dtype


@pytest.mark.parametrize("name", sorted(set(BITS) - {"string"}))
def test_a_dtype_is_numpys(name):
    dtype = DType.of(name)
    assert dtype.numpy == np.dtype(getattr(ml_dtypes, name, name))
    assert dtype.numpy.name == name
    assert dtype.itemsize == np.empty(3, dtype.numpy).itemsize
    assert DType.of(dtype.numpy) is dtype
    assert DType.of(dtype.numpy.type) is dtype


@pytest.mark.parametrize(("names", "kind"), [(FLOATS, "float"), (INTS, "int"), (UINTS, "uint")])
def test_the_kinds_of_numbers(names, kind):
    assert {DType.of(name).kind for name in names} == {kind}


def test_the_other_kinds():
    assert {name: DType.of(name).kind for name in OTHERS} == {
        "bool": "bool",
        "complex64": "complex",
        "complex128": "complex",
        "string": "string",
    }


@pytest.mark.parametrize("name", [*INTS, *UINTS])
def test_the_limits_of_integers(name):
    dtype = DType.of(name)
    info = ml_dtypes.iinfo(dtype.numpy)
    assert (dtype.limits.min, dtype.limits.max) == (int(info.min), int(info.max))
    assert dtype.limits.max - dtype.limits.min + 1 == 2**dtype.bits


@pytest.mark.parametrize("name", [*FLOATS, "complex64", "complex128"])
def test_the_limits_of_floats(name):
    dtype = DType.of(name)
    info = ml_dtypes.finfo(dtype.part.numpy)
    assert (dtype.limits.min, dtype.limits.max) == (float(info.min), float(info.max))


def test_the_parts_of_complex_numbers():
    assert DType.COMPLEX64.part is DType.FLOAT32
    assert DType.COMPLEX128.part is DType.FLOAT64
    assert all(dtype.part is dtype for dtype in DType if dtype.kind != "complex")


def test_strings_have_no_limits_and_no_width():
    assert DType.STRING.numpy == np.dtype(object)
    assert (DType.BOOL.limits.min, DType.BOOL.limits.max) == (0, 1)
    with pytest.raises(DTypeError, match="no smallest or largest"):
        _ = DType.STRING.limits


# Names.


@pytest.mark.parametrize(
    ("alias", "name"), [("fp32", "float32"), ("fp16", "float16"), ("bf16", "bfloat16"), ("fp64", "float64")]
)
def test_the_names_of_optimum(alias, name):
    assert DType.of(alias) == name


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_no_dtype_itself(alias):
    assert alias not in BITS
    assert DType.of(alias) == ALIASES[alias]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (float, "float32"),
        (int, "int64"),
        (bool, "bool"),
        (str, "string"),
        (object, "string"),
        (np.float64, "float64"),
        (np.dtype("float64"), "float64"),
        (np.dtype(">f4"), "float32"),
        (np.dtype("<i2"), "int16"),
        (np.longlong, "int64"),
        (np.intc, "int32"),
        (np.bool_, "bool"),
        (np.str_, "string"),
        (np.dtype("<U7"), "string"),
        (np.dtype("S3"), "string"),
        (np.dtypes.StringDType(), "string"),
        (ml_dtypes.bfloat16, "bfloat16"),
        (np.str_("int8"), "int8"),
    ],
)
def test_what_names_a_dtype(value, name):
    assert DType.of(value) == name


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("float23", "Did you mean 'float32'"),
        ("bfloat61", "Did you mean 'bfloat16'"),
        ("", "Known: "),
        ("x" * 1_000_000, "Known: "),
        (None, "is not a dtype"),
        (7, "is not a dtype"),
        (list, "is not a dtype"),
        (dict, "is not a dtype"),
        (type(None), "is not a dtype"),
        (np.ndarray, "is not a dtype"),
        (np.float32(1), "is not a dtype"),
        (np.dtype("datetime64[s]"), "has no counterpart"),
        (np.dtype([("a", "i4")]), "has no counterpart"),
        (np.dtype("V8"), "has no counterpart"),
    ],
)
def test_what_names_none(value, message):
    with pytest.raises(DTypeError, match=message):
        DType.of(value)


# Neighbours.


def finite_values(dtype):
    """Every finite value, ascending, from every pattern of bits, by way of Python's floats."""
    patterns = np.arange(2**dtype.bits).astype(f"uint{8 * dtype.itemsize}").view(dtype.numpy)
    return sorted({float(value) for value in patterns.tolist() if math.isfinite(value)})


@pytest.mark.parametrize("name", SMALL_FLOATS)
def test_floor_and_ceil_of_small_floats_by_brute_force(name):
    dtype = DType.of(name)
    values = finite_values(dtype)
    assert (values[0], values[-1]) == (dtype.limits.min, dtype.limits.max)
    some = range(1, len(values), 1 if len(values) < 1000 else 61)
    for place in some:
        below, value = values[place - 1], values[place]
        between = below + (value - below) / 2
        assert dtype.floor(value) == below
        assert dtype.ceil(value) == value
        assert dtype.floor(between) == below
        assert dtype.ceil(between) == value
    assert math.isnan(dtype.floor(values[0]))
    assert math.isnan(dtype.ceil(values[-1] * 1.001))
    assert dtype.floor(math.inf) == values[-1]
    assert dtype.ceil(-math.inf) == values[0]


@pytest.mark.parametrize("name", ["float32", "float64"])
@given(value=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**1000), 2**1000))
def test_floor_and_ceil_of_wide_floats(name, value):
    dtype = DType.of(name)
    scalar = dtype.numpy.type
    low, high = dtype.floor(value), dtype.ceil(value)
    with np.errstate(over="ignore"):
        if math.isfinite(low):
            assert scalar(low) == low < value
            assert float(np.nextafter(scalar(low), scalar(np.inf))) >= value
        else:
            assert value <= dtype.limits.min
        if math.isfinite(high):
            assert scalar(high) == high >= value
            assert float(np.nextafter(scalar(high), scalar(-np.inf))) < value
        else:
            assert value > dtype.limits.max
