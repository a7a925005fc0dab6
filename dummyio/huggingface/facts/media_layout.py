"""Facts about images and audio from the source text of a model: how they are laid out, and how many tokens they become.

A pattern states a mechanism that several models share; what one model alone does is an entry of ``quirks.json``.
"""

import re
from functools import lru_cache, partial
from math import prod
from typing import Literal

from dummyio.generators.base.model_facts import MediaFacts
from dummyio.generators.media_tokens.token_counts import TOKEN_COUNT_ATTRIBUTES
from dummyio.huggingface.source.evaluator import Evaluator, Function, UnknownValueError
from dummyio.huggingface.source.forward_signatures import parameters_of
from dummyio.huggingface.source.statements import parse_function
from dummyio.model_config.normalized_config import NormalizedConfig

_RENAMED = 'deprecate_kwarg("pixel_values_images"'  # one folder
_FLAT = re.compile(r"Linear\(\s*config\.patch_size \* config\.patch_size \* config\.num_channels")
_AXES = re.compile(r"\w+, (num_images|num_tiles|frames|num_frames)(, \w+, \w+, \w+)?$")
_UNPACKED = " = pixel_values.shape"
_FOLDED = re.compile(r"pixel_values(\.flatten\(0, 1\)|\[pixel_attention_mask\])")
_SMALL_IMAGES = "channel, height, width = pixel_values.shape"
_CLASS_TOKEN = re.compile(r"self\.(class_embedding|cls_token)\b")
_FROM_SECOND = re.compile(r"(feature|hidden_state)\w*(\[[\w ]+\])?\[:, 1:")
_ROW_END = re.compile(r"width // [\w.]+ \+ 1")
_PROJECTOR = re.compile(r"\nclass \w*Projector\b.*?(?=\nclass |\Z)", re.DOTALL)
_STRIDE = re.compile(r"nn\.Conv2d\([^)]*stride=(\d+)")
_DOWNSAMPLER = re.compile(r"self\.downsampler\d* = nn\.Conv2d\([^)]*stride=(\d+)")
_MERGED = re.compile(r"audio_hidden_states\.reshape\([^)]*audio_config\.intermediate_size")
_MERGE_FACTOR = re.compile(r"merge_factor = (\d+)")
_OPTIONAL = re.compile(r"if config\.(vision|audio)_config is not None")
_FEATURES_FIRST = re.compile(r"Conv1d\(\s*(?:\w+\.)+(?:num_mel_bins|feature_size)|self\.n_window")
_SIZES_READ = re.compile(r"\bin image_sizes\b|image_sizes\[|enumerate\(image_sizes")
_LENGTHS = ("_get_feat_extract_output_lengths", "_get_subsampling_output_length")
"""Functions from a number of frames to a number of features."""


@lru_cache(maxsize=256)
def read_media_facts(model: str, vision: str = "", audio: str = "", *others: str) -> MediaFacts:
    """Return the facts that the source texts of a model, of its parts for images and audio, and of others, state."""
    everything = "".join((model, vision, audio, *others))
    factor = _MERGE_FACTOR.search(model)
    images = vision + model
    small = _SMALL_IMAGES in images and "_ = pixel_values.shape" not in images
    return MediaFacts(
        optional_parts=frozenset(_OPTIONAL.findall(model)),
        image_axis=_image_axis(model),
        patches_are_flat=_FLAT.search(model) is not None,
        packed_patches_are_images=small or "self.proj(pixel_values)" in images,
        mask_selects_images="= pixel_attention_mask.shape" in model or "pixel_values[pixel_attention_mask]" in model,
        token_count_attributes=frozenset(n for n in TOKEN_COUNT_ATTRIBUTES if re.search(rf"\.{n}\b", everything))
        if everything
        else None,
        has_class_token=_CLASS_TOKEN.search(vision or model) is not None,
        drops_class_token="[:, 1:" in model and _FROM_SECOND.search(model) is not None,
        rows_have_end_token=_ROW_END.search(model) is not None,
        projector_stride=_projector_stride(model),
        reads_image_type_ids="token_type_ids == 1" in model,
        features_first=_FEATURES_FIRST.search(audio or model) is not None if audio or model else None,
        audio_length=partial(_audio_length, model, audio),
        merges_audio_frames=_MERGED.search(model) is not None,
        audio_merge_factor=int(factor.group(1)) if factor else None,
        mask_counts_audio_tokens="audio_features[input_features_mask]" in model,
        sums_codebook_embeddings="inputs_embeds.sum(dim=2)" in model,
    )


def _image_axis(text: str) -> Literal["images", "frames"] | None:
    """Return the axis between batch and channels: by how the text unpacks the shape of pixels, or flattens them."""
    parts = text.split(_UNPACKED)[:-1]
    found = next((axes for part in parts if (axes := _AXES.search(part[-200:]))), None)
    if found:
        return "frames" if "frames" in found.group(1) else "images"
    return "images" if _FOLDED.search(text) else None


def _projector_stride(text: str) -> int:
    """Return the product of the strides of the convolutions of a projector, and of those that are named downsamplers."""
    projector = _PROJECTOR.search(text)
    strides = _STRIDE.findall(projector.group()) if projector else []
    return prod(map(int, (*strides, *_DOWNSAMPLER.findall(text))))


def _audio_length(model: str, audio: str, config: NormalizedConfig, frames: int) -> int | None:
    """Return the number of features that the functions of the source texts compute for a number of frames."""
    functions = (_function(text, name) for text in (model, audio) for name in _LENGTHS)
    results = (_evaluate(function, config, frames) for function in functions if function)
    return next((result for result in results if result is not None), None)


@lru_cache(maxsize=256)
def _function(text: str, name: str) -> Function | None:
    return parse_function(text, name)


def _evaluate(function: Function, config: NormalizedConfig, frames: int) -> int | None:
    """Return the result of a function; of several results the last. Default arguments are attributes of the configuration."""

    def attribute(owner: str, name: str) -> int:
        value = config.raw(name)
        if not isinstance(value, int):
            raise UnknownValueError(f"{owner}.{name}")
        return value

    length, *others = (p for p in parameters_of(function) if p.name != "self")
    defaults = {p.name: own if isinstance(own := config.raw(p.name), int) else p.default for p in others}
    result = Evaluator({length.name: frames, **defaults}, attribute).run(function.body)
    result = result[-1] if isinstance(result, tuple) and result else result
    return result if isinstance(result, int) else None


@lru_cache(maxsize=256)
def reads_image_sizes(model: str, vision: str) -> bool:
    """Return whether the sizes of images are read: by the image model, or without a check that they are given."""
    if vision != model and "image_sizes" in vision:
        return True
    return "image_sizes is not None" not in model and _SIZES_READ.search(model) is not None


def has_renamed_images(text: str) -> bool:
    """Return whether images had a name of their own in older releases, and the arguments are named as for videos."""
    return _RENAMED in text
