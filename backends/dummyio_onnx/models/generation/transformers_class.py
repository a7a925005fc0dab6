"""A class that hands a model to Transformers' generation: beams, sampling, stopping and scoring are all its own."""

import contextlib
import functools
import inspect
import types
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
import transformers
from transformers import GenerationMixin
from transformers.modeling_outputs import BaseModelOutput

from dummyio.errors import OptionError
from dummyio_onnx.models.array_kinds import to_result
from dummyio_onnx.models.cache import OnnxCache
from dummyio_onnx.models.flows import CACHE, EncoderDecoder
from dummyio_onnx.models.generation.check_inputs import check_inputs, check_streamer
from dummyio_onnx.models.generation.option_types import check_option_types, read_generation_config

_ASSISTED = ("assistant_model", "prompt_lookup_num_tokens", "assistant_early_exit", "use_mtp")


class GenerationFace:
    """What Transformers' generation asks of a model, answered by a model of `AutoModelForONNX`."""

    _is_stateful = False
    _flow: Any
    generation_config: Any

    def is_remote_code(self) -> bool:
        """Return False: a graph has no code of its own."""
        return False

    def generate(self, inputs: Any = None, generation_config: Any = None, **options: Any) -> Any:
        """Return tokens as Transformers' `generate` does; for NumPy inputs, as an array.

        Raises
        ------
        OptionError
            for assisted generation, for caches of another kind than the model's, and for options of a wrong type.
        DTypeError, RunError
            if an input is not a tensor, or ids have another shape than rows of tokens.
        """
        if generation_config is not None:
            options["generation_config"] = generation_config
        stated = read_generation_config(options.get("generation_config", self.generation_config))
        check_option_types(options)
        for name in _ASSISTED:
            if options.get(name, stated.get(name)) not in (None, False):
                raise OptionError(
                    f"{name}: assisted generation takes tokens back from the cache, which these graphs do not do. Generate "
                    f"without it, {name}=None: greedily, with beams, or by sampling."
                )
        check_streamer(options.get("streamer"))
        inputs_by_name = {name: options[name] for name in self._flow.names if name in options}
        check_inputs(inputs_by_name | ({} if inputs is None else {self._flow.main_input: inputs}))
        if options.get(CACHE) is not None:
            options[CACHE] = self._flow.take_cache(options[CACHE])
        arrays = [name for name, value in {"inputs": inputs, **options}.items() if isinstance(value, np.ndarray)]
        if isinstance(inputs, np.ndarray):
            inputs = torch.from_numpy(inputs)
        options |= {name: torch.from_numpy(options[name]) for name in arrays if name != "inputs"}
        given = () if inputs is None else (inputs,)  # an architecture's own takes it under another name
        found = cast("Any", super()).generate(*given, **options)
        return found.numpy() if arrays and isinstance(found, torch.Tensor) else found

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> Any:
        """Return the inputs of a step, whose positions begin with the class's first."""
        made = cast("Any", super()).prepare_inputs_for_generation(*args, **kwargs)
        rule = self._flow.left_out.positions
        if rule is not None and rule.first and made.get("position_ids") is not None:
            made["position_ids"] = made["position_ids"] + rule.first
        return made

    def _expand_inputs_for_generation(
        self, *, expand_size: int = 1, is_encoder_decoder: bool = False, input_ids: Any = None, **inputs: Any
    ) -> Any:
        """Return the inputs once for each text that is written; of an image that is a list of patches, all patches together."""
        names = [name for name in getattr(self._flow, "packed", ()) if inputs.get(name) is not None]
        packed = {name: inputs.pop(name) for name in names}
        rows = 1 if input_ids is None else len(input_ids)
        for name, value in packed.items():
            apart = value.reshape(rows, -1, *value.shape[1:]).repeat_interleave(expand_size, dim=0)
            packed[name] = apart.reshape(-1, *value.shape[1:])
        expand = cast("Any", super())._expand_inputs_for_generation  # noqa: SLF001 - Transformers asks this of a model
        ids, inputs = expand(
            expand_size=expand_size, is_encoder_decoder=is_encoder_decoder, input_ids=input_ids, **inputs
        )
        return ids, {**inputs, **packed}

    def _prepare_cache_for_generation(self, generation_config: Any, model_kwargs: dict[str, Any], *_: Any) -> None:
        """Leave the first step without a past: the graph makes the cache."""
        if generation_config.cache_implementation is not None:
            raise OptionError(
                f"cache_implementation={generation_config.cache_implementation!r}: the cache is the graph's own. Leave it out."
            )
        if not self._flow.writes_with_cache:
            generation_config.use_cache = False
        if model_kwargs.get(CACHE) is None:
            model_kwargs.pop(CACHE, None)

    def _reorder_cache(self, cache: OnnxCache, beam_idx: Any) -> OnnxCache:
        rows = beam_idx.cpu().numpy()
        return cache if np.array_equal(rows, np.arange(rows.size)) else cache.reorder(rows)

    def _valid_auto_compile_criteria(self, *_: Any) -> bool:
        return False

    def _optimize_model_for_decode(self) -> Any:
        return contextlib.nullcontext()

    def get_encoder(self, *_: Any, **__: Any) -> Any:
        """Return the encoder as a function of its inputs."""
        return EncoderFace(self._flow)


class EncoderFace:
    """The encoder of a model, called as Transformers calls one."""

    def __init__(self, flow: EncoderDecoder) -> None:
        self._flow = flow
        self.main_input_name = flow.main_input
        self.forward = self.__call__

    @property
    def __signature__(self) -> inspect.Signature:
        return build_signature(self._flow.encoder_names)

    def __call__(self, **kwargs: Any) -> Any:
        """Return the last hidden state, in Transformers' class for it."""
        own = {name: value for name, value in kwargs.items() if name in self._flow.encoder_names}
        found = self._flow.encode(own)
        return BaseModelOutput(last_hidden_state=to_result(next(iter(found.values())), "pt"))


def build_signature(names: Sequence[str], *, bound: bool = True) -> inspect.Signature:
    """Return a signature with these arguments, which Transformers reads to see what a model takes."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind, default=None) for name in names if name.isidentifier()]
    first = [] if bound else [inspect.Parameter("self", kind)]
    return inspect.Signature([*first, *parameters])


def make_generating_class(base: Any, name: str, names: Sequence[str], architecture: str | None) -> type:
    """Return a class of this name that has the model's own methods and Transformers' generation.

    Parameters
    ----------
    base
        The class of the model.
    name
        The name of the class: that of the architecture, which pipelines look for in their tables.
    names
        The arguments of `forward`.
    architecture
        The class in Transformers, if it is known: what it has of generation itself is used.
    """
    run = base.forward
    # A copy of the function, with a signature of its own: a function around it would cost time at each step.
    forward = types.FunctionType(run.__code__, run.__globals__, "forward", run.__defaults__, run.__closure__)
    forward.__signature__ = build_signature(names, bound=False)  # type: ignore[attr-defined]
    forward.__doc__ = run.__doc__
    own = _find_own_generation(architecture)
    members = {"forward": forward, "__call__": forward, "__module__": base.__module__, "__doc__": base.__doc__}
    if own is None:
        return type(name, (GenerationFace, GenerationMixin, base), members)
    return type(name, (GenerationFace, own, base), {**members, "model": functools.cached_property(_build_layers)})


def _build_layers(model: Any) -> Any:
    """Return the layers of a model's class without weights: its own generation reads strides and sizes from them."""
    cls: Any = getattr(transformers, type(model).__name__)
    with torch.device("meta"):
        return cls(model.config).base_model


def _find_own_generation(architecture: str | None) -> type | None:
    """Return the class without layers in which an architecture has its own part of generation; None if it has none."""
    found = getattr(transformers, architecture, None) if architecture else None
    for each in getattr(found, "__mro__", ()):
        if issubclass(each, GenerationMixin) and each is not GenerationMixin and not issubclass(each, torch.nn.Module):
            return each
    return None
