"""Arguments that no other generator describes: described from their names and their documented shapes.

Names end in what they are (``_ids``, ``_mask``, ``_positions``), and begin with what they are of: ``entity_ids`` are
below ``entity_vocab_size``. Shapes are read from words: numbers, attributes of the configuration, the usual symbols,
and symbols of their own for the rest.
"""

from collections.abc import Mapping, Sequence

from dummyio.errors import SourceError
from dummyio.generators.base.context import Context
from dummyio.generators.base.model_facts import ArgumentFacts, Kind
from dummyio.generators.media.vision import ImageInputGenerator
from dummyio.generators.text.text import text_batch, text_length
from dummyio.model_config.normalized_config import SUB_CONFIGS, NormalizedConfig
from dummyio.spec.dims import Size
from dummyio.spec.tensor_spec import Node, TensorSpec
from dummyio.spec.values import Boxes, Constant, Normal, PaddingMask, Positions, Rule, TokenIds, Uniform

_BATCH = ("batch_size", "batch", "bs")
_LENGTH = ("sequence_length", "seq_length", "seq_len", "seqlen", "text_seq_len", "text_sequence_length")
_DECODED = ("target_sequence_length", "decoder_sequence_length")
_SYMBOLS: Mapping[str, str] = {
    "num_visual_features": "visual_seq_length",
    "visual_sequence_length": "visual_seq_length",
}
"""A word → the symbol that other inputs of the same axis have."""

_PER_ROW = 2
"""Things that each row has, where those of all rows lie in one batch."""

_MASKS = ("mask", "masks")
_PLACES = ("positions", "position", "position_ids")
_WHOLE = (
    *_MASKS,
    *_PLACES,
    "ids",
    "inputs",
    "structure",
    "codes",
    "index",
    "indices",
    "lengths",
    "labels",
    "freq",
    "padding",
)
"""Last words of names whose tensors hold whole numbers."""


def vocabulary_of(config: NormalizedConfig, name: str) -> int | None:
    """Return how many ids there are of the kind that an argument's name says; None where nothing counts these."""
    if not name.endswith("_ids"):
        return None
    words = [word for word in name.removesuffix("_ids").split("_") if word != "input"]
    stem = "_".join(words)
    if not stem or stem == "decoder":
        return None
    for part in (config, config.part("text")):
        found = part.axis(f"{stem}_vocab_size")
        if found is not None:
            return found
    for ending in ("_config", "_encoder_config", "_text_config"):
        inner = config.raw(stem + ending)
        size = NormalizedConfig.of(inner).axis("vocab_size") if inner is not None else None
        if size is not None:
            return size
    return None


class DummyDocumentedInputGenerator(ImageInputGenerator):
    """What a name and a docstring say; asked only where no other generator describes an input."""

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where the model's text gives a shape whose words can be understood."""
        statement = context.facts.arguments.get(name)
        return statement is not None and is_shape_text(statement.shape)

    def supports_input(self, input_name: str) -> bool:
        """Whether the text says what that input looks like."""
        return self.applies(self.context, input_name)

    def spec(self, input_name: str) -> Node:
        """Return the description of an input; raise `SourceError` for one whose shape is not said."""
        if not self.supports_input(input_name):
            raise SourceError(f"the model's text does not say what {input_name!r} looks like. Describe it by hand.")
        return self.describe(input_name)

    def describe(self, name: str) -> TensorSpec:
        """Return the description that name and text give."""
        statement = self.context.facts.arguments[name]
        ids = self.context.facts.arguments.get(name.removesuffix("attention_mask") + "input_ids")
        words = ids.shape if ids is not None and is_shape_text(ids.shape) and _ends(name, _MASKS) else statement.shape
        shape = self.shape_of(name, words or ())
        kind = _kind(name, statement)
        if kind == "float":
            return self.floats(name, shape, self.float_rule(name, shape))
        if kind == "bool":
            return TensorSpec(name, shape, "bool", self.mask_rule(shape) if _ends(name, _MASKS) else Uniform(0, 2))
        return self.ints(name, shape, self.int_rule(name, shape))

    def shape_of(self, name: str, words: Sequence[str]) -> tuple[Size, ...]:
        """Return the shape that words say, with an axis of choices where the task has choices and the text does not say."""
        shape = tuple(self.own_length(name) if word in _LENGTH else self.size_of(word) for word in words)
        if self.context.task == "multiple-choice" and "num_choices" not in words and words[0] in _BATCH:
            return (shape[0], self.dim("num_choices"), *shape[1:])
        return shape

    def own_length(self, name: str) -> Size:
        """Return the length of a text; that which the configuration has for this kind of text alone, where it has one."""
        return self.config.axis(f"{name.partition('_')[0]}_seq_len") or text_length(self.context)

    def size_of(self, word: str) -> Size:
        """Return the size that a word says."""
        word = word.removeprefix("config.")
        if word.isdigit():
            return int(word)
        if word in _BATCH:
            return text_batch(self.context)
        if word == "total_classes":
            return self.dim("batch_size") * _PER_ROW
        if word in _DECODED:
            return self.dim("decoder_sequence_length")
        if word == "total_sequence_length":
            return text_length(self.context) + self.dim("visual_seq_length")
        if word == "num_channels":
            return self.channels
        if word in ("height", "width"):
            return self.edges[word == "width"]
        return self.attribute(word) or self.dim(_SYMBOLS.get(word, word))

    def attribute(self, name: str) -> int | None:
        """Return the whole number that the configuration, or a part of it, has under a name."""
        for config in (self.config, *(self.config.sub(role) for role in SUB_CONFIGS)):
            found = config.axis(name) if config is not None else None
            if found is not None:
                return found
        return None

    def int_rule(self, name: str, shape: tuple[Size, ...]) -> Rule:
        """Return the values of whole numbers."""
        if _ends(name, _MASKS):
            return self.mask_rule(shape)
        if _ends(name, ("structure",)):  # how many things each row has of those that lie one after the other
            return Constant(_PER_ROW)
        if _ends(name, ("padding",)):  # 1 for what is padding
            return Constant(0)
        if _ends(name, _PLACES):
            return self.place_rule(name, shape)
        if _ends(name, ("codes",)):
            return Uniform(0, self.config.raw("audio_vocab_size") or self.config.part("audio").integer("codebook_size"))
        if name.endswith("token_type_ids"):
            return Uniform(0, max(self.config.part("text").integer("type_vocab_size", 2), 1))
        if name.endswith(("_ids", "_inputs")):
            high = vocabulary_of(self.config, name)
            if high is None:
                text = self.config.part("text")
                high = (
                    text.get("vocab_size") or self.config.raw("text_encoder_vocab_size") or text.integer("vocab_size")
                )
            mask = self.follow("attention_mask") if shape[-1] == text_length(self.context) and len(shape) == 2 else None
            return TokenIds(high=high, mask=mask)
        return Uniform(0, 2)

    def mask_rule(self, shape: tuple[Size, ...]) -> Rule:
        """Return the values of a mask: a length for each row; full where rows have no axis."""
        return PaddingMask(policy="full" if len(shape) < 2 else self.context.mask_policy)

    def place_rule(self, name: str, shape: tuple[Size, ...]) -> Rule:
        """Return the values of positions: counted along a text; below the number of positions that are looked up."""
        if shape[-1] == text_length(self.context):
            return Positions()
        limit = self.config.part("text").get("max_positions") if name.endswith("_ids") else None
        # A place in a text must lie in the shortest one too.
        return Uniform(0, limit) if isinstance(limit, int) and limit > 0 else Constant(0)

    def float_rule(self, name: str, shape: tuple[Size, ...]) -> Rule:
        """Return the values of numbers: masks of ones, pixels in [-1, 1), boxes and random numbers in [0, 1), features normal."""
        if _ends(name, _MASKS) and "prompt" not in name:
            return PaddingMask(policy="full")
        if name.endswith(("boxes", "bbox", "_pos")) and shape[-1] == 4:
            return Boxes(0, 1)
        if self.context.facts.arguments[name].drawn_below_one:
            return Uniform(0, 1)
        return Uniform(-1, 1) if "pixel" in name else Normal()


def _ends(name: str, endings: Sequence[str]) -> bool:
    return any(name == ending or name.endswith(f"_{ending}") for ending in endings)


def _kind(name: str, statement: ArgumentFacts) -> Kind:
    if "num_channels" in (statement.shape or ()):  # an image, and be it one of a mask
        return "float"
    return statement.kind or ("int" if _ends(name, _WHOLE) and name != "inputs" else "float")


def is_shape_text(words: tuple[str, ...] | None) -> bool:
    """Whether the words of a shape are names and numbers, and so can be understood."""
    return bool(words) and all(word.removeprefix("config.").isidentifier() or word.isdigit() for word in words or ())
