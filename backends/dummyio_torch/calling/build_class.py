"""Builds a model of Transformers or Diffusers from its configuration, with random weights or without memory."""

import importlib
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from dummyio.errors import SourceError, format_error_line
from dummyio.process_state import ignore_warnings
from dummyio_torch.calling.load_model import block_network

_IMPLEMENTATIONS = ("attn_implementation", "experts_implementation", "_attn_implementation", "_experts_implementation")
"""Attributes that may name code on the Hub; any implementation returns tensors of the same shapes."""


def build_class(class_name: str, module_name: str, values: Mapping[str, Any], device: str) -> nn.Module:
    """Return a model in evaluation mode; the state of the random numbers stays as it is.

    Parameters
    ----------
    class_name, module_name
        The class, and the module of the installed library that defines it.
    values
        The configuration as plain data; that of Transformers has ``model_type``.
    device
        ``"meta"`` for weights without memory.

    Raises
    ------
    SourceError
        if the class cannot be built from this configuration.
    """
    plain = {name: value for name, value in values.items() if name not in _IMPLEMENTATIONS}
    try:
        kind: Any = getattr(importlib.import_module(module_name), class_name)
        with ExitStack() as stack:
            stack.enter_context(ignore_warnings())
            stack.enter_context(block_network())
            stack.enter_context(torch.random.fork_rng(devices=[]))
            stack.enter_context(torch.device(device))
            torch.manual_seed(0)
            model: nn.Module = _build(kind, plain)
    except Exception as error:  # a configuration may make any class raise anything
        raise SourceError(f"{class_name} cannot be built: {format_error_line(error)}") from error
    return model.eval()


def _build(kind: Any, values: dict[str, Any]) -> Any:
    if "model_type" not in values:
        return kind.from_config(values)
    import transformers  # noqa: PLC0415 - lazy: slow, and models of Transformers only

    return kind(transformers.CONFIG_MAPPING[values["model_type"]].from_dict(values))
