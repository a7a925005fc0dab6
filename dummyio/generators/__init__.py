"""Generators: from an input's name to its description, one file for each modality.

A generator only ever describes; materializing is the backends'. Its interface is that of Optimum's generators
(``supports_input``, ``generate``, constructor ``(task, normalized_config, **shapes)``) on top of ``spec(name)``.
"""

from __future__ import annotations

from dummyio.generators.audio import (
    DummyAudioCodesInputGenerator,
    DummyAudioInputGenerator,
    DummySpectrogramInputGenerator,
    DummySpeechSynthesisInputGenerator,
)
from dummyio.generators.base import Context, DummyInputGenerator, make_context
from dummyio.generators.boxes import DummyBboxInputGenerator
from dummyio.generators.caches import (
    DummyPastKeyValuesGenerator,
    DummySeq2SeqPastKeyValuesGenerator,
    MultiQueryPastKeyValuesGenerator,
)
from dummyio.generators.coded import DummyCodedTextInputGenerator
from dummyio.generators.decoders import (
    DummyCodebookDecoderTextInputGenerator,
    DummyIntGenerator,
    DummySeq2SeqDecoderTextInputGenerator,
)
from dummyio.generators.diffusion import (
    DummyPackedTransformerTextInputGenerator,
    DummyPackedTransformerVisionInputGenerator,
    DummyTimestepInputGenerator,
    DummyTransformerTextInputGenerator,
    DummyTransformerTimestepInputGenerator,
    DummyTransformerVisionInputGenerator,
)
from dummyio.generators.documented import DummyDocumentedInputGenerator
from dummyio.generators.images import DummyTextImagesInputGenerator
from dummyio.generators.labels import DummyLabelsGenerator
from dummyio.generators.packed import DummyPackedImagesInputGenerator
from dummyio.generators.reinforcement import DummyReinforcementLearningInputGenerator
from dummyio.generators.robotics import DummyRobotInputGenerator
from dummyio.generators.shapes import DEFAULT_DUMMY_SHAPES, Sizes, SizeWarning
from dummyio.generators.text import (
    DummyDecoderTextInputGenerator,
    DummyTextInputGenerator,
    DummyXPathSeqInputGenerator,
)
from dummyio.generators.time_series import DummyTimeSeriesInputGenerator
from dummyio.generators.vision import (
    DummyPatchesInputGenerator,
    DummyPointsGenerator,
    DummyVideoInputGenerator,
    DummyVisionEmbeddingsGenerator,
    DummyVisionInputGenerator,
    DummyVisualInputGenerator,
)

__all__ = [
    "DEFAULT_DUMMY_SHAPES",
    "GENERATORS",
    "OPTIONS",
    "Context",
    "DummyAudioCodesInputGenerator",
    "DummyAudioInputGenerator",
    "DummyBboxInputGenerator",
    "DummyCodebookDecoderTextInputGenerator",
    "DummyCodedTextInputGenerator",
    "DummyDecoderTextInputGenerator",
    "DummyDocumentedInputGenerator",
    "DummyInputGenerator",
    "DummyIntGenerator",
    "DummyLabelsGenerator",
    "DummyPackedImagesInputGenerator",
    "DummyPackedTransformerTextInputGenerator",
    "DummyPackedTransformerVisionInputGenerator",
    "DummyPastKeyValuesGenerator",
    "DummyPatchesInputGenerator",
    "DummyPointsGenerator",
    "DummyReinforcementLearningInputGenerator",
    "DummyRobotInputGenerator",
    "DummySeq2SeqDecoderTextInputGenerator",
    "DummySeq2SeqPastKeyValuesGenerator",
    "DummySpectrogramInputGenerator",
    "DummySpeechSynthesisInputGenerator",
    "DummyTextImagesInputGenerator",
    "DummyTextInputGenerator",
    "DummyTimeSeriesInputGenerator",
    "DummyTimestepInputGenerator",
    "DummyTransformerTextInputGenerator",
    "DummyTransformerTimestepInputGenerator",
    "DummyTransformerVisionInputGenerator",
    "DummyVideoInputGenerator",
    "DummyVisionEmbeddingsGenerator",
    "DummyVisionInputGenerator",
    "DummyVisualInputGenerator",
    "DummyXPathSeqInputGenerator",
    "MultiQueryPastKeyValuesGenerator",
    "SizeWarning",
    "Sizes",
    "generator_for",
    "make_context",
]

GENERATORS: tuple[type[DummyInputGenerator], ...] = (
    # Those that speak for one kind of model only, by what its configuration says.
    DummyReinforcementLearningInputGenerator,
    DummyRobotInputGenerator,
    DummyCodedTextInputGenerator,
    DummyPackedImagesInputGenerator,
    DummyTextImagesInputGenerator,
    DummyPackedTransformerVisionInputGenerator,
    DummyPackedTransformerTextInputGenerator,
    DummyTimestepInputGenerator,
    DummyTransformerTimestepInputGenerator,
    DummyTransformerVisionInputGenerator,
    DummyTransformerTextInputGenerator,
    DummyCodebookDecoderTextInputGenerator,
    DummySeq2SeqPastKeyValuesGenerator,
    DummySpectrogramInputGenerator,
    DummyAudioInputGenerator,
    DummyVideoInputGenerator,
    # Those for everybody else.
    DummyTextInputGenerator,
    DummySeq2SeqDecoderTextInputGenerator,
    DummyPastKeyValuesGenerator,
    DummyLabelsGenerator,
    DummyBboxInputGenerator,
    DummyXPathSeqInputGenerator,
    DummyIntGenerator,
    DummyVisionInputGenerator,
    DummyVisualInputGenerator,
    DummyPatchesInputGenerator,
    DummyPointsGenerator,
    DummyVisionEmbeddingsGenerator,
    DummySpeechSynthesisInputGenerator,
    DummyAudioCodesInputGenerator,
    DummyTimeSeriesInputGenerator,
)
"""All generators, in the order in which they are asked."""

OPTIONS: tuple[str, ...] = tuple(sorted({option for generator in GENERATORS for option in generator.OPTIONS}))
"""Every generator's own options, for a context that serves all of them."""


def generator_for(name: str, context: Context) -> DummyInputGenerator | None:
    """Return the generator that describes the input of that name in a model of that kind; None where there is none."""
    root = name.partition(".")[0]
    for generator in GENERATORS:
        if root in generator.SUPPORTED_INPUT_NAMES and generator.applies(context, root):
            return generator.of(context)
    if DummyDocumentedInputGenerator.applies(context, root):
        return DummyDocumentedInputGenerator.of(context)
    return None
