"""Trace a module so that its dynamic sizes stay symbolic, with the model's functions rewritten only if that is needed."""

import gc
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import TypeVar

from torch import nn

from dummyio.errors import ExportError
from dummyio.process_state import hold_process_state, undo_at_end
from dummyio_torch.symbolic.constant_watch import SpecializationLog, log_specializations
from dummyio_torch.symbolic.rewritten_code import rewrite_code
from dummyio_torch.symbolic.runtime.current_trace import trace_in_this_thread
from dummyio_torch.symbolic.runtime.size_checks import accept_size_checks
from dummyio_torch.symbolic.runtime.torch_functions import SymbolicFunctions

_FOREIGN = ("torch", "builtins", "typing", "abc", "dummyio_torch")
"""Packages that a model's classes inherit from, and whose functions are not the model's own."""
_SWITCH = "DUMMYIO_REWRITE"
"""Environment variable: ``0`` turns rewriting off."""
_MOST_ROUNDS = 8

T = TypeVar("T")


def trace_symbolic_sizes(
    model: nn.Module, trace: Callable[[], T], *, rewrite: bool = True
) -> tuple[T, SpecializationLog]:
    """Trace a model; if its Python code makes a size a constant, trace it again with these functions rewritten.

    Parameters
    ----------
    model
        The model whose functions may be rewritten.
    trace
        Runs the trace; it is called once, or once more for each set of functions that are rewritten.
    rewrite
        False to leave the model's functions as they are, as the environment variable ``DUMMYIO_REWRITE=0`` does.

    Returns
    -------
    tuple of the result of `trace` and the log of the trace that gave it

    Raises
    ------
    ExportError
        if the trace fails and the model's own lines explain why. Any other error of the trace passes through.
    """
    files = find_model_files(model)
    rewrite = rewrite and os.environ.get(_SWITCH) != "0"
    with hold_process_state():
        result, log, error = _trace_once(trace, files, {})
        swapped: dict[CodeType, CodeType] = {}
        for _ in range(_MOST_ROUNDS if rewrite else 0):
            found = {code: rewrite_code(code) for code in log.functions - set(swapped) - set(swapped.values())}
            more = {code: other for code, other in found.items() if other is not None}
            if not more:
                break
            swapped |= more
            again, again_log, again_error = _trace_once(trace, files, swapped)
            if again_error is not None and error is None:
                break  # the plain trace succeeded; its log notes what it assumed
            result, log, error = again, again_log, again_error
    if error is None:
        assert result is not None
        return result, log
    reason = log.explain(error)
    if reason is None:
        raise error
    raise ExportError(reason) from error


def _trace_once(
    trace: Callable[[], T], files: set[str], swapped: Mapping[CodeType, CodeType]
) -> tuple[T | None, SpecializationLog, Exception | None]:
    with (
        swap_code(swapped),
        trace_in_this_thread(),
        SymbolicFunctions(),
        accept_size_checks(),
        log_specializations(files) as log,
    ):
        try:
            return trace(), log, None
        except Exception as error:  # noqa: BLE001 - raised by the caller unless another trace succeeds
            log.note_failure(error)
            return None, log, error


@contextmanager
def swap_code(codes: Mapping[CodeType, CodeType]) -> Generator[None]:
    """Give every function with one of these codes the other code, until the context ends.

    Other threads may run these functions meanwhile: the other code does as the original does, except in the thread that traces.
    """
    functions = (
        [held for held in gc.get_objects() if type(held) is FunctionType and held.__code__ in codes] if codes else []
    )
    originals = [(function, function.__code__) for function in functions]

    def restore() -> None:
        for function, code in originals:
            function.__code__ = code

    with undo_at_end(restore):
        for function, code in originals:
            function.__code__ = codes[code]
        yield


def find_model_files(model: nn.Module) -> set[str]:
    """Return the source files of a model's classes, and of the functions that they import from their own package."""
    classes = {base for module_class in map(type, model.modules()) for base in module_class.__mro__}
    names = {each.__module__ for each in classes}
    own = {name: sys.modules[name] for name in names if name in sys.modules and _package(name) not in _FOREIGN}
    used = {
        held.__module__
        for module in own.values()
        for held in vars(module).values()
        if isinstance(held, FunctionType) and _package(held.__module__) == _package(module.__name__)
    }
    files = (getattr(sys.modules.get(name), "__file__", None) for name in (*own, *used))
    return {file for file in files if file is not None and file.endswith(".py")}


def _package(name: str) -> str:
    return name.partition(".")[0]
