from contextlib import nullcontext

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp
from jax import export

from dummyio.errors import DimError, DTypeError, OptionError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import PaddingMask, TokenIds, Uniform
from dummyio.testing.backend_conformance import BackendConformance
from dummyio_jax import BACKEND, DTYPE_MAPPER, from_native, to_native

BATCH, LENGTH = Dim("batch_size", 2, max=64), Dim("sequence_length", 16, max=64, multiple_of=8)
PAST = Dim("past_sequence_length", 3, min=0)


class TestJax(BackendConformance):
    framework = "jax"
    imports = ("jax",)
    refused = frozenset({DType.FLOAT64, DType.COMPLEX128, DType.INT64, DType.UINT64})


class TestJaxX64(BackendConformance):
    framework = "jax"
    imports = ("jax",)

    @pytest.fixture(autouse=True)
    def _x64(self):
        with jax.enable_x64(True):
            yield


def test_dtypes_go_there_and_back():
    assert all(from_native(to_native(dtype)) is dtype for dtype in DTYPE_MAPPER)
    assert from_native(jnp.bfloat16) is DType.BFLOAT16
    with pytest.raises(DTypeError, match="key<"):
        from_native(jax.random.key(0).dtype)


# 64 bits, while JAX computes in 32.


@pytest.mark.parametrize(
    ("dtype", "value", "fits"),
    [
        ("int64", 2**31 - 1, True),
        ("int64", 2**31, False),
        ("int64", -(2**31), True),
        ("int64", -(2**31) - 1, False),
        ("int64", -(2**63), False),
        ("uint64", 2**32 - 1, True),
        ("uint64", 2**32, False),
        ("float64", 0.5, False),
        ("complex128", 0.5, False),
    ],
)
def test_values_are_never_narrowed(dtype, value, fits):
    values = np.array([0, value], dtype)
    if fits:
        array = BACKEND.from_numpy(values, DType(dtype))
        assert array.dtype == dtype
        assert np.asarray(array).tolist() == values.tolist()
    else:
        with pytest.raises(DTypeError, match=rf"{dtype}.*jax_enable_x64"):
            BACKEND.from_numpy(values, DType(dtype))
        with jax.enable_x64(True):
            assert np.asarray(BACKEND.from_numpy(values, DType(dtype))).tolist() == values.tolist()


# JAX warns at every operation that it continues in 32 bits; values that fit lose nothing.
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64 .* will be truncated:UserWarning")
def test_ids_of_64_bits_reach_a_model():
    spec = InputSpec({"ids": TensorSpec("ids", (BATCH, LENGTH), "int64", TokenIds(50))})
    ids = spec.generate("jax")["ids"]
    assert ids.dtype == "int64"
    embedded = jax.jit(lambda table, ids: table[ids])(jnp.arange(50), ids)
    assert embedded.tolist() == spec.feeds()["ids"].tolist()


# Devices.


def test_devices_that_are_there():
    cpu = jax.devices("cpu")[0]
    mesh = jax.sharding.Mesh([cpu], ("x",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x"))
    for device in ("cpu", "cpu:0", cpu, sharding, jax.sharding.SingleDeviceSharding(cpu)):
        array = BACKEND.from_numpy(np.arange(4, dtype=np.int64), DType.INT64, device)
        assert array.devices() == {cpu}
        assert array.dtype == "int64"
    assert array.sharding == jax.sharding.SingleDeviceSharding(cpu)


@pytest.mark.parametrize("device", ["cpu:99", "cpu:x", "cpu:-1", "tpu", "", ":0", 0])
def test_absent_devices(device):
    with pytest.raises(OptionError, match=r"device=.*[uU]se"):
        BACKEND.from_numpy(np.zeros(2, np.float32), DType.FLOAT32, device)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_copies_are_finished(device):
    """JAX copies an unaligned source in the background: a race, so that many tries are needed."""
    for _ in range(20):
        raw = np.zeros((1 << 22) + 64, np.uint8)
        values = raw[-raw.ctypes.data % 64 + 4 :][: 1 << 22].view(np.float32)
        array = BACKEND.from_numpy(values, DType.FLOAT32, device)
        values[...] = 1
        assert not np.asarray(array).any()


# Signatures.


def decoder_inputs(kind="int32"):
    return InputSpec(
        {
            "ids": TensorSpec("ids", (BATCH, LENGTH), kind, TokenIds(50)),
            "mask": TensorSpec("mask", (BATCH, PAST + LENGTH), kind, PaddingMask()),
            "past": [{"key": TensorSpec("", (BATCH, PAST, 4), "float32", Uniform(-1, 1))}],
            "half": TensorSpec("half", (BATCH, LENGTH // 2), "float32"),
        }
    )


def attend(ids, mask, past, half):
    states = jnp.concatenate([past[0]["key"], jax.nn.one_hot(ids, 4)], axis=1)
    return (states * mask[..., None]).sum(axis=1), half * 2


@pytest.mark.parametrize("x64", [False, True])
def test_signatures_drive_an_export(x64):
    spec = decoder_inputs("int64" if x64 else "int32")
    with jax.enable_x64(True) if x64 else nullcontext():
        exported = export.export(jax.jit(attend))(**spec.abstract("jax"))
        again = export.deserialize(exported.serialize())
        for sizes in ({}, {"batch_size": 5, "sequence_length": 8, "past_sequence_length": 1}):
            inputs = spec.generate("jax", **sizes)
            for found, expected in zip(again.call(**inputs), attend(**inputs), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_symbols_share_one_scope_and_keep_their_bounds():
    shapes = decoder_inputs().abstract("jax")
    ids, mask, past = shapes["ids"].shape, shapes["mask"].shape, shapes["past"][0]["key"].shape
    assert mask[1] == past[1] + ids[1]
    assert str(ids[0]) == "batch_size"
    assert shapes["half"].shape[1] == ids[1] // 2
    assert (ids[1] % 8) == 0
    assert (ids[1] <= 64) is True
    fixed = decoder_inputs().abstract("jax", past_sequence_length=0)
    assert fixed["past"][0]["key"].shape[1:] == (0, 4)
    assert str(fixed["mask"].shape[1]) == "sequence_length"


def test_an_export_keeps_the_bounds():
    spec = decoder_inputs()
    exported = export.export(jax.jit(attend))(**spec.abstract("jax"))
    wide = {name: Dim(name, 128, 1, 128, 8) for name in ("sequence_length",)}
    with pytest.raises(ValueError, match="sequence_length"):
        exported.call(**spec.with_dims(**wide).generate("jax"))


def test_sizes_that_cannot_change_are_ints():
    side, low, some = Dim("side", 8, choices=(8,)), Dim("low", 4, min=2), Dim("some", 4, choices=(2, 4))
    shape = BACKEND.abstract({"x": TensorSpec("x", (side, side * 2, side + low, some), "float32")})["x"].shape
    assert shape[:2] == (8, 16)
    assert str(shape[2]) == "low + 8"
    assert (shape[2] >= 10) is True
    assert (shape[3] <= 4) is True


def test_a_name_that_jax_refuses_is_an_error():
    with pytest.raises(DimError, match="mod"):
        BACKEND.abstract({"x": TensorSpec("x", (Dim("mod", 4, multiple_of=2),), "float32")})
