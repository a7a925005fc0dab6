"""The memory budget: what will be needed is compared with what may be used, before anything is allocated."""

from __future__ import annotations

import os

from dummyio.errors import MemoryBudgetError, OptionError

__all__ = ["check_budget"]

SHARE = 0.5
"""Of the memory that is free, the share that one sample may take."""
VARIABLE = "DUMMYIO_MEMORY_BUDGET"
"""Environment variable with another budget, in bytes."""
_UNCHECKED = 64 << 20
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def check_budget(needed: int, what: str) -> None:
    """Raise `MemoryBudgetError` where `needed` bytes are over the budget."""
    if needed <= _UNCHECKED and VARIABLE not in os.environ:
        return
    allowed, reason = _budget()
    if needed > allowed:
        raise MemoryBudgetError(
            f"{what} needs {_readable(needed)}, the budget is {_readable(allowed)} ({reason}). "
            f"Ask for smaller sizes, make parts with materialize_part, use abstract(), or set {VARIABLE} (bytes)."
        )


def _budget() -> tuple[int, str]:
    text = os.environ.get(VARIABLE)
    if text is not None:
        if not text.isdecimal():
            raise OptionError(f"{VARIABLE}={text!r}: give a whole number of bytes.")
        return int(text), VARIABLE
    import psutil  # noqa: PLC0415 - asked for large tensors only

    free = psutil.virtual_memory().available
    return int(free * SHARE), f"{SHARE:.0%} of the free {_readable(free)}"


def _readable(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    place = min((count.bit_length() - 1) // 10, len(_UNITS))
    # In tenths, as whole numbers: what is asked for can be more than a float holds.
    tenths = count * 10 >> 10 * place
    return f"{tenths // 10}.{tenths % 10} {_UNITS[place - 1]}"
