"""The functions that rewritten code calls."""

from dummyio_torch.symbolic.runtime.choices import (
    compare,
    is_open,
    most,
    select,
    select_number,
    symbolic_int,
    symbolic_min,
)
from dummyio_torch.symbolic.runtime.indexing import SymbolicIndex, SymbolicSlice, symbolic_getitem
from dummyio_torch.symbolic.runtime.loops import enumerate_, mapped, range_, rows, scan, zip_
from dummyio_torch.symbolic.runtime.symbolic_lists import counts, length, listed

__all__ = [
    "SymbolicIndex",
    "SymbolicSlice",
    "compare",
    "counts",
    "enumerate_",
    "is_open",
    "length",
    "listed",
    "mapped",
    "most",
    "range_",
    "rows",
    "scan",
    "select",
    "select_number",
    "symbolic_getitem",
    "symbolic_int",
    "symbolic_min",
    "zip_",
]
