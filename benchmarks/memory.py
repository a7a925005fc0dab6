"""Peak memory: the growth of a process while it makes a large tensor, compared with the size of the tensor."""

from __future__ import annotations

from benchmarks.options import MIB, Options, format_mib
from benchmarks.processes import PEAK, run_code
from benchmarks.table import Row

CODE = """
import gc, json, sys
size = int(sys.argv[1])
{prepare}
make(1 << 20)
gc.collect()
resident = next(int(line.split()[1]) * 1024 for line in open('/proc/self/status') if line.startswith('VmRSS'))
open('/proc/self/clear_refs', 'w').write('5')  # resets the peak
made = make(size)
print(json.dumps({peak} - resident))
"""
OURS = """
from dummyio import InputSpec, TensorSpec
def make(size):
    return InputSpec({{"x": TensorSpec("x", (size // 4,))}}).generate({framework!r})
"""
RULES = {
    "Uniform": ("float16", 2),
    "Normal": ("bfloat16", 2),
    "Constant": ("float32", 2),
    "Range": ("float32", 2),
    "Positions": ("int64", 2),
    "Positions(mask='mask')": ("int64", 2),
    "Grid(2)": ("int32", 2),
    "PaddingMask": ("bool", 2),
    "TokenIds(100, mask='mask', last=2)": ("int64", 2),
    "Labels(100, mask='mask')": ("int32", 2),
    "Choices((0, 1))": ("int4", 2),
    "OneHot": ("float32", 2),
    "Rows((0, 1))": ("float8_e4m3fn", 2),
    "Boxes": ("float32", 4),
}
"""Rule → the dtype and the length of its rows; rules that follow a mask follow one of the same shape."""
BY_RULE = """
from dummyio import InputSpec, TensorSpec
from dummyio.spec.values import *
from dummyio.spec.dtypes import DType
def make(size):
    rule, mask = {rule}, {masked}
    dtype, bytes_of_row = DType.of({dtype!r}), DType.of({dtype!r}).itemsize + mask
    shape = (size // bytes_of_row // {columns}, {columns})
    inputs = {{"x": TensorSpec("x", shape, dtype, rule)}}
    if mask:
        inputs["mask"] = TensorSpec("mask", shape, "bool", PaddingMask())
    return InputSpec(inputs).feeds()
"""
PEERS = {
    "np": (
        "numpy.random.uniform, astype",
        "import numpy as np\ndef make(size): return np.random.uniform(size=size // 4).astype(np.float32)",
    ),
    "pt": ("torch.rand", "import torch\ndef make(size): return torch.rand(size // 4)"),
}


def measure_growth(prepare: str, size: int) -> int:
    """Return the growth in bytes of a new process while it makes a tensor of `size` bytes."""
    return int(run_code(CODE.format(prepare=prepare, peak=PEAK), str(size)))


def measure_framework(framework: str, options: Options) -> list[Row]:
    """Return the rows of one framework."""
    size = (32 if options.quick else 512) * MIB
    ours = measure_growth(OURS.format(framework=framework), size)
    peer, code = PEERS[framework]
    theirs = measure_growth(code, size)
    what = f"growth for generate({framework!r}), {format_mib(size)}"
    return [_compare_bytes(what, "the tensor's size", ours, size, 1.05), _compare_bytes(what, peer, ours, theirs)]


def measure_rules(options: Options) -> list[Row]:
    """Return a row for each value rule, with the masks that they follow as a part of the result."""
    size, rows = (32 if options.quick else 256) * MIB, []
    for rule, (dtype, columns) in RULES.items():
        made = rule if rule.endswith(")") else f"{rule}()"
        code = BY_RULE.format(rule=made, dtype=dtype, columns=columns, masked="mask" in rule)
        ours = measure_growth(code, size)
        # 64 MiB are free: blocks and their temporary arrays.
        rows.append(
            _compare_bytes(
                f"growth for {made}, {dtype}, {format_mib(size)}", "the result and 64 MiB", ours, size + 64 * MIB, 1.1
            )
        )
    return rows


def measure_numpy(options: Options) -> list[Row]:
    """Return the rows that need only NumPy."""
    return [*measure_framework("np", options), *measure_rules(options)]


def _compare_bytes(what: str, peer: str, ours: int, theirs: int, target: float | None = None) -> Row:
    return Row(
        topic="memory",
        what=what,
        peer=peer,
        ratio=ours / theirs,
        bound="<=",
        target=target,
        unit="bytes",
        ours=ours,
        theirs=theirs,
    )


PARTS = {"np": measure_numpy, "pt": lambda options: measure_framework("pt", options)}
