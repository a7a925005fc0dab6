"""The memory budget: the memory that a sample needs is compared with a limit before anything is allocated."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt, prod

from dummyio.errors import MemoryBudgetError, OptionError
from dummyio.materialize.counter_rng import PERIOD
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import SpecData
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Strings

SHARE = 0.5
"""The share of the free memory that one sample may take."""
VARIABLE = "DUMMYIO_MEMORY_BUDGET"
"""The environment variable that sets another budget, in bytes."""
_UNCHECKED_BYTES = 64 << 20
_MAX_BYTES = 2**63 - 1
_MAX_NAMES = 5
_MAX_DIGITS = 30
_ALIGNMENT = 16
"""Python's memory for an object is a multiple of this."""
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_REMEDY = f"Ask for smaller sizes, make parts with materialize_part, use abstract(), or set {VARIABLE} (bytes)."


@dataclass(frozen=True, slots=True)
class Need:
    """The memory that a sample takes."""

    total: int
    """Bytes of all inputs."""
    largest: Mapping[DType, int]
    """Bytes of the largest input of each dtype: the inputs are converted for a framework one after the other."""
    names: str
    """The inputs, for messages."""

    def check(self, count_copies: Callable[[DType], int]) -> None:
        """Raise `MemoryBudgetError` if a sample exceeds the budget; `count_copies` is that of the framework's backend."""
        copied = max((count_copies(dtype) * size for dtype, size in self.largest.items()), default=0)
        check_budget(self.total + copied, f"one sample of {self.names}")


def measure_sample(spec: SpecData, shapes: Mapping[str, tuple[int, ...]]) -> Need:
    """Return the memory for one sample of these shapes; raise `MemoryBudgetError` if NumPy has no arrays of a shape."""
    total, largest = 0, dict[DType, int]()
    for path, leaf in spec.leaves:
        check_array_shape(path, leaf, shapes[path])
        needed = count_bytes(leaf, prod(shapes[path]))
        total += needed
        largest[leaf.dtype] = max(largest.get(leaf.dtype, 0), needed)
    more = f" and {len(spec) - _MAX_NAMES} more" if len(spec) > _MAX_NAMES else ""
    return Need(total, largest, (", ".join(list(spec)[:_MAX_NAMES]) + more) or "nothing")


def check_array_shape(path: str, leaf: TensorSpec, shape: tuple[int, ...]) -> None:
    """Raise `MemoryBudgetError` for a shape without elements that NumPy cannot have."""
    # NumPy counts an array without elements as if its empty axes had a size of 1.
    if 0 in shape and prod(size or 1 for size in shape) * leaf.dtype.itemsize > _MAX_BYTES:
        raise MemoryBudgetError(
            f"input {path!r} has no elements, but its other axes exceed the arrays of NumPy: {shape}."
        )


def check_signature_shape(path: str, leaf: TensorSpec) -> None:
    """Raise `MemoryBudgetError` for a shape that no array can have, not even one that takes no memory."""
    shape = leaf.sizes()
    if prod(size or 1 for size in shape) * leaf.dtype.itemsize > _MAX_BYTES:
        raise MemoryBudgetError(
            f"input {path!r} exceeds the arrays of every framework: {shape}. Ask for smaller sizes."
        )


def count_bytes(leaf: TensorSpec, count: int, *, distinct: bool = False) -> int:
    """Return the bytes of `count` elements in memory, texts included; `distinct` if no text is used twice."""
    needed = count * leaf.dtype.itemsize
    if isinstance(leaf.values, Strings):
        needed += _count_text_bytes(leaf.values, count if distinct else min(count, PERIOD))
    return needed


def _count_text_bytes(rule: Strings, count: int) -> int:
    """Return the bytes of `count` texts: the mean, and a margin that random lengths do not exceed."""
    longest, mean = max(map(len, rule.words)), sum(map(len, rule.words)) / len(rule.words)
    widest = max((max(word) for word in rule.words if word), default=" ")
    width = 1 if widest < "\u0100" else 2 if widest < "\U00010000" else 4
    empty = sys.getsizeof(widest) - width + _ALIGNMENT // 2
    most = (rule.high - 1) * (longest + 1) * width
    usual = int((rule.low + rule.high - 1) / 2 * (mean + 1) * width)
    return count * (empty + usual) + min(count, 4 * isqrt(count)) * (most - usual)


def check_budget(needed: int, what: str) -> None:
    """Raise `MemoryBudgetError` if `needed` bytes, for `what`, exceed the budget."""
    if needed <= _UNCHECKED_BYTES and VARIABLE not in os.environ:
        return
    allowed, reason = _find_budget()
    if needed > allowed:
        raise MemoryBudgetError(
            f"{what} needs {format_bytes(needed)}, the budget is {format_bytes(allowed)} ({reason}). {_REMEDY}"
        )


def build_allocation_error(what: str) -> MemoryBudgetError:
    """Return the error for an allocation that failed within the budget."""
    return MemoryBudgetError(f"{what} needs more memory than the system gives to this process. {_REMEDY}")


def _find_budget() -> tuple[int, str]:
    text = os.environ.get(VARIABLE)
    if text is not None:
        if not text.isdecimal() or len(text) > _MAX_DIGITS:
            raise OptionError(f"{VARIABLE}={text!r}: give a whole number of bytes, of at most {_MAX_DIGITS} digits.")
        return int(text), VARIABLE
    import psutil  # noqa: PLC0415 - lazy: start-up time; only large tensors need it

    free = psutil.virtual_memory().available
    return int(free * SHARE), f"{SHARE:.0%} of the free {format_bytes(free)}"


def format_bytes(count: int) -> str:
    """Return a number of bytes in the largest unit of which it is at least one, such as ``1.5 MiB``."""
    if count < 1024:
        return f"{count} bytes"
    place = min((count.bit_length() - 1) // 10, len(_UNITS))
    # In tenths, as whole numbers: the size can exceed the largest float.
    tenths = count * 10 >> 10 * place
    return f"{tenths // 10}.{tenths % 10} {_UNITS[place - 1]}"
