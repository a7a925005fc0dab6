"""All generators, and the choice of the generator for an input.

A generator only ever describes; materializing is the backends'. Its interface is that of Optimum's generators
(``supports_input``, ``generate``, constructor ``(task, normalized_config, **shapes)``) on top of ``spec(name)``.
"""

from dummyio.generators.base.context import Context, build_context
from dummyio.generators.base.dim_sizes import DimSizes, SizeWarning
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.diffusion.denoisers import (
    DummyPackedTransformerTextInputGenerator,
    DummyPackedTransformerVisionInputGenerator,
    DummyTimestepInputGenerator,
    DummyTransformerTextInputGenerator,
    DummyTransformerTimestepInputGenerator,
    DummyTransformerVisionInputGenerator,
)
from dummyio.generators.documented import DummyDocumentedInputGenerator
from dummyio.generators.media.audio import (
    DummyAudioCodesInputGenerator,
    DummyAudioInputGenerator,
    DummySpectrogramInputGenerator,
    DummySpeechSynthesisInputGenerator,
)
from dummyio.generators.media.packed_images import DummyPackedImagesInputGenerator
from dummyio.generators.media.text_images import DummyTextImagesInputGenerator
from dummyio.generators.media.vision import (
    DummyPatchesInputGenerator,
    DummyPointsGenerator,
    DummyVideoInputGenerator,
    DummyVisionEmbeddingsGenerator,
    DummyVisionInputGenerator,
    DummyVisualInputGenerator,
)
from dummyio.generators.own_classes import register_generator, registered_generators, unregister_generator
from dummyio.generators.own_inputs import OwnGenerator, find_own_generator, make_tensor_generator
from dummyio.generators.series import (
    DummyReinforcementLearningInputGenerator,
    DummyRobotInputGenerator,
    DummyTimeSeriesInputGenerator,
)
from dummyio.generators.text.decoders import (
    DummyCodebookDecoderTextInputGenerator,
    DummyIntGenerator,
    DummySeq2SeqDecoderTextInputGenerator,
)
from dummyio.generators.text.labels import DummyLabelsGenerator
from dummyio.generators.text.past_key_values import (
    DummyPastKeyValuesGenerator,
    DummySeq2SeqPastKeyValuesGenerator,
    MultiQueryPastKeyValuesGenerator,
)
from dummyio.generators.text.text import DummyDecoderTextInputGenerator, DummyTextInputGenerator
from dummyio.generators.text.token_features import (
    DummyBboxInputGenerator,
    DummyCodedTextInputGenerator,
    DummyXPathSeqInputGenerator,
)
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES

__all__ = [
    "DEFAULT_DUMMY_SHAPES",
    "GENERATORS",
    "OPTIONS",
    "Context",
    "DimSizes",
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
    "build_context",
    "generator_for",
    "make_tensor_generator",
    "register_generator",
    "registered_generators",
    "unregister_generator",
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


def generator_for(name: str, context: Context) -> DummyInputGenerator | OwnGenerator | None:
    """Return the generator that describes the input of that name in a model of that kind, the user's first; None without one."""
    own = find_own_generator(name, context) if context.own_generators else None
    if own is not None:
        return own
    root = name.partition(".")[0]
    for generator in GENERATORS:
        if root in generator.SUPPORTED_INPUT_NAMES and generator.applies(context, root):
            return generator.of(context)
    if DummyDocumentedInputGenerator.applies(context, root):
        return DummyDocumentedInputGenerator.of(context)
    return None
