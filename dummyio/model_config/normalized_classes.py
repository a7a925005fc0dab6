"""Classes of normalized configurations under the names that users of Optimum have for them.

Each states which attributes a configuration has under which canonical name, where `NormalizedConfig` would look under all usual ones:
``NormalizedTextConfig.with_args(num_layers="n_blocks")`` is the class for a configuration that has ``n_blocks``.
"""

from typing import ClassVar

from dummyio.model_config.normalized_config import NormalizedConfig


class NormalizedTextConfig(NormalizedConfig):
    """A configuration of a text model."""

    VOCAB_SIZE = "vocab_size"
    HIDDEN_SIZE = "hidden_size"
    NUM_LAYERS = "num_hidden_layers"
    NUM_ATTENTION_HEADS = "num_attention_heads"
    EOS_TOKEN_ID = "eos_token_id"  # noqa: S105 - the name of an attribute


class NormalizedTextConfigWithGQA(NormalizedTextConfig):
    """A configuration of a text model whose keys and values have fewer heads than its queries."""

    NUM_KEY_VALUE_HEADS = "num_key_value_heads"


class NormalizedSeq2SeqConfig(NormalizedTextConfig):
    """A configuration of an encoder and a decoder."""

    ENCODER_NUM_LAYERS = "num_hidden_layers"
    DECODER_NUM_LAYERS = "num_hidden_layers"
    ENCODER_NUM_ATTENTION_HEADS = "num_attention_heads"
    DECODER_NUM_ATTENTION_HEADS = "num_attention_heads"


class NormalizedVisionConfig(NormalizedConfig):
    """A configuration of an image model."""

    IMAGE_SIZE = "image_size"
    NUM_CHANNELS = "num_channels"
    INPUT_SIZE = "input_size"


class NormalizedTimeSeriesForecastingConfig(NormalizedConfig):
    """A configuration of a model that continues series."""

    NUM_INPUT_CHANNELS = "num_input_channels"
    CONTEXT_LENGTH = "context_length"


class NormalizedTextAndVisionConfig(NormalizedTextConfig, NormalizedVisionConfig):
    """A configuration with a part for texts and a part for images."""

    TEXT_CONFIG = "text_config"
    VISION_CONFIG = "vision_config"
    TEXT_NAMES: ClassVar[tuple[str, ...]] = tuple(NormalizedTextConfig._class_paths)  # noqa: SLF001 - of the same family
    VISION_NAMES: ClassVar[tuple[str, ...]] = tuple(NormalizedVisionConfig._class_paths)  # noqa: SLF001
