"""Describes a model of the Diffusers library, given as a configuration or live.

Such a configuration names its class under ``_class_name``. The signature is read from the class's source text, for a live model
too, so that both are described alike. An autoencoder's halves are tasks: ``vae-encoder`` and ``vae-decoder``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dummyio.errors import OptionError, SourceError, suggest_names
from dummyio.generators.base.context import Context, build_context
from dummyio.generators.base.model_facts import ArgumentFacts, Kind, ModelFacts
from dummyio.generators.diffusion.components import DummyComponentInputGenerator
from dummyio.generators.own_classes import collect_generators
from dummyio.generators.own_inputs import check_given_names, find_own_generator, list_added_names
from dummyio.generators.registry import OPTIONS
from dummyio.huggingface.config.configuration import Configuration, build_configuration
from dummyio.huggingface.diffusion.argument_kinds import read_kind
from dummyio.huggingface.diffusion.argument_shapes import read_parts, read_shape_words
from dummyio.huggingface.diffusion.choose_inputs import component_inputs, inputs_by_attributes
from dummyio.huggingface.diffusion.library import LIBRARY, find_component
from dummyio.huggingface.inputs.asked_inputs import check_sizes
from dummyio.huggingface.source.forward_signatures import ClassMethods
from dummyio.huggingface.source.installed import package_version
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import check_attribute, is_name, shorten_value
from dummyio.model_config.normalized_config import ALIASES, NormalizedConfig
from dummyio.sources.input_names import is_mask
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Node

CLASS_NAME = "_class_name"
"""The configuration's key for its class."""

_TASKS: Mapping[str, tuple[str, ...]] = {
    "denoising": ("unet", "transformer", "prior", "controlnet"),
    "autoencoding": ("vae", "vqvae", "movq"),
    "vae-encoder": ("vae_encoder",),
    "vae-decoder": ("vae_decoder",),
}
"""Task → what pipelines call the part that does it."""
HALVES: Mapping[str, tuple[str, str]] = {
    "vae-encoder": ("encode", "sample"),
    "vae-decoder": ("decode", "latent_sample"),
}
"""Task → the method that does it, and what an export calls its input."""
_REPEATED_TIME = re.compile(r"\bemb\.repeat_interleave\(num_frames")
_CONTAINER = re.compile(r"(list|tuple|dict)\[", re.IGNORECASE)
"""An annotation of an argument that is not a single tensor."""
_RETURNED = re.compile(r"\n +return \w*Output\w*\(([^()]*)\)")


@dataclass(frozen=True)
class _Reading:
    """What is known of a class: its arguments, whether each is required, their shapes in words, and from where."""

    offered: Mapping[str, bool]
    words: Mapping[str, ArgumentFacts]
    known_from: str
    code: str = ""


def describe_component(
    configuration: Configuration, task: str | None, keywords: Mapping[str, Any], *, partial: bool = False
) -> InputSpec:
    """Describe the model that a configuration with a ``_class_name`` stands for; errors as `describe`.

    With `partial`, needed inputs of which nothing is known are left out: runs of a live model find them.
    """
    name = configuration.values[CLASS_NAME]
    if not is_name(name):
        raise SourceError(
            f"{configuration.label}: {CLASS_NAME}={shorten_value(name)} is not the name of a class. Describe a single model."
        )
    component = find_component(name)
    settings = _settings(component) if component else {}
    for key, value in configuration.values.items():  # source text is evaluated with all of them
        if value is not None:
            check_attribute(key, value, "", settings.get(key))
    values = {**settings, **configuration.values}
    given = {key: value for key, value in keywords.items() if key in ALIASES and key not in DEFAULT_DUMMY_SHAPES}
    config = NormalizedConfig(values, given=given)
    found = _task(component, config, task)
    reading = (
        _read(component, config, {**values, **given}, found) if component else _guess(configuration, config, found)
    )
    rest = {key: value for key, value in keywords.items() if key not in given}
    everything = rest.pop("optional_inputs", task is None)
    own = rest.pop("generators", ())
    check_given_names(own, reading.offered, name)
    facts = ModelFacts(reading.words, resizes_feature_maps="forward_upsample_size" in reading.code)
    kinds = collect_generators(own, None, found)
    context = build_context(found, config, rest, OPTIONS, facts=facts, own_generators=kinds)
    names = component_inputs(reading.offered, config, reading.code, everything=everything)
    names += [argument for argument in list_added_names(context, [*reading.offered]) if argument not in names]
    inputs = _inputs(context, reading, names, name, partial=partial)
    check_sizes(context, inputs)
    return InputSpec(
        inputs,
        task=found,
        outputs=_outputs(component, found, context),
        provenance={"source": configuration.label, "model": name, "names": reading.known_from},
    )


def describe_component_model(
    model: Any, task: str | None, keywords: Mapping[str, Any], *, partial: bool = False
) -> InputSpec:
    """Describe a live model of the library, or of a class that comes from one of its, as its configuration is described."""
    name = component_class(model)
    if name is None or not isinstance(model.config, Mapping):
        raise SourceError(f"a {type(model).__qualname__} is not a model of {LIBRARY} with a configuration.")
    if isinstance(getattr(model, "components", None), Mapping):
        parts = [key for key, part in model.components.items() if callable(getattr(part, "forward", None))]
        raise SourceError(f"a {name} is a pipeline of several models: describe one of its {', '.join(parts)}.")
    values = {**model.config, CLASS_NAME: name}
    configuration = build_configuration(values, f"the configuration of a {type(model).__name__}")
    return describe_component(configuration, task, keywords, partial=partial)


def component_class(model: Any) -> str | None:
    """Return the name of the library's class that an object is of, or comes from; None for one of another library."""
    kinds = (kind for kind in type(model).__mro__ if kind.__module__.partition(".")[0] == LIBRARY)
    return next((kind.__name__ for kind in kinds), None)


def _settings(component: ClassMethods) -> dict[str, object]:
    """Return the defaults of `__init__`, which are those of the configuration."""
    return {p.name: p.default for p in component.parameters("__init__") if p.has_default and p.default is not ...}


def _task(component: ClassMethods | None, config: NormalizedConfig, asked: str | None) -> str:
    """Return the task: the one that is asked for, where the class does it, else what the class is for."""
    own = component.parameters("forward") if component else ()
    coder = (
        component.has("encode") and component.has("decode") if component else config.raw("latent_channels") is not None
    )
    takes_time = any(p.name.startswith("timestep") for p in own) or (component is None and not coder)
    able = ["autoencoding", *HALVES] if coder else ["denoising"] if takes_time else ["feature-extraction"]
    if asked is None:
        return able[0]
    names = {alias: name for name in able for alias in (name, *_TASKS.get(name, ()))}
    if asked not in names:
        raise OptionError(f"task={asked!r}: this model does not do it. {suggest_names(asked, [*names])}")
    return names[asked]


def _read(component: ClassMethods, config: NormalizedConfig, values: Mapping[str, Any], task: str) -> _Reading:
    """Read a class's signature and shapes from its source text."""
    source = f"source of {LIBRARY} {package_version(LIBRARY)}"
    if task in HALVES:
        method, name = HALVES[task]
        shape = next(iter(read_shape_words(component, values, method).values()))
        stated = {name: ArgumentFacts("float", shape)} if shape else {}
        return _Reading({name: True}, stated, f"{method} of {component.name}, {source}", component.text(method))
    parameters = component.parameters("forward")
    code = component.text("forward")
    off = [key for key, value in values.items() if value is False]  # concat_padding_mask=False: no padding_mask
    offered = {
        p.name: not p.has_default or (_is_read(p.name, code) and not any(key.endswith(p.name) for key in off))
        for p in parameters
    }
    found = read_shape_words(component, values)
    lists = {p.name for p in parameters if _CONTAINER.match(p.annotation)}
    shapes = {key: shape for key, shape in _with_conditions(found, config, code).items() if shape and key not in lists}
    kinds: dict[str, Kind] = {
        p.name: read_kind(component, p.name) for p in parameters if p.name in shapes or is_mask(p.name)
    }
    stated = {key: ArgumentFacts(kind, shapes.get(key)) for key, kind in kinds.items()}
    for key in shapes:
        for place, part in enumerate(read_parts(component, values, key), 1):
            stated |= {f"{key}.0": stated[key], f"{key}.{place}": ArgumentFacts("float", part)}
    return _Reading(offered, stated, f"forward signature of {component.name}, {source}", component.text("forward"))


def _is_read(name: str, code: str) -> bool:
    """Whether a method takes apart or joins what may be left out without a look at whether it is there, or a layer gets it in any case."""
    is_checked = re.search(rf"\b{name} is (?:not )?None|\bif (?:not )?{name}\b(?![.\[])", code) is not None
    is_taken = re.search(rf"\b{name}(?:\.(?!get)\w|\[)|torch\.cat\(\s*[\[(][^\])]*\b{name}\b", code) is not None
    is_given = re.search(rf"^ {{8}}\w+ = self\.\w+\({name}\)$|\bfunctional\.\w+\(\s*{name}\b", code, re.MULTILINE)
    return (is_taken and not is_checked) or is_given is not None


def _with_conditions(words: Mapping[str, Any], config: NormalizedConfig, code: str = "") -> dict[str, Any]:
    """Return the words with the usual shape of a text, where only the configuration says how large its features are.

    A denoiser that gives every frame the time step of its video, but not the text, is given a text for each frame.
    """
    found = dict(words)
    shape = found.get("encoder_hidden_states")
    if (
        "encoder_hidden_states" in found
        and config.has("conditioning_size")
        and (not shape or not _sized(shape, config))
    ):
        attribute = "encoder_hid_dim" if config.raw("encoder_hid_dim") is not None else None
        size = config.integer(attribute or "conditioning_size")
        by_frame = _REPEATED_TIME.search(code) is not None and "encoder_hidden_states.repeat" not in code
        rows = "batch_frames" if by_frame else "batch_size"
        length = shape[1] if shape and len(shape) == 3 and config.raw(shape[1]) is not None else "sequence_length"
        found["encoder_hidden_states"] = (rows, length, str(size))
    return found


def _sized(shape: tuple[str, ...], config: NormalizedConfig) -> bool:
    return len(shape) == 3 and (shape[-1].isdigit() or isinstance(config.raw(shape[-1]), int))


def _guess(configuration: Configuration, config: NormalizedConfig, task: str) -> _Reading:
    """Guess the arguments from the attributes of the configuration, because the library is not installed."""
    names = ["latent_sample"] if task == "vae-decoder" else inputs_by_attributes(config)
    if not names:
        raise SourceError(
            f"{configuration.label}: what a {configuration.values[CLASS_NAME]} takes cannot be read, since {LIBRARY} is not "
            f"installed, nor guessed from its attributes. Install it: pip install 'dummyio[{LIBRARY}]'."
        )
    packed = "img_ids" in names
    first = ("batch_size", "cells", "channels") if packed else ("batch_size", "channels", "height", "width")
    words: dict[str, Any] = {names[0]: first}
    if "pooled_projections" in names:
        words["pooled_projections"] = ("batch_size", str(config.integer("pooled_projection_dim")))
    if "encoder_hidden_states" in names:
        words = _with_conditions({**words, "encoder_hidden_states": None}, config)
    reason = f"guessed from the configuration's attributes ({LIBRARY} is not installed)"
    stated = {name: ArgumentFacts("float", shape) for name, shape in words.items()}
    return _Reading(dict.fromkeys(names, True), stated, reason)


def _inputs(context: Context, reading: _Reading, names: list[str], model: str, *, partial: bool) -> dict[str, Node]:
    """Describe the arguments that are fed; an optional one of which nothing is known stays out."""
    context = replace(context, names=frozenset(names))
    generator = DummyComponentInputGenerator.of(context)
    own = {name: found for name in names if (found := find_own_generator(name, context)) is not None}
    unknown = [name for name in names if name not in own and not generator.supports_input(name)]
    needed = [name for name in unknown if reading.offered[name]]
    if needed and not (partial and len(unknown) < len(names)):
        raise SourceError(
            f"{model}: its text does not say what it needs as {', '.join(needed)}. Describe the inputs by hand with InputSpec "
            "and TensorSpec."
        )
    return {name: own.get(name, generator).spec(name) for name in names if name not in unknown}


def _outputs(component: ClassMethods | None, task: str, context: Context) -> tuple[OutputSpec, ...]:
    """Return the outputs by their names; their shapes are the model's own affair."""
    text = (
        component.text("decode" if task == "vae-decoder" else "forward") if component and task != "vae-encoder" else ""
    )
    returned = _RETURNED.findall(text)
    names = re.findall(r"(\w+)=", returned[-1]) if returned else []
    return tuple(OutputSpec(name, None, context.float_dtype) for name in names)
