"""NumPy arrays to JAX arrays and back: always copied, never silently narrowed.

JAX shares the memory of NumPy arrays that are aligned to 64 bytes, and copies others in the background: a later write to
the source may or may not change the array. Hence `from_numpy` asks for a copy and waits for it.
"""

from contextlib import suppress
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dummyio.backend.native_dtypes import as_owned_array
from dummyio.errors import DTypeError, OptionError
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_jax.dtypes import to_native
from dummyio_jax.precision import NARROW, canonicalize_dtype


def from_numpy(values: Array, dtype: DType, device: Any = None) -> jax.Array:
    """Return a JAX array of exactly `dtype` with a copy of `values`.

    Parameters
    ----------
    values, dtype
        The values and their dtype, as in `dummyio.backend.Backend.from_numpy`.
    device
        A platform (``"cpu"``), one of its devices (``"cuda:0"``), a `jax.Device` or a `jax.sharding.Sharding`.

    Raises
    ------
    DTypeError
        if JAX lacks the dtype, or if ``jax_enable_x64`` is off and JAX would change 64-bit values when it computes: all
        floats, and integers that do not fit into 32 bits.
    OptionError
        if the device does not exist.
    """
    to_native(dtype)
    array, place = as_owned_array(values, dtype), _resolve_device(device)
    if canonicalize_dtype(dtype) is dtype:
        return jnp.array(array, device=place).block_until_ready()
    _check_fits(array, dtype)
    with jax.enable_x64(True):
        return jnp.array(array, device=place).block_until_ready()


def to_numpy(tensor: jax.Array) -> Array:
    """Return the array's values; on the CPU a read-only view of its memory."""
    return np.asarray(tensor)


def is_tensor(value: object) -> bool:
    """Whether `value` is a JAX array."""
    return isinstance(value, jax.Array)


def _check_fits(array: Array, dtype: DType) -> None:
    narrow = NARROW[dtype]
    reason = "would round these values"
    if dtype.kind in ("int", "uint"):
        if not array.size or (narrow.limits.min <= array.min() and array.max() <= narrow.limits.max):
            return
        reason = f"these values reach {max(int(array.max()), int(array.min()), key=abs)}"
    raise DTypeError(
        f"dtype={dtype.value!r}: jax_enable_x64 is off, so JAX computes in 32 bits, and {reason}. "
        f"Set jax.config.update('jax_enable_x64', True), or describe the input as {narrow.value!r}."
    )


def _resolve_device(device: Any) -> Any:
    if device is None or isinstance(device, (jax.Device, jax.sharding.Sharding)):
        return device
    platform, _, index = device.partition(":") if isinstance(device, str) else ("", "", "")
    if platform and (index or "0").isdecimal():
        with suppress(RuntimeError, IndexError):
            return jax.devices(platform)[int(index or 0)]
    known = ", ".join(f"{place.platform}:{place.id}" for place in jax.devices())
    raise OptionError(
        f"device={device!r}: JAX has no such device here. Use a platform, one of {known}, a jax.Device or a Sharding."
    )
