"""What a report says of the environment: versions of packages, and the instructions of the processor."""

import platform
import sys
from collections.abc import Mapping

import numpy as np

from dummyio.backend.frameworks import MODEL_ROOTS
from dummyio.huggingface.source.installed import package_version

_LIBRARIES = ("transformers", "diffusers")


def list_versions() -> dict[str, str]:
    """Return name → version: of Python, NumPy, this package and each framework in use, and the widest instructions of the processor."""
    used = {name: package_version(name) for name in ("dummyio", *MODEL_ROOTS, *_LIBRARIES) if name in sys.modules}
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        **{name: version for name, version in used.items() if version is not None},
        "processor": f"{platform.machine()} {' '.join(_list_instruction_sets())}".strip(),
    }


def _list_instruction_sets() -> list[str]:
    """Return the sets of vector instructions that NumPy finds, on which the order of sums and so the rounding depends."""
    # NumPy has no public name for what it finds.
    found: Mapping[str, bool] = getattr(sys.modules.get("numpy._core._multiarray_umath"), "__cpu_features__", {})
    return [name for name in ("AVX2", "FMA3", "AVX512F", "AVX512_SKX", "ASIMD", "SVE", "VSX3") if found.get(name)]
