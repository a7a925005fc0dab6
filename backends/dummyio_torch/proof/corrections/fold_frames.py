"""Conditions with a row for each frame: models that look at frames one by one put them into the batch."""

import re
from collections.abc import Iterator
from contextlib import suppress

from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio.sources.proof.spec_changes import map_leaves
from dummyio.spec.dims import Size
from dummyio_torch.proof.attempts import Attempt, Attempts

_FRAMES = "num_frames"
_VIDEO_RANK = 5
_FEWER_AXES = re.compile(r"\b5\b|expected 4")
"""Texts of errors of operations and models that look at images."""


def fold_frames(_: Attempts, attempt: Attempt) -> Iterator[InputSpec]:
    """Yield the spec with frames in the batch: those of a video, or one row for each frame of an input that has no frames of its own."""
    spec = attempt.spec
    batch, frames = spec.dims.get("batch_size"), spec.dims.get(_FRAMES)
    if batch is None:
        return
    text = str(attempt.error)
    rows = batch.size * (frames.size if frames is not None else 1)
    for path, leaf in spec.leaves:
        if leaf.shape[:1] != (batch,):
            continue
        if leaf.rank == _VIDEO_RANK and _FEWER_AXES.search(text):
            yield from _with_shape(spec, path, (batch * leaf.shape[1], *leaf.shape[2:]))
        elif frames is not None and leaf.rank >= 2 and frames not in leaf.shape and re.search(rf"\b{rows}\b", text):
            yield from _with_shape(spec, path, (batch * frames, *leaf.shape[1:]))


def _with_shape(spec: InputSpec, path: str, shape: tuple[Size, ...]) -> Iterator[InputSpec]:
    with suppress(DummyioError):  # another input follows this one
        yield map_leaves(spec, lambda each, leaf: leaf.replace(shape=shape) if each == path else leaf)
