"""Lists of tensors whose length is symbolic."""

from typing import Any, NoReturn

import torch


class _Symbolic(list[torch.Tensor]):
    """A list of symbolic length, which holds one tensor in place of its items."""

    def __init__(self, whole: torch.Tensor) -> None:
        """Hold the items as one tensor."""
        super().__init__([whole])
        self.whole = whole

    def _refused(self, *_: Any) -> NoReturn:
        raise TypeError(
            "a list whose length is a symbol can be looped over, stacked or concatenated, and nothing else: do that in the model, "
            "or export with that size fixed, static=NAMES or 'all'."
        )

    __iter__ = __getitem__ = __len__ = __add__ = append = extend = _refused


class StackedList(_Symbolic):
    """The tensors of one shape that a loop over a symbolic size appended, stacked.

    PyTorch's functions accept it as a list; `torch_functions` then handles the call.
    """


class SplitSizes(_Symbolic):
    """``counts.tolist()``: the sizes by which another tensor is split."""


class SplitList(_Symbolic):
    """``values.split(counts.tolist())``: tensors of several rows each, concatenated."""


def all_rows(values: Any) -> torch.Tensor | None:
    """Return the tensor if its number of rows is symbolic, else None."""
    if isinstance(values, StackedList):
        return values.whole
    return values if torch.is_tensor(values) and values.dim() and isinstance(values.shape[0], torch.SymInt) else None


def symbolic_list(values: Any) -> Any:
    """``list(values)``."""
    whole = all_rows(values)
    return list(values) if whole is None else StackedList(whole)


def symbolic_len(values: Any) -> Any:
    """``len(values)``."""
    whole = all_rows(values)
    return len(values) if whole is None else whole.shape[0]


def symbolic_tolist(values: Any) -> Any:
    """``values.tolist()``."""
    whole = all_rows(values)
    return values.tolist() if whole is None or whole.dim() != 1 else SplitSizes(whole)
