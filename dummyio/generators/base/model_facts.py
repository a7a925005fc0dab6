"""Facts of a model that its configuration does not state: of its arguments, its cache and how it reads images and audio.

Readers fill them in: `dummyio.huggingface.facts` reads the source text of the installed library. The default of each field
means that nothing is known, as for a generator that is used without a reader.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from dummyio.model_config.normalized_config import NormalizedConfig

Kind: TypeAlias = Literal["int", "float", "bool"]
AudioLength: TypeAlias = Callable[[NormalizedConfig, int], int | None]
"""From an audio configuration and a number of frames to the number of features; None if it cannot be computed."""


@dataclass(frozen=True, slots=True)
class ArgumentFacts:
    """The kind of an argument, and its shape as words; None for what the source text does not state."""

    kind: Kind | None = None
    shape: tuple[str, ...] | None = None
    drawn_below_one: bool = False
    """Whether the model draws random numbers of [0, 1) in its place."""


@dataclass(frozen=True, slots=True)
class LayerState:
    """The state of one layer, for one row of the batch."""

    conv: tuple[int, int] | None = None
    """The last inputs of a convolution: channels, positions."""
    recurrent: tuple[int, ...] | None = None
    """The state of a recurrence, always in float32: heads and the two sizes of the matrix of each; or channels and size."""


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """How a model reads images and audio, and how many tokens of a text they become."""

    optional_parts: frozenset[str] = frozenset()
    """The parts that the model has only if the configuration has them: ``vision``, ``audio``."""
    image_axis: Literal["images", "frames"] | None = None
    """The axis between batch and channels of `pixel_values`."""
    patches_are_flat: bool = False
    """Whether the images of a text come as flat patches of all channels."""
    flat_patches_are_packed: bool = False
    """Whether those of all rows come one after another, without an axis of rows."""
    patches_are_voxels: bool = False
    """Whether the images of a text come as patches of several frames, with the channels last."""
    packed_patches_are_images: bool = False
    """Whether each packed patch has axes [channels, height, width]."""
    packed_patches_are_tokens: bool = False
    """Whether each packed patch is as large as a token, with the channels last."""
    packed_patches_are_pooled: bool = False
    """Whether each packed patch is as large as a pooling window."""
    packed_by_image: bool = False
    """Whether packed patches have an axis of images."""
    mask_selects_images: bool = False
    """Whether `pixel_attention_mask` has an element for each image, not for each pixel."""
    token_count_attributes: frozenset[str] | None = None
    """The configuration attributes that the model reads as its number of tokens; None if that is not known."""
    has_class_token: bool = False
    """Whether the image model puts a class token before the patches."""
    drops_class_token: bool = False
    """Whether the model may drop the first token of the image model."""
    has_mean_token: bool = False
    """Whether the projector puts the mean of all features before them."""
    rows_have_end_token: bool = False
    """Whether each row of the codes of a quantized image ends with a token of its own."""
    projector_stride: int = 1
    """The product of the strides of a projector."""
    reads_image_type_ids: bool = False
    """Whether `token_type_ids` mark the tokens of images."""
    features_first: bool | None = None
    """Whether the features of a frame are channels of a convolution over frames; None if that is not known."""
    stacked_frames: int = 1
    """How many frames of features the first layer takes as one."""
    audio_length: AudioLength | None = None
    """The function of the model from a number of frames to a number of features."""
    merges_audio_frames: bool = False
    """Whether neighbouring features are merged until they are as wide as the feed-forward layer."""
    audio_merge_factor: int | None = None
    """The number of neighbouring features that are merged, if the source text states it."""
    mask_selects_audio_features: bool = False
    """Whether a mask of frames selects the features that enter the text."""
    mask_counts_audio_tokens: bool = False
    """Whether `input_features_mask` has an element for each token, not for each frame."""
    audio_replaces_embeddings: bool = False
    """Whether audio features are used as the embeddings of a text."""
    sums_codebook_embeddings: bool = False
    """Whether the embeddings of all codebooks at one position are summed."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts of one model."""

    arguments: Mapping[str, ArgumentFacts] = field(default_factory=dict)
    """Argument → its kind and shape."""
    layer_state: LayerState | None = None
    """The state that layers of a recurrence or a convolution keep."""
    caches_latent_attention: bool = False
    """Whether attention caches the low-rank form of keys and values, and expands it after reading."""
    caches_indexer_keys: bool | None = False
    """Whether layers cache the keys of an indexer too; None if they cache something of an unknown form."""
    resizes_feature_maps: bool = False
    """Whether a model that halves its feature maps takes images of any size."""
    media: MediaFacts = MediaFacts()
