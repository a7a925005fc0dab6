"""The tolerance of each output, and its reason.

A correct export differs from its reference by rounding only: other kernels, another order of sums. The amount follows from
the dtype, and from the difference between the reference and its run in double precision, which is the effect of rounding in
a model of this depth.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import ml_dtypes
import msgspec
import numpy as np

from dummyio.errors import OptionError, suggest_names
from dummyio.option_types import convert_option
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio.validation.comparing.metrics import measure_scale
from dummyio.validation.data.records import Tolerance

_STEPS = (32, 256)
"""Allowed rounding steps of the coarser dtype, relative to the output's scale; and if the reference could not run in double
precision."""
_COARSE_STEPS = (4, 8)
"""The same for coarse dtypes: 32 steps of bfloat16 would be 25 % of the scale."""
_TIMES_ERROR = 10
"""The allowed multiple of the reference's rounding error."""
_COARSE = 1e-4
"""The smallest rounding step of a coarse dtype; for coarse dtypes a third of `_TIMES_ERROR` is allowed."""

_TIMES_CHANGED = 2
"""The allowed multiple of the share of integers that rounding changes in the reference: positions of the largest of nearly
equal scores."""
_MOST_CHANGED = 0.02
"""If rounding changes a larger share of the integers than this, the cause is another one, and they must be equal."""

_TIMES_ROUNDED = 3
"""The allowed multiple of what rounding to the precision of a preset changes in the reference."""

PRESETS = {
    "float16": Tolerance(of_scale=2e-2, relative=2e-2, cosine=0.999, reason="weights or arithmetic in float16"),
    "bfloat16": Tolerance(of_scale=8e-2, relative=8e-2, cosine=0.99, reason="weights or arithmetic in bfloat16"),
    "dynamic": Tolerance(of_scale=1e-1, relative=1e-1, cosine=0.99, share=5e-3, reason="weights in 8 bits"),
    "int8": Tolerance(
        of_scale=3e-1, relative=1e-1, cosine=0.95, share=5e-3, reason="weights and activations in 8 bits"
    ),
    "int16x8": Tolerance(
        # More bits do not make the measured ranges wider: what lies outside saturates as in 8 bits.
        of_scale=2e-1,
        relative=1e-1,
        cosine=0.95,
        share=5e-3,
        reason="weights in 8 bits, activations in 16 bits",
    ),
}
"""Tolerances for artifacts that are coarser on purpose: about three times the errors measured on the exports of the tests."""

CALIBRATED = ("int8", "int16x8")
"""The presets of artifacts with ranges that samples gave: larger numbers saturate."""


def measure_rounding_error(reference: Array, precise: Array) -> float:
    """Return the reference's rounding error against its float64 run, as a fraction of the output's scale.

    For integer outputs, the fraction of elements that differ.
    """
    if reference.shape != precise.shape or reference.size == 0:
        return 0.0
    if reference.dtype.kind not in "fc":
        return float(np.mean(reference != precise))
    scale = measure_scale(reference)
    finite = np.isfinite(reference) & np.isfinite(precise)
    difference = np.abs(reference[finite].astype(precise.dtype) - precise[finite])
    return float(difference.max()) / scale if difference.size and scale > 0 else 0.0


class Tolerances:
    """The tolerance of each output: given by the caller, or derived from dtype and rounding error."""

    def __init__(
        self, atol: float | Mapping[str, float] | None, rtol: float | Mapping[str, float] | None, preset: str | None
    ) -> None:
        """Check the tolerances that the caller gave."""
        preset = convert_option("tolerance", preset, str | None)
        atol, rtol = (
            convert_option(name, value, float | Mapping[str, float] | None)
            for name, value in (("atol", atol), ("rtol", rtol))
        )
        if preset is not None and preset not in PRESETS:
            raise OptionError(f"tolerance={preset!r} is not a preset. {suggest_names(str(preset), PRESETS)}")
        for name, value in (("atol", atol), ("rtol", rtol)):
            for number in value.values() if isinstance(value, Mapping) else [value]:
                if number is not None and not 0 <= number < float("inf"):
                    raise OptionError(f"{name}={number!r}: a tolerance must be a finite number, at least 0.")
        alone = next((name for name, value in (("atol", atol), ("rtol", rtol)) if isinstance(value, float | int)), None)
        if preset is not None and alone is not None:
            raise OptionError(
                f"{alone}= is of all outputs, and so is tolerance={preset!r}: give one of the two, or {alone}={{output: number}} "
                "for single outputs."
            )
        self._atol, self._rtol, self._preset = atol, rtol, preset
        self._errors: dict[str, float] = {}
        self._scales: dict[str, float] = {}
        self._measured = False
        self._inner_step = 0.0

    @property
    def preset(self) -> str | None:
        """The name of the preset; None without one."""
        return self._preset

    @property
    def is_derived(self) -> bool:
        """Whether all of them follow from dtypes and rounding errors: none was given."""
        return self._atol is None and self._rtol is None and self._preset is None

    def copy(self) -> "Tolerances":
        """Return a copy, which measurements of one case can be added to."""
        made = Tolerances(self._atol, self._rtol, self._preset)
        made._errors, made._scales, made._measured = dict(self._errors), dict(self._scales), self._measured
        made._inner_step = self._inner_step
        return made

    def add_inner_dtype(self, dtype: DType) -> None:
        """Add the narrowest dtype that the reference computes in, whatever that of its outputs."""
        self._inner_step = _rounding_step(dtype.numpy)

    def check_names(self, outputs: Mapping[str, Any]) -> None:
        """Raise `OptionError` for a tolerance of an output that does not exist."""
        for label, given in (("atol", self._atol), ("rtol", self._rtol)):
            for name in given if isinstance(given, Mapping) else ():
                if name not in outputs:
                    raise OptionError(f"{label}: no output is named {name!r}. {suggest_names(name, outputs)}")

    def add_rounding_error(self, name: str, error: float, *, is_whole: bool = True) -> None:
        """Add the rounding error of the reference in one case, or a part of it; the largest one counts."""
        self._measured |= is_whole
        self._errors[name] = max(self._errors.get(name, 0.0), error)

    def add_scale(self, name: str, values: Array) -> None:
        """Add an output of the reference in one case; for presets the largest scale counts: coarse steps do not shrink with a result."""
        if self._preset is not None and values.dtype.kind == "f":
            self._scales[name] = max(self._scales.get(name, 0.0), measure_scale(values))

    def of(self, name: str, reference: np.dtype[Any], actual: np.dtype[Any]) -> Tolerance:
        """Return the tolerance of one output."""
        given = {
            label: value.get(name) if isinstance(value, Mapping) else value
            for label, value in (("absolute", self._atol), ("relative", self._rtol))
        }
        if any(value is not None for value in given.values()):
            return Tolerance(
                of_scale=0.0,
                relative=given["relative"] or 0.0,
                absolute=given["absolute"] or 0.0,
                reason="given by the caller",
                given=True,
            )
        if self._preset is not None:
            preset, error = PRESETS[self._preset], self._errors.get(name, 0.0)
            if error > preset.of_scale / _TIMES_ROUNDED and reference.kind == "f":
                wide = min(_TIMES_ROUNDED * error, 1.0)
                reason = f"{preset.reason}: {_TIMES_ROUNDED} times what such rounding changes in the reference, {error:.1e} of its scale"
                preset = msgspec.structs.replace(preset, of_scale=wide, cosine=-1.0, reason=reason)
            return msgspec.structs.replace(preset, scale=self._scales.get(name, 0.0))
        return self._derived(name, reference, actual)

    def _derived(self, name: str, reference: np.dtype[Any], actual: np.dtype[Any]) -> Tolerance:
        step = max(_rounding_step(reference), _rounding_step(actual))
        if step == 0:
            return self._derived_for_integers(name)
        inner = self._inner_step > step
        step = max(step, self._inner_step)
        coarse = step >= _COARSE
        steps = (_COARSE_STEPS if coarse else _STEPS)[0 if self._measured else 1]
        times = _TIMES_ERROR // 3 if coarse else _TIMES_ERROR
        error = self._errors.get(name, 0.0)
        kind = "what the reference computes in" if inner else max((reference, actual), key=_rounding_step)
        reason = f"{steps} rounding steps of {kind}"
        if times * error > steps * step:
            reason = f"{times} times the rounding error of the reference, {error:.1e} of its scale"
        return Tolerance(max(steps * step, times * error), steps * step, reason=reason)

    def _derived_for_integers(self, name: str) -> Tolerance:
        """Return equality, except for a share of elements that rounding changes in the reference."""
        changed = self._errors.get(name, 0.0)
        if not 0 < changed <= _MOST_CHANGED:
            return Tolerance(0.0, 0.0, reason="equal")
        reason = f"equal except for {_TIMES_CHANGED} times the {changed:.2%} that rounding changes in the reference"
        return Tolerance(0.0, 0.0, share=_TIMES_CHANGED * changed, reason=reason)


@cache
def _rounding_step(dtype: np.dtype[Any]) -> float:
    """Return the distance from 1 to the next number of a dtype; 0 for exact dtypes."""
    if dtype.kind == "c":
        return float(np.finfo(dtype).eps)
    return float(ml_dtypes.finfo(dtype).eps) if DType.of(dtype).kind == "float" else 0.0  # NumPy's finfo lacks bfloat16
