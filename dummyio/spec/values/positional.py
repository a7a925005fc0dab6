"""Value rules whose elements depend on their place on the last axes: ranges, grids, one-hot rows, fixed rows, boxes."""

import math
from typing import ClassVar, Literal

from dummyio.spec.dtypes import DType
from dummyio.spec.values.base_rule import Number, ValueRule


class Range(ValueRule, frozen=True, tag="range"):
    """``start + step * i`` along the last axis, the same in every row."""

    start: Number = 0
    step: Number = 1

    _axes: ClassVar = 1

    def _check_fields(self, dtype: DType) -> None:
        if not math.isfinite(self.step):
            raise self._error("step must be finite.")
        self._check_values(dtype, self.start)
        if dtype.kind in ("int", "uint") and self.step != int(self.step):
            raise self._error(f"step of {dtype} must be a whole number.")

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if the last value is out of the dtype's range."""
        self._check_count(dtype, self.start, self.start + self.step * (shape[-1] - 1), shape)


class Grid(ValueRule, frozen=True, tag="grid"):
    """The coordinates of the cells of a grid, row by row: element ``[..., n, :]`` is ``(0, ..., n // columns, n % columns)``.

    `columns` may be an expression of dims (``"width // 2"``).
    """

    columns: int | str

    _axes: ClassVar = 2

    def _check_fields(self, dtype: DType) -> None:
        self._check_values(dtype, 0)
        if isinstance(self.columns, int):
            self._check_columns(self.columns)

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if `columns` is below 1 here, or a coordinate is out of the dtype's range."""
        columns, cells = int(self.columns), shape[-2]
        self._check_columns(columns)
        self._check_count(dtype, 0, max(min(cells, columns) - 1, (cells - 1) // columns), shape)

    def _check_columns(self, columns: int) -> None:
        if columns < 1:
            raise self._error(f"columns must be at least 1, not {columns}.")


class OneHot(ValueRule, frozen=True, tag="one_hot"):
    """One 1 in each row of the last axis, 0 elsewhere."""

    _kinds: ClassVar = ("float", "int", "uint", "bool")
    _axes: ClassVar = 1

    def _check_fields(self, dtype: DType) -> None:
        self._check_values(dtype, 0, 1)

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if rows are longer than a place can be drawn in."""
        del dtype
        self._check_draw(shape[-1])


class Rows(ValueRule, frozen=True, tag="rows"):
    """Every row of the last axis is `values`."""

    values: tuple[Number, ...]

    _kinds: ClassVar = ("float", "int", "uint", "bool")
    _axes: ClassVar = 1

    def _check_fields(self, dtype: DType) -> None:
        self._check_values(dtype, *self.values)

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if the tensor's rows have another length."""
        del dtype
        if shape[-1] != len(self.values):
            raise self._error(f"rows of {len(self.values)} values do not fill an axis of {shape[-1]}.")


class Boxes(ValueRule, frozen=True, tag="boxes"):
    """Boxes on a last axis of 4, corners in ``[low, high)``: x0 <= x1, y0 <= y1.

    `layout` ``"xyxy"`` gives corners, ``"xywh"`` a corner and the size, ``"cxcywh"`` the centre and the size.
    """

    low: Number = 0
    high: Number = 1
    layout: Literal["xyxy", "xywh", "cxcywh"] = "xyxy"

    _axes: ClassVar = 1

    def _check_fields(self, dtype: DType) -> None:
        self._check_range(dtype, self.low, self.high)
        whole = dtype.kind != "float"
        if self.layout == "cxcywh" and whole:
            raise self._error("a centre may lie between integers; use a float dtype or another layout.")
        if whole:
            self._check_draw(int(self.high - self.low))
            self._check_integers(DType.INT64, self.low, self.high)
        if self.layout != "xyxy":  # sizes, from 0 to the whole range
            self._check_values(dtype, 0, self.high - self.low - whole)
