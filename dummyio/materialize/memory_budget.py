"""The memory budget: the memory that a sample needs is compared with a limit before anything is allocated."""

import os

from dummyio.errors import MemoryBudgetError, OptionError

SHARE = 0.5
"""The share of the free memory that one sample may take."""
VARIABLE = "DUMMYIO_MEMORY_BUDGET"
"""The environment variable that sets another budget, in bytes."""
_UNCHECKED_BYTES = 64 << 20
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def check_budget(needed: int, what: str) -> None:
    """Raise `MemoryBudgetError` if `needed` bytes, for `what`, exceed the budget."""
    if needed <= _UNCHECKED_BYTES and VARIABLE not in os.environ:
        return
    allowed, reason = _find_budget()
    if needed > allowed:
        raise MemoryBudgetError(
            f"{what} needs {_format_bytes(needed)}, the budget is {_format_bytes(allowed)} ({reason}). "
            f"Ask for smaller sizes, make parts with materialize_part, use abstract(), or set {VARIABLE} (bytes)."
        )


def _find_budget() -> tuple[int, str]:
    text = os.environ.get(VARIABLE)
    if text is not None:
        if not text.isdecimal():
            raise OptionError(f"{VARIABLE}={text!r}: give a whole number of bytes.")
        return int(text), VARIABLE
    import psutil  # noqa: PLC0415 - lazy: start-up time; only large tensors need it

    free = psutil.virtual_memory().available
    return int(free * SHARE), f"{SHARE:.0%} of the free {_format_bytes(free)}"


def _format_bytes(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    place = min((count.bit_length() - 1) // 10, len(_UNITS))
    # In tenths, as whole numbers: the size can exceed the largest float.
    tenths = count * 10 >> 10 * place
    return f"{tenths // 10}.{tenths % 10} {_UNITS[place - 1]}"
