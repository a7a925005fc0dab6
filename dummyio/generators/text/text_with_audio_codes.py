"""Text and audio codes read side by side: at each position one id of each."""

from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.text.text import text_batch, text_length
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import TokenIds


class DummyCodedTextInputGenerator(DummyInputGenerator):
    """Ids [batch, sequence, 1 + codebooks], whose embeddings the model adds up; below both vocabularies."""

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where the model sums the embeddings of all codebooks."""
        del name
        config = context.config
        counted = config.raw("num_codebooks") is not None and config.raw("codebook_vocab_size") is not None
        return counted and context.facts.media.sums_codebook_embeddings

    def describe_input_ids(self) -> TensorSpec:
        """Ids; the mask has no axis of codebooks, so pads are drawn like others."""
        high = min(self.config.integer("vocab_size"), self.config.integer("codebook_vocab_size"))
        reserved = tuple(id_ for id_ in self.config.token_ids() if id_ < high)
        shape = (text_batch(self.context), text_length(self.context), 1 + self.config.integer("num_codebooks"))
        return self.ints("input_ids", shape, TokenIds(high=high, reserved=reserved))
