"""Sizes on both sides of where a model may behave otherwise: windows, chunks, tables of positions, powers of two."""

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

from dummyio.backend.frameworks import MODEL_ROOTS
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.probe_plan import sizes_are_valid

BATCH = "batch_size"
_BATCHES = (2, 5, 8)
_LENGTHS = tuple(power + step for power in (32, 64, 128) for step in (-1, 0, 1))
"""Lengths for a model whose text states none: code compares lengths with powers of two."""
_LENGTH_NAME = re.compile(r"length$|^num_(frames|nodes|edges|tokens|points|steps)$")
_PAST = "past_sequence_length"
_STATED = re.compile(
    r"window|chunk|block_size|max_position|original_max|max_distance|num_buckets|n_positions|n_ctx|max_seq"
)
_COMPARED = re.compile(
    r"(?:shape\[[^\]]*\]|size\([^()]*\)|\blen\([^()]*\)|\w*len(?:gth)?)\s*(?:[<>]=?|[=!]=)\s*(\d+)\b"
)
_LARGEST = 4096
MOST_BYTES = 64 << 20
"""Inputs that are larger are not run."""
_MOST_STATED = 6


def list_thresholds(model: Any) -> tuple[int, ...]:
    """Return the sizes at which a model may behave otherwise, ascending.

    They are those that its configuration states for windows, chunks and tables, and the numbers with which the text of its modules, or of a
    function, compares sizes.
    """
    found = sorted({*_read_configuration(model), *_read_comparisons(model)})
    return tuple(found[:_MOST_STATED])


def _read_configuration(model: Any) -> Iterator[int]:
    pending, seen = [getattr(model, "config", None)], set[int]()
    while pending:
        config = pending.pop()
        if id(config) in seen:  # a configuration may contain itself
            continue
        seen.add(id(config))
        values = config if isinstance(config, Mapping) else vars(config) if hasattr(config, "__dict__") else {}
        for name, value in values.items():
            if type(value) is int and value > 1 and isinstance(name, str) and _STATED.search(name):
                yield value
            elif isinstance(name, str) and name.endswith("_config"):
                pending.append(value)


def _read_comparisons(model: Any) -> Iterator[int]:
    """Yield the numbers that sizes are compared with in the text of a function, or of a model's modules that come from no library."""
    list_modules = getattr(model, "modules", None)
    modules: Any = list_modules() if callable(list_modules) else ()
    kinds = {type(each) for each in modules}
    own = [kind for kind in kinds if kind.__module__.partition(".")[0] not in MODEL_ROOTS]
    parts: list[Any] = [kind.forward for kind in own if hasattr(kind, "forward")] if kinds else [model]
    for part in parts:
        code = getattr(inspect.unwrap(part), "__code__", None)
        yield from () if code is None else _read_numbers(code)


@lru_cache(maxsize=512)
def _read_numbers(code: CodeType) -> tuple[int, ...]:
    """Return the numbers that sizes are compared with in the text of one function; none if its text is not there."""
    try:
        text = inspect.getsource(code)
    except OSError:
        return ()
    return tuple(number for number in map(int, _COMPARED.findall(text)) if 1 < number <= _LARGEST)


def plan_thresholds(spec: InputSpec, first: Mapping[str, int], stated: Collection[int]) -> list[dict[str, int]]:
    """Return the sizes to run beside the probe plan: batches, and lengths around those that are stated and around powers of two.

    All lengths that are not of a past change together; all other sizes are as in `first`.
    """
    batches = ({BATCH: size} for size in _BATCHES)
    wanted = dict.fromkeys([*(size + step for size in stated for step in (-1, 0, 1)), *_LENGTHS])
    free = [dim for dim in spec.dims.values() if not dim.fixed]
    groups = (
        [dim for dim in free if _is_length(dim) and dim.name != _PAST],
        [dim for dim in free if dim.name == _PAST],
    )
    changes = [*batches, *({dim.name: size for dim in group if dim.takes(size)} for group in groups for size in wanted)]
    plan = (
        {**first, **change}
        for change in changes
        if all(name in first and spec.dims[name].takes(size) for name, size in change.items())
    )
    return [
        sizes
        for sizes in plan
        if sizes != first and sizes_are_valid(spec, sizes) and spec.nbytes(**sizes) <= MOST_BYTES
    ]


def list_left_out(spec: InputSpec, first: Mapping[str, int], stated: Collection[int]) -> Iterator[tuple[str, int, int]]:
    """Yield dim, size and bytes of the inputs for the stated sizes that are too large to run."""
    for dim in (dim for dim in spec.dims.values() if _is_length(dim) and not dim.fixed):
        for size in stated:
            sizes = {**first, dim.name: size + 1}
            if dim.takes(size + 1) and sizes_are_valid(spec, sizes) and spec.nbytes(**sizes) > MOST_BYTES:
                yield dim.name, size + 1, spec.nbytes(**sizes)


def _is_length(dim: Dim) -> bool:
    return _LENGTH_NAME.search(dim.name) is not None
