"""A model's own Python over sizes that stay free: what a trace would do once, for one size, becomes part of the graph.

A trace runs a model's Python at one size. A loop over a text's length is unrolled as often as the example has tokens; an
``int()`` of a size, the larger of two, an ``if`` that asks whether it divides: each makes of the size a constant. Here functions
that do such things get other code for as long as a model is traced. Where a size is a symbol, a loop's body becomes the body
of PyTorch's ``scan``, and a choice becomes arithmetic; where it is a number, everything runs as it is written. What is
not understood keeps its code, and the exporter then says what it thinks of it.
"""

from dummyio_torch.symbolic.symbolic_sizes import symbolic_sizes

__all__ = ["symbolic_sizes"]
