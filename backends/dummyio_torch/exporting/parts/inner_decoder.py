"""A model that hands what one of its submodules makes of its other inputs to an inner decoder of text, as two parts.

========================  ==========================================================================
part                      inputs → outputs
========================  ==========================================================================
``vision_encoder``        images → ``last_hidden_state``; ``audio_encoder`` likewise
``decoder_model_merged``  ids, mask, ``encoder_hidden_states`` and cache → ``logits`` and the longer cache
========================  ==========================================================================

Which submodule it is, a run shows: the tensor that the decoder gets is the very object that the submodule returned.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from dummyio.errors import DummyioError
from dummyio.generators.base.context import PAST
from dummyio.huggingface.parts.media_parts import DECODER, ENCODERS
from dummyio.input_spec import InputSpec
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_torch.exporting.parts.optimum_components import Components, describe_task
from dummyio_torch.running.module_runner import ModuleRunner

_STATES, _HIDDEN = "encoder_hidden_states", "last_hidden_state"


class InnerEncoder(nn.Module):
    """A submodule, and of its results the states that the decoder takes."""

    def __init__(self, module: nn.Module, result: str) -> None:
        super().__init__()
        self.module = module
        self._result = result

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the states."""
        return {_HIDDEN: self.module(**inputs)[self._result]}


class InnerDecoder(nn.Module):
    """A decoder that looks at given states, and its cache of the text; what it keeps of the states is computed in each step."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        past_key_values: Any,
    ) -> dict[str, Any]:
        """Return logits and the longer cache."""
        made = self.module(
            input_ids=input_ids,
            attention_mask=attention_mask,
            encoder_hidden_states=encoder_hidden_states,
            past_key_values=past_key_values,
            use_cache=True,
        )
        cache = made.past_key_values
        return {"logits": made.logits, "past_key_values": getattr(cache, "self_attention_cache", cache)}


class _Calls:
    """The last call of each submodule: its arguments by name, and its results."""

    def __init__(self, model: nn.Module) -> None:
        self.made: dict[nn.Module, tuple[dict[str, Any], Any]] = {}
        self._hooks = [child.register_forward_hook(self._note, with_kwargs=True) for child in model.children()]

    def _note(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], results: Any) -> None:
        names = inspect.signature(module.forward).parameters
        self.made[module] = ({**dict(zip(names, args, strict=False)), **kwargs}, results)

    def stop(self) -> None:
        for hook in self._hooks:
            hook.remove()


def split_at_inner_decoder(model: nn.Module, spec: InputSpec) -> Components | None:
    """Return part → module and its spec; None for a model that has no inner decoder, or prepares its states in another way."""
    decoders = [child for child in model.children() if _is_decoder(child)]
    if len(decoders) != 1 or _is_decoder(model):
        return None
    calls = _Calls(model)
    try:
        ModuleRunner(model, spec)(spec.feeds())
    finally:
        calls.stop()
    given = calls.made.get(decoders[0], ({}, None))[0]
    for module, (arguments, results) in calls.made.items():
        for name, value in _iterate_results(results):
            if value is given.get(_STATES):
                read = [key for key, argument in arguments.items() if isinstance(argument, torch.Tensor)]
                if read and set(read) <= set(spec):
                    return _describe_parts(spec, (InnerEncoder(module, name), read), (decoders[0], given))
    return None


def _is_decoder(module: nn.Module) -> bool:
    can_generate: Any = getattr(module, "can_generate", None)
    return callable(can_generate) and bool(can_generate()) and _STATES in inspect.signature(module.forward).parameters


def _iterate_results(results: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(results, Mapping):
        yield from results.items()


def _describe_parts(
    spec: InputSpec, encoder: tuple[nn.Module, list[str]], decoder: tuple[nn.Module, Mapping[str, Any]]
) -> Components | None:
    module, read = encoder
    inner, given = decoder
    task = f"text-generation{PAST}"
    kept = {"input_ids", "attention_mask", _STATES, "past_key_values"}
    if {name for name, value in given.items() if isinstance(value, torch.Tensor)} - kept:
        return None  # it gets more than the part would
    try:
        own = describe_task(inner, task, spec, feed=(_STATES,))
        unfed = [name for name in own or () if name not in kept]
        own = describe_task(inner, task, spec, feed=(_STATES,), leave_out=unfed)
    except DummyioError:
        own = None
    if own is None:
        return None  # nothing describes the decoder alone: the model is exported whole
    states = own[_STATES]
    assert isinstance(states, TensorSpec)
    medium = "image" if any(name.startswith("pixel_") for name in read) else "audio"
    made = OutputSpec(_HIDDEN, None, states.dtype)
    inputs = InputSpec({name: spec[name] for name in read}, outputs=(made,), provenance=spec.provenance)
    return {ENCODERS[medium]: (module, inputs), DECODER: (InnerDecoder(inner), own)}
