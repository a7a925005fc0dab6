"""Shrinks a failing case: fewer rows, smaller sizes, plain masks and values."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from dummyio.errors import DimError, OptionError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.validation.data.records import Case

_MOST_RUNS = 40
_SMALL = 4
"""Sizes up to this one are tried one by one."""


def shrink_case(spec: InputSpec, case: Case, fails: Callable[[Case], bool]) -> Case:
    """Return a failing case that no single step makes simpler; `fails` is called at most 40 times."""
    runs = 0
    steps = _simpler_cases(spec, case)
    while runs < _MOST_RUNS and (simpler := next(steps, None)) is not None:
        runs += 1
        if fails(simpler):
            case, steps = simpler, _simpler_cases(spec, simpler)
    return case


def _simpler_cases(spec: InputSpec, case: Case) -> Iterator[Case]:
    """Yield the cases that are one step simpler, the simplest first."""
    changes: list[dict[str, Any]] = []
    for name, size in case.sizes.items():
        smaller = [
            number for number in (*range(1, _SMALL + 1), size // 2) if number < size and spec.dims[name].takes(number)
        ]
        changes += [{"sizes": {**case.sizes, name: number}} for number in dict.fromkeys(smaller)]
    if case.values != "drawn":
        changes.append({"values": "drawn"})
    if case.policy != "full":
        changes.append({"policy": "full"})
    for change in changes:
        other = msgspec.structs.replace(case, **change)
        if _has_shapes(spec, other):
            yield msgspec.structs.replace(other, name=f"{case.name.removesuffix(', shrunk')}, shrunk")


def _has_shapes(spec: InputSpec, case: Case) -> bool:
    try:
        spec.shapes(case.sizes)
    except (DimError, SpecError, OptionError):
        return False
    return True
