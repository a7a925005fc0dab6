"""The shapes of the arguments of a Diffusers model as words, read from its source text.

A word is a symbol (``batch_size``, ``num_frames``, ``height``, ``width``, ``sequence_length``), ``channels`` (of what the model
draws), ``cells`` (places of an image packed into rows), ``length`` (of a sound), a number, or an attribute of the configuration.
Three things are read, the surest first: how ``forward`` unpacks a shape, the first layer that an argument enters, and the
docstring.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from dummyio.huggingface.source.class_lookup import read_text
from dummyio.huggingface.source.first_layer import Layer, find_forwarding_calls, first_layer
from dummyio.huggingface.source.forward_signatures import ClassMethods
from dummyio.huggingface.source.functions import shape_unpackings

Words: TypeAlias = tuple[str, ...]

_AXES: Mapping[str, str] = {
    **dict.fromkeys(
        ("b", "bs", "batch", "batch_size", "batch_frames", "num_batches", "sample_batch_size"), "batch_size"
    ),
    **dict.fromkeys(("c", "channel", "channels", "num_channels", "sample_channels", "in_channels"), "channels"),
    **dict.fromkeys(("f", "t", "frame", "frames", "num_frame", "num_frames", "sample_num_frames"), "num_frames"),
    **dict.fromkeys(("h", "height", "sample_height"), "height"),
    **dict.fromkeys(("w", "width", "sample_width"), "width"),
    **dict.fromkeys(("image_seq_len", "image_sequence_length", "num_patches"), "cells"),
    **dict.fromkeys(("l", "seq_len", "seq_length", "sequence_len", "sequence_length", "length"), "sequence_length"),
}
"""What authors call an axis → the word for it."""
_IMAGE: Words = ("batch_size", "channels", "height", "width")
_VIDEO: Words = ("batch_size", "channels", "num_frames", "height", "width")
_FRAMES_FIRST: Words = ("batch_size", "num_frames", "channels", "height", "width")
_SOUND: Words = ("batch_size", "channels", "length")
_ROWS: Words = ("batch_size", "cells", "channels")
_BY_LAYER: Mapping[str, Words] = {"conv1": _SOUND, "conv2": _IMAGE, "conv3": _VIDEO, "linear": _ROWS, "norm": _ROWS}
_DOCSTRING = r"^ *{name} ?(?:\(|:)[^\n]*(?:\n(?! *\w+ \(`)[^\n]*){{0,3}}"
_FRAMES = re.compile(r"num_frames, height, width = \w+\.shape")
_DEPTH = 4
"""Methods that are followed into each other."""
_SHAPE = re.compile(r"(?:shape:?|tensor) *`?\(([^()`]*)\)")
_PATCHED = re.compile(r"img_ids|image_ids|img_shapes|video_coords")
"""Arguments that come with images packed into rows."""


def read_shape_words(
    component: ClassMethods, settings: Mapping[str, Any], argument: str, method: str = "forward"
) -> Words | None:
    """Return the words of an argument's shape; None where the text says none."""
    parameters = [p.name for p in component.parameters(method)]
    layer = first_layer(component, settings, argument, method)
    if parameters and argument == parameters[0]:
        found = _find_unpacked_shape(component, argument, method) or _of_latents(component, argument, method, layer)
        return _with_channels(found, layer, settings)
    stated = _documented_shape(component, argument, method)
    if layer is not None and layer.kind.startswith("conv"):
        return tuple(str(layer.size) if word == "channels" and layer.size else word for word in _BY_LAYER[layer.kind])
    if layer is not None and layer.size is not None and layer.kind in ("linear", "norm"):
        middle = stated[1] if stated is not None and len(stated) == 3 else "sequence_length"
        text = len(stated or ()) == 3 or "hidden_states" in argument
        length = "1" if argument.startswith("global") else middle if settings.get(middle) else "sequence_length"
        return ("batch_size", length, str(layer.size)) if text else ("batch_size", str(layer.size))
    return stated


def _of_latents(component: ClassMethods, argument: str, method: str, layer: Layer | None) -> Words:
    """Return the shape of what a model draws or reads, where nothing unpacks it."""
    stated = _documented_shape(component, argument, method)
    packed = any(_PATCHED.fullmatch(p.name) for p in component.parameters(method))
    if layer is not None and layer.kind in _BY_LAYER:
        words = _BY_LAYER[layer.kind]
        # Of features, only the docstring tells whether there is one row for each image or many.
        return stated if words is _ROWS and stated is not None and len(stated) == 2 else words
    if stated is not None and len(stated) in (2, 3) and not packed:
        return ("batch_size", "channels", "length") if len(stated) == 3 else stated
    if stated is not None and len(stated) == 5:
        return stated
    return _ROWS if packed else _of_file(component)


def _of_file(component: ClassMethods) -> Words:
    """Return the shape that the file of a class is about: sounds if all its convolutions have one axis, videos if it unpacks frames."""
    text = read_text(component.source.path)
    if set(re.findall(r"Conv(\d)d", text)) == {"1"}:
        return _SOUND
    return _VIDEO if _FRAMES.search(text) else _IMAGE


def _with_channels(words: Words, layer: Layer | None, settings: Mapping[str, Any]) -> Words:
    """Return the words with the number of channels in place, where only the first layer knows it."""
    if (
        settings.get("in_channels") is None
        and layer is not None
        and layer.size is not None
        and layer.kind != "embedding"
    ):
        return tuple(str(layer.size) if word == "channels" else word for word in words)
    return words


def _find_unpacked_shape(component: ClassMethods, argument: str, method: str, depth: int = _DEPTH) -> Words | None:
    """Return the shape that a method, or one that it hands the argument on to, unpacks: `batch, channels = sample.shape`."""
    body = component.body(method)
    for names, index in shape_unpackings(body, argument) if body else ():
        words: list[str | None] = [_AXES.get(name.lower().lstrip("_") or "_") for name in names]
        if index is None and len(words) > 1:
            return _fill_axes(_undo_permutation(component.text(method), argument, words))
        if index == "-2:" and words == ["height", "width"]:
            return _IMAGE
        if words == ["num_frames"] and index in ("1", "2"):
            return _VIDEO if index == "2" else _FRAMES_FIRST
        if words == ["batch_size", "num_frames"] and index == ":2":
            return _FRAMES_FIRST
    inner = find_forwarding_calls(component, argument, method) if depth else ()
    return next(
        (found for name, given in inner if (found := _find_unpacked_shape(component, given, name, depth - 1))), None
    )


def _undo_permutation(text: str, argument: str, words: list[str | None]) -> list[str | None]:
    """Return words in the order that an argument has before a method permutes its axes and unpacks their sizes."""
    found = re.search(
        rf"\b{argument} = {argument}\.permute\(([\d, ]+)\)(?=.*= {argument}\.shape$)", text, re.DOTALL | re.MULTILINE
    )
    order = [int(axis) for axis in found[1].split(",")] if found else []
    return [words[order.index(axis)] for axis in range(len(words))] if sorted(order) == [*range(len(words))] else words


def _fill_axes(words: Sequence[str | None]) -> Words | None:
    """Return words in which those that the author left out are as usual: None where they cannot be told."""
    usual: Mapping[int, Words] = {3: _ROWS, 4: _IMAGE, 5: _FRAMES_FIRST if words[1:2] == ["num_frames"] else _VIDEO}
    if len(words) not in usual:
        return None
    if len(words) == 3 and words[1] == "channels":
        return _SOUND
    filled = tuple(word or other for word, other in zip(words, usual[len(words)], strict=True))
    if len(words) == 3 and "channels" in filled and filled[1] == "sequence_length":
        return _ROWS
    return filled if len(set(filled)) == len(filled) else usual[len(words)]


def _documented_shape(component: ClassMethods, argument: str, method: str) -> Words | None:
    """Return the shape that the docstring states."""
    entries = re.finditer(_DOCSTRING.format(name=re.escape(argument)), component.text(method), re.MULTILINE)
    shape = next((shape for entry in entries if (shape := _SHAPE.search(entry.group()))), None)
    if shape is None:
        return None
    words = [re.sub(r"\W+", "_", word.strip()).strip("_") for word in shape.group(1).split(",")]
    found = tuple(_AXES.get(word.lower(), word) for word in words if word)
    return found if found and len(set(found)) == len(found) and found[0] == "batch_size" else None
