"""From a configuration, or a model, of Hugging Face's to an `InputSpec`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dummyio.errors import SourceError
from dummyio.generators.base.context import build_context
from dummyio.generators.base.model_facts import ArgumentFacts
from dummyio.generators.media_tokens.token_counts import find_uncounted_media_inputs, list_media
from dummyio.generators.registry import OPTIONS, generator_for
from dummyio.huggingface.config.configuration import Configuration, read_configuration
from dummyio.huggingface.config.layer_types import check_layer_types
from dummyio.huggingface.diffusion.describe import CLASS_NAME, describe_component
from dummyio.huggingface.facts.argument_docs import find_required_arguments, read_documented_arguments
from dummyio.huggingface.facts.layer_states import layer_states
from dummyio.huggingface.facts.quirks import collect_quirks
from dummyio.huggingface.facts.source_facts import read_option_facts, read_size_bounds, source_text
from dummyio.huggingface.inputs.check_sizes import check_sizes
from dummyio.huggingface.inputs.choose_inputs import choose_inputs, inputs_from_attributes
from dummyio.huggingface.inputs.conditions import InputFacts
from dummyio.huggingface.inputs.forwarded_arguments import find_forwarded_arguments
from dummyio.huggingface.outputs.describe_outputs import describe_outputs
from dummyio.huggingface.source.cache_invalidation import clear_stale_caches
from dummyio.huggingface.source.forward_signatures import Parameter, forward_parameters
from dummyio.huggingface.source.installed import transformers_version
from dummyio.huggingface.tasks.find_task import PAST, canonical_task, class_of_task, class_supports_task, task_of_class
from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import ALIASES, NormalizedConfig
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES

__all__ = ["describe_configuration", "describe_model"]


_COMPARING = ("feature-extraction", "zero-shot-image-classification", "zero-shot-object-detection")
"""Tasks in which every image is compared with every text; in others each image has a text of its own."""


@dataclass(frozen=True)
class _Signature:
    """The arguments of a model, and how they are known."""

    names: tuple[str, ...]
    required: frozenset[str]
    known_from: str
    stated: Mapping[str, ArgumentFacts] = field(default_factory=dict)


def describe_configuration(source: Any, task: str | None, keywords: Mapping[str, Any]) -> InputSpec:
    """Describe the model that a configuration (file, folder, dict or object) stands for, without building it.

    The arguments' names come from the model's forward signature, read from the source of the installed Transformers; where
    it is not installed, from the configuration's attributes, and the provenance says so.
    """
    clear_stale_caches()
    configuration = read_configuration(source)
    if CLASS_NAME in configuration.values:
        return describe_component(configuration, task, keywords)
    task = None if task is None else canonical_task(task)
    name = _class_name(configuration, task)
    signature = _signature(configuration, name, keywords)
    found = task or (task_of_class(name) if name else None) or "feature-extraction"
    return _describe(configuration, signature, found, keywords, {"model": name or "unknown class"}, task is not None)


def describe_model(model: Any, task: str | None, keywords: Mapping[str, Any]) -> InputSpec:
    """Describe a live model by its configuration and its own signature."""
    clear_stale_caches()
    configuration = read_configuration(model.config)
    name = type(model).__name__
    found = canonical_task(task or task_of_class(name) or "feature-extraction")
    parameters = [
        (p.name, p.default is not p.empty)
        for p in inspect.signature(model.forward).parameters.values()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    offered = tuple(n for n, _ in parameters)
    signature = _Signature(
        offered,
        frozenset(n for n, has_default in parameters if not has_default)
        | find_required_arguments(offered, name, configuration.model_type),
        f"forward signature of the live {name}",
        read_documented_arguments(name, configuration.model_type),
    )
    return _describe(configuration, signature, found, keywords, {"model": name}, task is not None)


def _class_name(configuration: Configuration, task: str | None) -> str | None:
    kind = configuration.model_type
    if transformers_version() is None or (kind is None and configuration.architecture is None):
        return configuration.architecture
    if configuration.architecture and (task is None or class_supports_task(configuration.architecture, task)):
        return configuration.architecture
    if kind is None:
        return configuration.architecture
    return class_of_task(kind, task or "feature-extraction")


def _signature(configuration: Configuration, name: str | None, keywords: Mapping[str, Any]) -> _Signature:
    version = transformers_version()
    if version is None:
        return _guessed(configuration, keywords, "Transformers is not installed")
    if name is None:
        return _guessed(configuration, keywords, "it names no class")
    try:
        parameters = forward_parameters(name, configuration.model_type)
    except SourceError:  # remote code, or a class of another release: what it takes can only be guessed
        return _guessed(configuration, keywords, f"transformers {version} has no class {name}")
    names = _names(parameters)
    required = frozenset(p.name for p in parameters if not p.has_default)
    required |= find_required_arguments(names, name, configuration.model_type)
    stated = read_documented_arguments(name, configuration.model_type)
    return _Signature(names, required, f"forward signature of {name}, source of transformers {version}", stated)


def _guessed(configuration: Configuration, keywords: Mapping[str, Any], reason: str) -> _Signature:
    given = {key: value for key, value in keywords.items() if key in ALIASES}
    names = inputs_from_attributes(configuration.normalized(given))
    return _Signature(tuple(names), frozenset(), f"guessed from the configuration's attributes ({reason})")


def _names(parameters: tuple[Parameter, ...]) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in parameters)


def _describe(
    configuration: Configuration,
    signature: _Signature,
    task: str,
    keywords: Mapping[str, Any],
    provenance: Mapping[str, str],
    task_asked: bool,
) -> InputSpec:
    given = {key: value for key, value in keywords.items() if key in ALIASES and key not in DEFAULT_DUMMY_SHAPES}
    rest: dict[str, Any] = {key: value for key, value in keywords.items() if key not in given}
    config = configuration.normalized(given)
    quirks = collect_quirks(config, provenance["model"], with_past=task.endswith(PAST))
    config = configuration.normalized({**quirks.attributes, **given}) if quirks.attributes else config
    rest = {**read_option_facts(provenance["model"], configuration.model_type), **quirks.options, **rest}
    everything = rest.pop("optional_inputs", not task_asked)
    signature = _with_handed(signature, provenance["model"], config) if everything else signature
    context = build_context(task, config, rest, OPTIONS)
    context.sizes.bounds.update({**read_size_bounds(provenance["model"], config), **quirks.bounds})
    code = source_text(provenance["model"], configuration)
    facts = InputFacts(
        frozenset(signature.names),
        signature.required,
        config,
        context.task,
        context.with_past,
        everything,
        signature.stated,
        code,
    )
    names = quirks.chosen(choose_inputs(facts, signature.names), signature.names)
    _check_past(facts, names, task)
    if not names:
        raise SourceError(
            f"{configuration.label}: none of the arguments {', '.join(signature.names) or '(none)'} is one whose meaning is known. "
            "Describe the inputs by hand with InputSpec and TensorSpec."
        )
    context = replace(
        context,
        names=frozenset(names),
        stated=signature.stated,
        encoder_decoder=facts.encoder_decoder,
        code=code,
        states=layer_states(config, code) if context.with_past else None,
    )
    # A medium without its placeholders is refused, so one whose placeholders cannot be counted is left out.
    left_out = find_uncounted_media_inputs(context) - signature.required
    names = [name for name in names if name not in left_out]
    context = replace(context, names=frozenset(names))
    both = {"pixel_values", "input_ids"} <= set(names) and context.task in _COMPARING
    context = replace(context, dual=both and config.has("projection_dim") and not list_media(context))
    generators = {name: generator_for(name, context) for name in names}
    inputs = {name: generator.spec(name) for name, generator in generators.items() if generator is not None}
    check_sizes(context, inputs)
    return InputSpec(
        inputs,
        task=context.task + (PAST if context.with_past else ""),
        outputs=describe_outputs(context, inputs, provenance["model"]),
        provenance={"source": configuration.label, **provenance, "names": signature.known_from, **quirks.provenance},
    )


def _with_handed(signature: _Signature, class_name: str, config: NormalizedConfig) -> _Signature:
    """Return a signature with the data that only a model inside has a name for."""
    handed = {
        name: stated
        for name, stated in find_forwarded_arguments(class_name, config).items()
        if name not in signature.names
    }
    return (
        replace(signature, names=(*signature.names, *handed), stated={**handed, **signature.stated})
        if handed
        else signature
    )


def _check_past(facts: InputFacts, names: list[str], task: str) -> None:
    if facts.with_past and not {"past_key_values", "cache_params"} & set(names):
        raise SourceError(f"task={task!r}: the model takes no past_key_values; leave out {PAST!r}.")
    if facts.with_past:
        check_layer_types(facts.config)
