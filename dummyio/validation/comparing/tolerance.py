"""How far an output may be off, and why.

Rounding is all that may tell a sound export from its reference: other kernels, another order of sums. How much that is
follows from the dtype, and from how far the reference itself is from the same model computed in double precision, for
that is what rounding does in a model of this depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dummyio.errors import OptionError, suggest_names
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio.validation.comparing.metrics import scale_of
from dummyio.validation.data.records import Tolerance

__all__ = ["PRESETS", "Tolerances", "measure_rounding_error"]


_STEPS = (32, 256)
"""Rounding steps of the coarser dtype that are always allowed, of the output's scale; and where the reference could not be
run in double precision."""
_COARSE_STEPS = (4, 8)
"""The same for coarse dtypes: as many steps of bfloat16 as of float32 would be more than the scale itself."""
_OWN = 10
"""As many times the reference's own error is allowed."""
_COARSE = 1e-4
"""From this step on a dtype is coarse: a third of the reference's own errors is allowed, too."""

_FLIPS = 2
"""As many times the integers that the reference's own rounding decides may differ: places of the largest of equal scores."""
_UNDECIDED = 0.02
"""Where rounding decides more of them than this, an output says nothing about rounding, and they must be equal."""

PRESETS = {
    "float16": Tolerance(of_scale=2e-2, relative=2e-2, cosine=0.999, reason="weights or arithmetic in float16"),
    "bfloat16": Tolerance(of_scale=8e-2, relative=8e-2, cosine=0.99, reason="weights or arithmetic in bfloat16"),
    "dynamic": Tolerance(of_scale=1e-1, relative=1e-1, cosine=0.99, reason="weights in 8 bits"),
    "int8": Tolerance(of_scale=3e-1, relative=1e-1, cosine=0.95, reason="weights and activations in 8 bits"),
}
"""Tolerances for artifacts that were made coarser on purpose; measured on the exports of the tests, times about three."""


def measure_rounding_error(reference: Array, precise: Array) -> float:
    """Return how far the reference is from its double precision run, as a share of its scale; of integers, how many differ."""
    if reference.shape != precise.shape or reference.size == 0:
        return 0.0
    if reference.dtype.kind not in "fc":
        return float(np.mean(reference != precise))
    scale = scale_of(reference)
    finite = np.isfinite(reference) & np.isfinite(precise)
    difference = np.abs(reference[finite].astype(precise.dtype) - precise[finite])
    return float(difference.max()) / scale if difference.size and scale > 0 else 0.0


class Tolerances:
    """The tolerance of each output: given by the caller, or from dtype and the reference's own error."""

    def __init__(
        self,
        atol: float | Mapping[str, float] | None,
        rtol: float | Mapping[str, float] | None,
        preset: str | None,
    ) -> None:
        """Check what the caller gave."""
        if preset is not None and preset not in PRESETS:
            raise OptionError(f"tolerance={preset!r} is no preset. {suggest_names(str(preset), PRESETS)}")
        for name, value in (("atol", atol), ("rtol", rtol)):
            for number in value.values() if isinstance(value, Mapping) else [value]:
                if number is not None and not 0 <= number < float("inf"):
                    raise OptionError(f"{name}={number!r}: a tolerance is a finite number that is not negative.")
        self._atol, self._rtol, self._preset = atol, rtol, preset
        self._own: dict[str, float] = {}
        self.precise = False
        """Whether the reference was run in double precision."""

    def check_names(self, outputs: Mapping[str, Any]) -> None:
        """Raise `OptionError` for a tolerance of an output that is not there."""
        for label, given in (("atol", self._atol), ("rtol", self._rtol)):
            for name in given if isinstance(given, Mapping) else ():
                if name not in outputs:
                    raise OptionError(f"{label}: no output is named {name!r}. {suggest_names(name, outputs)}")

    def learn(self, name: str, error: float) -> None:
        """Take in the reference's own error in one case; the largest counts."""
        self.precise = True
        self._own[name] = max(self._own.get(name, 0.0), error)

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
            return PRESETS[self._preset]
        return self._derived(name, reference, actual)

    def _derived(self, name: str, reference: np.dtype[Any], actual: np.dtype[Any]) -> Tolerance:
        step = max(_step(reference), _step(actual))
        if step == 0:
            return self._decided(name)
        coarse = step >= _COARSE
        steps = (_COARSE_STEPS if coarse else _STEPS)[0 if self.precise else 1]
        times = _OWN // 3 if coarse else _OWN
        own = self._own.get(name, 0.0)
        reason = f"{steps} rounding steps of {max((reference, actual), key=_step)}"
        if times * own > steps * step:
            reason = f"{times} times the reference's own error, {own:.1e} of its scale against double precision"
        return Tolerance(max(steps * step, times * own), steps * step, reason=reason)

    def _decided(self, name: str) -> Tolerance:
        """Return the tolerance of integers: none, but for those that the reference itself decides otherwise without rounding."""
        own = self._own.get(name, 0.0)
        if not 0 < own <= _UNDECIDED:
            return Tolerance(0.0, 0.0, reason="equal")
        reason = f"equal but for {_FLIPS} times the {own:.2%} that the reference decides otherwise in double precision"
        return Tolerance(0.0, 0.0, share=_FLIPS * own, reason=reason)


def _step(dtype: np.dtype[Any]) -> float:
    """Return the distance from 1 to the next number of a dtype; 0 for exact ones."""
    if dtype.kind == "c":
        return float(np.finfo(dtype).eps)
    kind = DType.of(dtype)
    if kind.kind != "float":
        return 0.0
    import ml_dtypes  # noqa: PLC0415 - NumPy's finfo knows NumPy's own dtypes only

    return float(ml_dtypes.finfo(dtype).eps)
