"""The outputs of a model: names by its task and its `forward`, shapes as expressions of the sizes of its inputs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from dummyio.generators.base.context import Context
from dummyio.huggingface.outputs.output_table import OUTPUTS
from dummyio.huggingface.source.auto_tables import class_source
from dummyio.huggingface.source.forward_signatures import forward_source, module_source
from dummyio.huggingface.source.statements import find_method
from dummyio.huggingface.tasks.find_task import find_task
from dummyio.model_config.layer_geometry import past_limit
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.sources.input_names import present_name
from dummyio.spec.dims import Dim, DimExpr, Size
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Node, TensorSpec, iterate_leaves
from dummyio.spec.values import TokenIds

_RETURN = re.compile(r"\n +(?:return|outputs? =) \w*Output\w*\(")
_GIVEN = re.compile(r"\b(\w+)=(?!=|None\b)")
_NO_POOLER = re.compile(r"add_pooling_layer(?:: bool)? ?= ?False")
_PROJECTED = re.compile(r"\n +(\w+) = self\.\w*(?:proj|lm_head)\w*\(\1\)(?=[\s\S]*\blast_hidden_state=\1\b)")
"""A model's last act is a projection: what it returns as hidden states are scores, or of another size."""
_DOUBLED = re.compile(r"(\w+) = torch\.cat\(\[(\w+), \2\], dim=-1\)\s")
"""Two copies side by side, which layers with an inverse work on and return."""
_PART = re.compile(r"self\.(decoder|encoder|model) = (\w+)\(")
_EMBEDDED = "word_embed_proj_dim"
"""The attribute for the size of what is returned, where embeddings are of another size than layers."""
_OPTIONAL = frozenset(
    {"pooler_output", "encoder_last_hidden_state", "logits_per_image", "logits_per_text", "text_embeds", "image_embeds"}
)
"""What is returned only where `forward` is seen to return it."""
_JOINT = ("ForRNNT", "ForTDT")
"""Endings of classes that return a score for each pair of a frame and a token."""
_PASTS = {"past_sequence_length": "sequence_length", "past_decoder_sequence_length": "decoder_sequence_length"}
"""A symbol of the past → that of the new tokens, which follow it in what is returned."""


@dataclass(frozen=True, slots=True)
class _Axes:
    """What the words of a shape are resolved with."""

    leaves: Mapping[str, TensorSpec]
    dims: Mapping[str, Dim]
    config: NormalizedConfig

    def shape(self, words: str | None) -> tuple[Size, ...] | None:
        """Return the shape in words as sizes; None where there are none or one cannot be resolved."""
        if words is None:
            return None
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
        parts = (self.config.part("decoder"), self.config.part("text"), self.config)
        for config in parts if name == "vocab_size" else (self.config, *parts):
            value = config.get("decoder_vocab_size" if name == "vocab_size" else name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
        return None

    @property
    def _sound(self) -> bool:
        return bool({"input_values", "input_features"} & set(self.leaves))

    @property
    def joined(self) -> bool:
        """Whether what stands beside the text lengthens it: nothing in the text holds its place."""
        ids = self.leaves.get("input_ids")
        alone = not {"pixel_values", "visual_embeds", "input_features", "input_values"} & set(self.leaves)
        held = ids is not None and isinstance(ids.values, TokenIds) and ids.values.runs
        return ids is not None and not alone and not held

    def _text(self, name: str) -> Size | None:
        """Return the positions of some ids."""
        leaf = self.leaves.get(name)
        return next((size for size in leaf.shape if str(size).endswith("sequence_length")), None) if leaf else None

    def _first(self, name: str) -> Size | None:
        leaf = self.leaves.get(name)
        return leaf.shape[0] if leaf is not None and leaf.rank else None

    def _batch(self) -> Size | None:
        found = next((leaf.shape[0] for leaf in self.leaves.values() if leaf.rank), None)
        # Several codebooks side by side, in the batch or behind it, come out as rows in some heads and not in others.
        codes = self.leaves.get("decoder_input_ids")
        first = next((leaf for name, leaf in self.leaves.items() if name.endswith("input_ids")), None)
        folded = (codes is not None and codes.rank > 2) or any(
            leaf is not None and isinstance(next(iter(leaf.shape), None), DimExpr) for leaf in (codes, first)
        )
        return self.size("?rows") if folded else found

    def _texts(self) -> Size | None:
        return self._first("input_ids")

    def _images(self) -> Size | None:
        return self._first("pixel_values")

    def _length(self) -> Size | None:
        if "decoder_input_ids" in self.leaves:
            return self._text("decoder_input_ids")
        if self.joined:
            return self.size("?output_sequence_length")
        return self.size("?audio_frames") if self._sound else self._text("input_ids")

    def _encoded(self) -> Size | None:
        return self.size("?encoded_length") if self._sound or self.joined else self._text("input_ids")

    def _hidden(self) -> Size | None:
        if self.joined or self.config.raw("depths") is not None:  # of stages, whose last is wider than the first
            return None
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
    leaves = dict(iterate_leaves(inputs.items()))
    config, with_past = context.config, context.with_past
    axes = _Axes(leaves, context.sizes.dims, config)
    known = OUTPUTS.get(context.task, {})
    model_type = config.raw("model_type")
    returned = _returned(class_name, model_type)
    names = [name for name in known if name in returned or (not returned and name not in _OPTIONAL)]
    if _pools_seldom(class_name, model_type):
        names = [name for name in names if name != "pooler_output"]
    if with_past:  # one step of a decoder: what the encoder returned was an input
        names = [name for name in names if not name.startswith("encoder_")]
    known = {name: None if (class_name or "").endswith(_JOINT) else words for name, words in known.items()}
    if class_name is not None and "last_hidden_state" in names and _resizes(class_name, model_type):
        size = "?output_size" if config.raw(_EMBEDDED) is None else _EMBEDDED
        known["last_hidden_state"] = (known["last_hidden_state"] or "").replace("hidden", size) or None
    if config.raw("max_action_dim") is not None:  # what a robot does next, not a text
        known = dict.fromkeys(known)
    found = [OutputSpec(name, axes.shape(known[name]), context.float_dtype) for name in names]
    if not with_past or not find_task(context.task).takes_past:  # heads that do not generate drop the cache
        return tuple(found)
    return (*found, *_presents(axes))


@lru_cache(maxsize=512)
def _returned(class_name: str | None, model_type: str | None) -> frozenset[str]:
    """Name what the last `return` of a class's `forward` gives a value; nothing where that cannot be read."""
    text = forward_source(class_name, model_type) if class_name else ""
    starts = [match.end() for match in _RETURN.finditer(text)]
    return frozenset(_GIVEN.findall(text[starts[-1] :])) if starts else frozenset()


def _pools_seldom(class_name: str | None, model_type: str | None) -> bool:
    """Whether a class has a pooler only where it is asked for one."""
    source = class_source(class_name, model_type) if class_name else None
    return source is not None and _NO_POOLER.search(source.text) is not None


@lru_cache(maxsize=512)
def _resizes(class_name: str, model_type: str | None) -> bool:
    """Whether a class, or the part of it whose result it returns, makes its last hidden states of another size."""
    classes = module_source(class_name, model_type)
    parts = dict(_PART.findall(classes.get(class_name, "")))
    part = next((parts[name] for name in ("decoder", "model", "encoder") if name in parts), "")
    texts = (forward_source(class_name, model_type), find_method(classes.get(part, ""), "forward") or "")
    return any(_PROJECTED.search(each) or _DOUBLED.search(each) for each in texts)


def _presents(axes: _Axes) -> Iterator[OutputSpec]:
    """Yield what the cache becomes: each tensor with the new tokens behind the past; what stands for an encoder stays as it is."""
    # A window keeps less than the sum of past and new tokens, and media beside a text may be kept too.
    own = Dim("present_sequence_length", 1, min=0) if past_limit(axes.config) is not None or axes.joined else None
    grown: dict[str, Size] = {
        past: own if own is not None else axes.dims[past] + axes.dims[new]
        for past, new in _PASTS.items()
        if past in axes.dims and new in axes.dims
    }
    for path, leaf in axes.leaves.items():
        name = present_name(path)
        if name is not None and ".encoder." not in path:
            shape = (grown.get(size.name, size) if isinstance(size, Dim) else size for size in leaf.shape)
            yield OutputSpec(name, tuple(shape), leaf.dtype)
