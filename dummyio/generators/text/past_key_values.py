"""The past of a decoder: one mechanism for all models, with a layout as the model needs it.

`geometry` says what each layer keeps; a layout says how the tensors of a layer are arranged, in words for their axes:
``b`` batch, ``h`` heads, ``s`` positions, ``d`` size; words in parentheses are one axis.

==============================  ==========================================================
``"b h s d"``                   usual
``"b h d s"``                   keys transposed
``"(b h) s d"``                 heads folded into the batch
``"b s d"``                     one head, without an axis of its own
==============================  ==========================================================

Values are uniform in [-1, 1): centred as projections are, bounded in every dtype, and the cheapest to make, for caches are
the largest inputs there are. Describing costs two objects for each layer, however many bytes they stand for.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from dummyio.errors import OptionError, SourceError, suggest_names
from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.model_config.layer_geometry import Layer, cross_layers, self_layers
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import Container, Nest, Node, TensorSpec
from dummyio.spec.values import Constant, Positions, Rule, Uniform

FORMS = ("dynamic", "static", "legacy")
_WORDS = re.compile(r"\(([bhsd ]+)\)|([bhsd])")


class DummyPastKeyValuesGenerator(DummyInputGenerator):
    """A decoder's past: for each layer a tuple of ``key`` and ``value``.

    Options: ``key_layout`` and ``value_layout``, as in this module's table; ``fused=True`` for one tensor in place of each
    tuple, ``key_value``, keys before values on the axis of sizes, arranged by ``key_layout``; ``latent=True`` or ``False``
    for what models with low-rank keys and values keep, where their source text does not say whether they expand them first;
    ``cache``, the form of the whole:

    - ``"dynamic"``: grows with each token; layers of a recurrence or a convolution keep a state in it
    - ``"static"``: each layer has room for ``max_cache_length`` positions, ``length`` [1] of which are filled
    - ``"legacy"``: a tuple of tuples, which models took before there were classes for it, and exports and plain modules take
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("key_layout", "value_layout", "fused", "latent", "cache")
    LAYOUT: ClassVar[str] = "b h s d"
    NEW: ClassVar[str] = "sequence_length"
    PAST: ClassVar[str] = "past_sequence_length"
    MASK: ClassVar[str] = "attention_mask"

    def __init__(self, task: str, normalized_config: Any, **shapes: Any) -> None:
        """Take `sequence_length` for the past's, where that is not given: a cache by itself has no other."""
        for prefix, suffix in (("", ""), ("random_", "_range")):
            length = shapes.get(f"{prefix}sequence_length{suffix}")
            if length is not None:
                shapes.setdefault(f"{prefix}past_sequence_length{suffix}", length)
        super().__init__(task, normalized_config, **shapes)

    @property
    def latent(self) -> bool:
        """Whether the low-rank form is cached: by the option, else by the facts of the model."""
        asked = self.option("latent")
        return self.context.facts.caches_latent_attention if asked is None else bool(asked)

    @property
    def form(self) -> str:
        """The container of the layers: ``"dynamic"``, ``"static"`` or ``"legacy"``."""
        form = self.option("cache", FORMS[0])
        if form not in FORMS:
            raise OptionError(f"cache={form!r}: use one of {', '.join(FORMS)}. {suggest_names(str(form), FORMS)}")
        if form != FORMS[0] and self.option("fused"):
            raise OptionError(
                f"cache={form!r} with fused=True: keys and values of such a cache are described apart only."
            )
        return str(form)

    def describe_past_key_values(self) -> Nest:
        """A cache with an item for each layer."""
        facts = self.context.facts
        if facts.caches_indexer_keys is None:
            raise SourceError(
                "the layers of the model store data of an indexer beside keys and values, in a form that its source text does not "
                "state. Describe the model without its past (a task without '-with-past')."
            )
        layers = self_layers(
            self.config, latent=self.latent, states=facts.layer_state is not None, indexer=facts.caches_indexer_keys
        )
        if not all(layer.plain for layer in layers):
            return self.mixed(layers)
        if self.form == "dynamic" and self.option("fused"):
            sizes = [(layer.heads, layer.key_dim + layer.value_dim) for layer in layers]
            past = self.dim(self.PAST)
            return Nest.of("cache", {f"{i}.key_value": self.tensor("key", *each, past) for i, each in enumerate(sizes)})
        return self.gathered([self.kept(layer) for layer in layers])

    def describe_cache_params(self) -> Nest:
        """The same, of a model all of whose layers keep a state, under the name that these have for it."""
        if self.context.facts.layer_state is None:
            raise SourceError(
                "the model takes cache_params, and neither its configuration nor its source text tells which states its layers "
                "keep in it. Describe the model without its past (a task without '-with-past')."
            )
        return self.describe_past_key_values()

    def gathered(self, layers: Iterable[Mapping[str, Node]]) -> Nest:
        """Return a cache of layers that keep keys and values, in its form."""
        kind: Container = "dict" if self.form == "static" else "tuple"
        return Nest.of("tuple" if self.form == "legacy" else "cache", [Nest.of(kind, layer) for layer in layers])

    def mixed(self, layers: Sequence[Layer]) -> Nest:
        """Return a cache whose layers differ in what they keep: each a dict of what it is called."""
        if self.form == "legacy" or self.option("fused"):
            raise OptionError(
                "cache='legacy' and fused=True are for keys and values only, and some layers keep something else, or nothing. "
                "Leave them out."
            )
        kept = (
            {
                **(self.kept(layer) if layer.heads else {}),
                **(self.indexed(layer.indexer) if layer.indexer is not None else {}),
                **(self.states() if layer.state else {}),
            }
            for layer in layers
        )
        return Nest.of("cache", [Nest.of("dict", layer) for layer in kept])

    def kept(self, layer: Layer, prefix: str = "") -> Mapping[str, Node]:
        """Return the keys and values of one layer by name, in a static cache with their number."""
        if self.form != "static":
            return self.tensors(layer, self.dim(self.PAST), prefix)
        past, name = self.dim(self.PAST), f"{prefix}length"
        # A symbol that no shape has is not in the spec: without a mask, which covers the past too, the number is a constant.
        known = self.context.names is not None and self.MASK in self.context.names
        rule: Rule = Positions(start=str(past)) if known else Constant(past.size)
        filled = TensorSpec(name, (1,), "int64", rule)
        return {**self.tensors(layer, self.context.sizes.capacity(), prefix), name: filled}

    def indexed(self, size: int) -> dict[str, TensorSpec]:
        """Return the keys of one layer's indexer [batch, positions, size]."""
        length = self.context.sizes.capacity() if self.form == "static" else self.dim(self.PAST)
        return {"indexer_key": self.floats("indexer_key", (self.dim("batch_size"), length, size), Uniform(-1, 1))}

    def states(self) -> dict[str, TensorSpec]:
        """Return the state of one layer: of its convolution [batch, channels, positions], of its recurrence [batch, ...]."""
        found: dict[str, TensorSpec] = {}
        batch, states = self.dim("batch_size"), self.context.facts.layer_state
        if states is not None and states.conv is not None:
            found["conv_state"] = self.floats("conv_state", (batch, *states.conv), Uniform(-1, 1))
        if states is not None and states.recurrent is not None:
            shape = (batch, *states.recurrent)
            found["recurrent_state"] = TensorSpec("recurrent_state", shape, "float32", Uniform(-1, 1))
        return found

    def tensors(self, layer: Layer, length: Dim, prefix: str = "") -> Mapping[str, Node]:
        """Return the tensors of one layer, `length` positions long, by name."""
        parts = (("key", layer.key_dim), ("value", layer.value_dim))
        return {prefix + part: self.tensor(part, layer.heads, size, length) for part, size in parts}

    def tensor(self, part: str, heads: int, size: int, length: Dim) -> TensorSpec:
        """Return one tensor of a layer, arranged by the layout of that part."""
        sizes: dict[str, Size] = {"b": self.dim("batch_size"), "h": heads, "s": length, "d": size}
        return self.floats(part, arrange_axes(self.option(f"{part}_layout", self.LAYOUT), sizes), Uniform(-1, 1))

    def describe_cache_position(self) -> TensorSpec:
        """The positions of the new tokens [sequence], which follow the past where there is one."""
        start = str(self.dim(self.PAST)) if self.context.has("past_key_values") else 0
        return self.ints("cache_position", (self.dim(self.NEW),), Positions(start=start))

    def describe_use_cache_branch(self) -> TensorSpec:
        """Whether a model with both branches shall use its past [1]."""
        return TensorSpec("use_cache_branch", (1,), "bool", Constant(self.context.with_past))


class MultiQueryPastKeyValuesGenerator(DummyPastKeyValuesGenerator):
    """A decoder's past with the heads folded into the batch."""

    LAYOUT = "(b h) s d"

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Nowhere by itself: no configuration says it; ``key_layout`` and ``value_layout`` do."""
        del context, name
        return False


class DummySeq2SeqPastKeyValuesGenerator(DummyPastKeyValuesGenerator):
    """The past of a decoder beside an encoder: its own keys and values, then those of what the encoder returned."""

    NEW = "decoder_sequence_length"
    PAST = "past_decoder_sequence_length"
    MASK = "decoder_attention_mask"

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where there is an encoder."""
        del name
        both = all(context.config.raw(part) is not None for part in ("encoder", "decoder"))
        return context.encoder_decoder or both

    def describe_past_key_values(self) -> Nest:
        """A cache with an item for each layer: ``decoder.key``, ``decoder.value``, ``encoder.key``, ``encoder.value``."""
        if self.option("fused"):
            raise OptionError("fused=True: keys and values of a decoder beside an encoder are described apart only.")
        encoded = self.dim("encoder_sequence_length")
        layers = zip(self_layers(self.config, latent=self.latent), cross_layers(self.config), strict=True)
        return self.gathered(
            {**self.kept(own, "decoder."), **self.tensors(cross, encoded, "encoder.")} for own, cross in layers
        )


def arrange_axes(layout: str, sizes: Mapping[str, Size]) -> tuple[Size, ...]:
    """Return the shape of a layout in words, such as ``"(b h) s d"``; raise `OptionError` if it is none, or leaves out an axis."""
    axes: list[Size] = []
    used: list[str] = []
    for group, word in _WORDS.findall(layout):
        words = (group or word).split()
        used += words
        size: Size = 1
        for each in words:
            size *= sizes[each]
        axes.append(size)
    left_out = [word for word in sizes if word not in used and sizes[word] != 1]
    if _WORDS.sub("", layout).strip() or len(set(used)) != len(used) or left_out:
        text = f" It leaves out {', '.join(left_out)}." if left_out else ""
        raise OptionError(
            f"layout {layout!r}: name each of b, h, s and d once, such as 'b h s d' or '(b h) s d'.{text}"
        )
    return tuple(axes)
