"""Describes a Hugging Face model, given as a configuration or live: `_STEPS` lists how, each step adds to one frozen state."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from dummyio.errors import SourceError
from dummyio.generators.base.context import PAST, Context, build_context
from dummyio.generators.base.dim_sizes import DimSizes
from dummyio.generators.base.model_facts import ArgumentFacts
from dummyio.generators.media_tokens.token_counts import find_companions_alone, find_uncounted_media_inputs, list_media
from dummyio.generators.own_classes import collect_generators, collect_special_generators
from dummyio.generators.own_inputs import (
    check_given_names,
    find_own_generator,
    list_added_names,
    list_stated_names,
    name_generators,
)
from dummyio.generators.registry import OPTIONS, generator_for
from dummyio.huggingface.config.configuration import Configuration, read_configuration
from dummyio.huggingface.config.layer_types import check_layer_types
from dummyio.huggingface.diffusion.describe import CLASS_NAME, describe_component
from dummyio.huggingface.facts.argument_docs import (
    find_optional_arguments,
    find_required_arguments,
    read_documented_arguments,
)
from dummyio.huggingface.facts.quirks import Corrections, collect_quirks
from dummyio.huggingface.facts.source_facts import (
    count_reserved_positions,
    read_model_facts,
    read_option_facts,
    read_size_bounds,
    returns_score_matrix,
    source_text,
)
from dummyio.huggingface.inputs.asked_inputs import check_fed, check_rest, check_sizes, pop_asked_inputs
from dummyio.huggingface.inputs.choose_inputs import choose_inputs, inputs_from_attributes
from dummyio.huggingface.inputs.conditions import InputFacts
from dummyio.huggingface.inputs.forwarded_arguments import find_forwarded_arguments
from dummyio.huggingface.outputs.describe_outputs import describe_outputs
from dummyio.huggingface.source.auto_tables import class_source, configuration_class, foreign_type_of
from dummyio.huggingface.source.cache_invalidation import clear_stale_caches
from dummyio.huggingface.source.forward_signatures import forward_parameters, forward_source
from dummyio.huggingface.source.installed import transformers_version
from dummyio.huggingface.tasks.find_task import (
    canonical_task,
    class_of_task,
    class_supports_task,
    task_of_class,
    tasks_of,
)
from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import ALIASES, NormalizedConfig
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Node

_COMPARING = ("feature-extraction", "zero-shot-image-classification", "zero-shot-object-detection")
"""Tasks in which every image is compared with every text; in others each image has a text of its own."""
_UNKNOWN_CLASS = "unknown class"
_HALF = ("float16", "bfloat16")
"""Dtypes of weights other than the default, which layers ask of their operands too."""
_EMPTY = NormalizedConfig({})


@dataclass(frozen=True)
class _Signature:
    """The arguments of a model, and where they are known from."""

    names: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    known_from: str = ""
    arguments: Mapping[str, ArgumentFacts] = field(default_factory=dict)


class _State(msgspec.Struct, frozen=True):
    """All that is known of a model so far. The first four fields are given, each step fills in some of the others."""

    configuration: Configuration
    asked: str | None
    """The task that the caller asks for."""
    keywords: Mapping[str, Any]
    model: Any = None
    """The live model; None if only the configuration is given."""
    class_name: str = _UNKNOWN_CLASS
    task: str = ""
    generators: tuple[type, ...] = ()
    """Classes of the user's that describe inputs before ours."""
    given_generators: tuple[type, ...] = ()
    """Those of them that are given to this description, and not registered."""
    signature: _Signature = _Signature()
    config: NormalizedConfig = _EMPTY
    quirks: Corrections = Corrections()
    options: Mapping[str, Any] = {}
    """Sizes and options of the generators."""
    everything: bool = False
    """Whether to feed all data that the model takes, and not only the inputs of an export."""
    texts: Mapping[str, str] = {}
    """The source text of the model and its parts, by role."""
    context: Context = Context("", _EMPTY, DimSizes(_EMPTY))
    names: tuple[str, ...] = ()
    """The inputs."""
    inputs: Mapping[str, Node] = {}
    outputs: tuple[OutputSpec, ...] = ()


_with = msgspec.structs.replace


def describe_configuration(source: Any, task: str | None, keywords: Mapping[str, Any]) -> InputSpec:
    """Describe the model that a configuration (file, folder, dict or object) stands for, without building it.

    The names of arguments come from the forward signature of the model, read from the source of the installed Transformers;
    if it is not installed, from the attributes of the configuration, and the provenance states that.
    """
    clear_stale_caches()
    configuration = read_configuration(source)
    if CLASS_NAME in configuration.values:
        return describe_component(configuration, task, keywords)
    return _describe(_State(configuration, task, keywords))


def describe_model(model: Any, task: str | None, keywords: Mapping[str, Any]) -> InputSpec:
    """Describe a live model by its configuration and its own signature; its floats are those of its weights, unless `keywords` says."""
    clear_stale_caches()
    dtype = ""
    with suppress(Exception):  # a property of the model, which fails for one without weights
        dtype = str(model.dtype).rpartition(".")[2]
    own = {"float_dtype": dtype} if dtype in _HALF else {}
    return _describe(_State(read_configuration(model.config), task, {**own, **keywords}, model))


def _describe(state: _State) -> InputSpec:
    for step in _STEPS:
        state = step(state)
    provenance = {"source": state.configuration.label, "model": state.class_name, "names": state.signature.known_from}
    with name_generators(state.generators):
        return InputSpec(
            state.inputs,
            task=state.context.task + (PAST if state.context.with_past else ""),
            outputs=state.outputs,
            provenance={**provenance, **state.quirks.provenance},
        )


def _choose_class_and_task(state: _State) -> _State:
    task = None if state.asked is None else canonical_task(state.asked)
    try:
        name = _class_name(state.configuration, task) if state.model is None else type(state.model).__name__
    except SourceError:
        special = collect_special_generators(state.keywords.get("generators", ()), state.configuration.model_type)
        if state.configuration.architecture is not None or not list_stated_names(special):
            raise
        name = None  # generators state the inputs of a model that Transformers does not have
    found = task or (task_of_class(name) if name else None) or "feature-extraction"
    return _with(state, class_name=name or _UNKNOWN_CLASS, task=found)


def _collect_generators(state: _State) -> _State:
    keywords = dict(state.keywords)
    given = keywords.pop("generators", ())
    generators = collect_generators(given, state.configuration.model_type, state.task)
    return _with(state, keywords=keywords, generators=generators, given_generators=given)


def _class_name(configuration: Configuration, task: str | None) -> str | None:
    kind, architecture = configuration.model_type, configuration.architecture
    if kind is None or transformers_version() is None:
        return architecture
    if architecture and (task is None or class_supports_task(architecture, task)):
        other = foreign_type_of(architecture, kind)
        if other is not None:
            raise SourceError(
                f"{configuration.label}: class {architecture!r} (architectures) is of model type {other!r}, and model_type is "
                f"{kind!r}. Correct one of the two."
            )
        return architecture
    if task is not None:
        return class_of_task(kind, task)
    try:
        return class_of_task(kind, "feature-extraction")
    except SourceError:
        able = tasks_of(kind)
        reason = "its configuration names no class (architectures), and Transformers lists no base class of that type"
        raise _build_unknown_error(configuration, reason, able) from None


def _build_unknown_error(configuration: Configuration, reason: str, tasks: Iterable[str] = ()) -> SourceError:
    """Return the error for a model of which neither a class nor the attributes tell which inputs it takes."""
    names = {"model type": configuration.model_type, "class": configuration.architecture}
    what = " and ".join(f"{title} {name!r}" for title, name in names.items() if name is not None)
    able = ", ".join(tasks)
    kind, version = configuration.model_type, transformers_version()
    if able:
        remedy = f"Give a task of that type ({able})"
    elif kind is not None and configuration_class(kind) is not None:
        remedy = f"Transformers {version} has the model type, and lists no class of it that takes inputs: name another class "
        remedy += "of the model in architectures"
    else:
        remedy = "Install the release of Transformers that has the model"
    return SourceError(
        f"{configuration.label}: {what or 'a model without model type and class'} cannot be described: {reason}. {remedy}, or give "
        "the model itself (dummyio.describe(model)), or record its calls (dummyio.capture(model))."
    )


def _read_signature(state: _State) -> _State:
    name, model_type = state.class_name, state.configuration.model_type
    if state.model is not None:
        source = f"forward signature of the live {name}"
        parameters = _live_parameters(state.model)
    else:
        version = transformers_version()
        if version is None or name == _UNKNOWN_CLASS:
            return _guess_signature(state, "it names no class" if version else "Transformers is not installed")
        source = f"forward signature of {name}, source of transformers {version}"
        if not forward_source(name, model_type):  # remote code, or a class of another release
            if class_source(name, model_type) is not None:
                raise _build_unknown_error(state.configuration, f"{name} has no forward")
            return _guess_signature(state, f"transformers {version} has no class {name} with a forward")
        parameters = {p.name: p.has_default for p in forward_parameters(name, model_type)}
    required = {n for n, has_default in parameters.items() if not has_default}
    required |= find_required_arguments(parameters, name, model_type)
    arguments = read_documented_arguments(name, model_type)
    return _with(state, signature=_Signature(tuple(parameters), frozenset(required), source, arguments))


def _live_parameters(model: Any) -> dict[str, bool]:
    """Return the arguments of a live model's `forward`, with whether each has a default."""
    try:
        found = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError) as error:
        raise SourceError(f"a {type(model).__name__}: its forward has no signature ({error}).") from error
    return {p.name: p.default is not p.empty for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def _guess_signature(state: _State, reason: str) -> _State:
    given = {key: value for key, value in state.keywords.items() if key in ALIASES}
    names = inputs_from_attributes(state.configuration.normalized(given))
    special = collect_special_generators(state.given_generators, state.configuration.model_type)
    names += [name for name in list_stated_names(special) if name not in names]
    if not names:
        raise _build_unknown_error(
            state.configuration, f"{reason}, and the attributes do not tell which inputs it takes"
        )
    if state.class_name != _UNKNOWN_CLASS and state.asked is None and task_of_class(state.class_name) is None:
        kind = state.configuration.model_type
        reason = f"{reason}, and the end of the class's name is not that of a known task"
        raise _build_unknown_error(state.configuration, reason, tasks_of(kind) if kind else ())
    reason = f"guessed from the configuration's attributes ({reason})"
    return _with(state, signature=_Signature(tuple(names), known_from=reason))


def _apply_quirks(state: _State) -> _State:
    configuration, name = state.configuration, state.class_name
    given = {k: v for k, v in state.keywords.items() if k in ALIASES and k not in DEFAULT_DUMMY_SHAPES}
    config = configuration.normalized(given)
    quirks = collect_quirks(config, name, with_past=state.task.endswith(PAST))
    if quirks.attributes:
        config = configuration.normalized({**quirks.attributes, **given})
    rest = {key: value for key, value in state.keywords.items() if key not in given}
    asked = read_option_facts(name, configuration.model_type, source_text(name, configuration), config)
    options = {**asked, **quirks.options, **rest}
    everything = options.pop("optional_inputs", state.asked is None)
    feed, leave_out = pop_asked_inputs(options, state.signature.names, state.signature.required)
    quirks = quirks.follow(feed, leave_out)
    return _with(state, config=config, quirks=quirks, options=options, everything=everything)


def _add_forwarded_arguments(state: _State) -> _State:
    """Add the data for which only a model inside has a name."""
    signature = state.signature
    found = find_forwarded_arguments(state.class_name, state.config) if state.everything else {}
    added = {name: facts for name, facts in found.items() if name not in signature.names}
    names, arguments = (*signature.names, *added), {**added, **signature.arguments}
    check_given_names(state.given_generators, names, state.class_name)
    return _with(state, signature=replace(signature, names=names, arguments=arguments)) if added else state


def _build_context(state: _State) -> _State:
    options = {*OPTIONS, *(name for kind in state.generators for name in getattr(kind, "OPTIONS", ()))}
    context = build_context(state.task, state.config, state.options, options, own_generators=state.generators)
    context.sizes.bounds.update({**read_size_bounds(state.class_name, state.config), **state.quirks.bounds})
    texts = source_text(state.class_name, state.configuration)
    context.sizes.reserved_positions = count_reserved_positions(texts, state.config)
    return _with(state, context=context, texts=texts)


def _choose_inputs(state: _State) -> _State:
    signature, context, offered = state.signature, state.context, frozenset(state.signature.names)
    facts = InputFacts(
        offered=offered,
        required=signature.required,
        config=state.config,
        task=context.task,
        with_past=context.with_past,
        everything=state.everything,
        arguments=signature.arguments,
        texts=state.texts,
        own=frozenset(name for name in signature.names if find_own_generator(name, context) is not None),
        added=frozenset(list_added_names(context, signature.names)),
    )
    names = state.quirks.chosen(choose_inputs(facts, signature.names), signature.names)
    check_rest(names, state.quirks.drop)
    _check_past(state, names)
    if not names:
        raise SourceError(
            f"{state.configuration.label}: dummyio can describe none of the arguments {', '.join(signature.names) or '(none)'}. "
            "Give a generator of your own for them (generators=), or describe the inputs by hand with InputSpec and TensorSpec."
        )
    decoded = facts.encoder_decoder and any(name.startswith("decoder_") for name in names)
    context = replace(context, names=frozenset(names), encoder_decoder=decoded)
    return _with(state, names=tuple(names), context=context)


def _check_past(state: _State, names: list[str]) -> None:
    if not state.context.with_past:
        return
    if not {"past_key_values", "cache_params"} & set(names):
        raise SourceError(f"task={state.task!r}: the model takes no past_key_values; leave out {PAST!r}.")
    check_layer_types(state.config)


def _collect_facts(state: _State) -> _State:
    facts = read_model_facts(state.texts, state.config, state.signature.arguments, with_past=state.context.with_past)
    media = replace(facts.media, **state.quirks.media)
    return _with(state, context=replace(state.context, facts=replace(facts, media=media)))


def _drop_uncounted_media(state: _State) -> _State:
    """Drop media whose placeholders cannot be counted, which a model refuses without them, and what is said of media that are dropped."""
    own = list_added_names(state.context, state.names)
    required = state.signature.required - find_optional_arguments(state.class_name, state.configuration.model_type)
    dropped = find_uncounted_media_inputs(state.context) - required - set(own)
    dropped |= find_companions_alone(set(state.names) - dropped) - set(own)
    if not dropped:
        return state
    names = tuple(name for name in state.names if name not in dropped)
    return _with(state, names=names, context=replace(state.context, names=frozenset(names)))


def _describe_inputs(state: _State) -> _State:
    context = state.context
    if _compares_each(state) and not list_media(context):
        context = replace(context, dual=True)
    generators = {name: generator_for(name, context) for name in state.names}
    inputs = {name: generator.spec(name) for name, generator in generators.items() if generator is not None}
    check_fed(state.quirks.add, inputs, state.class_name)
    check_sizes(context, inputs)
    return _with(state, context=context, inputs=inputs)


def _compares_each(state: _State) -> bool:
    """Whether each text is compared with each image: by their projections, or by scores with an axis for either."""
    if not {"pixel_values", "input_ids"} <= set(state.names) or state.context.task not in _COMPARING:
        return False
    return state.config.has("projection_dim") or returns_score_matrix(state.class_name, state.configuration.model_type)


def _describe_outputs(state: _State) -> _State:
    return _with(state, outputs=describe_outputs(state.context, state.inputs, state.class_name))


_STEPS: tuple[Callable[[_State], _State], ...] = (
    _choose_class_and_task,
    _collect_generators,
    _read_signature,
    _apply_quirks,
    _add_forwarded_arguments,
    _build_context,
    _choose_inputs,
    _collect_facts,
    _drop_uncounted_media,
    _describe_inputs,
    _describe_outputs,
)
