"""An optimizer that takes only 0 for 0, and only 1 for 1.

The optimizer of onnxscript removes ``x + 0`` and ``x * 1``, and takes each constant of at most 1e-8 for 0: the epsilon of many
norms. What was 0 / sqrt(0 + epsilon) is then NaN, and all other values are a little off.
"""

import math
from collections.abc import Generator
from contextlib import contextmanager
from types import SimpleNamespace

from onnxscript.rewriter import _matcher

from dummyio.process_state import replace_attributes, replace_functions


@contextmanager
def match_constants_exactly() -> Generator[None]:
    """Compare constants exactly with the 0 or 1 of a pattern, while this context is open."""
    functions = SimpleNamespace(isclose=math.isclose)
    with replace_functions(functions, isclose=_is_close), replace_attributes(_matcher, math=functions):
        yield


def _is_close(value: float, expected: float, *, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> bool:
    if expected in (0, 1):
        return value == expected
    return math.isclose(value, expected, rel_tol=rel_tol, abs_tol=abs_tol)
