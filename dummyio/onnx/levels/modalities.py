"""The levels by what a model reads: text, images, sound, texts with images."""

from __future__ import annotations

from dummyio.generators.registry import (
    DummyAudioInputGenerator,
    DummyBboxInputGenerator,
    DummySeq2SeqDecoderTextInputGenerator,
    DummyTextInputGenerator,
    DummyVisionInputGenerator,
)
from dummyio.onnx.levels.base import Axes, OnnxConfig
from dummyio.onnx.levels.with_past import ConfigBehavior, OnnxConfigWithPast, OnnxSeq2SeqConfigWithPast

_TEXT = {0: "batch_size", 1: "sequence_length"}
_ENCODED = {0: "batch_size", 1: "encoder_sequence_length"}
_DECODED = {0: "batch_size", 1: "decoder_sequence_length"}


class TextEncoderOnnxConfig(OnnxConfig):
    """A configuration for a text encoder."""

    DUMMY_INPUT_GENERATOR_CLASSES = (DummyTextInputGenerator,)


class TextDecoderOnnxConfig(OnnxConfigWithPast):
    """A configuration for a text decoder: ids, mask and cache."""

    PAD_ATTENTION_MASK_TO_PAST = True
    DUMMY_INPUT_GENERATOR_CLASSES = (DummyTextInputGenerator,)

    @property
    def inputs(self) -> Axes:
        """Input → axis → symbol."""
        if not self.use_past_in_inputs:
            return {"input_ids": dict(_TEXT), "attention_mask": dict(_TEXT)}
        mask = {0: "batch_size", 1: "past_sequence_length + sequence_length"}
        found: Axes = {"input_ids": dict(_TEXT), "attention_mask": mask}
        self.add_past_key_values(found, direction="inputs")
        return found


class TextSeq2SeqOnnxConfig(OnnxSeq2SeqConfigWithPast):
    """A configuration for a text encoder and a text decoder."""

    DUMMY_INPUT_GENERATOR_CLASSES = (DummyTextInputGenerator, DummySeq2SeqDecoderTextInputGenerator)

    @property
    def inputs(self) -> Axes:
        """Input → axis → symbol."""
        first = "encoder_outputs" if self._behavior is ConfigBehavior.DECODER else "input_ids"
        found: Axes = {first: dict(_ENCODED), "attention_mask": dict(_ENCODED)}
        if self._behavior is not ConfigBehavior.ENCODER:
            found["decoder_input_ids"] = dict(_DECODED)
            if self.use_past_in_inputs:
                self.add_past_key_values(found, direction="inputs")
        return found


class VisionOnnxConfig(OnnxConfig):
    """A configuration for an image model."""

    DUMMY_INPUT_GENERATOR_CLASSES = (DummyVisionInputGenerator,)


class AudioOnnxConfig(OnnxConfig):
    """A configuration for an audio model that reads samples of sound."""

    DUMMY_INPUT_GENERATOR_CLASSES = (DummyAudioInputGenerator,)

    @property
    def inputs(self) -> Axes:
        """Input → axis → symbol."""
        return {"input_values": dict(_TEXT)}


class TextAndVisionOnnxConfig(OnnxConfig):
    """A configuration for a model of texts and images."""

    DUMMY_INPUT_GENERATOR_CLASSES = (DummyTextInputGenerator, DummyVisionInputGenerator, DummyBboxInputGenerator)
