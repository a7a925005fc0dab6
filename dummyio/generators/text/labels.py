"""Targets: classes, tokens, spans."""

from collections.abc import Mapping
from typing import ClassVar

from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.text.text import text_length
from dummyio.spec.dims import Size, evaluate_size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Choices, Labels, Normal, Uniform

_TOKENS = ("text-generation", "fill-mask")
_DECODED = ("text2text-generation", "automatic-speech-recognition", "image-to-text")
_PER_TOKEN = ("token-classification", "audio-frame-classification")


class DummyLabelsGenerator(DummyInputGenerator):
    """What a loss compares with. The task decides the shape; ``-100`` (the losses' ignored class) stands for padding.

    Option ``num_labels``: how many classes, where the configuration does not say.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("num_labels",)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        given = self.option("num_labels")
        if given is not None:
            return int(given)
        names = self.config.raw("id2label")
        return self.config.integer("num_labels", len(names) if isinstance(names, Mapping) and names else 2)

    def describe_labels(self) -> TensorSpec:
        """[batch] for a class, [batch, sequence] for tokens, [batch, height, width] for pixels."""
        batch, task = self.dim("batch_size"), self.context.task
        if task == "multiple-choice":
            return self.ints("labels", (batch,), Labels(evaluate_size(self.dim("num_choices"))))
        if task in _TOKENS:
            return self.tokens(text_length(self.context), "attention_mask")
        if task in _DECODED:
            return self.tokens(self.dim("decoder_sequence_length"), "decoder_attention_mask")
        if task == "semantic-segmentation":
            return self.ints("labels", (batch, self.dim("height"), self.dim("width")), Labels(self.classes))
        # A length that is asked for where the task is none of these can only be meant for the labels.
        if task in _PER_TOKEN or (task not in _SINGLE and self.context.sizes.wanted("sequence_length") is not None):
            return self.ints(
                "labels", (batch, text_length(self.context)), Labels(self.classes, mask=self.mask("attention_mask"))
            )
        return self.single(batch)

    def single(self, batch: Size) -> TensorSpec:
        """Return one label for each row: a class, a number, or a choice for each class."""
        kind = self.config.get("problem_type")
        if kind == "multi_label_classification":
            return self.floats("labels", (batch, self.classes), Choices((0.0, 1.0)))
        if kind == "regression":
            return self.floats("labels", (batch,) if self.classes == 1 else (batch, self.classes), Normal())
        return self.ints("labels", (batch,), Labels(self.classes))

    def tokens(self, length: Size, mask: str) -> TensorSpec:
        """Return token ids as labels [batch, length]."""
        decoder = self.config.part("decoder")
        vocabulary = decoder if decoder.has("vocab_size") else self.config.part("text")
        rule = Labels(vocabulary.integer("vocab_size"), mask=self.mask(mask))
        return self.ints("labels", (self.dim("batch_size"), length), rule)

    def mask(self, name: str) -> str | None:
        """Return a mask that the spec surely has; labels do without one otherwise."""
        return name if self.context.names is not None and self.context.has(name) else None

    def describe_start_positions(self) -> TensorSpec:
        """Where an answer starts [batch]: in the first half, so that it never starts after its end."""
        return self.ints("start_positions", (self.dim("batch_size"),), Uniform(0, (self.last_position + 2) // 2))

    def describe_end_positions(self) -> TensorSpec:
        """Where an answer ends [batch]: in the second half of the default length. Losses ignore ends past the text."""
        last = self.last_position
        return self.ints("end_positions", (self.dim("batch_size"),), Uniform((last + 1) // 2, last + 1))

    @property
    def last_position(self) -> int:
        """The last position of a text of the default length."""
        return max(evaluate_size(text_length(self.context)) - 1, 0)


_SINGLE = (
    "text-classification",
    "image-classification",
    "audio-classification",
    "zero-shot-image-classification",
    "audio-xvector",
)
