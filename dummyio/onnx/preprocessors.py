"""What makes a model's inputs of raw texts, images and sounds: by the names of the inputs, and by the library's tables."""

from typing import Literal, TypeAlias

from dummyio.huggingface.source.auto_tables import processor_table
from dummyio.input_spec import InputSpec
from dummyio.sources.input_names import is_ids

Preprocessor: TypeAlias = Literal["tokenizer", "image processor", "feature extractor", "processor", "none"]

_IMAGES = ("pixel_values", "pixel_mask", "flattened_patches", "pixel_values_videos", "pixel_values_images")
_SOUNDS = ("input_values", "input_features")


def find_preprocessor(spec: InputSpec, model_type: str | None) -> Preprocessor:
    """Return the kind of preprocessor whose results a spec describes.

    Texts come from a tokenizer, images from an image processor, sounds from a feature extractor; two of these from a processor, if the
    library has one for the model type or knows nothing of it. Inputs of another kind, such as series of numbers, have none.
    """
    names = set(spec)
    text = any(is_ids(name) for name in names)
    image, sound = any(name in names for name in _IMAGES), any(name in names for name in _SOUNDS)
    joint = model_type is None or model_type in processor_table()
    if text + image + sound > 1 and joint:
        return "processor"
    if image:
        return "image processor"
    if sound:
        return "feature extractor"
    return "tokenizer" if text else "none"
