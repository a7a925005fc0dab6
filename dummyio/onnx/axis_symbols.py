"""The symbols of axes as Optimum's exporters write them, where a spec has other names for its dims.

A spec has a name for each kind of length. Optimum calls the one length that a model reads ``sequence_length``, of whatever it is, or
``encoder_sequence_length`` beside a decoder; and it gives no symbol to axes of sounds that the model fixes.
"""

import re
from collections.abc import Mapping

from dummyio.input_spec import InputSpec
from dummyio.spec.dims import find_dims

_LENGTHS = ("audio_sequence_length", "nb_max_frames", "context_length")
_SOUND_AXES = ("feature_size", "nb_max_frames")
_SEQUENCE, _ENCODER = "sequence_length", "encoder_sequence_length"
_WORD = re.compile(r"[A-Za-z_]\w*")

Axes = dict[str, dict[int, str]]


def find_symbols(spec: InputSpec, part: str | None) -> Mapping[str, str | None]:
    """Return dim → its symbol in Optimum, None for no symbol; dims that are named alike are left out.

    Parameters
    ----------
    spec
        The inputs of a model, or of one of its parts.
    part
        The part.
    """
    fixed = {name for name, dim in spec.dims.items() if dim.min == dim.max}
    symbols: dict[str, str | None] = {name: None for name in _SOUND_AXES if name in fixed}
    lengths = [name for name in _LENGTHS if name in spec.dims and name not in symbols]
    decoded = part == "encoder" or "decoder_sequence_length" in spec.dims
    symbol = _ENCODER if decoded else _SEQUENCE
    # One symbol is one length: where two are read, each keeps its own name.
    if len(lengths) == 1 and not {_SEQUENCE, _ENCODER} & set(spec.dims):
        symbols[lengths[0]] = symbol
    return symbols


def name_input_axes(spec: InputSpec) -> Axes:
    """Return input → axis → dim or expression, those that the model fixes included: a file has a name for these too."""
    return {
        path: {place: str(size) for place, size in enumerate(leaf.shape) if find_dims(size)}
        for path, leaf in spec.leaves
    }


def rename_symbols(axes: Mapping[str, Mapping[int, str]], symbols: Mapping[str, str | None]) -> Axes:
    """Return axes under these symbols, alone or in an expression; without those that have none."""
    return {
        name: {place: _rename(text, symbols) for place, text in own.items() if symbols.get(text, text) is not None}
        for name, own in axes.items()
    }


def _rename(text: str, symbols: Mapping[str, str | None]) -> str:
    return _WORD.sub(lambda word: symbols.get(word.group()) or word.group(), text)
