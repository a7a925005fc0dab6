"""Records of a validation: each number that a report shows, in a form that is written to JSON and read back."""

from typing import Literal

import msgspec

Severity = Literal["error", "warning"]


class Case(msgspec.Struct, frozen=True, omit_defaults=True):
    """One set of inputs. Seed, sample, sizes and changes to the spec's rules reproduce it bit for bit."""

    name: str
    sizes: dict[str, int]
    seed: int = 0
    sample: int = 0
    side: Literal["left", "right"] | None = None
    """The padding side of all masks; None keeps the one of the spec."""
    policy: Literal["ragged", "full", "shortest"] | None = None
    """How the lengths of masks are drawn; None keeps the policy of the spec."""
    values: Literal["drawn", "ends", "hidden_row", "pads", "specials", "magnitudes", "large"] = "drawn"
    """Values as drawn; with the ends of their ranges included; with the last row of each mask all padding; with pad ids, or other special
    ids, inside of texts; with channels of real numbers that are much larger and smaller, and a constant row."""


class Tolerance(msgspec.Struct, frozen=True, omit_defaults=True):
    """The allowed difference of an element: ``absolute + of_scale * scale + relative * |reference|``.

    `scale` is the size of the output's elements in one case, from `dummyio.validation.comparing.metrics.measure_scale`.
    """

    of_scale: float
    relative: float
    absolute: float = 0.0
    cosine: float = -1.0
    """The smallest allowed cosine between the two outputs; -1 allows any."""
    share: float = 0.0
    """For integers, which must be equal: the share of elements that rounding may change. For other numbers: the share that may be off by up
    to three times the tolerance."""
    scale: float = 0.0
    """The least scale: where rounding does not shrink with the numbers of a case, that of the largest case so far."""
    reason: str = ""
    given: bool = False
    """Whether the caller gave it; then it is never widened."""


class Place(msgspec.Struct, frozen=True):
    """The element with the largest difference."""

    index: tuple[int, ...]
    reference: float | str
    actual: float | str

    def __str__(self) -> str:
        """Return the element with enough digits to distinguish neighboring numbers of float32."""
        ours, theirs = (v if isinstance(v, str) else f"{v:.12g}" for v in (self.reference, self.actual))
        return f"at {list(self.index)} the reference has {ours}, the artifact {theirs}"


class Comparison(msgspec.Struct, frozen=True, omit_defaults=True):
    """One output in one case: the difference between reference and artifact."""

    output: str
    shape: tuple[int, ...]
    dtype: str
    ok: bool
    max_abs: float = 0.0
    max_rel: float = 0.0
    mean_abs: float = 0.0
    cosine: float = 1.0
    mismatched: float = 0.0
    """The share (0 to 1) of elements beyond the tolerance, with NaN and Inf that only one side has."""
    scale: float = 0.0
    bound: float = 0.0
    """The tolerance of an element as large as the scale."""
    top1: float | None = None
    """For scores over classes: the share of rows whose largest element is at the same position."""
    nonfinite: int = 0
    """The number of elements that are NaN or Inf on one side and differ on the other."""
    worst: Place | None = None
    histogram: tuple[int, ...] = ()
    """Elements by the decade of their absolute difference: equal, below 1e-12, ... (`comparing.metrics.EDGES`)."""
    reason: str = ""
    """Why it is not ok."""


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of one case."""

    case: Case
    status: Literal["passed", "failed", "skipped", "ran"]
    """``"ran"``: there was no reference to compare with."""
    comparisons: tuple[Comparison, ...] = ()
    reason: str = ""
    """Why the case did not run, or was skipped."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conclusion: a defect (``error``), or a reason why agreement is not proved (``warning``)."""

    kind: str
    """The kind of defect: ``values``, ``baked``, ``names``, ``dtype``, ``vacuous`` ..."""
    severity: Severity
    where: str
    """The input, output or dim that it concerns."""
    message: str
    cases: tuple[str, ...] = ()
    """The names of the cases that show it."""
    known: bool = False
    """Whether the baseline has it too, so that it does not fail this report."""


class RunRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What differs between two runs of the same validation: when and where it ran, and how long it took."""

    date: str = ""
    """In UTC, ISO 8601."""
    host: str = ""
    command: tuple[str, ...] = ()
    seconds: dict[str, float] = {}
    """``reference`` and ``actual``: in their runs alone; ``total``: in the whole validation."""
    case_seconds: tuple[tuple[float, float], ...] = ()
    """For each outcome, in their order: the time of the reference, and of the artifact."""
