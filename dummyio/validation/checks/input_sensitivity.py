"""Whether agreement shows anything: an output that is the same for all inputs agrees with everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from dummyio.typing import Array
from dummyio.validation.comparing.metrics import compare
from dummyio.validation.comparing.tolerance import Tolerances
from dummyio.validation.data.records import Finding, Tolerance

__all__ = ["Digest", "differing", "find_insensitive_outputs", "sample_outputs"]

Digest = dict[str, Array]

_SAMPLE = 1 << 12
_TIMES = 4
"""An output shows something where other inputs move it by as many times the tolerance."""


def sample_outputs(outputs: Mapping[str, Array]) -> Digest:
    """Return some elements of each output, evenly spread: enough to see that it changed, little to keep."""
    kept = {}
    for name, values in outputs.items():
        flat = np.asarray(values).reshape(-1)
        kept[name] = flat[:: max(1, flat.size // _SAMPLE)].copy()
    return kept


def find_insensitive_outputs(first: Digest, second: Digest, tolerances: Tolerances) -> Iterator[Finding]:
    """Yield a finding for each output that two different samples at the same sizes leave as it is."""
    for name, values in first.items():
        other = second.get(name)
        if other is None or values.size == 0 or other.shape != values.shape:
            continue
        made = compare(name, values, other, _tolerance(tolerances, name, values))
        if made.max_abs <= _TIMES * made.bound and made.mismatched == 0:
            message = (
                f"other inputs move it by {made.max_abs:.1e} at most, less than {_TIMES} times the tolerance "
                f"({made.bound:.1e}): that it agrees shows nothing."
            )
            yield Finding("vacuous", "warning", name, message)


def differing(first: Mapping[str, Array], second: Mapping[str, Array], tolerances: Tolerances) -> list[str]:
    """Return the outputs that differ between two runs on the same inputs."""
    apart = []
    for name, values in first.items():
        other = second.get(name)
        alike = other is not None and other.shape == values.shape
        if other is None or not alike or not compare(name, values, other, _tolerance(tolerances, name, values)).ok:
            apart.append(name)
    return apart


def _tolerance(tolerances: Tolerances, name: str, values: Array) -> Tolerance:
    return tolerances.of(name, values.dtype, values.dtype)
