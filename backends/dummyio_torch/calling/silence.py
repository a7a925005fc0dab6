"""Exporters report on standard error, in logs and in warnings; all of it is kept from the user, and their state from other threads."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch.nn.modules import transformer

from dummyio.process_state import hide_state, replace_functions, silence_thread

_LOGGERS = ("torch.onnx", "torch.export", "torch.fx.experimental.symbolic_shapes", "onnxscript", "onnx_ir")


@contextmanager
def silence_exporters() -> Generator[None]:
    """Drop the reports of exporters in this thread while this context is open; what they wrote is checked instead."""
    with silence_thread(_LOGGERS):
        yield


@contextmanager
def use_plain_layers() -> Generator[None]:
    """Run PyTorch's transformer layers operation by operation in this thread, and with masks of any values.

    Its fused layers have no translation, and a look whether a mask is causal would decide by values for a faster way to the same.
    """
    with (
        replace_functions(torch.backends.mha, get_fastpath_enabled=lambda: False),
        replace_functions(transformer, _detect_is_causal_mask=_is_declared_causal),
    ):
        yield


def _is_declared_causal(mask: object, is_causal: bool | None = None, size: int | None = None) -> bool:
    del mask, size
    return is_causal is True


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
