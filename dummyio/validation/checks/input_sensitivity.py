"""Detects outputs that do not depend on the inputs: agreement on such an output proves nothing."""

from collections.abc import Iterator, Mapping

import numpy as np

from dummyio.typing import Array
from dummyio.validation.comparing.metrics import compare_arrays
from dummyio.validation.comparing.tolerance import Tolerances
from dummyio.validation.data.records import Comparison, Finding

Digest = dict[str, Array]

_MOST_SAMPLED = 1 << 12
_TIMES = 4
"""An output depends on the inputs if other inputs change it by more than this multiple of the tolerance."""


def sample_outputs(outputs: Mapping[str, Array]) -> Digest:
    """Return some elements of each output, evenly spread: enough to detect a change."""
    sampled = {}
    for name, values in outputs.items():
        flat = np.asarray(values).reshape(-1)
        sampled[name] = flat[:: max(1, flat.size // _MOST_SAMPLED)].copy()
    return sampled


def find_insensitive_outputs(first: Digest, second: Digest, tolerances: Tolerances) -> Iterator[Finding]:
    """Yield a finding for each output that two samples with the same sizes do not change."""
    for name, values in first.items():
        other = second.get(name)
        if other is None or values.size == 0 or other.shape != values.shape:
            continue
        made = _compare(name, values, other, tolerances)
        if made.max_abs <= _TIMES * made.bound and made.mismatched == 0:
            message = (
                f"other inputs change it by at most {made.max_abs:.1e}, less than {_TIMES} times the tolerance "
                f"({made.bound:.1e}): agreement proves nothing."
            )
            yield Finding("vacuous", "warning", name, message)


def find_differing_outputs(
    first: Mapping[str, Array], second: Mapping[str, Array], tolerances: Tolerances
) -> list[str]:
    """Return the names of the outputs that differ between two runs on the same inputs."""
    return [
        name
        for name, values in first.items()
        if name not in second or not _compare(name, values, second[name], tolerances).ok
    ]


def _compare(name: str, first: Array, second: Array, tolerances: Tolerances) -> Comparison:
    return compare_arrays(name, first, second, tolerances.of(name, first.dtype, first.dtype))
