"""Boxes of tokens on a page."""

from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.text.text import text_batch, text_length
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Boxes

_PAGE = 1000
"""The side of a page, where the configuration does not say how many positions it has."""


class DummyBboxInputGenerator(DummyInputGenerator):
    """A box for each token: whole numbers [batch, sequence, 4], x0 <= x1, y0 <= y1, below ``max_2d_position_embeddings``."""

    def describe_bbox(self) -> TensorSpec:
        """Boxes on the page."""
        shape = (text_batch(self.context), text_length(self.context), 4)
        return self.ints("bbox", shape, Boxes(0, self.config.part("text").integer("max_2d_positions", _PAGE)))
