"""Checks of a model on its own sizes during a trace."""

import operator
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils._sympy.reference import PythonReferenceAnalysis

from dummyio.process_state import replace_functions

_STATED: dict[str, Callable[..., Any]] = {
    "int_truediv": operator.truediv,
    "truediv": operator.truediv,
    "trunc_to_int": lambda number, _dtype: torch.sym_int(number),
    "pow_by_natural": operator.pow,
}
"""Functions of sizes that PyTorch 2.13 cannot put into an assertion of a graph: it makes terms of SymPy of its nodes."""


@contextmanager
def accept_size_checks() -> Generator[None]:
    """Accept ``torch._check``, and assertions on quotients, if PyTorch fails to record the checked fact, until the context ends.

    For a size that depends on values, such as the number of elements that a mask selects, PyTorch 2.13 fails on an equality with
    an internal assertion about bounds. The check is the model's own, on its inputs; no result depends on it.
    """
    kept: Any = ShapeEnv.guard_or_defer_runtime_assert

    def defer(self: Any, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(kept(self, *args, **kwargs))
        except AssertionError as error:
            if "not a subset of" not in str(error):
                raise
            return True

    with (
        replace_functions(ShapeEnv, guard_or_defer_runtime_assert=defer),
        replace_functions(PythonReferenceAnalysis, **_STATED),
    ):
        yield
