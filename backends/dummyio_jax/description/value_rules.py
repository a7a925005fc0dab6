"""The value rule of each input: by the table that it indexes, and by its name."""

from collections.abc import Mapping

from dummyio.sources.input_names import can_be_token_ids, is_length, is_mask, is_position_ids
from dummyio.sources.row_lengths import choose_length_rule
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, PaddingMask, Positions, Rule, TokenIds, Uniform


def choose_value_rules(
    leaves: Mapping[str, TensorSpec], rows: Mapping[str, int], padding: PaddingMask
) -> dict[str, tuple[Rule, str]]:
    """Return path → rule and the reason for it, which is empty for obvious rules.

    Parameters
    ----------
    leaves
        The inputs. Token ids follow the first mask of their shape.
    rows
        The number of rows of the table that an input indexes, by path.
    padding
        The rule of padding masks.
    """
    found = {path: _choose_rule(path, leaf, rows.get(path), padding) for path, leaf in leaves.items()}
    masks = [path for path, (rule, _) in found.items() if rule is padding]
    for path, leaf in leaves.items():
        if is_length(path) and leaf.dtype.kind in ("int", "uint"):
            found[path] = (
                choose_length_rule(path, {p: other.shape for p, other in leaves.items()}, masks) or found[path]
            )
    for path, (rule, reason) in found.items():
        mask = next((m for m in masks if leaves[m].shape == leaves[path].shape), None)
        if isinstance(rule, TokenIds) and mask is not None:
            found[path] = (TokenIds(rule.high, mask=mask), reason)
    return found


def _choose_rule(path: str, leaf: TensorSpec, rows: int | None, padding: PaddingMask) -> tuple[Rule, str]:
    if leaf.rank and is_mask(path) and leaf.dtype.kind != "complex":
        if leaf.rank > 1 and leaf.shape[-1] == leaf.shape[-2]:
            return Constant(1), "assumed to be a mask of pairs, all of which are kept"
        return padding, "assumed to be a mask of the elements that are kept"
    if leaf.dtype.kind in ("int", "uint"):
        return _choose_integer_rule(path, leaf, rows)
    return Uniform(0, 2 if leaf.dtype.kind == "bool" else 1), ""


def _choose_integer_rule(path: str, leaf: TensorSpec, rows: int | None) -> tuple[Rule, str]:
    largest = int(leaf.dtype.limits.max)
    high = None if rows is None else max(min(rows, largest + 1), 1)
    if leaf.rank and is_position_ids(path):
        return Positions(), "counts positions" if high is None else f"counts positions, in a table of {high} rows"
    if high is None and leaf.dtype is DType.UINT8 and leaf.rank > 2:
        return Uniform(0, 256), "8-bit numbers of several axes, as of pixels"
    if high is None:
        return Uniform(0, min(2, largest + 1)), "neither its name nor the function determines its values: 0 or 1"
    reason = f"indexes a table of {high} rows"
    return (TokenIds(high) if leaf.rank and can_be_token_ids(path) else Uniform(0, high)), reason
