"""What a validation found, as data: every number that a report shows, in a form that is written to JSON and read back."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Case", "Comparison", "Finding", "Outcome", "Place", "Severity", "Tolerance"]

Severity = Literal["error", "warning"]


class Case(msgspec.Struct, frozen=True, omit_defaults=True):
    """One set of inputs: `seed`, `sample`, the sizes, and what is done to the spec's rules make it again, bit for bit."""

    name: str
    sizes: dict[str, int]
    seed: int = 0
    sample: int = 0
    side: Literal["left", "right"] | None = None
    """The padding side of all masks; None as the spec has it."""
    policy: Literal["ragged", "full", "shortest"] | None = None
    """How the masks' lengths are drawn; None as the spec has it."""
    values: Literal["drawn", "ends", "hidden_row"] = "drawn"
    """Values as drawn; with the ends of their ranges put in; with the last row of every mask all padding."""


class Tolerance(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far an element may be off: ``absolute + of_scale * scale + relative * |reference|``.

    `scale` is the size of the output's elements in the case at hand, from `dummyio.validation.metrics.scale_of`.
    """

    of_scale: float
    relative: float
    absolute: float = 0.0
    cosine: float = -1.0
    """The least cosine between the two outputs; -1 where none is asked for."""
    share: float = 0.0
    """Of integers, which must be equal: the share that may not be, for rounding decides them."""
    reason: str = ""
    given: bool = False
    """Whether the caller gave it; then it is never widened."""


class Place(msgspec.Struct, frozen=True):
    """The element that is furthest off."""

    index: tuple[int, ...]
    reference: float | str
    actual: float | str


class Comparison(msgspec.Struct, frozen=True, omit_defaults=True):
    """One output of one case: how far the actual one is from the reference."""

    output: str
    shape: tuple[int, ...]
    dtype: str
    ok: bool
    max_abs: float = 0.0
    max_rel: float = 0.0
    mean_abs: float = 0.0
    cosine: float = 1.0
    mismatched: float = 0.0
    """The share of elements beyond the tolerance, NaN and Inf in other places included; 0 to 1."""
    scale: float = 0.0
    bound: float = 0.0
    """The tolerance at an element as large as the scale."""
    top1: float | None = None
    """The share of rows whose largest element stands at the same place; for scores over classes."""
    nonfinite: int = 0
    """Elements that are NaN or Inf in one and not the same in the other."""
    worst: Place | None = None
    histogram: tuple[int, ...] = ()
    """Elements by the decade of their absolute error: exact, below 1e-12, ... (`dummyio.validation.metrics.EDGES`)."""
    reason: str = ""
    """Why it is not ok."""


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one case showed."""

    case: Case
    status: Literal["passed", "failed", "skipped"]
    comparisons: tuple[Comparison, ...] = ()
    reason: str = ""
    """Why it failed to run, or was skipped."""
    reference_seconds: float = 0.0
    actual_seconds: float = 0.0


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong (``error``), or that keeps the validation from showing that it is right (``warning``)."""

    kind: str
    """What sort of thing: ``values``, ``baked``, ``names``, ``dtype``, ``vacuous`` ..."""
    severity: Severity
    where: str
    """The input, output or symbol it is about."""
    message: str
    cases: tuple[str, ...] = ()
    """The cases that show it."""
