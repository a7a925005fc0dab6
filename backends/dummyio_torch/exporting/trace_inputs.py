"""What a trace is made with: a module of flat inputs and outputs, and sizes that give nothing away.

A size of 1 is taken for a constant by PyTorch's exporters; two sizes that are equal, or equal to a constant of the model, can be
taken for each other. So a trace has sizes of 2 and up, no two the same, and none that the model's weights or configuration
have, as far as the bounds of the spec allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dummyio.errors import ExportError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, Size, collect_dims, evaluate_size, is_static
from dummyio.spec.probe_plan import sizes_are_valid
from dummyio_torch.calling.array_conversion import to_tensors
from dummyio_torch.calling.call_module import ModuleCall, device_of
from dummyio_torch.dtypes import to_native

__all__ = ["FlatModule", "other_inputs", "output_names", "symbolic_axes", "trace_inputs", "trace_sizes"]

_TRIES = 64
_REACH = 512
"""A trace is this much longer than the default sizes, at most: it costs what a run costs."""


class FlatModule(nn.Module):
    """A module that takes the tensors of a spec in order, and returns the outputs named, in order.

    Whatever else the module takes is closed over: an exporter that is given a constant among the inputs loses the names of
    all dynamic sizes.
    """

    def __init__(self, calling: ModuleCall, outputs: Sequence[str]) -> None:
        """Hold the module as ``model``, so that its parts keep their names behind that."""
        super().__init__()
        self.model = calling.module
        self.training = False
        self._calling = calling
        self._outputs = tuple(outputs)

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Call the module."""
        # A copy for each: what is handed back unchanged would be an output that is an input, which exporters rename, and
        # what is written in place would be an output that nobody asked for.
        leaves = {path: tensor.clone() for path, tensor in zip(self._calling.paths, tensors, strict=True)}
        results = self._calling(leaves)
        return tuple(results[name] for name in self._outputs)


def symbolic_axes(spec: InputSpec) -> Iterator[tuple[str, int, Size]]:
    """Yield path, axis and size of what must stay free."""
    for path, leaf in spec.leaves:
        for axis, size in enumerate(leaf.shape):
            if not is_static(size):
                yield path, axis, size


def output_names(calling: ModuleCall, leaves: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Run the module once and return what its results are named.

    Raises
    ------
    ExportError
        where it does not run, or returns no tensors.
    """
    try:
        results = calling({path: tensor.clone() for path, tensor in leaves.items()})
    except Exception as error:
        shapes = ", ".join(f"{path} {list(tensor.shape)}" for path, tensor in leaves.items())
        raise ExportError(
            f"{_label(calling.module)} does not run on its own spec ({shapes}), so it cannot be traced: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not results:
        raise ExportError(f"{_label(calling.module)} returns no tensors: there is nothing to export.")
    return tuple(results)


def trace_inputs(spec: InputSpec, module: nn.Module) -> dict[str, torch.Tensor]:
    """Return path → tensor to trace with, where the module's weights are; without memory where they have none."""
    return _inputs(spec, module, trace_sizes(spec, module))


def other_inputs(spec: InputSpec, module: nn.Module) -> dict[str, torch.Tensor]:
    """Return inputs as `trace_inputs`, at other sizes: what a module remembers of a run must not fit the trace.

    Positions that are kept for the length of the last text, for one, would be taken for constants of that length.
    """
    sizes = trace_sizes(spec, module)
    other = spec.sizes() | _distinct(_free(spec), set(sizes.values()), 0)
    return _inputs(spec, module, other if sizes_are_valid(spec, other) else spec.sizes())


def _inputs(spec: InputSpec, module: nn.Module, sizes: Mapping[str, int]) -> dict[str, torch.Tensor]:
    device = device_of(module)
    if device.type != "meta":
        return to_tensors(spec.feeds(**sizes), device)
    return {
        path: torch.empty(leaf.sizes(sizes), dtype=to_native(leaf.dtype), device=device) for path, leaf in spec.leaves
    }


def trace_sizes(spec: InputSpec, module: nn.Module) -> dict[str, int]:
    """Return sizes for a trace: of 2 and up, distinct, derived ones included, and unlike the model's constants."""
    free = _free(spec)
    derived = list(dict.fromkeys(size for _, _, size in symbolic_axes(spec)))
    own = {size for _, leaf in spec.leaves for size in leaf.shape if isinstance(size, int)}
    own |= {dim.size for dim in spec.dims.values() if dim.fixed}
    for avoided in (own | _constants(module), own, set[int]()):
        for start in range(_TRIES):
            sizes = spec.sizes() | _distinct(free, avoided, start)
            if _tells_apart(spec, sizes, derived, avoided):
                return sizes
    return spec.probes()[0]


def _free(spec: InputSpec) -> list[Dim]:
    return [
        dim for dim in collect_dims(size for _, leaf in spec.leaves for size in leaf.shape).values() if not dim.fixed
    ]


def _distinct(free: Sequence[Dim], avoided: set[int], start: int) -> dict[str, int]:
    taken = set(avoided)
    sizes: dict[str, int] = {}
    for place, dim in enumerate(free):
        candidates = [size for size in _near(dim) if size not in taken and size > 1]
        # The first few are left out in later tries, of one symbol more than of the next.
        left = candidates[(start * (place + 1)) // 2 :] or candidates
        sizes[dim.name] = left[0] if left else dim.size
        taken.add(sizes[dim.name])
    return sizes


def _near(dim: Dim) -> list[int]:
    """Return the sizes that a dim takes, those nearest above its default first, and small ones last.

    At the ends of its range a model may have a way of its own, such as an image that need not be resized: these come late.
    """
    ends = (dim.min, dim.max)
    if dim.choices is not None:
        found: list[int] = [size for size in dim.choices if dim.takes(size)]
    else:
        step = dim.multiple_of
        low = -(-max(dim.min, dim.size - _REACH) // step) * step
        high = min(dim.size + _REACH * step, dim.max if dim.max is not None else dim.size + _REACH * step)
        found = list(range(low, high + 1, step))
    return sorted(found, key=lambda size: (size < 3, size in ends, size < dim.size, abs(size - dim.size)))


def _tells_apart(spec: InputSpec, sizes: Mapping[str, int], derived: Sequence[Size], avoided: set[int]) -> bool:
    if not sizes_are_valid(spec, sizes):
        return False
    values = [evaluate_size(size, sizes) for size in derived]
    return len(set(values)) == len(values) and min(values, default=2) > 1 and not avoided & set(values)


def _constants(module: nn.Module) -> set[int]:
    """Return the sizes of a module's weights and the numbers of its configuration."""
    found = {size for tensor in (*module.parameters(), *module.buffers()) for size in tensor.shape}
    to_dict: Callable[[], Any] | None = getattr(getattr(module, "config", None), "to_dict", None)
    return found | (set(_numbers(to_dict())) if callable(to_dict) else set())


def _numbers(values: Any) -> Iterator[int]:
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, (list, tuple)):
        for value in values:
            yield from _numbers(value)
    elif isinstance(values, int) and not isinstance(values, bool):
        yield values


def _label(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"
