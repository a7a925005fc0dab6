"""Exporters report on standard error, in logs and in warnings; all of it is kept from the user, and their state from other threads."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

from dummyio.process_state import hide_state, silence_thread

_LOGGERS = ("torch.onnx", "torch.export", "torch.fx.experimental.symbolic_shapes", "onnxscript", "onnx_ir")


@contextmanager
def silence_exporters() -> Generator[None]:
    """Drop the reports of exporters in this thread while this context is open; what they wrote is checked instead."""
    with silence_thread(_LOGGERS):
        yield


@contextmanager
def hide_export() -> Generator[None]:
    """Let models that run in other threads not find that the process exports: some compute in another way then."""
    # The bytecode tracer takes what they return for a constant, as it does for the functions themselves.
    mark = torch.compiler.assume_constant_result
    with (
        hide_state(torch.compiler, "is_compiling", "is_exporting", decorate=mark),
        hide_state(torch.onnx, "is_in_onnx_export", decorate=mark),
    ):
        yield
