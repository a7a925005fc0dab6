"""Whether one sample of a spec is coherent: its tensors fit each other and not only their own rules.

The checks look at the values and do not ask how they were made, so they find what a wrong rule brings about too. With the
model's configuration they also find what contradicts it. Meant for tests of descriptions, one's own and ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Dim, evaluate_size, find_dims
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Boxes, PaddingMask, TokenIds, get_padding_value

__all__ = ["Finding", "find_incoherent_inputs"]

_TEXTS: Mapping[str, str] = {"input_ids": "attention_mask", "decoder_input_ids": "decoder_attention_mask"}
"""Ids → the mask that says which of them count."""
_PASTS: Mapping[str, str] = {"input_ids": "past_sequence_length", "decoder_input_ids": "past_decoder_sequence_length"}
_POSITIONS: Mapping[str, str] = {"position_ids": "attention_mask", "decoder_position_ids": "decoder_attention_mask"}
_PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    "pixel_values": ("image_token_id", "image_token_index"),
    "pixel_values_videos": ("video_token_id", "video_token_index"),
    "input_features": ("audio_token_id", "audio_token_index"),
}
"""Features → what a configuration calls the token that stands for them in the text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not fit: which input, and why, for people."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class _Sample:
    """What the checks look at."""

    leaves: Mapping[str, TensorSpec]
    values: Mapping[str, Any]
    sizes: Mapping[str, int]
    config: NormalizedConfig

    def number(self, name: str, part: str = "text") -> int | None:
        """Return a whole number of the configuration, or of a part of it; None where there is none."""
        value = self.config.part(part).get(name, self.config.get(name))
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def past(self, ids: str) -> int:
        """Return how many positions the cache holds that stands before some ids."""
        cached = any(path.startswith("past_key_values.") for path in self.leaves)
        return self.sizes.get(_PASTS[ids], 0) if cached else 0

    def kept(self, ids: str) -> Any:
        """Return which of some ids count, None where no mask says so."""
        mask = self.values.get(_TEXTS[ids])
        length = self.values[ids].shape[-1]
        if mask is None or mask.shape[:-1] != self.values[ids].shape[:-1] or mask.shape[-1] < length:
            return None
        return mask[..., mask.shape[-1] - length :] != get_padding_value(self.leaves[_TEXTS[ids]].values)


def find_incoherent_inputs(spec: InputSpec, values: Mapping[str, Any], config: Any = None) -> list[Finding]:
    """Return what is incoherent in one sample of a spec; nothing where all fits.

    Parameters
    ----------
    spec
        The description.
    values
        The sample, flat: path → NumPy array, as `InputSpec.feeds` returns it.
    config
        The model's configuration (dict or object), for bounds that a spec does not hold, such as a vocabulary's size.
    """
    leaves = dict(spec.leaves)
    missing = [Finding(path, "has no value.") for path in leaves if path not in values]
    unknown = [Finding(path, "is no input of the spec.") for path in values if path not in leaves]
    if missing or unknown:
        return missing + unknown
    sizes, findings = _bind(leaves, values)
    if findings:  # no other check can count on the shapes then
        return findings
    sample = _Sample(leaves, values, sizes, NormalizedConfig.of(config or {}))
    return [finding for one in _CHECKS for finding in one(sample)]


def _bind(leaves: Mapping[str, TensorSpec], values: Mapping[str, Any]) -> tuple[dict[str, int], list[Finding]]:
    """Return the size of each symbol, and where shapes do not agree on one or differ from the spec's."""
    sizes: dict[str, int] = {}
    for path, leaf in leaves.items():
        for size, length in zip(leaf.shape, np.shape(values[path]), strict=False):
            if isinstance(size, Dim):
                sizes.setdefault(size.name, length)
    findings: list[Finding] = []
    for path, leaf in leaves.items():
        free = {dim.name for size in leaf.shape for dim in find_dims(size)} - set(sizes)
        expected = None if free else tuple(evaluate_size(size, sizes) for size in leaf.shape)
        if expected is not None and np.shape(values[path]) != expected:
            findings.append(
                Finding(path, f"has shape {np.shape(values[path])}, where the other inputs ask for {expected}.")
            )
    return sizes, findings


def _numbers(sample: _Sample) -> Iterator[Finding]:
    """The dtype is the spec's, and every number is finite."""
    for path, leaf in sample.leaves.items():
        value = sample.values[path]
        if leaf.dtype.kind != "string" and str(value.dtype) != str(leaf.dtype):
            yield Finding(path, f"is {value.dtype}, described as {leaf.dtype}.")
        if leaf.dtype.kind == "float" and not np.isfinite(value.astype(np.float32)).all():
            yield Finding(path, "holds what is not finite.")


def _vocabulary(sample: _Sample) -> Iterator[Finding]:
    """Ids lie in the rule's range, and below what the configuration says."""
    limits = {
        "input_ids": sample.number("vocab_size"),
        "decoder_input_ids": sample.number("decoder_vocab_size", "decoder"),
        "token_type_ids": max(sample.number("type_vocab_size") or 1, 1) if sample.number("type_vocab_size") else None,
    }
    for path, leaf in sample.leaves.items():
        limit = limits.get(path) or (_highest(leaf.values) + 1 if isinstance(leaf.values, TokenIds) else None)
        value = np.asarray(sample.values[path])
        if limit is not None and path in _TEXTS and _pad_of(sample) == limit:
            value = value[value != limit]  # codebooks have a row for the pad behind the vocabulary
        if limit is not None and value.size and not (value.min() >= 0 and value.max() < limit):
            yield Finding(path, f"holds ids from {value.min()} to {value.max()}, where there are {limit}.")


def _highest(rule: TokenIds) -> int:
    """Return the highest id that a rule names or draws."""
    named = (rule.pad, rule.first, rule.last, *(run.id for run in rule.runs))
    return max(rule.high - 1, *(id_ for id_ in named if id_ is not None))


def _pad_of(sample: _Sample) -> int | None:
    return sample.number("pad_token_id", "decoder")


def _masks(sample: _Sample) -> Iterator[Finding]:
    """A mask is 0 or 1, keeps something in every row, and is padded at one end."""
    for path, leaf in sample.leaves.items():
        if not isinstance(leaf.values, PaddingMask):
            continue
        mask = np.asarray(sample.values[path]).astype(np.int64) ^ leaf.values.pad
        if mask.size == 0:
            continue
        if not np.isin(mask, (0, 1)).all():
            yield Finding(path, "holds more than 0 and 1.")
        if not mask.any(axis=-1).all():
            yield Finding(path, "keeps nothing in some row.")
        if (np.abs(np.diff(mask, axis=-1)).sum(axis=-1) > 1).any():
            yield Finding(path, "has padding at more than one end.")


def _mask_lengths(sample: _Sample) -> Iterator[Finding]:
    """A mask covers the past and the new tokens."""
    for ids, mask in _TEXTS.items():
        if ids not in sample.values or mask not in sample.values or sample.values[ids].ndim != sample.values[mask].ndim:
            continue
        if ids == "input_ids" and "decoder_input_ids" in sample.values:
            wanted = sample.values[ids].shape[-1]  # an encoder has no past
        else:
            wanted = sample.past(ids) + sample.values[ids].shape[-1]
        if sample.values[mask].shape[-1] != wanted:
            yield Finding(mask, f"is {sample.values[mask].shape[-1]} long, past and {ids} are {wanted}.")


def _pads(sample: _Sample) -> Iterator[Finding]:
    """Ids are the pad id where the mask is 0."""
    for ids in _TEXTS:
        kept = sample.kept(ids) if ids in sample.values else None
        if kept is None or kept.all():
            continue
        pads = np.unique(sample.values[ids][~kept])
        declared = sample.number("pad_token_id")
        limit = sample.number("vocab_size")
        wanted = declared if declared is not None and 0 <= declared < (limit or declared + 1) else None
        if len(pads) > 1 or (wanted is not None and pads[0] != wanted):
            yield Finding(ids, f"holds {pads[:4].tolist()} where {_TEXTS[ids]} is 0, and not the pad id alone.")


def _positions(sample: _Sample) -> Iterator[Finding]:
    """Positions follow the mask and the past: what a model that generates computes for itself."""
    for path, mask in _POSITIONS.items():
        value, covering = sample.values.get(path), sample.values.get(mask)
        if value is None or covering is None or value.ndim != covering.ndim or covering.shape[-1] < value.shape[-1]:
            continue
        counted = np.maximum(np.cumsum(covering != 0, axis=-1) - 1, 0)[..., covering.shape[-1] - value.shape[-1] :]
        # Padding may hold any position, for nothing looks at it.
        kept = covering[..., covering.shape[-1] - value.shape[-1] :] != 0
        if counted.shape == value.shape and (counted != value)[kept].any():
            yield Finding(path, f"does not count the tokens that {mask} keeps.")


def _starts(sample: _Sample) -> Iterator[Finding]:
    """A decoder without a past begins with its start token."""
    ids = sample.values.get("decoder_input_ids")
    start = sample.number("decoder_start_token_id", "decoder")
    limit = sample.number("decoder_vocab_size", "decoder")
    if ids is None or start is None or ids.ndim != 2 or sample.past("decoder_input_ids"):
        return
    kept = sample.kept("decoder_input_ids")
    begins = ids[:, 0] if kept is None else ids[np.arange(len(ids)), kept.argmax(axis=-1)]
    if 0 <= start < (limit or start + 1) and (begins != start).any():
        yield Finding("decoder_input_ids", f"does not begin with the start token {start}.")


def _ends(sample: _Sample) -> Iterator[Finding]:
    """Where rows end with a token, each row has it once, after all that count."""
    for path, leaf in sample.leaves.items():
        rule = leaf.values
        if not isinstance(rule, TokenIds) or rule.last is None or path not in _TEXTS:
            continue
        ids, kept = sample.values[path], sample.kept(path)
        rows = ids.reshape(-1, ids.shape[-1])
        counted = rows == rule.last if kept is None else (rows == rule.last) & kept.reshape(rows.shape)
        if rows.shape[-1] and (counted.sum(axis=-1) != 1).any():
            yield Finding(path, f"does not hold the end token {rule.last} once in each row.")


def _placeholders(sample: _Sample) -> Iterator[Finding]:
    """A text beside an image, a video or a sound holds their placeholder in every row, or in none of a batch of its own."""
    ids = sample.values.get("input_ids")
    for features, names in _PLACEHOLDERS.items():
        token = next((number for name in names if (number := sample.config.raw(name)) is not None), None)
        limit = sample.number("vocab_size") or 0
        if ids is None or features not in sample.values or not isinstance(token, int) or not 0 <= token < limit:
            continue
        if not (ids == token).any():
            yield Finding("input_ids", f"holds no placeholder {token} for {features}.")


def _boxes(sample: _Sample) -> Iterator[Finding]:
    """Corners lie in the range, the first before the second."""
    for path, leaf in sample.leaves.items():
        rule = leaf.values
        if not isinstance(rule, Boxes) or rule.layout != "xyxy":
            continue
        box = np.asarray(sample.values[path])
        if (box[..., 0] > box[..., 2]).any() or (box[..., 1] > box[..., 3]).any():
            yield Finding(path, "has corners in the wrong order.")
        if box.size and (box.min() < rule.low or box.max() >= rule.high):
            yield Finding(path, f"has corners outside of [{rule.low}, {rule.high}).")


_CHECKS: tuple[Callable[[_Sample], Iterator[Finding]], ...] = (
    _numbers,
    _vocabulary,
    _masks,
    _mask_lengths,
    _pads,
    _positions,
    _starts,
    _ends,
    _placeholders,
    _boxes,
)
