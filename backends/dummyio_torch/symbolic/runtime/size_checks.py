"""Checks of a model on its own sizes during a trace."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from torch.fx.experimental.symbolic_shapes import ShapeEnv

from dummyio.process_state import replace_functions


@contextmanager
def accept_size_checks() -> Generator[None]:
    """Accept ``torch._check`` if PyTorch fails to record the checked fact, until the context ends.

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

    with replace_functions(ShapeEnv, guard_or_defer_runtime_assert=defer):
        yield
