"""Lists with as many tensors as a symbol says."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

__all__ = ["SplitList", "SplitSizes", "StackedList", "all_rows", "counts", "length", "listed"]


class _Symbolic(list[torch.Tensor]):
    """A list as long as a symbol, which holds one tensor in place of its items."""

    def __init__(self, whole: torch.Tensor) -> None:
        """Hold the items as one tensor."""
        super().__init__([whole])
        self.whole = whole

    def _refused(self, *_: Any) -> NoReturn:
        raise TypeError(
            "a list whose length is a symbol can be looped over, stacked or concatenated, and nothing else."
        )

    __iter__ = __getitem__ = __len__ = __add__ = append = extend = _refused


class StackedList(_Symbolic):
    """What a loop over a symbolic size fills: tensors of one shape, stacked.

    To PyTorch it is a list, which its functions take; `dummyio_torch.symbolic.torch_functions` then does what they would do.
    """


class SplitSizes(_Symbolic):
    """``counts.tolist()``: what another tensor is split by."""


class SplitList(_Symbolic):
    """``values.split(counts.tolist())``: tensors of several rows each, concatenated."""


def all_rows(values: Any) -> torch.Tensor | None:
    """Return a tensor of as many rows as a symbol says; None for anything else."""
    if isinstance(values, StackedList):
        return values.whole
    return values if torch.is_tensor(values) and values.dim() and isinstance(values.shape[0], torch.SymInt) else None


def listed(values: Any) -> Any:
    """``list(values)``."""
    whole = all_rows(values)
    return list(values) if whole is None else StackedList(whole)


def length(values: Any) -> Any:
    """``len(values)``."""
    whole = all_rows(values)
    return len(values) if whole is None else whole.shape[0]


def counts(values: Any) -> Any:
    """``values.tolist()``."""
    whole = all_rows(values)
    return values.tolist() if whole is None or whole.dim() != 1 else SplitSizes(whole)
