"""The differences between two arrays, in one pass over blocks, without a temporary array of their size."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio.validation.data.records import Comparison, Place, Tolerance

_BLOCK = 1 << 16
_SAMPLE = 1 << 14
_OUTLIER = 100.0
_MOST_EXCESS = 3.0
"""The few elements that may be beyond a tolerance may be so by up to this factor."""
_SCALE_OF_ZEROS = 1 / 32
"""The scale of an array of zeros: it allows the rounding error of a sum of small numbers."""
_MOST, _LEAST = 1e150, 1e-150
"""Differences are limited to this range, so that no quotient of two overflows: JSON has no infinity."""
EDGES = tuple(10.0**power for power in range(-12, 3))
"""The upper edges of the histogram's bins: the first bin, of equal elements, and the last one have none."""


def measure_scale(values: Array) -> float:
    """Return the scale of an array: the largest finite magnitude, outliers excluded.

    A few huge elements, such as masked scores, must not widen the tolerance of all others: magnitudes above 100 times the
    median do not count.
    """
    if values.size == 0:
        return 0.0
    step = max(1, values.size // _SAMPLE)
    sample = np.abs(_widen(values.reshape(-1)[::step]))
    sample = sample[np.isfinite(sample) & (sample > 0)]
    if sample.size == 0:
        return 0.0
    return min(float(sample.max()), _OUTLIER * float(np.median(sample)))


def compare_arrays(name: str, reference: Array, actual: Array, tolerance: Tolerance) -> Comparison:
    """Compare two arrays: shapes, then elements. Integers, booleans and text must be equal."""
    head: dict[str, Any] = {"output": name, "shape": tuple(actual.shape), "dtype": str(actual.dtype)}
    if reference.shape != actual.shape:
        reason = f"the shape is {list(actual.shape)}, that of the reference {list(reference.shape)}"
        return Comparison(**head, ok=False, mismatched=1.0, reason=reason)
    if reference.size == 0:
        return Comparison(**head, ok=True)
    if not _is_inexact(reference) or not _is_inexact(actual):
        return _compare_exactly(head, reference, actual, tolerance)
    totals = _Totals(reference, tolerance)
    for start, ours, theirs in _iterate_blocks(reference, actual):
        totals.add_block(start, ours, theirs)
    return totals.to_comparison(head, reference, actual)


class _Totals:
    """Sums and extremes over the blocks of two arrays."""

    def __init__(self, reference: Array, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self.count = reference.size
        self.scale = max(measure_scale(reference), tolerance.scale)
        self.floor = tolerance.absolute + tolerance.of_scale * (self.scale or _SCALE_OF_ZEROS)
        self.mismatched = self.nonfinite = 0
        self.max_abs = self.max_rel = self.total = self.dot = self.own = self.other = 0.0
        self.worst, self.excess = 0, -1.0
        self.histogram = np.zeros(len(EDGES) + 2, np.int64)

    def add_block(self, start: int, ours: Array, theirs: Array) -> None:
        """Add one block of the flattened arrays."""
        finite = np.isfinite(ours) & np.isfinite(theirs)
        if not finite.all():
            self._add_nonfinite(start, ours, theirs, finite)
            if not finite.any():
                return
            ours, theirs = np.where(finite, ours, 0), np.where(finite, theirs, 0)
        with np.errstate(over="ignore"):  # the difference of the largest numbers of both signs
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

    def _add_nonfinite(self, start: int, ours: Array, theirs: Array, finite: Array) -> None:
        """Count NaN and Inf that are not the same on both sides."""
        alike = (np.isnan(ours) & np.isnan(theirs)) | (ours == theirs)
        apart = ~finite & ~alike
        count = int(np.count_nonzero(apart))
        if count:
            if self.nonfinite == 0:
                self.worst, self.excess = start + int(apart.argmax()), math.inf
            self.nonfinite += count
            self.mismatched += count

    def to_comparison(self, head: dict[str, Any], reference: Array, actual: Array) -> Comparison:
        """Return the record."""
        norm = math.sqrt(self.own * self.other)
        cosine = min(1.0, self.dot / norm) if 0 < norm < math.inf else float(self.own == self.other)
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
            top1=_top1_agreement(head["output"], reference, actual),
            nonfinite=self.nonfinite,
            worst=_place(self.worst, reference, actual),
            histogram=tuple(int(count) for count in self.histogram),
            reason=reason,
        )

    def _reason(self, cosine: float) -> str:
        if self.nonfinite:
            return f"NaN or Inf on one side only: {self.nonfinite} of {self.count} elements"
        few = self.mismatched <= self.tolerance.share * self.count and self.excess <= _MOST_EXCESS
        if self.mismatched and not few:
            return f"beyond the tolerance: {self.mismatched} of {self.count} elements"
        if cosine < self.tolerance.cosine:
            return f"the cosine is {cosine:.4f}, below {self.tolerance.cosine:.4f}"
        return ""


def _compare_exactly(head: dict[str, Any], reference: Array, actual: Array, tolerance: Tolerance) -> Comparison:
    apart = reference != actual
    count = int(np.count_nonzero(apart))
    if not count:
        return Comparison(**head, ok=True)
    allowed = count <= tolerance.share * reference.size
    return Comparison(
        **head,
        ok=allowed,
        mismatched=count / reference.size,
        worst=_place(int(apart.argmax()), reference, actual),
        reason="" if allowed else f"not equal, but must be: {count} of {reference.size} elements",
    )


def _place(flat_index: int, reference: Array, actual: Array) -> Place:
    index = tuple(int(i) for i in np.unravel_index(flat_index, reference.shape))
    return Place(index, _to_json_value(reference[index]), _to_json_value(actual[index]))


def _iterate_blocks(reference: Array, actual: Array) -> Iterator[tuple[int, Array, Array]]:
    ours, theirs = reference.reshape(-1), actual.reshape(-1)
    for start in range(0, ours.size, _BLOCK):
        yield start, _widen(ours[start : start + _BLOCK]), _widen(theirs[start : start + _BLOCK])


def _widen(values: Array) -> Array:
    """Return values as float64 or complex128: the arithmetic of ml_dtypes is slow, and float16 overflows."""
    return values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)


def _is_inexact(values: Array) -> bool:
    return values.dtype.kind in "fc" or DType.of(values.dtype).kind == "float"


def _top1_agreement(name: str, reference: Array, actual: Array) -> float | None:
    """Return the share of rows whose largest element is at the same position; None for other outputs than scores."""
    if "logits" not in name or reference.ndim < 2 or reference.shape[-1] < 2 or reference.dtype.kind == "c":
        return None
    ours, theirs = (np.argmax(values, axis=-1) for values in (reference, actual))
    return float(np.mean(ours == theirs))


def _to_json_value(value: Any) -> float | str:
    if isinstance(value, (complex, np.complexfloating)):  # float() would return the real part
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else str(number)  # JSON has no NaN: it would become null
