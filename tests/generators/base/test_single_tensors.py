"""Single tensors: equal in every framework, and padded or joined without surprises."""

import sys

import ml_dtypes
import numpy as np
import pytest

from dummyio.backend.registry import load_backend
from dummyio.errors import DimError, DTypeError, OptionError, SpecError
from dummyio.generators.base import single_tensors as helpers
from dummyio.generators.registry import DummyInputGenerator

MODULES = {"np": "numpy", "pt": "torch", "tf": "tensorflow", "jax": "jax", "ort": "onnxruntime"}


@pytest.fixture(params=MODULES)
def framework(request):
    pytest.importorskip(MODULES[request.param])
    return request.param


def as_numpy(tensor, framework):
    return np.asarray(load_backend(framework).to_numpy(tensor))


def native(values, framework):
    values = np.asarray(values)
    return load_backend(framework).from_numpy(values, helpers.DType.of(values.dtype))


def test_frameworks_hold_equal_values(framework):
    for make in (
        lambda f: helpers.random_int_tensor((3, 4), 9, 2, framework=f, dtype="int32"),
        lambda f: helpers.random_mask_tensor((3, 4), "left", framework=f),
        lambda f: helpers.random_float_tensor((3, 4), -1, 1, framework=f, dtype="fp16"),
        lambda f: helpers.constant_tensor((2,), 3, framework=f),
    ):
        ours = as_numpy(make(framework), framework)
        expected = make("np")
        assert ours.dtype == expected.dtype
        np.testing.assert_array_equal(ours, expected)


def test_bounds():
    ints = helpers.random_int_tensor((1000,), 7, 3, "np")
    assert set(np.unique(ints)) == {3, 4, 5, 6}
    for dtype in ("fp16", "bf16", "fp32"):
        assert helpers.random_float_tensor((200_000,), framework="np", dtype=dtype).max() < 1
    assert helpers.random_float_tensor((), framework="np").shape == ()


def test_seeds_and_paths_tell_tensors_apart():
    make = helpers.random_int_tensor
    first = make((64,), 1000, framework="np")
    np.testing.assert_array_equal(first, make((64,), 1000, framework="np"))
    assert not np.array_equal(first, make((64,), 1000, framework="np", seed=1))
    assert not np.array_equal(first, make((64,), 1000, framework="np", path="other"))


def test_masks_have_lengths_of_their_own():
    mask = helpers.random_mask_tensor((64, 9), "right", "np")
    assert len(set(mask.sum(-1))) > 3
    assert mask[0].all()
    assert helpers.random_mask_tensor((2, 1), framework="np").tolist() == [[1], [1]]


@pytest.mark.parametrize(
    ("value", "dtype", "found"),
    [(True, None, "bool"), (3, None, "int64"), (0.5, None, "float32"), (1, "bf16", "bfloat16")],
)
def test_a_constant_has_its_values_dtype(framework, value, dtype, found):
    values = as_numpy(helpers.constant_tensor((2, 1), value, dtype, framework), framework)
    assert values.dtype == found
    assert values.tolist() == [[value], [value]]


def test_a_constant_of_the_frameworks_own_dtype():
    torch = pytest.importorskip("torch")
    assert helpers.constant_tensor((1,), 1, torch.float16, "pt").dtype is torch.float16
    assert helpers.constant_tensor((1,), 1, np.dtype("int32"), "np").dtype == np.int32
    assert helpers.constant_tensor((1,), 1, np.float32, "np").dtype == np.float32


def test_impossible_values_are_errors():
    with pytest.raises(SpecError, match="half-open"):
        helpers.random_int_tensor((2,), 3, 3, "np")
    with pytest.raises(SpecError, match="int8 holds -128 to 127"):
        helpers.random_int_tensor((2,), 30522, framework="np", dtype="int8")
    with pytest.raises(SpecError, match="holds"):
        helpers.constant_tensor((2,), 300, "uint8", "np")


# Joining and padding.


def test_join(framework):
    first, second = native([[1, 2]], framework), native([[3, 4]], framework)
    assert as_numpy(helpers.concat_inputs([first, second], 0), framework).tolist() == [[1, 2], [3, 4]]
    assert as_numpy(helpers.concat_inputs([first, second], -1), framework).tolist() == [[1, 2, 3, 4]]
    assert load_backend(framework).is_tensor(helpers.concat_inputs(iter([first]), 0))


@pytest.mark.parametrize(
    ("inputs", "dim", "error", "match"),
    [
        ([], 0, OptionError, "at least one"),
        ([[1, 2]], 0, OptionError, "builtins.list is not a tensor"),
        ([np.ones(2), [1]], 0, OptionError, "'np', others are not"),
        ([np.ones(2), np.ones(2, int)], 0, DTypeError, "convert"),
        ([np.ones((2, 3)), np.ones((2, 4))], 0, DimError, "must be equal"),
        ([np.ones(2)], 1, DimError, "axes -1 to 0"),
    ],
)
def test_what_cannot_be_joined(inputs, dim, error, match):
    with pytest.raises(error, match=match):
        helpers.concat_inputs(inputs, dim)


@pytest.mark.parametrize(
    ("keywords", "row"),
    [
        ({"desired_length": 4}, [1, 0, 1, 1]),
        ({"desired_length": 4, "value": 0}, [1, 0, 0, 0]),
        ({"padding_length": 1}, [1, 0, 1]),
        ({"desired_length": 2}, [1, 0]),
        ({"desired_length": 1}, [1, 0]),
        ({"desired_length": 0}, [1, 0]),
        ({"padding_length": 0}, [1, 0]),
    ],
)
def test_pad(framework, keywords, row):
    padded = helpers.pad_input_on_dim(native(np.array([[1, 0]], np.int32), framework), 1, **keywords)
    values = as_numpy(padded, framework)
    assert values.tolist() == [row]
    assert values.dtype == np.int32


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.bool_, ml_dtypes.bfloat16])
def test_padding_keeps_the_dtype(dtype):
    assert helpers.pad_input_on_dim(np.zeros((2, 2), dtype), -1, desired_length=3).dtype == dtype


@pytest.mark.parametrize("dtype", ["fp16", np.float16, np.dtype("float16")])
def test_padding_can_change_the_dtype(dtype):
    padded = helpers.pad_input_on_dim(np.zeros(2, np.float32), 0, padding_length=1, dtype=dtype)
    assert (padded.dtype, padded.tolist()) == (np.float16, [0, 0, 1])
    assert helpers.pad_input_on_dim(np.zeros(2, np.float32), 0, padding_length=0, dtype=dtype).dtype == np.float16


@pytest.mark.parametrize(
    ("keywords", "error", "match"),
    [
        ({}, OptionError, "exactly one"),
        ({"desired_length": 3, "padding_length": 1}, OptionError, "exactly one"),
        ({"padding_length": -1}, DimError, "negative"),
        ({"padding_length": 1, "value": 0.5}, SpecError, "whole|0.5"),
    ],
)
def test_what_cannot_be_padded(keywords, error, match):
    with pytest.raises(error, match=match):
        helpers.pad_input_on_dim(np.ones(2, np.int64), 0, **keywords)


def test_a_tensors_framework_is_asked_only_where_it_is_imported(monkeypatch):
    array = np.ones(2)
    for module in set(MODULES.values()) - {"numpy"}:
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert helpers.framework_of(array).name == "np"
    assert not set(MODULES.values()) - {"numpy"} & set(sys.modules)


def test_every_generator_has_them():
    kinds = {"concat_inputs", "constant_tensor", "pad_input_on_dim"}
    for name in kinds | {f"random_{kind}_tensor" for kind in ("int", "float", "mask")}:
        assert getattr(DummyInputGenerator, name) is getattr(helpers, name)
