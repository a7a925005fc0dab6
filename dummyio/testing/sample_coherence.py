"""Checks that the tensors of one sample agree with each other, not only with their own value rules.

The checks look at the values alone, so they find the effects of a wrong rule too. With the model's configuration they also
find contradictions of it. For tests of descriptions.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Dim, evaluate_size, find_dims
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Boxes, PaddingMask, TokenIds, get_padding_value
from dummyio.typing import Array

_PREFIXES = ("", "decoder_")
"""Of the inputs of one text: ``<prefix>input_ids``, ``<prefix>attention_mask``, ``<prefix>position_ids``."""
_PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    "pixel_values": ("image_token_id", "image_token_index"),
    "pixel_values_videos": ("video_token_id", "video_token_index"),
    "input_features": ("audio_token_id", "audio_token_index"),
}
"""Features → the names in a configuration of the token that stands for them in the text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One incoherence: the input and the reason, for people."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class _Sample:
    leaves: Mapping[str, TensorSpec]
    values: Mapping[str, Any]
    sizes: Mapping[str, int]
    config: NormalizedConfig

    def number(self, name: str, part: str = "text") -> int | None:
        """Return an integer of the configuration, or of a part of it; None if there is none."""
        value = self.config.part(part).get(name, self.config.get(name))
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def texts(self) -> Iterator[tuple[str, str, Any]]:
        """Yield the prefix, the path and the values of each text's ids."""
        for prefix in _PREFIXES:
            if (path := f"{prefix}input_ids") in self.values:
                yield prefix, path, self.values[path]

    def past_length(self, prefix: str) -> int:
        """Return the number of positions in the cache before a text."""
        cached = any(path.startswith("past_key_values.") for path in self.leaves)
        return self.sizes.get(f"past_{prefix}sequence_length", 0) if cached else 0

    def kept(self, prefix: str) -> Array | None:
        """Return the mask of a text's ids as bools; None if no mask covers them."""
        ids, path = self.values[f"{prefix}input_ids"], f"{prefix}attention_mask"
        mask = self.values.get(path)
        if mask is None or mask.shape[:-1] != ids.shape[:-1] or mask.shape[-1] < ids.shape[-1]:
            return None
        kept: Array = mask[..., mask.shape[-1] - ids.shape[-1] :] != get_padding_value(self.leaves[path].values)
        return kept


def find_incoherent_inputs(spec: InputSpec, values: Mapping[str, Any], config: Any = None) -> list[Finding]:
    """Return all incoherences in one sample of a spec.

    Parameters
    ----------
    spec
        The description.
    values
        The sample by path, as `InputSpec.feeds` returns it.
    config
        The model's configuration (dict or object), for bounds that a spec lacks, such as a vocabulary's size.
    """
    leaves = dict(spec.leaves)
    missing = [Finding(path, "has no value.") for path in leaves if path not in values]
    unknown = [Finding(path, "is not an input of the spec.") for path in values if path not in leaves]
    if missing or unknown:
        return missing + unknown
    sizes, findings = _bind_dims(leaves, values)
    if findings:  # the other checks need the shapes
        return findings
    sample = _Sample(leaves, values, sizes, NormalizedConfig.of(config or {}))
    return [finding for check in _CHECKS for finding in check(sample)]


def _bind_dims(leaves: Mapping[str, TensorSpec], values: Mapping[str, Any]) -> tuple[dict[str, int], list[Finding]]:
    """Return the size of each dim, and the shapes that contradict them or the spec."""
    sizes: dict[str, int] = {}
    for path, leaf in leaves.items():
        for size, length in zip(leaf.shape, np.shape(values[path]), strict=False):
            if isinstance(size, Dim):
                sizes.setdefault(size.name, length)
    findings: list[Finding] = []
    for path, leaf in leaves.items():
        shape = np.shape(values[path])
        unbound = {dim.name for size in leaf.shape for dim in find_dims(size)} - set(sizes)
        expected = shape if unbound else tuple(evaluate_size(size, sizes) for size in leaf.shape)
        if shape != expected:
            findings.append(Finding(path, f"has shape {shape}, but the other inputs require {expected}."))
    return sizes, findings


def _check_numbers(sample: _Sample) -> Iterator[Finding]:
    """The dtype is that of the spec, and every number is finite."""
    for path, leaf in sample.leaves.items():
        value = sample.values[path]
        if leaf.dtype.kind != "string" and str(value.dtype) != str(leaf.dtype):
            yield Finding(path, f"is {value.dtype}, described as {leaf.dtype}.")
        if leaf.dtype.kind == "float" and not np.isfinite(value.astype(np.float32)).all():
            yield Finding(path, "holds values that are not finite.")


def _check_vocabulary(sample: _Sample) -> Iterator[Finding]:
    """Ids lie in the rule's range and in the configuration's vocabulary."""
    types = sample.number("type_vocab_size")
    limits = {
        "input_ids": sample.number("vocab_size"),
        "decoder_input_ids": sample.number("decoder_vocab_size", "decoder"),
        "token_type_ids": max(types, 1) if types else None,
    }
    for path, leaf in sample.leaves.items():
        limit = limits.get(path) or (_highest_id(leaf.values) + 1 if isinstance(leaf.values, TokenIds) else None)
        value = np.asarray(sample.values[path])
        if (
            limit is not None
            and path in ("input_ids", "decoder_input_ids")
            and sample.number("pad_token_id", "decoder") == limit
        ):
            value = value[value != limit]  # codebooks have a row for the pad after the vocabulary
        if limit is not None and value.size and not (value.min() >= 0 and value.max() < limit):
            yield Finding(path, f"holds ids from {value.min()} to {value.max()}, where there are {limit}.")


def _highest_id(rule: TokenIds) -> int:
    """Return the highest id that a rule states or draws."""
    stated = (rule.pad, rule.first, rule.last, *(run.id for run in rule.runs))
    return max(rule.high - 1, *(id_ for id_ in stated if id_ is not None))


def _check_masks(sample: _Sample) -> Iterator[Finding]:
    """A mask is 0 or 1, keeps a token in every row, and has padding at one end only."""
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


def _check_mask_lengths(sample: _Sample) -> Iterator[Finding]:
    """A mask covers the past and the new tokens."""
    for prefix, path, ids in sample.texts():
        mask = sample.values.get(f"{prefix}attention_mask")
        if mask is None or mask.ndim != ids.ndim:
            continue
        is_encoder = prefix == "" and "decoder_input_ids" in sample.values  # it has no past
        expected = ids.shape[-1] + (0 if is_encoder else sample.past_length(prefix))
        if mask.shape[-1] != expected:
            yield Finding(f"{prefix}attention_mask", f"is {mask.shape[-1]} long, past and {path} are {expected}.")


def _check_pads(sample: _Sample) -> Iterator[Finding]:
    """Masked ids are the pad id."""
    pad, limit = sample.number("pad_token_id"), sample.number("vocab_size")
    for prefix, path, ids in sample.texts():
        kept = sample.kept(prefix)
        if kept is None or kept.all():
            continue
        pads = np.unique(ids[~kept])
        is_known = pad is not None and 0 <= pad < (limit or pad + 1)
        if len(pads) > 1 or (is_known and pads[0] != pad):
            reason = f"holds {pads[:4].tolist()} where {prefix}attention_mask is 0, and not the pad id alone."
            yield Finding(path, reason)


def _check_positions(sample: _Sample) -> Iterator[Finding]:
    """Positions follow the mask and the past, as Transformers' generation computes them."""
    for prefix in _PREFIXES:
        path, mask = f"{prefix}position_ids", f"{prefix}attention_mask"
        value, covering = sample.values.get(path), sample.values.get(mask)
        if value is None or covering is None or value.ndim != covering.ndim or covering.shape[-1] < value.shape[-1]:
            continue
        columns = slice(covering.shape[-1] - value.shape[-1], None)
        counted = np.maximum(np.cumsum(covering != 0, axis=-1) - 1, 0)[..., columns]
        kept = (covering != 0)[..., columns]  # padding may hold any position
        if counted.shape == value.shape and (counted != value)[kept].any():
            yield Finding(path, f"does not count the tokens that {mask} keeps.")


def _check_starts(sample: _Sample) -> Iterator[Finding]:
    """A decoder without a past begins with its start token."""
    ids = sample.values.get("decoder_input_ids")
    start = sample.number("decoder_start_token_id", "decoder")
    limit = sample.number("decoder_vocab_size", "decoder")
    if ids is None or start is None or ids.ndim != 2 or sample.past_length("decoder_"):
        return
    kept = sample.kept("decoder_")
    begins = ids[:, 0] if kept is None else ids[np.arange(len(ids)), kept.argmax(axis=-1)]
    if 0 <= start < (limit or start + 1) and (begins != start).any():
        yield Finding("decoder_input_ids", f"does not begin with the start token {start}.")


def _check_ends(sample: _Sample) -> Iterator[Finding]:
    """If a rule has an end token, each row has it once among its kept tokens."""
    for prefix, path, ids in sample.texts():
        rule = sample.leaves[path].values
        if not isinstance(rule, TokenIds) or rule.last is None:
            continue
        kept = sample.kept(prefix)
        ends = (ids == rule.last) if kept is None else (ids == rule.last) & kept
        if ids.shape[-1] and (ends.sum(axis=-1) != 1).any():
            yield Finding(path, f"does not hold the end token {rule.last} once in each row.")


def _check_placeholders(sample: _Sample) -> Iterator[Finding]:
    """A text for an image, a video or audio holds their placeholder tokens."""
    ids = sample.values.get("input_ids")
    for features, names in _PLACEHOLDERS.items():
        token = next((number for name in names if (number := sample.config.raw(name)) is not None), None)
        limit = sample.number("vocab_size") or 0
        if ids is None or features not in sample.values or not isinstance(token, int) or not 0 <= token < limit:
            continue
        if not (ids == token).any():
            yield Finding("input_ids", f"holds no placeholder {token} for {features}.")


def _check_boxes(sample: _Sample) -> Iterator[Finding]:
    """Corners lie in the range, the first before the second."""
    for path, leaf in sample.leaves.items():
        rule = leaf.values
        if not isinstance(rule, Boxes) or rule.layout != "xyxy":
            continue
        box = np.asarray(sample.values[path])
        if (box[..., :2] > box[..., 2:]).any():
            yield Finding(path, "has corners in the wrong order.")
        if box.size and (box.min() < rule.low or box.max() >= rule.high):
            yield Finding(path, f"has corners outside of [{rule.low}, {rule.high}).")


_CHECKS: tuple[Callable[[_Sample], Iterator[Finding]], ...] = (
    _check_numbers,
    _check_vocabulary,
    _check_masks,
    _check_mask_lengths,
    _check_pads,
    _check_positions,
    _check_starts,
    _check_ends,
    _check_placeholders,
    _check_boxes,
)
