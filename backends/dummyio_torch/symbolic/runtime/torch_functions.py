"""PyTorch functions that take numbers, lists or sizes, for symbolic ones."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import statically_known_true
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from dummyio.errors import ExportError
from dummyio_torch.symbolic.runtime.pooling import average_adaptively, maximize_adaptively, maximize_windows
from dummyio_torch.symbolic.runtime.sized_tensors import list_triangle, make_hamming_window, make_window
from dummyio_torch.symbolic.runtime.symbolic_lists import SplitList, SplitSizes, StackedList

_PACK = "_pack_padded_sequence"
_PACKED = (
    "the model makes packed sequences (pack_padded_sequence), whose rows are counted by the values of the lengths, where a graph is "
    "one for all of them. Run the layer on the padded sequences, and hide what lies behind their ends by a mask."
)


class SymbolicFunctions(TorchFunctionMode):
    """Keeps sizes symbolic in ``torch.tensor([height, width])``, ``torch.stack(rows)`` and similar calls while it is active."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the replacement of a function if an argument is symbolic."""
        if getattr(func, "__name__", "") == _PACK:
            raise ExportError(_PACKED)
        func = _OTHER_NAMES.get(func, func)
        given = kwargs or {}
        values = (*args, *given.values())
        if func in _OF_MIXED and _mixes_dtypes(values):
            return _OF_MIXED[func](*args, **given)
        if func in _OF_NUMBERS and any(map(_has_symbol, values)):
            return _OF_NUMBERS[func](*args, **given)
        if func in _OF_LISTS and any(isinstance(value, (StackedList, SplitSizes, SplitList)) for value in values):
            return _OF_LISTS[func](*args, **given)
        if func in _OF_SHAPES and _has_symbol(list(values[0].shape)):
            return _OF_SHAPES[func](*args, **given)
        if func in _OF_SIZES and _is_untranslated(func, values[0]):
            return _OF_SIZES[func](*args, **given)
        return func(*args, **given)


def _mixes_dtypes(values: Sequence[Any]) -> bool:
    """Whether the operands are a tensor of integers or booleans and a real number."""
    if len(values) != 2 or not isinstance(values[0], torch.Tensor) or not isinstance(values[1], float):
        return False
    return not (values[0].is_floating_point() or values[0].is_complex())


def _subtract_from(values: torch.Tensor, number: float) -> torch.Tensor:
    """``number - values``, in the dtype of the result."""
    return torch.rsub(values.to(torch.get_default_dtype()), number)


def _divide_down(values: torch.Tensor, number: float) -> torch.Tensor:
    """``values // number``."""
    return torch.div(values.to(torch.get_default_dtype()), number, rounding_mode="floor")


def _has_symbol(values: Any) -> bool:
    """Whether a symbolic number is among these values or in their lists."""
    if isinstance(values, (list, tuple)) and not isinstance(values, (StackedList, SplitSizes, SplitList)):
        return any(map(_has_symbol, values))
    return isinstance(values, (torch.SymInt, torch.SymFloat))


def _is_untranslated(func: Callable[..., Any], values: torch.Tensor) -> bool:
    """Whether a pooling has a symbolic size, or is a maximum, which ``torch.onnx`` does not translate for constant sizes either."""
    replacement = _OF_SIZES[func]
    return replacement.func is maximize_adaptively or _has_symbol(list(values.shape[-replacement.keywords["axes"] :]))


def _tensor(data: Any, *, dtype: torch.dtype | None = None, device: Any = None, **options: Any) -> torch.Tensor:
    """``torch.tensor``, ``torch.as_tensor``."""
    if dtype is None:
        dtype = torch.get_default_dtype() if _has_fraction(data) else torch.int64
    made = _made(data, dtype, device)
    return made.requires_grad_() if options.get("requires_grad") else made


def _made(values: Any, dtype: torch.dtype, device: Any) -> torch.Tensor:
    if isinstance(values, (list, tuple)):
        return torch.stack([_made(value, dtype, device) for value in values])
    if isinstance(values, torch.Tensor):
        return values.to(device=device, dtype=dtype)
    return torch.scalar_tensor(values, dtype=dtype, device=device)


def _has_fraction(values: Any) -> bool:
    if isinstance(values, (list, tuple)):
        return any(map(_has_fraction, values))
    return isinstance(values, (float, torch.SymFloat)) or (torch.is_tensor(values) and values.is_floating_point())


def _linspace(
    start: Any, end: Any, steps: Any, *, dtype: torch.dtype | None = None, device: Any = None, **_: Any
) -> torch.Tensor:
    """``torch.linspace``, computed as PyTorch does: from both ends to the middle."""
    dtype = dtype or torch.get_default_dtype()
    first, last = _tensor(start, dtype=dtype, device=device), _tensor(end, dtype=dtype, device=device)
    count = _tensor(steps, dtype=torch.int64, device=device)
    places = torch.arange(steps, device=device)
    step = (last - first) / (count - 1).clamp(min=1)
    up, down = first + step * places, last - step * (count - 1 - places)
    return torch.where(places < count // 2, up, torch.where(count > 1, down, first)).to(dtype)


def _affine_grid(theta: torch.Tensor, size: Any, align_corners: bool | None = None) -> torch.Tensor:
    """``torch.nn.functional.affine_grid``."""
    axes = []
    for length in size[2:]:
        count = _tensor(length, dtype=theta.dtype, device=theta.device)
        share = (count > 1).to(theta.dtype) if align_corners else (count - 1) / count
        axes.append(_linspace(-1, 1, length, dtype=theta.dtype, device=theta.device) * share)
    places = torch.meshgrid(*axes, indexing="ij")
    points = torch.stack([*reversed(places), torch.ones_like(places[0])], dim=-1)
    return torch.matmul(points, theta.mT.reshape(theta.shape[0], *(1 for _ in axes[1:]), *theta.mT.shape[1:]))


def _stack(tensors: StackedList, dim: int = 0) -> torch.Tensor:
    """``torch.stack``."""
    return tensors.whole.movedim(0, dim)


def _split(values: torch.Tensor, split_size: SplitSizes, dim: int = 0) -> SplitList:  # noqa: ARG001 - only its length matters
    """``values.split(counts.tolist())``."""
    if dim != 0:
        raise TypeError("a tensor can be split by a list of symbolic length along its first axis only.")
    return SplitList(values)


def _cat(tensors: StackedList | SplitList, dim: int = 0) -> torch.Tensor:
    """``torch.cat``."""
    if isinstance(tensors, SplitList):
        if dim != 0:
            raise TypeError("pieces of several rows each are concatenated along their first axis only.")
        return tensors.whole
    axis = dim % (tensors.whole.dim() - 1)
    return tensors.whole.movedim(0, axis).flatten(axis, axis + 1)


def _tensor_split(values: torch.Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[torch.Tensor, ...]:
    """``torch.tensor_split``, which assumes for all sizes what is left over at the size of the trace."""
    size, count = values.shape[dim], indices_or_sections
    if not (isinstance(count, int) and isinstance(size, torch.SymInt)):
        return torch.tensor_split(values, indices_or_sections, dim)
    ends: list[Any] = [place * (size // count) + torch.sym_min(place, size % count) for place in range(count + 1)]
    return _cut(values, ends, dim)


def _chunk(values: torch.Tensor, chunks: int, dim: int = 0) -> tuple[torch.Tensor, ...]:
    """``torch.chunk``, which the optimizer of onnxscript fails on at a symbolic size."""
    size = values.shape[dim]
    step = (size + chunks - 1) // chunks
    if isinstance(size, int) or (chunks - 1) * step >= size:  # fewer pieces
        return torch.chunk(values, chunks, dim)
    return _cut(values, [*(place * step for place in range(chunks)), size], dim)


def _split_evenly(values: torch.Tensor, split_size: Any, dim: int = 0) -> tuple[torch.Tensor, ...]:
    """``torch.split`` by a symbolic size, which the optimizer of onnxscript fails on."""
    if isinstance(split_size, (list, tuple)):
        return torch.split(values, list(split_size), dim)
    size = values.shape[dim]
    divides = statically_known_true(size % split_size == 0)
    count = int(size // split_size if divides else (size + split_size - 1) // split_size)
    return _cut(values, [*(place * split_size for place in range(count)), size], dim)


def _cut(values: torch.Tensor, ends: Sequence[Any], dim: int) -> tuple[torch.Tensor, ...]:
    """Return the parts between one of these places and the next."""
    return tuple(values.narrow(dim, start, end - start) for start, end in pairwise(ends))


_OTHER_NAMES: dict[Callable[..., Any], Callable[..., Any]] = {
    alias: getattr(torch, name)
    for owner in (torch, torch.Tensor)
    for alias, name in (
        (owner.divide, "div"),
        (owner.multiply, "mul"),
        (owner.subtract, "sub"),
        (owner.greater, "gt"),
        (owner.greater_equal, "ge"),
        (owner.less, "lt"),
        (owner.less_equal, "le"),
        (owner.not_equal, "ne"),
    )
}
"""Functions of two names: ``torch.onnx`` does not convert operands of different dtypes under the longer one."""
_OF_MIXED: dict[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys((torch.rsub, torch.Tensor.__rsub__), _subtract_from),
    **dict.fromkeys((torch.floor_divide, torch.Tensor.floor_divide, torch.Tensor.__floordiv__), _divide_down),
}
"""The replacement for integers and a real number: ``torch.onnx`` has no overload, or no translation, for the two."""
_OF_NUMBERS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.tensor: _tensor,
    torch.as_tensor: _tensor,
    torch.linspace: _linspace,
    functional.affine_grid: _affine_grid,
    torch.split: _split_evenly,
    torch.Tensor.split: _split_evenly,
    torch.hann_window: partial(make_window, cosines=(0.5, 0.5)),
    torch.hamming_window: make_hamming_window,
    torch.blackman_window: partial(make_window, cosines=(0.42, 0.5, 0.08)),
    torch.triu_indices: partial(list_triangle, torch.triu),
    torch.tril_indices: partial(list_triangle, torch.tril),
}
"""The replacement if a number is symbolic."""
_OF_LISTS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.stack: _stack,
    torch.cat: _cat,
    torch.concat: _cat,
    torch.split: _split,
    torch.Tensor.split: _split,
}
"""The replacement if the length of a list is symbolic."""
_OF_SHAPES: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.tensor_split: _tensor_split,
    torch.Tensor.tensor_split: _tensor_split,
    torch.chunk: _chunk,
    torch.Tensor.chunk: _chunk,
    functional.max_pool1d: maximize_windows,
    torch.max_pool1d: maximize_windows,
}
"""The replacement if a size of the first argument is symbolic."""
_OF_SIZES: dict[Callable[..., Any], partial[Any]] = {
    functional.adaptive_avg_pool1d: partial(average_adaptively, axes=1),
    functional.adaptive_avg_pool2d: partial(average_adaptively, axes=2),
    functional.adaptive_avg_pool3d: partial(average_adaptively, axes=3),
    functional.adaptive_max_pool1d: partial(maximize_adaptively, axes=1),
    functional.adaptive_max_pool2d: partial(maximize_adaptively, axes=2),
    functional.adaptive_max_pool3d: partial(maximize_adaptively, axes=3),
    functional.adaptive_max_pool1d_with_indices: partial(maximize_adaptively, axes=1, indexed=True),
    functional.adaptive_max_pool2d_with_indices: partial(maximize_adaptively, axes=2, indexed=True),
    functional.adaptive_max_pool3d_with_indices: partial(maximize_adaptively, axes=3, indexed=True),
}
"""The replacement if a size that it pools is symbolic, and of maxima at any size."""
