"""What a report says of the environment: versions of packages, and the instructions of the processor."""

import platform
import sys

import numpy as np

import dummyio
from dummyio.huggingface.source.installed import package_version

_PACKAGES = ("torch", "transformers", "diffusers", "tensorflow", "keras", "jax", "flax", "onnx", "onnxruntime")


def list_versions() -> dict[str, str]:
    """Return name → version: of Python, NumPy, this package and each framework in use, and the widest instructions of the processor."""
    used = {name: package_version(name) for name in _PACKAGES if name in sys.modules}
    return {
        "dummyio": dummyio.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        **{name: version for name, version in used.items() if version is not None},
        "processor": f"{platform.machine()} {' '.join(_list_instruction_sets())}".strip(),
    }


def _list_instruction_sets() -> list[str]:
    """Return the sets of vector instructions that NumPy finds, on which the order of sums and so the rounding depends."""
    found: dict[str, bool] = getattr(np._core._multiarray_umath, "__cpu_features__", {})  # noqa: SLF001 - NumPy has no public name for it
    return [name for name in ("AVX2", "FMA3", "AVX512F", "AVX512_SKX", "ASIMD", "SVE", "VSX3") if found.get(name)]
