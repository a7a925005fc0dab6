"""An optimizer that takes only 0 for 0, and only 1 for 1.

The exporter's optimizer removes ``x + 0`` and ``x * 1``, and takes a constant for 0 that is at most 1e-8: the epsilon of many a
norm. What was 0 / sqrt(0 + epsilon) is then no number, and everything else is a little off.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

__all__ = ["match_constants_exactly"]


@contextmanager
def match_constants_exactly() -> Generator[None]:
    """Compare the constants of patterns exactly where the pattern has 0 or 1, as long as this is open."""
    from onnxscript.rewriter import _matcher  # noqa: PLC0415 - comes with ONNX, which this backend does not need else

    matcher: Any = _matcher
    kept = matcher.math
    matcher.math = SimpleNamespace(isclose=_is_close)
    try:
        yield
    finally:
        matcher.math = kept


def _is_close(value: float, wanted: float, *, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> bool:
    if wanted in (0, 1):
        return value == wanted
    return math.isclose(value, wanted, rel_tol=rel_tol, abs_tol=abs_tol)
