"""Where a model's own Python makes of a size a constant, or decides by values: what an error then says."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sympy
from torch.fx.experimental.symbolic_shapes import ShapeEnv

__all__ = ["SpecializationLog", "log_specializations"]

_CONFLICT = "Found the following conflicts"
"""How ``torch.export`` begins to say that a size which should be free is not."""


@dataclass
class SpecializationLog:
    """What was seen in one trace."""

    files: Collection[str]
    """The model's own."""
    fixed: dict[str, str] = field(default_factory=dict)
    """A line of the model's → what it took for granted there."""

    def reason(self, error: BaseException) -> str | None:
        """Return why a trace failed, as the model's own lines tell it; None where they do not."""
        inner = error
        while inner.__cause__ is not None:
            inner = inner.__cause__
        if self.fixed and str(inner).startswith(_CONFLICT):
            return (
                f"a size becomes a constant where the model's own Python looks at it: {self.granted()}. Export with that size "
                "fixed, static=NAMES, 'all_but_batch' or 'all'."
            )
        own = [frame for frame in traceback.extract_tb(inner.__traceback__) if frame.filename in self.files]
        if "DataDependent" not in type(inner).__name__ or not own:
            return None
        place = _line(own[-1].filename, own[-1].lineno or 0)
        return (
            f"the model decides by values, where a graph is one for all of them: {place}. Export the part before that."
        )

    def granted(self) -> str:
        """Return the lines, the first in full."""
        (line, fact), more = next(iter(self.fixed.items())), len(self.fixed) - 1
        return f"{line} ({fact}){f', and {more} more' if more else ''}"


@contextmanager
def log_specializations(files: Collection[str]) -> Generator[SpecializationLog]:
    """Note each line of these files that makes a size a constant, as long as this is open."""
    watch = SpecializationLog(files)
    environment: Any = ShapeEnv
    kept = environment._log_guard  # noqa: SLF001 - where each such decision passes

    def log(self: Any, prefix: str, guard: Any, *rest: Any, **options: Any) -> Any:
        if prefix == "eval" and isinstance(guard, sympy.Eq) and any(side.is_Integer for side in guard.args):
            place = _own_line(files)
            if place is not None:
                watch.fixed.setdefault(place, str(guard))
        return kept(self, prefix, guard, *rest, **options)

    environment._log_guard = log  # noqa: SLF001 - as above
    try:
        yield watch
    finally:
        environment._log_guard = kept  # noqa: SLF001 - as above


def _own_line(files: Collection[str]) -> str | None:
    frame = sys._getframe(2)  # noqa: SLF001 - the way up the stack that costs nothing
    while frame is not None:
        if frame.f_code.co_filename in files:
            return _line(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _line(file: str, number: int) -> str:
    return f"{Path(file).name}, line {number}: {linecache.getline(file, number).strip()}"
