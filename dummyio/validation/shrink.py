"""The smallest case that still fails: fewer rows, shorter sizes, plain masks and values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from dummyio.errors import DimError, OptionError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.validation.data.records import Case

__all__ = ["shrink"]

_RUNS = 40
_FEW = 4


def shrink(spec: InputSpec, case: Case, fails: Callable[[Case], bool]) -> Case:
    """Return a case that fails too and cannot be made simpler by one step; `fails` is asked at most 40 times."""
    left = _RUNS
    simpler = True
    while simpler and left > 0:
        simpler = False
        for other in _simpler(spec, case):
            left -= 1
            if fails(other):
                case, simpler = other, True
                break
            if left <= 0:
                break
    return case


def _simpler(spec: InputSpec, case: Case) -> Iterator[Case]:
    """Yield the cases that are one step simpler, the simplest first."""
    changes: list[dict[str, Any]] = []
    for name, size in case.sizes.items():
        dim = spec.dims[name]
        smaller = [number for number in (*range(1, _FEW + 1), size // 2) if number < size and dim.takes(number)]
        changes += [{"sizes": {**case.sizes, name: number}} for number in dict.fromkeys(smaller)]
    if case.values != "drawn":
        changes.append({"values": "drawn"})
    if case.policy != "full":
        changes.append({"policy": "full"})
    for change in changes:
        other = msgspec.structs.replace(case, **change)
        if _possible(spec, other):
            yield msgspec.structs.replace(other, name=f"{case.name.removesuffix(', shrunk')}, shrunk")


def _possible(spec: InputSpec, case: Case) -> bool:
    try:
        spec.shapes(case.sizes)
    except (DimError, SpecError, OptionError):
        return False
    return True
