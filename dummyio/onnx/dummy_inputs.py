"""Example inputs of a `UniversalOnnxConfig`: sizes under Optimum's names, and the hook of a subclass for one input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dummyio.backend.registry import framework_name
from dummyio.errors import OptionError, suggest_names
from dummyio.generators.own_classes import is_ours
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES

if TYPE_CHECKING:
    from dummyio.onnx.universal_config import UniversalOnnxConfig

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


def split_sizes(config: UniversalOnnxConfig, shapes: Mapping[str, Any]) -> tuple[InputSpec, dict[str, Any]]:
    """Return the spec that sizes by name ask for, and those of them that are dims of it.

    Raises
    ------
    OptionError
        if a name is no size; a size that Optimum names and that the model does not have is left out.
    """
    spec = config.spec
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


def _describe_again(config: UniversalOnnxConfig, given: Mapping[str, Any], others: Mapping[str, Any]) -> InputSpec:
    """Return the spec under all sizes; those of Optimum's that the model does not have are left out."""
    try:
        return config.describe_sizes(given)
    except OptionError:
        left = {name: size for name, size in given.items() if name not in others or _is_taken(config, name, size)}
        if len(left) == len(given):
            raise
    return config.describe_sizes(left)


def _is_taken(config: UniversalOnnxConfig, name: str, size: Any) -> bool:
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
    config: UniversalOnnxConfig, framework: str, choice: Mapping[str, Any], shapes: Mapping[str, Any]
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
