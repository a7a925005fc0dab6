"""How far two arrays are apart, in one pass over blocks: nothing as large as the arrays is made beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from dummyio.typing import Array
from dummyio.validation.data.records import Comparison, Place, Tolerance

__all__ = ["EDGES", "compare", "scale_of"]


_BLOCK = 1 << 16
_SAMPLE = 1 << 14
_OUTLIER = 100.0
_SCALE_OF_ZEROS = 1 / 32
"""Where all elements are 0, nothing says how large they could be: as much rounding as a sum of such numbers has is let pass."""
_MOST, _LEAST = 1e150, 1e-150
"""Differences are not counted beyond these, so that no quotient of two overflows: JSON has no infinity."""
EDGES = tuple(10.0**power for power in range(-12, 3))
"""Upper edges of the histogram's bins after the first, which counts exact elements; the last bin has no edge."""


def scale_of(values: Array) -> float:
    """Return how large the elements of an array are: the largest magnitude that is finite, outliers left out.

    A few huge elements, such as the scores of what a model masks, must not widen the tolerance for all others: what is
    over 100 times the median magnitude does not count.
    """
    if values.size == 0:
        return 0.0
    step = max(1, values.size // _SAMPLE)
    sample = np.abs(_wide(values.reshape(-1)[::step]))
    sample = sample[np.isfinite(sample) & (sample > 0)]
    if sample.size == 0:
        return 0.0
    return min(float(sample.max()), _OUTLIER * float(np.median(sample)))


def compare(name: str, reference: Array, actual: Array, tolerance: Tolerance) -> Comparison:
    """Compare two arrays: their shapes, then their elements; integers, booleans and text must be equal."""
    head: dict[str, Any] = {"output": name, "shape": tuple(actual.shape), "dtype": str(actual.dtype)}
    if reference.shape != actual.shape:
        reason = f"its shape is {list(actual.shape)}, the reference's {list(reference.shape)}"
        return Comparison(**head, ok=False, mismatched=1.0, reason=reason)
    if reference.size == 0:
        return Comparison(**head, ok=True)
    if not _is_inexact(reference) or not _is_inexact(actual):
        return _compare_exactly(head, reference, actual, tolerance)
    sums = _Sums(reference, tolerance)
    for start, ours, theirs in _blocks(reference, actual):
        sums.add(start, ours, theirs)
    return sums.comparison(head, reference, actual)


class _Sums:
    """What is gathered over the blocks of one pair."""

    def __init__(self, reference: Array, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self.count = reference.size
        self.scale = scale_of(reference)
        self.floor = tolerance.absolute + tolerance.of_scale * (self.scale or _SCALE_OF_ZEROS)
        self.mismatched = self.nonfinite = 0
        self.max_abs = self.max_rel = self.total = self.dot = self.own = self.other = 0.0
        self.worst, self.excess = 0, -1.0
        self.histogram = np.zeros(len(EDGES) + 2, np.int64)

    def add(self, start: int, ours: Array, theirs: Array) -> None:
        """Take in one block of the flattened arrays."""
        finite = np.isfinite(ours) & np.isfinite(theirs)
        if not finite.all():
            finite = self._add_nonfinite(start, ours, theirs, finite)
            if not finite.any():
                return
        if not finite.all():
            ours, theirs = np.where(finite, ours, 0), np.where(finite, theirs, 0)
        with np.errstate(over="ignore"):  # of the largest numbers of both signs
            apart = np.abs(theirs - ours)
        magnitude = np.abs(ours)
        limit = self.floor + self.tolerance.relative * magnitude
        self.mismatched += int(np.count_nonzero(apart > limit))
        difference = np.minimum(apart, _MOST)
        share = difference / np.maximum(limit, _LEAST)
        place = int(share.argmax())
        if share[place] > self.excess:
            self.worst, self.excess = start + place, float(share[place])
        self.max_abs = max(self.max_abs, float(difference.max()))
        relative = difference / np.maximum(magnitude, 1e-6 * self.scale + _LEAST)
        self.max_rel = max(self.max_rel, float(relative.max()))
        self.total += float(difference.sum())
        self.dot += float(np.vdot(ours, theirs).real)
        self.own += float(np.vdot(ours, ours).real)
        self.other += float(np.vdot(theirs, theirs).real)
        bins = np.searchsorted(EDGES, difference, side="left") + 1
        bins[difference == 0] = 0
        self.histogram += np.bincount(bins[finite], minlength=len(self.histogram))

    def _add_nonfinite(self, start: int, ours: Array, theirs: Array, finite: Array) -> Array:
        """Count NaN and Inf that are not the same in both; return where both are finite."""
        alike = (np.isnan(ours) & np.isnan(theirs)) | (ours == theirs)
        apart = ~finite & ~alike
        count = int(np.count_nonzero(apart))
        if count:
            if self.nonfinite == 0:
                self.worst, self.excess = start + int(apart.argmax()), math.inf
            self.nonfinite += count
            self.mismatched += count
        return finite

    def comparison(self, head: dict[str, Any], reference: Array, actual: Array) -> Comparison:
        """Return the record."""
        norm = math.sqrt(self.own * self.other)
        cosine = min(1.0, self.dot / norm) if 0 < norm < math.inf else float(self.own == self.other)
        index = tuple(int(i) for i in np.unravel_index(self.worst, reference.shape))
        reason = self._reason(cosine)
        return Comparison(
            **head,
            ok=not reason,
            max_abs=self.max_abs,
            max_rel=self.max_rel,
            mean_abs=self.total / reference.size,
            cosine=cosine,
            mismatched=self.mismatched / reference.size,
            scale=self.scale,
            bound=self.floor + self.tolerance.relative * self.scale,
            top1=_agreement(head["output"], reference, actual),
            nonfinite=self.nonfinite,
            worst=Place(index, _plain(reference[index]), _plain(actual[index])),
            histogram=tuple(int(count) for count in self.histogram),
            reason=reason,
        )

    def _reason(self, cosine: float) -> str:
        if self.nonfinite:
            return f"NaN or Inf in one and not in the other: {self.nonfinite} of {self.count} elements"
        if self.mismatched:
            return f"further off than the tolerance: {self.mismatched} of {self.count} elements"
        if cosine < self.tolerance.cosine:
            return f"the cosine is {cosine:.4f}, below {self.tolerance.cosine:.4f}"
        return ""


def _compare_exactly(head: dict[str, Any], reference: Array, actual: Array, tolerance: Tolerance) -> Comparison:
    apart = reference != actual
    count = int(np.count_nonzero(apart))
    if not count:
        return Comparison(**head, ok=True)
    index = tuple(int(i) for i in np.unravel_index(int(apart.argmax()), reference.shape))
    allowed = count <= tolerance.share * reference.size
    return Comparison(
        **head,
        ok=allowed,
        mismatched=count / reference.size,
        worst=Place(index, _plain(reference[index]), _plain(actual[index])),
        reason="" if allowed else f"not equal, as they must be: {count} of {reference.size} elements",
    )


def _blocks(reference: Array, actual: Array) -> Iterator[tuple[int, Array, Array]]:
    ours, theirs = reference.reshape(-1), actual.reshape(-1)
    for start in range(0, ours.size, _BLOCK):
        yield start, _wide(ours[start : start + _BLOCK]), _wide(theirs[start : start + _BLOCK])


def _wide(values: Array) -> Array:
    """Return values as float64 or complex128: ml_dtypes' own arithmetic is slow, and float16's overflows."""
    return values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)


def _is_inexact(values: Array) -> bool:
    from dummyio.spec.dtypes import DType  # noqa: PLC0415 - the core's own table knows ml_dtypes' kinds

    return values.dtype.kind in "fc" or DType.of(values.dtype).kind == "float"


def _agreement(name: str, reference: Array, actual: Array) -> float | None:
    """Return the share of rows that agree on the largest element, for scores over classes."""
    if "logits" not in name or reference.ndim < 2 or reference.shape[-1] < 2 or reference.dtype.kind == "c":
        return None
    ours, theirs = (np.argmax(values, axis=-1) for values in (reference, actual))
    return float(np.mean(ours == theirs))


def _plain(value: Any) -> float | str:
    if isinstance(value, (complex, np.complexfloating)):  # its float would be its real part alone
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else str(number)  # JSON has no NaN: it would be written as null
