"""Example inputs of a `UniversalOnnxConfig`: sizes under Optimum's names, and the hook of a subclass for one input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from dummyio.backend.registry import framework_name
from dummyio.errors import OptionError, suggest_names
from dummyio.generators.own_classes import is_ours
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES


class DescribedConfig(Protocol):
    """What a configuration has for its example inputs; `UniversalOnnxConfig` is the one that has it."""

    @property
    def spec(self) -> Any:
        """The inputs as data, an `InputSpec`."""
        ...

    @property
    def generator_classes(self) -> tuple[type, ...]:
        """The generators of the class."""
        ...

    @property
    def overrides_inputs(self) -> bool:
        """Whether the class makes inputs itself."""
        ...

    def describe_sizes(self, sizes: Mapping[str, Any]) -> InputSpec:
        """Return the spec under further sizes and options."""
        ...

    def find_tensor_generator(self, input_name: str, sizes: Mapping[str, Any]) -> Any:
        """Return the class's own generator that makes an input as tensors; None if none does."""
        ...

    def overwrite_shape_and_generate_input(
        self, dummy_input_gen: Any, input_name: str, framework: str, input_shapes: dict[str, Any]
    ) -> Any:
        """Return one input."""
        ...


OPTIMUM_SIZES = frozenset(
    {
        "batch_size",
        "sequence_length",
        "num_choices",
        "width",
        "height",
        "num_channels",
        "point_batch_size",
        "nb_points_per_image",
        "visual_seq_length",
        "feature_size",
        "nb_max_frames",
        "audio_sequence_length",
    }
)
"""The sizes that Optimum's exporters give, all of them for every model."""

SYNONYMS: Mapping[str, str] = {
    "batch": "batch_size",
    "seq_length": "sequence_length",
    "seq_len": "sequence_length",
    "image_width": "width",
    "image_height": "height",
    "channels": "num_channels",
    "nb_points": "nb_points_per_image",
    "audio_length": "audio_sequence_length",
}
"""Names that users and Optimum's documentation give a size → its name."""


def split_sizes(config: DescribedConfig, shapes: Mapping[str, Any]) -> tuple[InputSpec, dict[str, Any]]:
    """Return the spec that sizes by name ask for, and those of them that are dims of it.

    Raises
    ------
    OptionError
        if no size has a name; a size that Optimum names and that the model does not have is left out.
    """
    spec: InputSpec = config.spec
    # Generators of the user's may have sizes of their own, which the description checks.
    for name, size in () if not all(map(is_ours, config.generator_classes)) else shapes.items():
        if name not in spec.dims and name not in DEFAULT_DUMMY_SHAPES and not _is_range(name):
            known = [*DEFAULT_DUMMY_SHAPES, *spec.dims]
            remedy = f"Did you mean {SYNONYMS[name]!r}?" if name in SYNONYMS else suggest_names(name, known)
            raise OptionError(f"{name}={shorten_value(size)}: no size has that name. {remedy}")
    given = {name: size for name, size in shapes.items() if size is not None}
    others = {name: size for name, size in given.items() if name not in spec.dims}
    if others:
        spec = _describe_again(config, given, others)
    return spec, {name: size for name, size in given.items() if name in spec.dims}


def _describe_again(config: DescribedConfig, given: Mapping[str, Any], others: Mapping[str, Any]) -> InputSpec:
    """Return the spec under all sizes; those of Optimum's that the model does not have are left out."""
    try:
        return config.describe_sizes(given)
    except OptionError:
        left = {name: size for name, size in given.items() if name not in others or _is_taken(config, name, size)}
        if len(left) == len(given):
            raise
    return config.describe_sizes(left)


def _is_taken(config: DescribedConfig, name: str, size: Any) -> bool:
    """Whether a size is one of the model's; raise the error of a size that is not Optimum's either."""
    try:
        config.describe_sizes({name: size})
    except OptionError:
        if name not in OPTIMUM_SIZES:
            raise
        return False
    return True


def _is_range(name: str) -> bool:
    return name.startswith("random_") and name.endswith("_range")


def make_inputs(
    config: DescribedConfig, framework: str, choice: Mapping[str, Any], shapes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the inputs of a configuration; see `UniversalOnnxConfig.generate_dummy_inputs`."""
    name = framework_name(framework)
    spec, sizes = (config.spec, {}) if not shapes else split_sizes(config, shapes)
    made = spec.generate(name, **choice, **sizes)
    if not config.overrides_inputs:
        return made
    described = SpecGenerator(spec, choice, sizes)
    found: dict[str, Any] = {}
    for path in made:
        generator = config.find_tensor_generator(path, shapes) or described
        found[path] = config.overwrite_shape_and_generate_input(generator, path, name, dict(shapes))
    return found


class SpecGenerator:
    """The generator that the hook of a subclass gets: it makes every input of a spec, at sizes that can be set."""

    def __init__(self, spec: InputSpec, choice: Mapping[str, Any], sizes: Mapping[str, Any]) -> None:
        self._spec, self._choice = spec, choice
        for name, size in spec.sizes(**sizes).items():
            setattr(self, name, size)

    def supports_input(self, input_name: str) -> bool:
        """Whether the spec has that input."""
        return input_name.partition(".")[0] in self._spec

    def generate(
        self, input_name: str, framework: str = "pt", int_dtype: str = "int64", float_dtype: str = "fp32"
    ) -> Any:
        """Return one input at the sizes that are set now; the dtypes are those of the spec."""
        del int_dtype, float_dtype
        sizes = {name: getattr(self, name) for name in self._spec.dims}
        return self._spec.generate(framework, **self._choice, **sizes)[input_name]


_DECODER_NAMES: Mapping[str, tuple[str, ...]] = {
    "input_ids": ("decoder_input_ids",),
    "attention_mask": ("decoder_attention_mask",),
    "encoder_attention_mask": ("attention_mask",),
    "encoder_hidden_states": ("encoder_outputs.last_hidden_state", "encoder_outputs.0"),
}
"""Input of a decoder's file → the argument of the whole model that it stands for."""
_CACHE_SWITCH = "use_cache_branch"


def flatten_feeds(spec: InputSpec, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return path → tensor for inputs as a model takes them: the tensors of a cache or another container in order."""
    flat: dict[str, Any] = {}
    for name, value in inputs.items():
        paths = [path for path, _ in spec.leaves if path.startswith(f"{name}.")]
        tensors = list(_iterate_tensors(value, name))
        if len(paths) == len(tensors) and paths:
            tensors = list(zip(paths, (tensor for _, tensor in tensors), strict=True))
        flat.update(tensors)
    return flat


def _iterate_tensors(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    layers = getattr(value, "layers", None)
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _iterate_tensors(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield from _iterate_tensors(item, f"{path}.{place}")
    elif hasattr(value, "self_attention_cache"):
        own, cross = value.self_attention_cache.layers, value.cross_attention_cache.layers
        for place, (first, second) in enumerate(zip(own, cross, strict=True)):
            parts = (first.keys, first.values, second.keys, second.values)
            yield from _iterate_tensors(parts, f"{path}.{place}")
    elif isinstance(layers, list):
        for place, layer in enumerate(layers):
            yield from _iterate_tensors((layer.keys, layer.values), f"{path}.{place}")
    else:
        yield path, value


def rename_feeds(flat: Mapping[str, Any], names: Sequence[str] | None) -> dict[str, Any]:
    """Return feeds under the names of a file; see `UniversalOnnxConfig.generate_dummy_inputs_for_validation`."""
    if names is None:
        return dict(flat)
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        raise OptionError(f"onnx_input_names has {twice!r} twice: each input of a file has a name of its own.")
    # A file with the states of an encoder is that of a decoder, whose ids and mask are the decoder's.
    is_decoder = not {"encoder_hidden_states", "encoder_attention_mask"}.isdisjoint(names)
    found: dict[str, Any] = {}
    for name in names:
        others = _DECODER_NAMES.get(name, ()) if is_decoder else ()
        source = next((other for other in (*others, name) if other in flat), None)
        if source is not None:
            found[name] = flat[source]
        elif name == _CACHE_SWITCH:
            found[name] = np.array([any(each.startswith("past_key_values.") for each in flat)])
        else:
            raise OptionError(
                f"input {name!r} of the file: the reference inputs are {', '.join(flat)}. Give the inputs of the model that the file "
                "was exported from."
            )
    return found
