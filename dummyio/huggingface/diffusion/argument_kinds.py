"""Whether an argument of a Diffusers model is floats or whole numbers, read from its source text.

Annotations say ``torch.Tensor`` for both, so that the text of the method has to show it.
"""

import re

from dummyio.generators.base.model_facts import Kind
from dummyio.huggingface.source.class_lookup import read_text
from dummyio.huggingface.source.forward_signatures import ClassMethods
from dummyio.sources.documented_shapes import list_documented_entries
from dummyio.sources.input_names import is_indices, is_mask


def read_kind(component: ClassMethods, argument: str, method: str = "forward") -> Kind:
    """Return the kind of an argument: floats, unless it is a mask or an index by its name.

    Masks that the model itself turns into booleans come as floats, the dtype of all that a denoiser is given, and all in one dtype; indices
    that the docstring calls coordinates are multiplied by frequencies.
    """
    if is_mask(argument):
        masks = (each.name for each in component.parameters(method) if is_mask(each.name))
        return "float" if any(_becomes_bool(component, mask) for mask in masks) else "int"
    entries = list_documented_entries(component.text(method), argument)
    are_coordinates = any(re.search(r"\bcoordinates\b", entry) for entry in entries)
    return "int" if is_indices(argument) and not are_coordinates else "float"


def _becomes_bool(component: ClassMethods, mask: str) -> bool:
    """Whether a class of the file turns a mask into booleans; modules inside call it without the word for the encoder."""
    name = re.sub(r"^encoder_(?=\w+_)", "(?:encoder_)?", mask)
    return re.search(rf"\b{name}(?:\.\w+\([^()]*\))*\.bool\(\)", read_text(component.source.path)) is not None
