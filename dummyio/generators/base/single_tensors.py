"""Single tensors for every framework: random, constant, joined and padded.

Values follow the same law as those of a spec: they are a function of ``(seed, path)`` and the element's place, and equal
in every framework. Two tensors that should differ need different seeds or paths.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dummyio.backend.frameworks import FRAMEWORKS, qualified_name
from dummyio.backend.registry import available_backends, load_backend
from dummyio.errors import BrokenBackendError, DimError, DTypeError, FrameworkError, NotInstalledError, OptionError
from dummyio.input_spec import InputSpec
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, PaddingMask, Rule, Uniform
from dummyio.typing import Array

if TYPE_CHECKING:
    from dummyio.backend.protocol import Backend


def random_int_tensor(
    shape: Sequence[int],
    max_value: int,
    min_value: int = 0,
    framework: str = "pt",
    dtype: str = "int64",
    *,
    seed: int = 0,
    path: str = "random_int_tensor",
) -> Any:
    """Return a tensor of whole numbers, uniform in [`min_value`, `max_value`)."""
    return _generate_tensor(path, shape, dtype, Uniform(min_value, max_value), framework, seed)


def random_mask_tensor(
    shape: Sequence[int],
    padding_side: Literal["left", "right"] = "right",
    framework: str = "pt",
    dtype: str = "int64",
    *,
    seed: int = 0,
    path: str = "random_mask_tensor",
) -> Any:
    """Return a padding mask: in each row of the last axis 1 for at least one token, 0 for padding; the first row is full."""
    return _generate_tensor(path, shape, dtype, PaddingMask(padding_side), framework, seed)


def random_float_tensor(
    shape: Sequence[int],
    min_value: float = 0,
    max_value: float = 1,
    framework: str = "pt",
    dtype: str = "fp32",
    *,
    seed: int = 0,
    path: str = "random_float_tensor",
) -> Any:
    """Return a tensor of floats, uniform in [`min_value`, `max_value`)."""
    return _generate_tensor(path, shape, dtype, Uniform(min_value, max_value), framework, seed)


def constant_tensor(
    shape: Sequence[int], value: float | bool | str = 1, dtype: Any = None, framework: str = "pt"
) -> Any:
    """Return a tensor that holds `value` everywhere.

    `dtype` is a name, or the framework's own; where not given, the value's kind decides, alike in every framework: bool,
    int64, float32 or string.
    """
    known = _dtype(dtype, load_backend(framework)) if dtype is not None else DType.of(type(value))
    return _generate_tensor("constant_tensor", shape, known, Constant(value), framework, 0)


def concat_inputs(inputs: Iterable[Any], dim: int) -> Any:
    """Return tensors of one framework joined along an axis; dtype and device are the first one's."""
    tensors = list(inputs)
    if not tensors:
        raise OptionError("inputs holds no tensor: give at least one to join.")
    backend = framework_of(tensors[0])
    others = [type(tensor).__name__ for tensor in tensors if not backend.is_tensor(tensor)]
    if others:
        raise OptionError(
            f"the first input is of framework {backend.name!r}, others are not ({', '.join(others)}): convert them."
        )
    arrays = [np.asarray(backend.to_numpy(tensor)) for tensor in tensors]
    if len({array.dtype for array in arrays}) > 1:
        raise DTypeError(
            f"the inputs have dtypes {', '.join(str(a.dtype) for a in arrays)}: convert them to one first."
        )
    axis = _axis(dim, arrays[0].ndim)
    shapes = {(*array.shape[:axis], *array.shape[axis + 1 :]) for array in arrays}
    if len(shapes) > 1:
        raise DimError(f"the inputs have shapes {[array.shape for array in arrays]}: all axes but {dim} must be equal.")
    return _to_framework(np.concatenate(arrays, axis), backend, tensors[0])


def pad_input_on_dim(
    input_: Any,
    dim: int,
    desired_length: int | None = None,
    padding_length: int | None = None,
    value: float | bool = 1,
    dtype: Any = None,
) -> Any:
    """Return a tensor padded at the end of an axis with `value`, its device kept; and its dtype, unless another one is given.

    Give either `desired_length` (a tensor that has it is returned as it is) or `padding_length`, which is added. The default value is 1,
    because masks are padded most often, which are to show the model what was added (a past); give 0 to hide it.
    """
    if (desired_length is None) == (padding_length is None):
        raise OptionError(f"{desired_length=}, {padding_length=}: give exactly one of the two.")
    backend = framework_of(input_)
    array = np.asarray(backend.to_numpy(input_))
    axis = _axis(dim, array.ndim)
    if padding_length is not None and padding_length < 0:
        raise DimError(f"{padding_length=}: what is added cannot be negative.")
    added = padding_length if padding_length is not None else max((desired_length or 0) - array.shape[axis], 0)
    kept = DType.of(array.dtype)
    wanted = kept if dtype is None else _dtype(dtype, backend)
    if added == 0 and wanted is kept:
        return input_
    Constant(value).check(wanted, array.ndim)  # a value that the dtype cannot hold is an error, not rounded
    padding = np.full((*array.shape[:axis], added, *array.shape[axis + 1 :]), value).astype(wanted.numpy)
    return _to_framework(np.concatenate([array.astype(wanted.numpy), padding], axis), backend, input_)


def framework_of(value: Any) -> Backend:
    """Return the backend of a tensor, among the frameworks that are imported; raise `OptionError` if it is of none of them."""
    for name in available_backends():
        if name in FRAMEWORKS and FRAMEWORKS[name].module not in sys.modules:
            continue
        try:
            backend = load_backend(name)
        except (BrokenBackendError, FrameworkError, NotInstalledError):
            continue  # its tensors cannot exist
        if backend.is_tensor(value):
            return backend
    raise OptionError(f"a {qualified_name(value)} is not a tensor of {', '.join(available_backends())}.")


def _generate_tensor(path: str, shape: Sequence[int], dtype: object, rule: Rule, framework: str, seed: int) -> Any:
    spec = InputSpec({path: TensorSpec(path, shape, dtype, rule)})
    return spec.generate(framework, seed=seed)[path]


def _dtype(dtype: Any, backend: Backend) -> DType:
    """Return the dtype of that name, or whose form in the framework that is."""
    if not isinstance(dtype, str):
        for known, native in backend.dtypes.items():
            if native is dtype or (type(native) is type(dtype) and native == dtype):
                return known
    return DType.of(dtype)


def _axis(dim: int, rank: int) -> int:
    if not -rank <= dim < rank:
        raise DimError(f"{dim=}: a tensor of rank {rank} has axes {-rank} to {rank - 1}.")
    return dim % rank


def _to_framework(values: Array, backend: Backend, like: Any) -> Any:
    """Return `values` as a tensor of the framework, on the device of another one."""
    device = getattr(like, "device", None)
    return backend.from_numpy(values, DType.of(values.dtype), device() if callable(device) else device)
