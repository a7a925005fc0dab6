"""The levels of models with a cache: a decoder, and an encoder with a decoder."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, ClassVar

from dummyio.errors import OptionError, suggest_names
from dummyio.generators.registry import DummyPastKeyValuesGenerator, DummySeq2SeqPastKeyValuesGenerator
from dummyio.model_config.attribute_types import shorten_value
from dummyio.onnx.levels.base import Axes, OnnxConfig
from dummyio.sources.input_names import present_name

_CACHE = "past_key_values"
_NEXT_CACHE = str(present_name(f"{_CACHE}.0")).partition(".")[0]
"""The output in which a model returns its cache."""


class OnnxConfigWithPast(OnnxConfig):
    """A configuration for a decoder with a cache.

    `use_past` means that the cache is an output, `use_past_in_inputs` that it is an input too; ``-with-past`` in the task is both.
    """

    DUMMY_PKV_GENERATOR_CLASS: ClassVar[Any] = DummyPastKeyValuesGenerator
    PAD_ATTENTION_MASK_TO_PAST = False
    """Whether a mask that is as long as the new tokens is made longer by the past; the axis that is declared decides in any case."""

    def __init__(  # noqa: PLR0913, PLR0917 - the signature of Optimum's class
        self,
        config: Any,
        task: str = "feature-extraction",
        int_dtype: str = "int64",
        float_dtype: str = "fp32",
        use_past: bool = False,  # noqa: FBT002 - the signature of Optimum's class
        use_past_in_inputs: bool = False,  # noqa: FBT002
        preprocessors: list[Any] | None = None,
        legacy: bool = False,  # noqa: FBT002
        **dims: Any,
    ) -> None:
        """Describe the inputs, or take those that the class declares; see `OnnxConfig`."""
        if use_past_in_inputs and not use_past:
            raise OptionError(
                "use_past_in_inputs=True with use_past=False: a cache that is an input is one of the outputs too."
            )
        self.use_past, self.use_past_in_inputs = use_past, use_past_in_inputs
        self.is_merged, self.use_cache_branch = False, None
        super().__init__(config, task, preprocessors, int_dtype, float_dtype, legacy, **dims)

    @property
    def outputs(self) -> Axes:
        """Output → axis → symbol: those of the task, and the cache if `use_past`."""
        found = super().outputs
        if not self.declares_inputs:
            return found
        presents = {present_name(path) for path, _ in self.spec.leaves}
        found = {name: axes for name, axes in found.items() if name not in presents}
        if self.use_past:
            self.add_past_key_values(found, direction="outputs")
        return found

    def add_past_key_values(self, inputs_or_outputs: Axes, direction: str) -> None:
        """Add the tensors of the cache to a declaration: ``past_key_values.0.key`` ... to inputs, ``present.0.key`` ... to outputs.

        A subclass overrides it if the positions of its cache are not axis 2, or if it has other tensors.
        """
        name, length = _choose_past(direction)
        for layer in range(self._normalized_config.num_layers):
            for part in ("key", "value"):
                inputs_or_outputs[f"{name}.{layer}.{part}"] = {0: "batch_size", 2: length}

    def flatten_past_key_values(self, flattened_output: dict[str, Any], name: str, idx: int, t: Any) -> None:
        """Add the tensors of one layer to a dict, under the names of the file."""
        flattened_output[f"{name}.{idx}.key"], flattened_output[f"{name}.{idx}.value"] = t[0], t[1]

    def flatten_output_collection_property(self, name: str, field: Iterable[Any]) -> dict[str, Any]:
        """Return the tensors of a container by name; those of a cache as `flatten_past_key_values` names them."""
        if name not in (_CACHE, _NEXT_CACHE):
            return super().flatten_output_collection_property(name, field)
        found: dict[str, Any] = {}
        for place, layer in enumerate(field):
            self.flatten_past_key_values(found, name, place, layer)
        return found


def _choose_past(direction: str, new: str = "sequence_length") -> tuple[str, str]:
    """Return the name of a cache as input or output, and the length of it."""
    past = f"past_{new}"
    if direction == "inputs":
        return _CACHE, past
    if direction == "outputs":
        return _NEXT_CACHE, f"{past} + {new}"
    raise OptionError(f"direction={shorten_value(direction)}: give 'inputs' or 'outputs'.")


class ConfigBehavior(enum.StrEnum):
    """The part of an encoder-decoder that a configuration is for."""

    MONOLITH = "monolith"
    ENCODER = "encoder"
    DECODER = "decoder"


class OnnxSeq2SeqConfigWithPast(OnnxConfigWithPast):
    """A configuration for an encoder and a decoder, or one of the two: `behavior`."""

    DUMMY_PKV_GENERATOR_CLASS = DummySeq2SeqPastKeyValuesGenerator

    def __init__(  # noqa: PLR0913, PLR0917 - the signature of Optimum's class
        self,
        config: Any,
        task: str = "feature-extraction",
        int_dtype: str = "int64",
        float_dtype: str = "fp32",
        use_past: bool = False,  # noqa: FBT002 - the signature of Optimum's class
        use_past_in_inputs: bool = False,  # noqa: FBT002
        behavior: ConfigBehavior | str = ConfigBehavior.MONOLITH,
        preprocessors: list[Any] | None = None,
        legacy: bool = False,  # noqa: FBT002
        **dims: Any,
    ) -> None:
        """Describe the inputs, or take those that the class declares; see `OnnxConfig`."""
        choices = [each.value for each in ConfigBehavior]
        if behavior not in choices:
            raise OptionError(f"behavior={shorten_value(behavior)} is unknown. {suggest_names(str(behavior), choices)}")
        self._behavior = ConfigBehavior(behavior)
        super().__init__(
            config, task, int_dtype, float_dtype, use_past, use_past_in_inputs, preprocessors, legacy, **dims
        )

    def with_behavior(
        self, behavior: ConfigBehavior | str, *, use_past: bool = False, use_past_in_inputs: bool = False
    ) -> Any:
        """Return the configuration of one part of the same model."""
        return type(self)(
            self.source.value,
            self.task,
            self.int_dtype,
            self.float_dtype,
            use_past=use_past,
            use_past_in_inputs=use_past_in_inputs,
            behavior=behavior,
            preprocessors=self._preprocessors,
            **self._keywords,
        )

    @property
    def torch_to_onnx_input_map(self) -> dict[str, str]:
        """Argument of the model → its name in a file: a decoder by itself has names of its own."""
        if self._behavior is not ConfigBehavior.DECODER:
            return {}
        return {
            "decoder_input_ids": "input_ids",
            "decoder_attention_mask": "attention_mask",
            "encoder_outputs": "encoder_hidden_states",
            "attention_mask": "encoder_attention_mask",
        }

    @property
    def outputs(self) -> Axes:
        """Output → axis → symbol: the hidden states of an encoder by itself, else those of the task and the cache."""
        if self._behavior is ConfigBehavior.ENCODER:
            return {"last_hidden_state": {0: "batch_size", 1: "encoder_sequence_length"}}
        found = super().outputs
        return {name: axes for name, axes in found.items() if not name.startswith("encoder_last") or self._has_encoder}

    @property
    def _has_encoder(self) -> bool:
        return self._behavior is ConfigBehavior.MONOLITH

    def add_past_key_values(self, inputs_or_outputs: Axes, direction: str) -> None:
        """Add the tensors of the cache: of each layer those of the decoder, then those of what the encoder returned."""
        name, length = _choose_past(direction, "decoder_sequence_length")
        for layer in range(self._normalized_config.decoder_num_layers):
            sides = [("decoder", length)]
            if direction == "inputs" or not self.use_past_in_inputs:
                sides.append(("encoder", "encoder_sequence_length"))
            for side, positions in sides:
                for part in ("key", "value"):
                    inputs_or_outputs[f"{name}.{layer}.{side}.{part}"] = {0: "batch_size", 2: positions}

    def flatten_past_key_values(self, flattened_output: dict[str, Any], name: str, idx: int, t: Any) -> None:
        """Add the tensors of one layer to a dict: two of the decoder, and two of the encoder if there are four."""
        names = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
        flattened_output |= {f"{name}.{idx}.{part}": tensor for part, tensor in zip(names, t, strict=False)}
