"""The functions that rewritten code calls."""

from dummyio_torch.symbolic.runtime.choices import (
    compare_sizes,
    is_undecided,
    select_number,
    select_value,
    symbolic_int,
    symbolic_max,
    symbolic_min,
)
from dummyio_torch.symbolic.runtime.current_trace import is_tracing
from dummyio_torch.symbolic.runtime.indexing import SymbolicIndex, SymbolicSlice, symbolic_getitem
from dummyio_torch.symbolic.runtime.loops import (
    count_chunks,
    run_scan,
    symbolic_enumerate,
    symbolic_map,
    symbolic_range,
    symbolic_rows,
    symbolic_zip,
)
from dummyio_torch.symbolic.runtime.symbolic_lists import symbolic_len, symbolic_list, symbolic_tolist

__all__ = [
    "SymbolicIndex",
    "SymbolicSlice",
    "compare_sizes",
    "count_chunks",
    "is_tracing",
    "is_undecided",
    "run_scan",
    "select_number",
    "select_value",
    "symbolic_enumerate",
    "symbolic_getitem",
    "symbolic_int",
    "symbolic_len",
    "symbolic_list",
    "symbolic_map",
    "symbolic_max",
    "symbolic_min",
    "symbolic_range",
    "symbolic_rows",
    "symbolic_tolist",
    "symbolic_zip",
]
