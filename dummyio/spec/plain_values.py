"""Plain values that users and files give: read as whole numbers and names, and shown in error messages."""

import keyword
import operator
import reprlib
import unicodedata
from collections.abc import Iterable
from itertools import islice
from typing import Any

_MAX_NAME = 255
_MAX_BITS = 1024


class _Shown(reprlib.Repr):
    """Short representations: Python refuses to write ints of many digits, and those of containers have no limit."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxtuple = self.maxlist = self.maxdict = self.maxset = self.maxfrozenset = 12
        self.maxstring = self.maxlong = 120
        self.maxother = 400

    def repr_int(self, x: int, level: int) -> str:
        if x.bit_length() > _MAX_BITS:
            return f"<an int of {x.bit_length()} bits>"
        return super().repr_int(x, level)


_SHOWN = _Shown()


def show_value(value: object) -> str:
    """Return a representation of any value, short enough for an error message."""
    try:
        return _SHOWN.repr(value)
    except Exception:  # noqa: BLE001 - it runs the code of foreign classes, and an error is being reported already
        return f"<{type(value).__name__}>"


def to_int(value: object) -> int | None:
    """Return `value` as an int if it is an integer of Python or another library, and not a bool; else None."""
    if type(value) is int:
        return value
    if isinstance(value, bool) or type(value).__name__ == "bool_" or not hasattr(type(value), "__index__"):
        return None
    try:
        return int(operator.index(value))  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - arrays and symbolic numbers of other libraries are not sizes
        return None


def is_python_name(name: object) -> bool:
    """Whether `name` is a Python name, not too long, in the normalized form to which Python converts all names."""
    if not isinstance(name, str) or len(name) > _MAX_NAME or not name.isidentifier() or keyword.iskeyword(name):
        return False
    return unicodedata.is_normalized("NFKC", name)


def take_items(values: object, limit: int) -> tuple[Any, ...] | None:
    """Return the items of an iterable, which may never end; None if there are more than `limit`, or it has no order of items."""
    if isinstance(values, (str, bytes, dict)) or not isinstance(values, Iterable):
        return None
    try:
        items = tuple(islice(values, limit + 1))
    except TypeError:  # a scalar array has the interface of an iterable, but no items
        return None
    return items if len(items) <= limit else None
