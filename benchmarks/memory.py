"""Peak memory: how much a process grows while it makes a large tensor, against the tensor's own size."""

from __future__ import annotations

from benchmarks.options import MIB, Options, mib
from benchmarks.processes import PEAK, value
from benchmarks.table import Row

CODE = """
import gc, json, sys
size = int(sys.argv[1])
{prepare}
make(1 << 20)
gc.collect()
resident = next(int(line.split()[1]) * 1024 for line in open('/proc/self/status') if line.startswith('VmRSS'))
open('/proc/self/clear_refs', 'w').write('5')  # the peak starts again from here
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


def growth(prepare: str, size: int) -> int:
    """Return by how many bytes a fresh process grows while it makes `size` bytes."""
    return int(value(CODE.format(prepare=prepare, peak=PEAK), str(size)))


def rows(framework: str, options: Options) -> list[Row]:
    """Return the rows of one framework."""
    size = (32 if options.quick else 512) * MIB
    ours = growth(OURS.format(framework=framework), size)
    peer, code = PEERS[framework]
    theirs = growth(code, size)
    what = f"growth for generate({framework!r}), {mib(size)}"
    return [
        _row(what, "the tensor's size", ours, size, 1.05),
        _row(what, peer, ours, theirs),
    ]


def _row(what: str, peer: str, ours: int, theirs: int, target: float | None = None) -> Row:
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


PARTS = {"np": lambda options: rows("np", options), "pt": lambda options: rows("pt", options)}
