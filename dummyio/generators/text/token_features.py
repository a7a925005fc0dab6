"""What a text has for each token beside its id: a box on a page, a path in a document, audio codes."""

from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.base.stated_input import StatedInput
from dummyio.generators.text.text import text_batch, text_length
from dummyio.spec.dims import Dim, Size
from dummyio.spec.values import Boxes, Rule, TokenIds, Uniform

_PAGE = 1000
"""The side of a page, if the configuration does not state its number of positions."""


class _PerToken(DummyInputGenerator):
    @property
    def tokens(self) -> tuple[Size, ...]:
        """[batch, sequence]."""
        return text_batch(self.context), text_length(self.context)


class DummyBboxInputGenerator(_PerToken):
    """A box for each token: whole numbers [batch, sequence, 4], x0 <= x1, y0 <= y1, below ``max_2d_position_embeddings``."""

    describe_bbox = StatedInput(
        "int", "tokens 4", lambda self: Boxes(0, self.config.part("text").integer("max_2d_positions", _PAGE))
    )


class DummyXPathSeqInputGenerator(_PerToken):
    """The path of each token in a marked-up document [batch, sequence, depth]: tags and subscripts below the id that pads paths."""

    @property
    def depth(self) -> Dim:
        """The levels of a path."""
        return self.fixed("max_depth", self.config.integer("max_depth"), "the configuration's max_depth")

    describe_xpath_tags_seq = StatedInput(
        "int", "tokens depth", lambda self: Uniform(0, self.config.integer("tag_pad_id"))
    )
    describe_xpath_subs_seq = StatedInput(
        "int", "tokens depth", lambda self: Uniform(0, self.config.integer("subs_pad_id"))
    )


class DummyCodedTextInputGenerator(_PerToken):
    """Ids [batch, sequence, 1 + codebooks] of a text and audio codes, whose embeddings the model sums; below both vocabularies."""

    NEEDS = ("num_codebooks", "codebook_vocab_size")

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """If the model sums the embeddings of all codebooks."""
        return super().applies(context, name) and context.facts.media.sums_codebook_embeddings

    @property
    def columns(self) -> int:
        """The ids of a token: its own, and a code of each codebook."""
        return 1 + self.config.integer("num_codebooks")

    def ids(self) -> Rule:
        """Return the rule for ids; the mask has no axis of codebooks, so pads are drawn like others."""
        high = min(self.config.integer("vocab_size"), self.config.integer("codebook_vocab_size"))
        return TokenIds(high=high, reserved=tuple(id_ for id_ in self.config.token_ids() if id_ < high))

    describe_input_ids = StatedInput("int", "tokens columns", ids)
