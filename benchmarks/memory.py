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


PARTS = {"np": lambda options: measure_framework("np", options), "pt": lambda options: measure_framework("pt", options)}
