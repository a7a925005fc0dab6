"""What an input holds: by the table that it indexes, and by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, PaddingMask, Positions, Rule, TokenIds, Uniform

__all__ = ["Rules"]

_MASK = re.compile(r"(^|_)mask$|^mask(_|$)|^padding$")
_IDS = re.compile(r"ids$|tokens?$|^(x|input|inputs|text)$")
_POSITIONS = re.compile(r"(^|_)(position|pos)(_?ids|s)?$")


@dataclass(frozen=True)
class Rules:
    """Chooses the rules of a spec's tensors, of which it knows the rows of the tables that they index."""

    rows: Mapping[str, int]
    side: Literal["left", "right"] = "right"
    policy: Literal["ragged", "full", "shortest"] = "ragged"

    def of(self, leaves: Mapping[str, TensorSpec]) -> dict[str, tuple[Rule, str]]:
        """Return path → rule and the reason for it, empty where there is nothing to say; ids follow the mask of their shape."""
        found = {path: self._rule(path, leaf) for path, leaf in leaves.items()}
        masks = [path for path, (rule, _) in found.items() if isinstance(rule, PaddingMask)]
        for path, (rule, reason) in found.items():
            mask = next((m for m in masks if leaves[m].shape == leaves[path].shape), None)
            if isinstance(rule, TokenIds) and mask is not None:
                found[path] = (TokenIds(rule.high, mask=mask), reason)
        return found

    def _rule(self, path: str, leaf: TensorSpec) -> tuple[Rule, str]:
        parts = [part for part in path.lower().split(".") if not part.isdecimal()]
        name = parts[-1] if parts else path
        if leaf.rank and _MASK.search(name):
            return self._mask(leaf)
        if leaf.dtype.kind in ("int", "uint"):
            return self._whole(path, name, leaf)
        if leaf.dtype.kind == "bool":
            return Uniform(0, 2), ""
        return Uniform(), ""

    def _mask(self, leaf: TensorSpec) -> tuple[Rule, str]:
        if leaf.dtype.kind == "complex":
            return Uniform(), ""
        last = leaf.shape[-1]
        if leaf.rank > 1 and last == leaf.shape[-2]:
            return Constant(1), "taken for a mask of pairs, all of which are kept"
        return PaddingMask(self.side, self.policy), "taken for a mask of what is kept"

    def _whole(self, path: str, name: str, leaf: TensorSpec) -> tuple[Rule, str]:
        rows = self.rows.get(path)
        high = None if rows is None else max(min(rows, int(leaf.dtype.limits.max) + 1), 1)
        if leaf.rank and _POSITIONS.search(name):
            return Positions(), "counts the places" if high is None else f"counts the places of a table of {high} rows"
        if high is None:
            return Uniform(0, 2 if leaf.dtype.limits.max >= 1 else 1), "nothing says what it holds: 0 or 1"
        reason = f"indexes a table of {high} rows"
        return (TokenIds(high) if leaf.rank and _IDS.search(name) else Uniform(0, high)), reason
