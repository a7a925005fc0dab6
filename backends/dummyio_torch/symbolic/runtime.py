"""The functions that rewritten code calls."""

from dummyio_torch.symbolic.choices import chosen, compare, either, is_open, least, most, whole
from dummyio_torch.symbolic.loops import enumerate_, mapped, range_, rows, scan, zip_
from dummyio_torch.symbolic.picking import Place, Span, pick
from dummyio_torch.symbolic.rows import counts, length, listed

__all__ = [
    "Place",
    "Span",
    "chosen",
    "compare",
    "counts",
    "either",
    "enumerate_",
    "is_open",
    "least",
    "length",
    "listed",
    "mapped",
    "most",
    "pick",
    "range_",
    "rows",
    "scan",
    "whole",
    "zip_",
]
