"""What a module keeps from one call to the next: an artifact has the state of the trace, for ever."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dummyio_torch.calling.call_module import ModuleCall
from dummyio_torch.preview.own_lines import Line, find_change

_PLAIN = (bool, int, float, str, type(None), torch.Tensor)


@dataclass(frozen=True, slots=True)
class Change:
    """A buffer or an attribute that a call changes."""

    name: str
    """The path from the module, such as ``decoder.calls``."""
    line: Line
    is_buffer: bool


@dataclass(frozen=True, slots=True)
class Runs:
    """Two runs on the same inputs."""

    changes: tuple[Change, ...]
    is_repeatable: bool
    """Whether both have returned the same."""


State = Mapping[tuple[str, str], Any]


def read_state(module: nn.Module) -> State:
    """Return part and name → value of all that a call may change."""
    return {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in _iterate_state(module)}


def compare_runs(call: ModuleCall, leaves: Mapping[str, torch.Tensor], kept: State) -> Runs:
    """Run a module twice on the same inputs; its buffers must be its own, since a run may change them.

    `kept` is its state before the first of all runs.
    """
    first, again = (call.run({path: tensor.clone() for path, tensor in leaves.items()}) for _ in range(2))
    parts = dict(call.module.named_modules())
    changes = []
    for key, value in _iterate_state(call.module):
        if key in kept and _is_same(kept[key], value):
            continue
        path, name = key
        is_buffer = name in dict(parts[path].named_buffers(recurse=False))
        if key in kept or value is not None:
            changes.append(Change(f"{path}.{name}".lstrip("."), find_change(parts[path], name), is_buffer))
    same = [
        isinstance(other, torch.Tensor) and _is_close(first[name], other)
        for name, other in again.items()
        if isinstance(first.get(name), torch.Tensor)
    ]
    return Runs(tuple(changes), all(same))


def _iterate_state(module: nn.Module) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield part and name → value of each buffer, and of each attribute whose value can be compared."""
    for path, part in module.named_modules():
        yield from (((path, name), buffer) for name, buffer in part.named_buffers(recurse=False))
        for name, value in vars(part).items():
            if isinstance(value, _PLAIN) and not (name.startswith("_") and name in vars(nn.Module())):
                yield (path, name), value
            elif isinstance(value, (list, dict)) and not name.startswith("_"):
                yield (path, name), len(value)


def _is_same(before: Any, now: Any) -> bool:
    if isinstance(before, torch.Tensor) and isinstance(now, torch.Tensor):
        return before.shape == now.shape and before.dtype == now.dtype and _is_close(before, now)
    if isinstance(before, torch.Tensor) or isinstance(now, torch.Tensor):
        return False
    return bool(before == now)


def _is_close(first: torch.Tensor, other: torch.Tensor) -> bool:
    if first.shape != other.shape or first.dtype != other.dtype:
        return False
    if first.is_meta or other.is_meta:
        return True
    if first.is_floating_point() or first.is_complex():
        return torch.allclose(first, other, equal_nan=True)
    return torch.equal(first, other)
