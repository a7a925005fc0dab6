"""A list with as many tensors as a symbol says."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

__all__ = ["Rows", "all_rows", "length", "listed"]


class Rows(list[torch.Tensor]):
    """What a loop over a symbolic size fills: tensors of one shape, held as one, with their number on its first axis.

    To PyTorch it is a list, which its functions take; `dummyio_torch.symbolic.torch_functions` then does what they would do.
    """

    def __init__(self, whole: torch.Tensor) -> None:
        """Hold the tensors, stacked."""
        super().__init__([whole])
        self.whole = whole

    def _refused(self, *_: Any) -> NoReturn:
        raise TypeError("a list whose length is a symbol can be looped over, stacked or concatenated, and nothing else.")

    __iter__ = __getitem__ = __len__ = __add__ = append = extend = _refused  # type: ignore[assignment]


def all_rows(values: Any) -> torch.Tensor | None:
    """Return a tensor of as many rows as a symbol says; None for anything else."""
    if isinstance(values, Rows):
        return values.whole
    return values if torch.is_tensor(values) and values.dim() and isinstance(values.shape[0], torch.SymInt) else None


def listed(values: Any) -> Any:
    """``list(values)``."""
    whole = all_rows(values)
    return list(values) if whole is None else Rows(whole)


def length(values: Any) -> Any:
    """``len(values)``."""
    whole = all_rows(values)
    return len(values) if whole is None else whole.shape[0]
