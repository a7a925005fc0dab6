"""Counts the placeholders of media by running the part of a model that makes the features: a text has a place for each of them.

Transformers' models have methods by these names: ``get_image_features``, ``get_video_features``, ``get_audio_features``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import torch

from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.sources.proof.spec_changes import map_leaves
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import PaddingMask, Run, TokenIds
from dummyio_torch.calling.meta_copy import MetaCopy
from dummyio_torch.proof.attempts import Attempt, Attempts

_MEDIA = ("image", "video", "audio")


def count_placeholders(attempts: Attempts, attempt: Attempt) -> Iterator[InputSpec]:
    """Yield the spec with as many placeholders in each row as the module makes features for it."""
    if attempt.level != "values" or "input_ids" not in attempt.spec:
        return
    config = getattr(attempts.module, "config", None)
    if config is None:
        return
    made = _count_features(attempts, attempt)
    rows = attempt.spec.shapes(dict(attempt.sizes))["input_ids"][0]
    wanted = {}
    for medium, count in made.items():
        id_ = NormalizedConfig.of(config).unwrapped().token_id(f"{medium}_token_id", f"{medium}_token_index")
        if id_ is not None and count and count % rows == 0:
            wanted[id_] = count // rows
    changed = _with_counts(attempt.spec, wanted)
    if changed is not None and changed != attempt.spec:
        yield changed


def _count_features(attempts: Attempts, attempt: Attempt) -> dict[str, int]:
    """Return medium → how many features a run makes of it, also if the run fails afterwards."""
    found: dict[str, int] = {}
    copy = MetaCopy(attempts.module, "real")
    for part in copy.module.modules():
        for medium in _MEDIA:
            name = f"get_{medium}_features"
            if callable(getattr(part, name, None)):
                setattr(part, name, _counted(getattr(part, name), medium, found))
    with suppress(Exception):
        inputs = attempt.spec.generate("pt", device="cpu", **attempt.sizes)
        attempts.call.run(copy, None, inputs)
    return found


def _counted(method: Callable[..., Any], medium: str, found: dict[str, int]) -> Callable[..., Any]:
    def count(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        found.setdefault(medium, _count_rows(result))
        return result

    return count


def _count_rows(result: Any) -> int:
    """Return how many vectors there are in a tensor of features, in several of them, or in a model's output."""
    pooled = getattr(result, "pooler_output", None)
    if pooled is not None:
        return _count_rows(pooled)
    if isinstance(result, torch.Tensor):
        return result.numel() // max(result.shape[-1], 1) if result.ndim else 0
    if isinstance(result, (list, tuple)):
        return sum(_count_rows(item) for item in result if isinstance(item, torch.Tensor))
    last = getattr(result, "last_hidden_state", None)
    return 0 if last is None else _count_rows(last)


def _with_counts(spec: InputSpec, wanted: dict[int, int]) -> InputSpec | None:
    """Return the spec with as many placeholders; None if its ids hold none of them."""
    ids = spec["input_ids"]
    if not isinstance(ids, TensorSpec) or not isinstance(ids.values, TokenIds):
        return None
    rule = ids.values
    counts = Counter({run.id: run.count for run in rule.runs if run.id in wanted})
    if all(counts.get(id_) == count for id_, count in wanted.items()):
        return None
    left = any(run.start < 0 for run in rule.runs)
    runs = _place(rule, wanted, left=left)
    needed = 2 + sum(run.count for run in runs)

    def recount(path: str, leaf: TensorSpec) -> TensorSpec:
        if path == rule.mask and isinstance(leaf.values, PaddingMask):  # no placeholder is padding
            return leaf.replace(values=msgspec.structs.replace(leaf.values, least=needed))
        return leaf.replace(values=_replace_runs(leaf.values, rule, runs))

    return map_leaves(_lengthen(spec, ids, needed), recount)


def _place(rule: TokenIds, wanted: dict[int, int], *, left: bool) -> tuple[Run, ...]:
    """Return the runs of a rule in their order, with the new counts, one behind the other."""
    ordered = list(rule.runs) + [
        Run(id_, 0, count) for id_, count in wanted.items() if id_ not in {r.id for r in rule.runs}
    ]
    sized = [msgspec.structs.replace(run, count=wanted.get(run.id, run.count)) for run in ordered]
    start = -1 - sum(run.count for run in sized) if left else 1
    placed = []
    for run in sized:
        placed.append(msgspec.structs.replace(run, start=start))
        start += run.count
    return tuple(placed)


def _replace_runs(rule: Any, old: TokenIds, new: tuple[Run, ...]) -> Any:
    """Return a rule with the new columns wherever it had the old ones."""
    runs = getattr(rule, "runs", ())
    if not runs and rule != old:
        return rule
    by_column = {run.start: place for place, run in enumerate(old.runs)}
    if isinstance(rule, TokenIds) and rule == old:
        return msgspec.structs.replace(rule, runs=new)
    moved = [
        msgspec.structs.replace(run, start=new[by_column[run.start]].start, count=new[by_column[run.start]].count)
        for run in runs
        if run.start in by_column
    ]
    return msgspec.structs.replace(rule, runs=tuple(moved))


def _lengthen(spec: InputSpec, ids: TensorSpec, needed: int) -> InputSpec:
    """Return the spec with rows that are long enough for all placeholders."""
    length = ids.shape[-1]
    if not isinstance(length, Dim) or (length.min == needed and length.size >= needed):
        return spec
    changed = Dim(
        length.name,
        max(length.size, needed),
        needed,
        None if length.max is None else max(length.max, needed),
        length.multiple_of,
    )
    return spec.with_dims(**{length.name: changed})
