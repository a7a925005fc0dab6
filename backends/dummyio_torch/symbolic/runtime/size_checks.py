"""What a model checks of its own sizes while it is traced."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from torch.fx.experimental.symbolic_shapes import ShapeEnv

__all__ = ["checks_that_hold"]


@contextmanager
def checks_that_hold() -> Generator[None]:
    """Let ``torch._check`` pass where PyTorch fails to write a fact down, as long as this is open.

    Of a size that is only known by values, such as how many elements a mask selects, PyTorch 2.13 refuses an equality with an
    assertion of its own about bounds. The check is the model's, of its inputs; nothing is computed by it.
    """
    environment: Any = ShapeEnv
    kept = environment.guard_or_defer_runtime_assert

    def defer(self: Any, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(kept(self, *args, **kwargs))
        except AssertionError as error:
            if "not a subset of" not in str(error):
                raise
            return True

    environment.guard_or_defer_runtime_assert = defer
    try:
        yield
    finally:
        environment.guard_or_defer_runtime_assert = kept
