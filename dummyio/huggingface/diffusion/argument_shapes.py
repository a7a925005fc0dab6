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
from dummyio.huggingface.source.first_layer import Layer, evaluate_size, find_forwarding_calls, first_layer
from dummyio.huggingface.source.forward_signatures import ClassMethods
from dummyio.huggingface.source.functions import shape_unpackings
from dummyio.sources.documented_shapes import find_documented_shape, is_length_word
from dummyio.sources.input_names import is_mask

Words: TypeAlias = tuple[str, ...]

_AXES: Mapping[str, str] = {
    **dict.fromkeys(
        ("b", "n", "bs", "batch", "batch_size", "batch_frames", "num_batches", "sample_batch_size"), "batch_size"
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
_FRAMES = re.compile(r"num_frames, height, width = \w+\.shape")
_DEPTH = 4
"""Methods that are followed into each other."""
_SUM = re.compile(r"(\w+) ?\+ ?(\d+)")
"""A size that is a number more than another."""
_OF_TEXT = re.compile(r"l_txt|text_seq(uence)?_len(gth)?")
"""What the length of a text is called beside others."""
_ONE_SAMPLE = re.compile(r"^        sample: ", re.MULTILINE)
"""The first argument of denoisers whose maps shrink and grow: they take a time step without a batch."""
_SPREADS = re.compile(r"\.expand\(|ones\(|get_time_embed")
"""How such a denoiser gives every sample the time step of the batch."""
_PATCHED = re.compile(r"img_ids|image_ids|img_shapes|video_coords")
"""Arguments that come with images packed into rows."""


def read_shape_words(
    component: ClassMethods, settings: Mapping[str, Any], method: str = "forward"
) -> dict[str, Words | None]:
    """Return argument → the words of its shape, None where the text says none."""
    names = [parameter.name for parameter in component.parameters(method)]
    found: dict[str, Words | None] = {}
    aliases: dict[str, str] = {}
    for name in names:
        layer = first_layer(component, settings, name, method)
        stated = _documented_shape(component, settings, name, method)
        if name == names[0]:
            packed = any(_PATCHED.fullmatch(each) for each in names)
            words = _find_unpacked_shape(component, name, method) or _of_latents(
                component, stated, layer, packed=packed
            )
            found[name] = _with_channels(words, layer, settings)
            aliases = _pair_words(stated or (), words)
        else:
            known = None if stated is None else tuple(aliases.get(word, word) for word in stated)
            words_here = _of_condition(name, known, layer, settings, code=component.text(method))
            words_here = words_here or _find_unpacked_anywhere(component, name)
            found[name] = _of_texts(name, _of_rows(name, words_here, component.text(method)), settings)
    return found


def _of_rows(argument: str, words: Words | None, code: str) -> Words | None:
    """Return the shape of a mask that is resized as an image, and of rows that are repeated for the batch as one row."""
    if words is None and is_mask(argument) and re.search(rf"\bresize\(\s*{argument}\b", code):
        words = ("batch_size", "1", "height", "width")
    is_repeated = re.search(rf"\b{argument}\w*(?:\.\w+\([^()]*\))*\.repeat\((?:B|batch_size),", code) is not None
    return ("1", *words[1:]) if words and is_repeated else words


def _of_texts(argument: str, words: Words | None, settings: Mapping[str, Any]) -> Words | None:
    """Return the shape of one of several texts of which the configuration has the lengths: ``text_len``, ``text_len_t5``."""
    lengths = [key for key in settings if re.fullmatch(r"text_len(_\w+)?", key)]
    own = max((key for key in lengths if argument.endswith(key.removeprefix("text_len"))), key=len, default=None)
    is_text = "hidden_states" in argument or is_mask(argument)
    if words is None or own is None or not is_text or len(lengths) < 2:
        return words
    features = f"cross_attention_dim{own.removeprefix('text_len')}"
    return (*words[:1], own, *(features if features in settings else word for word in words[2:]))


def read_parts(component: ClassMethods, settings: Mapping[str, Any], argument: str) -> list[Words]:
    """Return the shapes of what may come behind the first tensor of an argument in a tuple; none where the model has no layers for it."""
    text = component.text("forward")
    unpacked = re.search(rf"\w+, (\w+(?:, \w+)*) = \(?\s*{argument}\b", text)
    if unpacked is None or f"isinstance({argument}, tuple)" not in text:
        return []
    layers = {part: first_layer(component, settings, part) for part in unpacked[1].split(", ")}
    sizes = {part: layer.size for part, layer in layers.items() if layer is not None and layer.size is not None}
    found: list[Words] = [("batch_size", f"{part}_length", str(size)) for part, size in sizes.items()]
    return found if len(found) == len(layers) else []


def _pair_words(stated: Words, meant: Words) -> dict[str, str]:
    """Return the sizes that words of the first argument's documented shape mean, for the other arguments that have them too."""
    pairs: dict[str, str] = {}
    for word, own in zip(stated, meant, strict=False) if len(stated) == len(meant) else ():
        base, _, more = word.partition("+")
        pairs[base] = f"{own}-{more}" if more else own
    return pairs


def _of_condition(
    argument: str, stated: Words | None, layer: Layer | None, settings: Mapping[str, Any], code: str
) -> Words | None:
    """Return the shape of an argument behind the first: by the layer that it enters, else as documented."""
    if argument == "timestep" and _ONE_SAMPLE.search(code) and not _SPREADS.search(code):
        return ("batch_size",)
    if re.search(rf"if {argument}\.ndim == 3:\n +{argument} = {argument}\[0\]$", code, re.MULTILINE):
        return ("batch_size", "sequence_length", "3")  # the usual form, of which the first sample counts for all
    if layer is not None and layer.kind.startswith("conv"):
        usual = _BY_LAYER[layer.kind]
        words = stated if stated is not None and len(stated) == len(usual) else usual
        place = words.index("channels") if "channels" in words else 1
        return tuple(str(layer.size) if axis == place and layer.size else word for axis, word in enumerate(words))
    if layer is not None and layer.size is not None and layer.kind in ("linear", "norm"):
        middle = stated[1] if stated is not None and len(stated) == 3 else "sequence_length"
        if argument.startswith("global"):
            return ("batch_size", "1", str(layer.size)) if len(stated or ()) == 3 else ("batch_size", str(layer.size))
        becomes_text = re.search(rf"hidden_states\w* = self\.\w+\({argument}\)", code) is not None
        text = len(stated or ()) == 3 or "hidden_states" in argument or becomes_text
        length = middle if settings.get(middle) or is_length_word(middle) else "sequence_length"
        return ("batch_size", length, str(layer.size)) if text else ("batch_size", str(layer.size))
    return stated


def _find_unpacked_anywhere(component: ClassMethods, argument: str) -> Words | None:
    """Return the shape that another class of the file, which is given an argument under its own name, unpacks; None unless all is known."""
    found = re.search(rf"^ +([\w, ]+) = {argument}\.shape$", read_text(component.source.path), re.MULTILINE)
    words = [_AXES.get(name.strip().lower()) for name in found[1].split(",")] if found else []
    return tuple(word for word in words if word) if len(words) > 1 and None not in words else None


def _of_latents(component: ClassMethods, stated: Words | None, layer: Layer | None, *, packed: bool) -> Words:
    """Return the shape of what a model draws or reads, where nothing unpacks it."""
    if layer is not None and layer.kind in _BY_LAYER:
        words = _BY_LAYER[layer.kind]
        # Of features, only the docstring tells whether there is one row for each image or many.
        return stated if words is _ROWS and stated is not None and len(stated) == 2 else words
    if stated is not None and len(stated) in (2, 3) and not packed:
        is_known = len(stated) == 2 or (is_length_word(stated[1]) and stated[2].isdigit())
        return stated if is_known else ("batch_size", stated[1] if stated[1].isdigit() else "channels", "length")
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


def _documented_shape(component: ClassMethods, settings: Mapping[str, Any], argument: str, method: str) -> Words | None:
    """Return the shape that the docstring states; None if it repeats a word, which is a mistake more often than a square."""
    stated = find_documented_shape(component.text(method), argument)
    found = tuple(_to_word(word, settings) for word in stated or ())
    names = [word for word in found if not word.isdigit()]
    return found if names and len(set(names)) == len(names) else None


def _to_word(stated: str, settings: Mapping[str, Any]) -> str:
    """Return the word for what an author calls a size: a symbol, a number, an attribute, or a name of its own."""
    plain = re.sub(r"^(self\.)?config\.", "", stated)
    name = re.sub(r"\W+", "_", plain).strip("_").lower()
    if name in _AXES:
        return _AXES[name]
    if _OF_TEXT.fullmatch(name):
        return "sequence_length"
    if (more := _SUM.fullmatch(plain)) is not None:
        return f"{_to_word(more[1], settings)}+{more[2]}"
    size = None if plain.isidentifier() else evaluate_size(plain, settings)
    return name if size is None else str(size)
