"""The thread that traces: rewritten code does what it was rewritten for in this thread only."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

import torch

from dummyio.process_state import undo_at_end

_threads: list[int] = []


@contextmanager
def trace_in_this_thread() -> Generator[None]:
    """Make rewritten code effective in this thread until the context ends."""
    with undo_at_end(_threads.clear):
        _threads.append(threading.get_ident())
        yield


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator] # it returns the function
def is_tracing() -> bool:
    """Whether the current thread is the one that traces."""
    return threading.get_ident() in _threads
