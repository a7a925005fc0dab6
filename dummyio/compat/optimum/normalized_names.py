"""Optimum's further names of normalized configurations: each a class of ours with other names of attributes.

The attributes are those of Optimum 2.1, ``optimum/utils/normalized_config.py`` and ``optimum/exporters/onnx/model_configs.py``.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from dummyio.model_config.normalized_classes import (
    NormalizedSeq2SeqConfig,
    NormalizedTextAndVisionConfig,
    NormalizedTextConfig,
    NormalizedVisionConfig,
)
from dummyio.model_config.normalized_config import NormalizedConfig


class NormalizedSegformerConfig(NormalizedVisionConfig):
    """A configuration with a size for each stage; a list of sizes is 0, since no single one is meant."""

    HIDDEN_SIZE = "hidden_sizes"
    NUM_ATTENTION_HEADS = "num_attention_heads"

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value under a canonical name, or `default`; 0 for a list."""
        found = super().get(name, default)
        return 0 if isinstance(found, list) else found


class NormalizedEncoderDecoderConfig(NormalizedConfig):
    """A configuration of two others: a value is that of the encoder, if its class names it, else that of the decoder.

    A subclass states two normalized configurations, or None.
    """

    ENCODER_NORMALIZED_CONFIG_CLASS: ClassVar[NormalizedConfig | None] = None
    DECODER_NORMALIZED_CONFIG_CLASS: ClassVar[NormalizedConfig | None] = None

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value under a canonical name, or `default`."""
        for part in (self.ENCODER_NORMALIZED_CONFIG_CLASS, self.DECODER_NORMALIZED_CONFIG_CLASS):
            if part is not None and name.upper() in dir(part):
                return part.get(name, default)
        return super().get(name, default)


class NormalizedConfigManager:
    """The normalized configuration of any model type: one class reads all names of attributes that are in use."""

    @classmethod
    def check_supported_model(cls, model_type: str) -> None:
        """Accept any model type, where Optimum has a list of 67."""

    @classmethod
    def get_normalized_config_class(cls, model_type: str) -> type[NormalizedConfig]:  # noqa: ARG003 - Optimum's interface
        """Return the class."""
        return NormalizedConfig


_TEXT: Mapping[str, Mapping[str, Any]] = {
    "GPT2LikeNormalizedTextConfig": {"num_attention_heads": "n_head", "hidden_size": "n_embd"},
    "T5LikeNormalizedTextConfig": {"num_attention_heads": "num_heads", "hidden_size": "d_model"},
    "BartLikeNormalizedTextConfig": {"num_attention_heads": "encoder_attention_heads", "hidden_size": "d_model"},
    "MPTNormalizedTextConfig": {"num_attention_heads": "n_heads", "hidden_size": "d_model", "num_layers": "n_layers"},
    "GPTBigCodeNormalizedTextConfig": {
        "num_attention_heads": "n_head",
        "hidden_size": "n_embd",
        "num_layers": "n_layer",
    },
    "WhisperLikeNormalizedTextConfig": {"hidden_size": "d_model"},
    "TrOCRLikeNormalizedTextConfig": {
        "num_attention_heads": "decoder_attention_heads",
        "num_layers": "decoder_layers",
        "hidden_size": "hidden_size",
    },
    "BloomNormalizedTextConfig": {"num_attention_heads": "n_head", "num_layers": "n_layer"},
    "DistilBertNormalizedTextConfig": {"num_attention_heads": "n_heads", "hidden_size": "dim"},
    "GPTNeoNormalizedTextConfig": {"num_attention_heads": "num_heads"},
}
"""Optimum's name → canonical name → attribute."""

_OF_TWO_PARTS: Mapping[str, Any] = {
    "encoder_num_layers": "vision_config.num_hidden_layers",
    "decoder_num_layers": "text_config.num_layers",
    "encoder_num_attention_heads": "vision_config.num_attention_heads",
    "decoder_num_attention_heads": "text_config.num_heads",
    "hidden_size": "text_config.hidden_size",
    "vocab_size": "text_config.vocab_size",
}

NAMES: Mapping[str, Callable[..., Any]] = {
    **{
        kind.__name__: kind
        for kind in (NormalizedSegformerConfig, NormalizedEncoderDecoderConfig, NormalizedConfigManager)
    },
    **{name: NormalizedTextConfig.with_args(**attributes) for name, attributes in _TEXT.items()},
    "CLIPNormalizedConfig": NormalizedTextAndVisionConfig,
    "SiglipNormalizedConfig": NormalizedTextAndVisionConfig,
    "Pix2StructNormalizedTextConfig": NormalizedTextAndVisionConfig,
    "Pix2StructNormalizedConfig": NormalizedSeq2SeqConfig.with_args(**_OF_TWO_PARTS),
    "SpeechToTextLikeNormalizedTextConfig": NormalizedSeq2SeqConfig.with_args(
        allow_new=True,
        input_features_per_channel="input_feat_per_channel",
        decoder_num_layers="decoder_layers",
        num_layers="decoder_layers",
    ),
}
"""Optimum's name → the class, or a function that makes an object of it."""
