"""A module as a function of named tensors, for a spec: its other arguments, and the names of its results.

Runners and exporters call modules through it, so that a model and its artifacts have the same names in the same order.
"""

import inspect
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import chain, takewhile
from typing import Any

import torch
from torch import nn

from dummyio.backend.result_names import name_outputs, separate_names
from dummyio.huggingface.diffusion.describe import HALVES
from dummyio.input_spec import InputSpec
from dummyio.keras.calls import bind_keras, is_keras
from dummyio.sources.input_names import present_name
from dummyio.spec.tensor_spec import build_nested
from dummyio_torch.calling.transformers_cache import build_cache, read_cache

_functorch: Any = import_module("torch._C._functorch")  # it has no type hints
_PAST = "past_key_values"
_PRESENT = str(present_name(f"{_PAST}.0")).removesuffix("0")
"""The prefix of the outputs that continue a past."""
_PARTS = ("key", "value")
_MODES: dict[int, tuple[int, bool]] = {}
"""The id of a part of a module → how many threads have it in evaluation mode, and its mode before."""
_MODES_LOCK = threading.Lock()


class ModuleCall:
    """A module and its spec, as a function of flat tensors.

    Parameters
    ----------
    module
        Any module.
    spec
        Its inputs. If it names outputs and the module returns all of them, these are the results; what the module returns
        besides (hidden states, an input) is left out. If it names as many as the module returns, all of them otherwise than
        the module, these are the names in order.

    For a task of half an autoencoder, ``vae-encoder`` or ``vae-decoder``, its method is called in place of its forward.

    An output with the name of an input gets another one, as in a file (`dummyio.backend.result_names.separate_names`).
    """

    def __init__(self, module: nn.Module, spec: InputSpec) -> None:
        module = choose_half(module, spec.task)
        self.module = module
        self.spec = spec
        self.paths = tuple(path for path, _ in spec.leaves)
        self._outputs = tuple(output.name for output in spec.outputs)
        self.declared = tuple(separate_names(self._outputs, self.paths).values())
        """The names of the spec's outputs in a file."""
        self._constants = _choose_constants(module, spec, self._outputs)
        self._positional = _list_positional(module, spec)
        self._keras = bind_keras(module, list(spec)) if is_keras(module) else None

    def __call__(self, leaves: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Call the module; return name → tensor, in the order of the declared outputs."""
        tensors = self.run(leaves)
        return {name: tensors[own] for own, name in self.name_results(list(tensors)).items()}

    def name_results(self, own: Sequence[str]) -> dict[str, str]:
        """Return name of the module → name in a file, for the results that are kept, in their order."""
        apart = separate_names(own, self.paths)
        wanted = [name if name in apart.values() else apart.get(name, name) for name in self._outputs]
        if wanted and set(wanted) <= set(apart.values()):
            return {{name: each for each, name in apart.items()}[name]: name for name in wanted}
        if len(wanted) == len(own) and set(wanted).isdisjoint(apart.values()):
            return dict(zip(own, self.declared, strict=True))
        return apart

    def run(self, leaves: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Call the module; return name → tensor under the names that the module itself gives."""
        # A cache is new in each call, because a model writes on it.
        inputs = {name: build_nested(node, leaves, name, build_cache) for name, node in self.spec.items()}
        first = [inputs.pop(name) for name in self._positional]
        with end_transforms():
            made = self._keras(inputs) if self._keras else self.module(*first, **inputs, **self._constants)
        results = name_outputs(made, self._outputs, _expand_cache)
        return {name: value for name, value in results.items() if isinstance(value, torch.Tensor)}


class AutoencoderHalf(nn.Module):
    """A method of an autoencoder, with the names that Diffusers' pipelines and Optimum have for its input and its result."""

    def __init__(self, model: nn.Module, method: str, name: str) -> None:
        super().__init__()
        self.whole = model
        self._method = method
        self._name = name

    def forward(self, **inputs: torch.Tensor) -> dict[str, Any]:
        """Return ``latent_parameters``, mean and logarithm of the variance, or ``latents``; of a decoder, ``sample``."""
        made = getattr(self.whole, self._method)(inputs[self._name])
        distribution = getattr(made, "latent_dist", None)
        if distribution is not None:
            return {"latent_parameters": distribution.parameters}
        return dict(made)


def choose_half(module: nn.Module, task: str | None) -> nn.Module:
    """Return the half of an autoencoder that does a task; any other module as it is."""
    method, name = HALVES.get(task or "", ("", ""))
    if not method or isinstance(module, AutoencoderHalf):
        return module
    return AutoencoderHalf(module, method, name) if callable(getattr(module, method, None)) else module


@contextmanager
def end_transforms() -> Generator[None]:
    """Leave the ``vmap`` and the like that a failing module began: an exported program enters and leaves them as operators."""
    depth = _functorch.get_dynamic_layer_stack_depth()
    try:
        yield
    except BaseException:
        _functorch.pop_dynamic_layer_stack_and_undo_to_depth(depth)
        raise


def device_of(module: nn.Module) -> torch.device:
    """Return the device of a module's first weight; the CPU for a module without weights."""
    tensor = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


@contextmanager
def evaluation_mode(module: nn.Module) -> Generator[None]:
    """Put a module and all its parts into evaluation mode, without gradients, and restore the mode of each afterwards.

    Several threads may do this with one module: the last to leave restores the modes.
    """
    parts = list(module.modules())
    with _MODES_LOCK:
        for part in parts:
            users, mode = _MODES.get(id(part), (0, part.training))
            _MODES[id(part)] = (users + 1, mode)
        if any(part.training for part in parts):
            with suppress(NotImplementedError):  # an exported program has one mode only
                module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        with _MODES_LOCK:
            for part in parts:
                users, mode = _MODES.pop(id(part))
                if users > 1:
                    _MODES[id(part)] = (users - 1, mode)
                elif part.training != mode:
                    part.training = mode


def _list_positional(module: nn.Module, spec: InputSpec) -> tuple[str, ...]:
    """Return the inputs that are passed by position: those that have no names, and, for hooks, all that can be.

    A hook of a module sees positional arguments only, unless it asks for the others.
    """
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return ()
    has_hooks = bool(module._forward_pre_hooks or module._forward_hooks)  # noqa: SLF001 - no public way to a module's hooks
    kinds = {inspect.Parameter.POSITIONAL_ONLY, *([inspect.Parameter.POSITIONAL_OR_KEYWORD] if has_hooks else ())}
    names = takewhile(lambda each: each.kind in kinds and each.name in spec, parameters)
    return tuple(each.name for each in names)


def _choose_constants(module: nn.Module, spec: InputSpec, declared: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of a Transformers model that are not tensors.

    By default it would return its cache, also if the spec has no past and no output for it.
    """
    try:
        names = inspect.signature(module.forward).parameters
    except (TypeError, ValueError):
        return {}
    constants: dict[str, Any] = {}
    if "use_cache" in names and "use_cache" not in spec and declared:
        constants["use_cache"] = any(name.startswith(_PRESENT) for name in declared)
    if "return_dict" in names and "return_dict" not in spec and hasattr(module, "config"):
        constants["return_dict"] = True
    return constants


def _expand_cache(value: Any, path: str) -> Mapping[str, Any] | None:
    """Return the tensors of a cache by names like those of a past, ``present.0.key``; None for an object of another kind."""
    layers = read_cache(value)
    if layers is None:
        return _expand_tuples(value) if path == _PAST and isinstance(value, (tuple, list)) else None
    return {
        f"{_PRESENT}{number}.{part}": tensor for number, layer in enumerate(layers) for part, tensor in layer.items()
    }


def _expand_tuples(layers: Sequence[Any]) -> Mapping[str, Any] | None:
    names = {2: _PARTS, 4: tuple(f"{side}.{part}" for side in ("decoder", "encoder") for part in _PARTS)}
    lengths = {len(layer) if isinstance(layer, (tuple, list)) else 0 for layer in layers}
    if len(lengths) != 1 or (length := lengths.pop()) not in names:
        return None
    return {
        f"{_PRESENT}{number}.{part}": tensor
        for number, layer in enumerate(layers)
        for part, tensor in zip(names[length], layer, strict=True)
    }
