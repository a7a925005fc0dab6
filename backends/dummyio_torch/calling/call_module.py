"""How a module is called for a spec: with what, beside its inputs, and what its results are named.

A runner and an exporter do this alike, so that a model and what came of it have the same names in the same order.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from dummyio.backend.result_names import name_outputs
from dummyio.input_spec import InputSpec
from dummyio.spec.tensor_spec import build_nested
from dummyio_torch.calling.transformers_cache import cache

__all__ = ["ModuleCall", "device_of", "evaluation_mode"]

_PRESENT = "present"
_PAST = "past_key_values"
_PARTS = ("key", "value")


class ModuleCall:
    """A module and its spec, as a function of flat tensors.

    Parameters
    ----------
    module
        Any module.
    spec
        Its inputs. Where it names outputs and the module returns all of them, these are the results; what else a module
        returns (states that nobody asked for, an input handed back) is left out.
    """

    def __init__(self, module: nn.Module, spec: InputSpec) -> None:
        """Find what the module must be told beside its inputs."""
        self.module = module
        self.spec = spec
        self.paths = tuple(path for path, _ in spec.leaves)
        self.declared = tuple(output.name for output in spec.outputs)
        self.constants = _constants(module, spec, self.declared)

    def inputs(self, leaves: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Return tensors by path as the module takes them; a cache is new in each call, for a model writes on it."""
        return {name: build_nested(node, leaves, name, cache) for name, node in self.spec.items()}

    def __call__(self, leaves: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Call the module; return name → tensor, what is declared first."""
        return self.named(self.module(**self.inputs(leaves), **self.constants))

    def named(self, result: Any) -> dict[str, torch.Tensor]:
        """Return name → tensor for what the module returned."""
        results = name_outputs(result, self.declared, _expand)
        tensors = {name: value for name, value in results.items() if isinstance(value, torch.Tensor)}
        if self.declared and all(name in tensors for name in self.declared):
            return {name: tensors[name] for name in self.declared}
        return tensors


def device_of(module: nn.Module) -> torch.device:
    """Return where a module's first weight lives; the CPU for one without any."""
    tensors = (*module.parameters(), *module.buffers())
    return tensors[0].device if tensors else torch.device("cpu")


@contextmanager
def evaluation_mode(module: nn.Module) -> Generator[None, None, None]:
    """Put a module and all its parts into evaluation, without gradients, and each back into its own mode afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode


def _constants(module: nn.Module, spec: InputSpec, declared: Sequence[str]) -> dict[str, Any]:
    """Return arguments that are no tensors: what a model of Transformers' keeps, by what is expected of it.

    It would return its cache by default, which then stands among the outputs of a model that has none as an input.
    """
    try:
        names = inspect.signature(module.forward).parameters
    except (TypeError, ValueError):
        return {}
    constants: dict[str, Any] = {}
    if "use_cache" in names and "use_cache" not in spec and declared:
        constants["use_cache"] = any(name.startswith(f"{_PRESENT}.") for name in declared)
    if "return_dict" in names and "return_dict" not in spec and hasattr(module, "config"):
        constants["return_dict"] = True
    return constants


def _expand(value: Any, path: str) -> Mapping[str, Any] | None:
    """Name the tensors of a cache as those of a past are named: ``present.0.key``, ``present.0.decoder.key``."""
    own = getattr(value, "self_attention_cache", None)
    cross = getattr(value, "cross_attention_cache", None)
    if own is not None and cross is not None:
        layers = zip(_layers(own), _layers(cross), strict=False)
        return {
            f"{_PRESENT}.{i}.{part}": tensor
            for i, (left, right) in enumerate(layers)
            for part, tensor in (*_parts(left, "decoder."), *_parts(right, "encoder."))
        }
    if hasattr(value, "layers") and hasattr(value, "get_seq_length"):
        return {
            f"{_PRESENT}.{i}.{part}": tensor
            for i, layer in enumerate(_layers(value))
            for part, tensor in _parts(layer, "")
        }
    if path == _PAST and isinstance(value, (tuple, list)):
        return _expand_tuples(value)
    return None


def _expand_tuples(layers: Sequence[Any]) -> Mapping[str, Any] | None:
    names = {2: _PARTS, 4: tuple(f"{side}.{part}" for side in ("decoder", "encoder") for part in _PARTS)}
    sizes = {len(layer) if isinstance(layer, (tuple, list)) else 0 for layer in layers}
    if len(sizes) != 1 or (size := sizes.pop()) not in names:
        return None
    return {
        f"{_PRESENT}.{i}.{part}": tensor
        for i, layer in enumerate(layers)
        for part, tensor in zip(names[size], layer, strict=True)
    }


def _layers(held: Any) -> list[tuple[Any, Any]]:
    return [(getattr(layer, "keys", None), getattr(layer, "values", None)) for layer in held.layers]


def _parts(layer: tuple[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for part, tensor in zip(_PARTS, layer, strict=True):
        if isinstance(tensor, torch.Tensor):
            yield f"{prefix}{part}", tensor
