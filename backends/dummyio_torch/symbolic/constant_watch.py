"""Records the lines of a model's Python code that decide by a size while the model is traced, and why a trace failed."""

import linecache
import sys
import traceback
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import sympy
from torch._subclasses.fake_tensor import UnsupportedOperatorException
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from dummyio.errors import DummyioError, format_error_line
from dummyio.process_state import replace_functions

_CONFLICT = "Constraints violated"
"""The first words of the error of ``torch.export`` for a dynamic axis that has become a constant."""


@dataclass
class SpecializationLog:
    """The decisions of one trace that depend on sizes."""

    files: Collection[str]
    """The model's own source files."""
    functions: set[CodeType] = field(default_factory=set)
    """The code of the model's functions that were running at a decision by a size or at the failure."""
    decisions: dict[sympy.Basic, str] = field(default_factory=dict)
    """What the trace took for true of its sizes -> the first line of the model that caused it, or an empty string."""
    sizes: dict[sympy.Basic, int] = field(default_factory=dict)
    """Symbol -> its size in the trace."""

    def note_decision(self, guard: Any, frame: FrameType | None) -> None:
        """Record a guard of the trace, and the functions of the model's own files that caused it."""
        frames = [each for each in _iterate_frames(frame) if each.f_code.co_filename in self.files]
        line = _format_line(frames[0].f_code.co_filename, frames[0].f_lineno) if frames else ""
        self.decisions.setdefault(guard, line)
        if not frames:
            return
        # A loop or a call further out may hold the size; an inequality is decided in its own function only.
        self.functions.update(each.f_code for each in (frames if _makes_constant(guard) else frames[:1]))

    def note_failure(self, error: BaseException) -> None:
        """Record the model's functions in the tracebacks of an error and its causes."""
        for each in iterate_causes(error):
            frames = (frame for frame, _ in traceback.walk_tb(each.__traceback__))
            self.functions.update(frame.f_code for frame in frames if frame.f_code.co_filename in self.files)

    def explain(self, error: BaseException) -> str | None:
        """Return the reason for a failed trace in terms of the model's own lines; None if they do not explain it."""
        *_, inner = iterate_causes(error)
        fixed = self.list_fixed()
        if fixed and str(inner).startswith(_CONFLICT):
            return (
                f"a size becomes a constant where the model's own Python looks at it: {_shorten(fixed)}. Export with "
                "that size fixed, static=NAMES, 'all_but_batch' or 'all'."
            )
        if isinstance(inner, UnsupportedOperatorException):
            return (
                f"torch.export cannot trace the operator {inner.func}, which states no shapes of its results. Compute it by other "
                "operators, or leave the part with it out."
            )
        own = [frame for frame in traceback.extract_tb(inner.__traceback__) if frame.filename in self.files]
        if depends_on_values(error) and own:
            line = _format_line(own[-1].filename, own[-1].lineno or 0)
            return f"the model decides by values, where a graph is one for all of them: {line}. Export the part before that."
        looked = fixed or {line: str(decision) for decision, line in self.decisions.items() if line}
        if not looked or isinstance(inner, DummyioError):
            return None
        return (
            f"the trace failed: {format_error_line(error)}. Before that, the model's own Python looked at a size: {_shorten(looked)}. If "
            "the failure stems from there, export with that size fixed, static=NAMES, 'all_but_batch' or 'all'."
        )

    def list_fixed(self, known: Collection[sympy.Basic] = ()) -> dict[str, str]:
        """Return source line -> the equation by which it made a size, or a number of sizes, a constant, but for `known` decisions."""
        fixed: dict[str, str] = {}
        for decision, line in self.decisions.items():
            if line and _makes_constant(decision) and decision not in known:
                fixed.setdefault(line, str(decision))
        return fixed

    def list_notes(self, known: Collection[sympy.Basic] = ()) -> tuple[str, ...]:
        """Return the assumptions about sizes of a trace that succeeded, as notes for the user, but for those that are `known` to be right."""
        fixed = self.list_fixed(known)
        return (f"assumed of sizes, so validate at others: {_shorten(fixed)}",) if fixed else ()


@contextmanager
def log_specializations(files: Collection[str]) -> Generator[SpecializationLog]:
    """Record each decision by a size that a line of these files causes, until the context ends."""
    log = SpecializationLog(files)
    original: Any = ShapeEnv._log_guard  # noqa: SLF001 - every decision of a trace passes through it

    def log_guard(self: Any, prefix: str, guard: Any, *rest: Any, **options: Any) -> Any:
        if prefix == "eval":
            log.note_decision(guard, sys._getframe(1))  # noqa: SLF001 - costs nothing, unlike inspect.stack
            known = self.backed_var_to_val
            log.sizes |= {
                each: int(known[each]) for each in guard.free_symbols if each in known and known[each].is_Integer
            }
        return original(self, prefix, guard, *rest, **options)

    with replace_functions(ShapeEnv, _log_guard=log_guard):
        yield log


def _shorten(fixed: Mapping[str, str]) -> str:
    """Return the first line in full, and the number of the others."""
    (line, equation), more = next(iter(fixed.items())), len(fixed) - 1
    return f"{line} ({equation}){f', and {more} more' if more else ''}"


def _makes_constant(decision: sympy.Basic) -> bool:
    return isinstance(decision, sympy.Eq) and any(side.is_Integer for side in decision.args)


def _iterate_frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def depends_on_values(error: BaseException) -> bool:
    """Whether a trace failed since the model decides by values, or makes a size of one."""
    *_, inner = iterate_causes(error)
    return "DataDependent" in type(inner).__name__


def iterate_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it was raised from."""
    inner: BaseException | None = error
    while inner is not None:
        yield inner
        inner = inner.__cause__


def _format_line(file: str, number: int) -> str:
    return f"{Path(file).name}, line {number}: {linecache.getline(file, number).strip()}"
