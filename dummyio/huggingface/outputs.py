"""What a model returns: names by its task and by what its `forward` hands back, shapes as expressions of its inputs' sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dummyio.dims import Dim, Size, symbols
from dummyio.errors import SourceError
from dummyio.generators.base import Context
from dummyio.generators.geometry import past_limit
from dummyio.huggingface.output_table import OUTPUTS
from dummyio.huggingface.signatures import forward_source
from dummyio.normalized import NormalizedConfig
from dummyio.spec import OutputSpec
from dummyio.tensor import Node, TensorSpec, flatten

__all__ = ["describe_outputs"]

_RETURN = re.compile(r"\n +return \w*Output\w*\(")
_GIVEN = re.compile(r"\b(\w+)=(?!=|None\b)")
_PASTS = {"past_sequence_length": "sequence_length", "past_decoder_sequence_length": "decoder_sequence_length"}
"""A symbol of the past → that of the new tokens, which follow it in what is returned."""


@dataclass(frozen=True, slots=True)
class _Axes:
    """What the words of a shape are resolved with."""

    leaves: Mapping[str, TensorSpec]
    dims: Mapping[str, Dim]
    config: NormalizedConfig

    def shape(self, words: str) -> tuple[Size, ...] | None:
        """Return the shape in words as sizes; None where a word cannot be resolved."""
        sizes = [self.size(word) for word in words.split()]
        return None if any(size is None for size in sizes) else tuple(size for size in sizes if size is not None)

    def size(self, word: str) -> Size | None:
        """Return the size of one axis."""
        if word.isdigit():
            return int(word)
        if word.startswith("?"):
            # Of a size that only running the model tells: at least one, and no more is said.
            return self.dims.get(word[1:]) or Dim(word[1:], 1, min=0)
        own = getattr(self, f"_{word}", None)
        found: Size | None = own() if own else self.dims.get(word)
        return found if found is not None or own else self._attribute(word)

    def _attribute(self, name: str) -> int | None:
        for config in (self.config.part("decoder"), self.config.part("text"), self.config):
            value = config.get("decoder_vocab_size" if name == "vocab_size" else name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
        return None

    def _axis(self, axis: int, *names: str) -> Size | None:
        leaf = next((self.leaves[name] for name in names if name in self.leaves), None)
        return leaf.shape[axis] if leaf is not None and leaf.rank > abs(axis) - (axis < 0) else None

    def _batch(self) -> Size | None:
        return next((leaf.shape[0] for leaf in self.leaves.values() if leaf.rank), None)

    def _texts(self) -> Size | None:
        return self._axis(0, "input_ids")

    def _images(self) -> Size | None:
        return self._axis(0, "pixel_values")

    def _length(self) -> Size | None:
        found = self._axis(-1, "decoder_input_ids", "input_ids")
        return self.size("?audio_frames") if found is None and self._sound() else found

    def _sound(self) -> bool:
        return bool({"input_values", "input_features"} & set(self.leaves))

    def _encoded(self) -> Size | None:
        return self._axis(-1, "input_ids") or (self.size("?audio_frames") if self._sound() else None)

    def _hidden(self) -> Size | None:
        for config in (self.config.part("decoder"), self.config.part("text")):
            value = config.get("hidden_size")
            if isinstance(value, int) and not isinstance(value, bool):
                return value
        return None

    def _num_labels(self) -> Size | None:
        names = self.config.raw("id2label")
        return len(names) if isinstance(names, Mapping) and names else self.config.integer("num_labels", 2)


def describe_outputs(context: Context, inputs: Mapping[str, Node], class_name: str | None) -> tuple[OutputSpec, ...]:
    """Return the outputs of a model of a task that takes these inputs.

    A shape is None where its rank is not known; an axis that only the model's strides, patches or queries decide has a symbol
    that no input has.
    """
    leaves = dict(flatten(inputs.items()))
    config, with_past = context.config, context.with_past
    axes = _Axes(leaves, context.sizes.dims, config)
    known = OUTPUTS.get(context.task, {})
    returned = _returned(class_name, config.raw("model_type"))
    names = [name for name in known if returned is None or name in returned]
    if with_past:  # one step of a decoder: what the encoder returned was an input
        names = [name for name in names if not name.startswith("encoder_")]
    found = [OutputSpec(name, _shape(axes, known[name]), context.float_dtype) for name in names]
    return (*found, *_presents(leaves, config)) if with_past else tuple(found)


def _shape(axes: _Axes, words: str | None) -> tuple[Size, ...] | None:
    return None if words is None else axes.shape(words)


def _returned(class_name: str | None, model_type: str | None) -> frozenset[str] | None:
    """Name what the last `return` of a class's `forward` gives a value; None where that cannot be read."""
    if class_name is None:
        return None
    try:
        text = forward_source(class_name, model_type)
    except SourceError:
        return None
    starts = [match.end() for match in _RETURN.finditer(text)]
    return frozenset(_GIVEN.findall(text[starts[-1] :])) if starts else None


def _presents(leaves: Mapping[str, TensorSpec], config: NormalizedConfig) -> Iterator[OutputSpec]:
    """Yield what the cache becomes: each tensor with the new tokens behind the past; what stands for an encoder stays as it is."""
    windowed = past_limit(config) is not None
    dims = {dim.name: dim for leaf in leaves.values() for size in leaf.shape for dim in symbols(size)}
    # What a window leaves of past and new tokens is no sum: its length has a symbol of its own.
    grown: dict[str, Size] = {
        past: Dim("present_sequence_length", 1, min=0) if windowed else dims[past] + dims[new]
        for past, new in _PASTS.items()
        if past in dims and new in dims
    }
    for path, leaf in leaves.items():
        root, _, rest = path.partition(".")
        if root == "past_key_values" and ".encoder." not in path:
            shape = (grown.get(size.name, size) if isinstance(size, Dim) else size for size in leaf.shape)
            yield OutputSpec(f"present.{rest}", tuple(shape), leaf.dtype)
