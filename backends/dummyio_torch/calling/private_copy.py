"""A copy of a module to trace: a trace replaces weights and settings of the module, which other threads may run meanwhile.

The copy shares the weights; its parts, attributes, configuration and small buffers, which a run may change, are its own.
"""

import copy
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from dummyio.errors import format_error_line
from dummyio_torch.calling.meta_copy import iterate_weights

LARGEST_COPY = 16 << 20
"""Bytes of a buffer that is copied: counters and running means are small."""
_COMPILED = "_compiled_call_impl"
"""The attribute of a module that was compiled in place; a copy of the module is not compiled."""


def copy_to_trace(module: nn.Module, largest: float = LARGEST_COPY) -> tuple[nn.Module, tuple[str, ...]]:
    """Return a copy that shares the module's weights, and notes for the user; buffers of at most `largest` bytes are its own.

    A module that cannot be copied is returned itself, with a note: other threads must not run it meanwhile.
    """
    reason = next((f"{name} is bound to it" for name in _iterate_bound_functions(module)), None)
    if reason is None:
        try:
            shared = {id(tensor): tensor for tensor in iterate_weights(module) if not _is_state(tensor, largest)}
            return copy.deepcopy(module, shared), ()
        except Exception as error:  # noqa: BLE001 - any object in a module may refuse to be copied
            reason = format_error_line(error)
    return module, (f"traced without a copy, so do not run it in another thread meanwhile: {reason}",)


def _is_state(tensor: torch.Tensor, largest: float = LARGEST_COPY) -> bool:
    """Whether a run may change a tensor that can be copied: a buffer, or a tensor in an attribute."""
    return type(tensor) in (torch.Tensor, nn.Buffer) and tensor.is_leaf and tensor.nbytes <= largest


def record_state(module: nn.Module) -> dict[str, tuple[torch.Tensor, int, torch.Tensor]]:
    """Return name → a buffer, the number of its changes so far, and a copy, for the buffers that `copy_to_trace` copies."""
    return {
        name: (buffer, buffer._version, buffer.clone())  # noqa: SLF001 - has no public name
        for name, buffer in module.named_buffers()
        if _is_state(buffer) and not buffer.is_inference()
    }


def restore_state(module: nn.Module, before: dict[str, tuple[torch.Tensor, int, torch.Tensor]]) -> tuple[str, ...]:
    """Undo what runs did to buffers, and return the names of those that had changed."""
    changed = []
    for name, (buffer, version, values) in before.items():
        owner, _, attribute = name.rpartition(".")
        part = module.get_submodule(owner)
        now = part._buffers.get(attribute)  # noqa: SLF001 - setattr may be the module's own
        is_other = now is not buffer and now is not None and now.shape == values.shape and not torch.equal(now, values)
        if is_other or buffer._version != version:  # noqa: SLF001 - has no public name
            changed.append(name)
            with torch.no_grad():
                buffer.copy_(values)
            part._buffers[attribute] = buffer  # noqa: SLF001 - see above
    return tuple(changed)


def cast_weights(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a copy of a module that has its real weights in another dtype, tied ones still tied; the module keeps its own."""
    cast = {id(tensor): _cast(tensor, dtype) for tensor in iterate_weights(module)}
    return copy.deepcopy(module, cast)


def _cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    made = tensor.detach().to(dtype) if tensor.is_floating_point() else tensor
    return nn.Parameter(made, requires_grad=False) if isinstance(tensor, nn.Parameter) else made


def _iterate_bound_functions(module: nn.Module) -> Iterator[str]:
    """Yield the attributes that are functions which hold a part of the module: a copy would still call the original part."""
    parts = {id(part) for part in module.modules()}
    for part in module.modules():
        for name, value in vars(part).items():
            if name == _COMPILED:
                continue
            function: Any = value.__func__ if isinstance(value, MethodType) else value
            if isinstance(function, FunctionType) and any(_holds(cell, parts) for cell in function.__closure__ or ()):
                yield f"{type(part).__name__}.{name}"


def _holds(cell: Any, parts: set[int]) -> bool:
    try:
        value = cell.cell_contents
    except ValueError:  # an empty cell
        return False
    return id(value) in parts or id(getattr(value, "__self__", None)) in parts
