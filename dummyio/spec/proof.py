"""What is known of a spec from runs of its model: how it was run, at which sizes, and what no run could show."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["rules", "shapes", "values"]
"""How a spec is known: by rules alone, by runs without values, or by runs with values."""

_WAYS = {"shapes": "without values", "values": "with values"}


class Proof(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, repr_omit_defaults=True
):
    """The runs that confirm a spec. It is provenance: neither equality nor `sha256` of a spec depends on it.

    Parameters
    ----------
    level
        ``"rules"`` (nothing was run), ``"shapes"`` (the model ran on shapes, without values), or ``"values"``.
    sizes
        The sizes of the dims at which the model took the inputs.
    versions
        Package → version, of what the model was run with.
    corrections
        What runs have changed in the spec, a line each.
    unproved
        What the runs do not show, and why, a line each.
    ineffective
        Input → the reason why it proves nothing: it never varies, or no result of the model changes with it.

    Examples
    --------
    >>> print(Proof(level="values", sizes=({"batch_size": 2}, {"batch_size": 1}), versions={"timm": "1.0.31"}))
    proved: ran with values at 2 sizes, timm 1.0.31
    >>> print(Proof())
    not proved: described by rules; prove='shapes' runs it
    """

    level: Level = "rules"
    sizes: tuple[dict[str, int], ...] = ()
    versions: dict[str, str] = {}
    corrections: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    ineffective: dict[str, str] = {}

    def __str__(self) -> str:
        missing = f"; not proved: {'; '.join(self.unproved)}" if self.unproved else ""
        idle = "".join(f"; without effect: {path} ({reason})" for path, reason in self.ineffective.items())
        if self.level == "rules":
            reason = "; ".join(self.unproved) or "described by rules; prove='shapes' runs it"
            return f"not proved: {reason}"
        count = f"{len(self.sizes)} size{'s' if len(self.sizes) != 1 else ''}"
        versions = "".join(f", {package} {version}" for package, version in self.versions.items())
        return f"proved: ran {_WAYS[self.level]} at {count}{versions}{missing}{idle}"
