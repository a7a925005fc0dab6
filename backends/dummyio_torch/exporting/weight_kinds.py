"""Modules that no exporter takes as they are: weights without values, of tensor classes that cannot be traced, and TorchScript."""

from collections.abc import Iterator

import torch
from torch import nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass_type

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import ExportError

_PLAIN = (torch.Tensor, nn.Parameter, nn.Buffer)
_LAZY = (nn.UninitializedParameter, nn.UninitializedBuffer)


def check_weights(module: nn.Module, *, remedy: str) -> None:
    """Raise `ExportError` for weights without shapes or values; `remedy` is what an exporter that needs none offers."""
    weights = dict(_iterate_named(module))
    lazy = [name for name, tensor in weights.items() if isinstance(tensor, _LAZY)]
    if lazy:
        raise ExportError(
            f"{len(lazy)} of the {len(weights)} weights of {qualified_name(module)} have no shape yet, {lazy[0]!r} first: a lazy layer "
            "gets them in its first run. Call the model once, and then export it."
        )
    absent = [name for name, tensor in weights.items() if tensor.is_meta]
    if absent:
        raise ExportError(
            f"{len(absent)} of the {len(weights)} weights of {qualified_name(module)} are on the meta device, {absent[0]!r} first: "
            "they have shapes and no values, and the file needs values. Load them before, "
            f"model.to_empty(device='cpu') and model.load_state_dict(...){remedy}."
        )


def explain_weights(module: nn.Module) -> str:
    """Return a sentence on weights of classes that PyTorch's exporters do not know; empty if there are none."""
    kinds = {type(tensor): (name, tensor) for name, tensor in _iterate_named(module) if type(tensor) not in _PLAIN}
    if not kinds:
        return ""
    found = ", ".join(
        f"{name!r} is a {qualified_name(tensor)}"
        f"{'' if is_traceable_wrapper_subclass_type(kind) else ', which cannot be traced'}"
        for kind, (name, tensor) in kinds.items()
    )
    return (
        f" Its weights are of classes with operators of their own: {found}. Export the model before it is quantized, and "
        "quantize the file."
    )


def is_scripted(module: nn.Module) -> bool:
    """Return whether a module or a part of it is TorchScript, which ``torch.export`` does not trace."""
    return any(isinstance(part, torch.jit.ScriptModule) for part in module.modules())


def check_scripted(module: nn.Module) -> None:
    """Raise `ExportError` for modules with a part in TorchScript."""
    if is_scripted(module):
        raise ExportError(
            f"{qualified_name(module)} is, or contains, a module of TorchScript, which torch.export does not trace. Give the module that "
            "it was scripted or traced from, or export it to ONNX."
        )


def _iterate_named(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()
