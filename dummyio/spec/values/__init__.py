"""Value rules: what a tensor holds, as data.

A rule refers to no framework and no generator. `dummyio.materialize` computes each element from (rule, dtype, shape,
seed, sample, path, index) alone. Bounds are half-open, ``[low, high)``, for integers and floats alike.

A rule may follow a mask: its `mask` is the path of another input of the same spec. At masked positions (those at which
the mask equals its own `pad`, usually 0) the rule holds its `pad` or another fixed value. If the mask is longer than the
tensor on the last axis (it covers the past too), its *last* columns count; all other axes must be equal. Lengths that follow a
mask have an axis less.
"""

from functools import partial

from dummyio.errors import get_renamed
from dummyio.spec.values.any_rule import (
    Rule,
    canonicalize_rule,
    get_mask_path,
    get_padding_value,
    get_rule_expression,
    replace_rule_expression,
    substitute_rule_dims,
)
from dummyio.spec.values.bounded import Columns, Indices, Lengths
from dummyio.spec.values.elementwise import Choices, Constant, Normal, Strings, Uniform
from dummyio.spec.values.positional import Boxes, Grid, OneHot, Range, Rows
from dummyio.spec.values.tokens import Labels, PaddingMask, Positions, Run, TokenIds

__all__ = [
    "Boxes",
    "Choices",
    "Columns",
    "Constant",
    "Grid",
    "Indices",
    "Labels",
    "Lengths",
    "Normal",
    "OneHot",
    "PaddingMask",
    "Positions",
    "Range",
    "Rows",
    "Rule",
    "Run",
    "Strings",
    "TokenIds",
    "Uniform",
    "canonicalize_rule",
    "get_mask_path",
    "get_padding_value",
    "get_rule_expression",
    "replace_rule_expression",
    "substitute_rule_dims",
]

_RENAMED = {
    "canonical": "canonicalize_rule",
    "expression_of": "get_rule_expression",
    "mask_of": "get_mask_path",
    "pad_of": "get_padding_value",
    "with_expression": "replace_rule_expression",
}
__getattr__ = partial(get_renamed, __name__, renamed=_RENAMED)
