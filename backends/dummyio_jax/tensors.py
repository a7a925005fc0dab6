"""NumPy arrays and JAX arrays, always by copy, and never narrowed in silence.

JAX shares memory with NumPy where that is aligned to 64 bytes, and copies the rest while Python goes on: an array whose
source is written to has either changed or not. Hence a copy is asked for, and waited for.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dummyio.backend.native_dtypes import as_owned_array
from dummyio.errors import DTypeError, OptionError
from dummyio.spec.dtypes import DType
from dummyio_jax.dtypes import to_native
from dummyio_jax.precision import NARROW, x64

__all__ = ["from_numpy", "is_tensor", "to_numpy"]


def from_numpy(values: np.ndarray[Any, Any], dtype: DType, device: Any = None) -> jax.Array:
    """Return a JAX array with a copy of `values`, of exactly that dtype.

    Parameters
    ----------
    values, dtype
        As in every backend.
    device
        A platform (``"cpu"``), one of its devices (``"cuda:0"``), a `jax.Device` or a `jax.sharding.Sharding`.

    Raises
    ------
    DTypeError
        for a dtype that JAX lacks, and, while ``jax_enable_x64`` is off, for 64-bit values that JAX would change when
        it computes: all floats, and integers that do not fit into 32 bits.
    OptionError
        for a device that is not there.
    """
    native = to_native(dtype)
    array = as_owned_array(values, dtype)
    place = _place(device)
    if dtype not in NARROW or jax.dtypes.canonicalize_dtype(native) == native:
        return _copy(array, place)
    _check_fits(array, dtype)
    with x64():
        return _copy(array, place)


def to_numpy(tensor: jax.Array) -> np.ndarray[Any, Any]:
    """Return the array's values; on the CPU, its own memory, read-only."""
    return np.asarray(tensor)


def is_tensor(value: object) -> bool:
    """Whether `value` is a JAX array."""
    return isinstance(value, jax.Array)


def _copy(array: np.ndarray[Any, Any], place: Any) -> jax.Array:
    return jnp.array(array, device=place).block_until_ready()


def _check_fits(array: np.ndarray[Any, Any], dtype: DType) -> None:
    narrow = NARROW[dtype]
    if dtype.kind in ("int", "uint"):
        if not array.size or (narrow.limits.min <= array.min() and array.max() <= narrow.limits.max):
            return
        reason = f"JAX computes in 32 bits, and these values reach {max(int(array.max()), int(array.min()), key=abs)}"
    else:
        reason = "JAX computes in 32 bits, and would round these values"
    raise DTypeError(
        f"dtype={dtype.value!r}: jax_enable_x64 is off, so {reason}. "
        f"Set jax.config.update('jax_enable_x64', True), or describe the input as {narrow.value!r}."
    )


def _place(device: Any) -> Any:
    if device is None or isinstance(device, (jax.Device, jax.sharding.Sharding)):
        return device
    platform, _, index = device.partition(":") if isinstance(device, str) else ("", "", "")
    if not platform or not (index or "0").isdecimal():
        raise _no_device(device)
    try:
        return jax.devices(platform)[int(index or 0)]
    except (RuntimeError, IndexError) as error:
        raise _no_device(device) from error


def _no_device(device: Any) -> OptionError:
    known = ", ".join(f"{place.platform}:{place.id}" for place in jax.devices())
    return OptionError(
        f"device={device!r}: JAX has no such device here. Use a platform, one of {known}, a jax.Device or a Sharding."
    )
