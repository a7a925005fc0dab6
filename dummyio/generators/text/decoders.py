"""Inputs of decoders apart from their text: the output of an encoder, several codebooks, and the state of a delay pattern."""

from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.text.text import DummyDecoderTextInputGenerator
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Size, evaluate_size
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import Constant, Normal, Positions


class DummySeq2SeqDecoderTextInputGenerator(DummyDecoderTextInputGenerator):
    """A decoder's text and what its encoder returned: hidden states [batch, encoder's sequence, hidden size], normal.

    ``encoder_outputs`` is a record of one tensor, for some models unpack it and some ask for its part by name. ``encoder_hidden_states`` is the tensor itself.
    """

    def hidden(self, name: str) -> TensorSpec:
        """Return the encoder's hidden states under a name."""
        encoder, stated = self.config.part("encoder"), self.config.raw("encoder_hidden_size")
        if isinstance(stated, int) and self.config.sub("encoder") is None:
            size = stated
        elif encoder.has("hidden_size"):
            size = encoder.integer("hidden_size")
        else:
            size = self.config.part("text").integer("hidden_size")
        return self.floats(name, (self.dim("batch_size"), self.dim("encoder_sequence_length"), size), Normal())

    def describe_encoder_outputs(self) -> Nest:
        """A record of the hidden states."""
        return Nest.of("record", {"last_hidden_state": self.hidden("last_hidden_state")})

    def describe_encoder_hidden_states(self) -> TensorSpec:
        """The hidden states."""
        return self.hidden("encoder_hidden_states")


def codebooks(config: NormalizedConfig) -> int | None:
    """Return how many codebooks a decoder of codes reads side by side; None where it reads text."""
    decoder = config.sub("decoder") or config
    found = decoder.get("num_codebooks")
    return found if isinstance(found, int) and found > 0 else None


_FOLDED = "batch_size * num_codebooks"
"""How docstrings say that codebooks are folded into the batch."""


class DummyCodebookDecoderTextInputGenerator(DummySeq2SeqDecoderTextInputGenerator):
    """A decoder that reads several codebooks, folded into the batch: ids [batch * codebooks, sequence].

    ``input_ids`` are such ids too, where a delay pattern is built for them.
    """

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where the decoder's own configuration counts codebooks."""
        decoder = context.config.sub("decoder")
        if name == "input_ids" and decoder is None:
            statement = context.facts.arguments.get(name)
            return statement is not None and statement.shape is not None and statement.shape[0] == _FOLDED
        delayed = context.names is not None and "max_length" in context.names
        return decoder is not None and codebooks(decoder) is not None and (name != "input_ids" or delayed)

    @property
    def folded(self) -> Size:
        """The batch of codes."""
        return self.dim("batch_size") * (codebooks(self.config) or self.config.integer("num_codebooks"))

    def describe_decoder_input_ids(self) -> TensorSpec:
        """Codes; without padding, for the mask has one row for all codebooks."""
        return self.ints("decoder_input_ids", (self.folded, self.dim("decoder_sequence_length")), self.ids(None))

    def describe_input_ids(self) -> TensorSpec:
        """Codes that a pattern delays."""
        return self.ints("input_ids", (self.folded, self.dim("sequence_length")), self.ids(None))


class DummyIntGenerator(DummyInputGenerator):
    """Whole numbers that a delay pattern is built with, each as a tensor [1]."""

    def describe_pad_token_id(self) -> TensorSpec:
        """The id that fills the delays."""
        pad = self.config.part("decoder").get("pad_token_id", 0)
        return self.ints("pad_token_id", (1,), Constant(pad))

    def describe_max_length(self) -> TensorSpec:
        """The length to build for: the sequence, and a step of delay for each codebook."""
        length = self.dim("sequence_length") + (codebooks(self.config) or 1)
        start = str(length) if self.context.has("input_ids") else evaluate_size(length)
        return self.ints("max_length", (1,), Positions(start=start))
