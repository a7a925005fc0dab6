"""Value rules whose elements are independent of each other and of their place in the tensor."""

import math
from typing import ClassVar

from dummyio.spec.dtypes import DType, Kind
from dummyio.spec.values.base_rule import Number, Scalar, ValueRule

_ALL_KINDS: tuple[Kind, ...] = ("float", "int", "uint", "bool", "complex", "string")


class Uniform(ValueRule, frozen=True, tag="uniform"):
    """Each element uniform in ``[low, high)``; of complex numbers, each of the two parts.

    `high` is never reached, not even by rounding to the dtype.
    """

    low: Number = 0
    high: Number = 1

    _kinds: ClassVar = ("float", "int", "uint", "bool", "complex")

    def _check_fields(self, dtype: DType) -> None:
        self._check_range(dtype, self.low, self.high)


class Normal(ValueRule, frozen=True, tag="normal"):
    """Each element normal with this mean and standard deviation, cut off near 4.2 deviations.

    Computed by a table and linear interpolation, so that the values do not depend on the last bit of a math library.
    """

    mean: Number = 0
    std: Number = 1

    _kinds: ClassVar = ("float", "complex")

    def _check_fields(self, dtype: DType) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise self._error("mean must be finite, std finite and positive.")
        largest = dtype.limits.max
        if abs(self.mean) > largest or self.std > largest:
            raise self._error(f"{dtype} holds values up to {largest}; choose a wider dtype, or a smaller mean and std.")


class Constant(ValueRule, frozen=True, tag="constant"):
    """Every element is `value`."""

    value: Scalar = 0

    _kinds: ClassVar = _ALL_KINDS

    def _check_fields(self, dtype: DType) -> None:
        self._check_values(dtype, self.value)


class Choices(ValueRule, frozen=True, tag="choices"):
    """Each element one of `options`, each with the same probability."""

    options: tuple[Scalar, ...]

    _kinds: ClassVar = _ALL_KINDS

    def _check_fields(self, dtype: DType) -> None:
        if not self.options:
            raise self._error("options must hold at least one value.")
        self._check_values(dtype, *self.options)


class Strings(ValueRule, frozen=True, tag="strings"):
    """Sentences of `low` to `high` - 1 of the `words`, joined by spaces."""

    words: tuple[str, ...] = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
    low: int = 1
    high: int = 8

    _kinds: ClassVar = ("string",)

    def _check_fields(self, dtype: DType) -> None:
        del dtype
        if not self.words:
            raise self._error("words must hold at least one.")
        for word in self.words:
            self._check_text(word)
        if not 0 <= self.low < self.high <= 2**16:
            raise self._error("lengths must satisfy 0 <= low < high <= 65536.")
