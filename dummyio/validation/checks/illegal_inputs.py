"""Feeds inputs that must be refused: an artifact that answers them in silence gives a plausible wrong result."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio.spec.values import Indices, Rule, TokenIds, get_padding_value
from dummyio.typing import Array, Feeds
from dummyio.validation.comparing.case_values import find_padding_masks, find_rule
from dummyio.validation.comparing.cases import Cases
from dummyio.validation.comparing.model_pair import Pair, Side
from dummyio.validation.comparing.thresholds import MOST_BYTES
from dummyio.validation.data.records import Case, Finding, Severity

_MOST = 8
"""The most inputs that are tried with another rank and dtype."""


class _Illegal(NamedTuple):
    where: str
    """The input or dim."""
    what: str
    feeds: Feeds


def check_illegal_inputs(pair: Pair, case: Case, severity: Severity) -> Iterator[Finding]:
    """Yield a finding for each kind of illegal input that the artifact answers, and the reference, if there is one, refuses."""
    if pair.actual.inputs is None:
        return
    for one in _list_illegal(pair.cases, case, pair.casts):
        if _refusal(pair, "actual", one.feeds) is not None:
            continue
        reason = None if pair.reference is None else _refusal(pair, "reference", one.feeds)
        if pair.reference is None or reason is not None:
            refused = "" if reason is None else f" The reference refuses it: {reason}"
            yield Finding("accepts illegal", severity, one.where, f"it gets {one.what}, and gives a result.{refused}")


def _refusal(pair: Pair, side: Side, feeds: Feeds) -> str | None:
    """Return why a side refuses inputs; None if it gives a result."""
    try:
        pair.run(side, {path: values.copy() for path, values in feeds.items()})
    except DummyioError as error:
        return str(error)
    return None


def _list_illegal(cases: Cases, case: Case, casts: Collection[str]) -> Iterator[_Illegal]:
    """Yield illegal inputs; `casts` are those whose values are cast for the artifact, which never sees another dtype."""
    spec, feeds = cases.spec, cases.feeds(case)
    for path, leaf in spec.leaves:
        bound = _find_bound(find_rule(cases.spec, leaf, case))
        if bound is not None and feeds[path].size and bound <= np.iinfo(feeds[path].dtype).max:
            yield _Illegal(path, f"the id {bound}, one beyond its last", {**feeds, path: _put_last(feeds[path], bound)})
    for path, leaf in find_padding_masks(spec).items():
        hidden = np.full_like(feeds[path], get_padding_value(leaf.values))
        yield _Illegal(path, "a mask that hides all positions", {**feeds, path: hidden})
    yield from _list_too_long(spec, case)
    plain = [(path, leaf) for path, leaf in spec.leaves if "." not in path][:_MOST]
    for path, leaf in plain:
        if leaf.rank > 1 and feeds[path].shape[-1] > 0:
            yield _Illegal(path, f"{leaf.rank - 1} axes instead of {leaf.rank}", {**feeds, path: feeds[path][..., 0]})
        kind = feeds[path].dtype.kind
        if kind in "iuf" and path not in casts:
            other = feeds[path].astype(np.float32 if kind in "iu" else np.int64)
            yield _Illegal(path, f"{other.dtype} instead of {leaf.dtype}", {**feeds, path: other})


def _find_bound(rule: Rule) -> int | None:
    """Return the first id that is too large; None for a rule of other values."""
    if isinstance(rule, TokenIds):
        return rule.high
    return int(rule.size) if isinstance(rule, Indices) else None


def _put_last(values: Array, number: int) -> Array:
    changed = values.copy()
    changed.reshape(-1)[0] = number
    return changed


def _list_too_long(spec: InputSpec, case: Case) -> Iterator[_Illegal]:
    for dim in (dim for dim in spec.dims.values() if not dim.fixed and dim.choices is None):
        if dim.max is None:
            continue
        size = dim.max + dim.multiple_of
        try:
            wide = spec.with_dims(**{dim.name: replace(dim, max=size)})
            sizes = {**case.sizes, dim.name: size}
            if wide.nbytes(**sizes) <= MOST_BYTES:
                yield _Illegal(dim.name, f"a size of {size}, beyond its maximum {dim.max}", wide.feeds(**sizes))
        except DummyioError:  # a rule of some input does not go so far
            continue
