"""The parts of a model of text and images, or sounds, run one after the other as the whole model runs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dummyio.errors import OptionError, RunError
from dummyio.exporting.artifact import spec_path
from dummyio.exporting.parts.wired_parts import WiredParts, declare_input
from dummyio.huggingface.parts.media_parts import (
    DECODER,
    EMBEDDING,
    EMBEDS,
    IDS,
    LOGITS,
    MASK,
    PAST,
    POSITIONS,
    has_placeholders,
    list_fixed_inputs,
    list_media_inputs,
)
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, Runner
from dummyio.sources.input_names import present_name
from dummyio.spec.dims import evaluate_size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import TokenIds
from dummyio.typing import Array


class JoinedParts:
    """A runner of the whole model: its parts, and between them the features in the place of the placeholders' embeddings."""

    def __init__(self, spec: InputSpec, parts: Mapping[str, Runner], specs: Mapping[str, InputSpec]) -> None:
        """Keep the spec of the whole model without its past, and by its name the runner and the spec of each part."""
        self.engine = parts[DECODER].engine
        self.inputs = tuple(declare_input(path, leaf) for path, leaf in spec.leaves)
        self.outputs = (DeclaredTensor(LOGITS),)
        (encoder,) = (name for name in parts if name not in (EMBEDDING, DECODER))
        self._encode, self._embed, self._decode = parts[encoder], parts[EMBEDDING], parts[DECODER]
        self._media = [name for name in list_media_inputs(spec) if name in specs[encoder]]
        fixed = list_fixed_inputs(spec)
        self._counted_by = next(iter(fixed), None)
        """The input with a row for each image, if the encoder takes one at a time."""

        self._positions = specs[DECODER].get(POSITIONS)
        ids = spec[IDS]
        assert isinstance(ids, TensorSpec)
        assert isinstance(ids.values, TokenIds)
        self._placeholders = {run.id for run in ids.values.runs}
        self._past = {path: leaf for path, leaf in specs[DECODER].leaves if path.startswith(PAST)}

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the logits of all tokens; see `dummyio.running.runner.Runner`."""
        return {LOGITS: self.begin(feeds)[LOGITS]}

    def begin(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the logits of all tokens, and the cache as the next step takes it.

        Raises
        ------
        RunError
            if a part does not run, or the number of features is that of no placeholder in the text.
        """
        embeds = self._embed({IDS: feeds[IDS]})[EMBEDS]
        rows = self._encode_all(feeds)
        counts = {each: int(np.sum(feeds[IDS] == each)) for each in sorted(self._placeholders)}
        fitting = [each for each, count in counts.items() if count == len(rows)]
        if not fitting:
            raise RunError(
                f"the encoder returns {len(rows)} features, and the text has placeholders {counts}: their numbers must agree. Make the "
                "feeds from the spec of the whole model."
            )
        embeds = embeds.copy()
        embeds[feeds[IDS] == fitting[0]] = rows
        return self._run_decoder(embeds, feeds[MASK], feeds.get(POSITIONS), self._make_empty_past(len(embeds)))

    def step(
        self, ids: Array, mask: Array, past: Mapping[str, Array], positions: Array | None = None
    ) -> dict[str, Array]:
        """Return the logits of some more tokens, and the longer cache; `mask` covers past and new tokens, `positions` the new ones."""
        return self._run_decoder(self._embed({IDS: ids})[EMBEDS], mask, positions, past)

    def _encode_all(self, feeds: Mapping[str, Array]) -> Array:
        """Return the features of all images, one after the other, [places, width]."""
        if self._counted_by is None:
            calls = [{name: feeds[name] for name in self._media}]
        else:
            count = len(feeds[self._counted_by])
            parts = {name: np.split(feeds[name], count) for name in self._media}
            calls = [{name: parts[name][place] for name in self._media} for place in range(count)]
        found = [next(iter(self._encode(call).values())) for call in calls]
        return np.concatenate([each.reshape(-1, each.shape[-1]) for each in found])

    def _run_decoder(
        self, embeds: Array, mask: Array, positions: Array | None, past: Mapping[str, Array]
    ) -> dict[str, Array]:
        more: dict[str, Array] = {}
        if isinstance(self._positions, TensorSpec) and positions is not None:
            shape = (evaluate_size(self._positions.shape[0]), *positions.shape[-2:])
            more[POSITIONS] = np.ascontiguousarray(np.broadcast_to(positions, shape))
        made = self._decode({EMBEDS: embeds, MASK: mask, **more, **past})
        presents: dict[str, Any] = {path: made[str(present_name(path))] for path in self._past}
        return {LOGITS: made[LOGITS], **presents}

    def _make_empty_past(self, batch: int) -> dict[str, Array]:
        return {
            path: np.zeros(leaf.sizes({"batch_size": batch, "past_sequence_length": 0}), leaf.dtype.numpy)
            for path, leaf in self._past.items()
        }


def join_files(files: Mapping[str, Path], spec: InputSpec, open_file: Callable[[Path, InputSpec], Runner]) -> Runner:
    """Return the files of a folder of parts, by their names without suffix, as one runner of the whole model, whose inputs are `spec`.

    Raises
    ------
    OptionError
        if the inputs are those of a step with a past, or without placeholders: the parts are joined at the start of a text.
    """
    specs = {name: InputSpec.load(spec_path(file)) for name, file in files.items()}
    opened = {name: open_file(file, specs[name]) for name, file in files.items()}
    if not {EMBEDDING, DECODER} < set(files):
        return WiredParts(spec, opened, specs)
    if PAST in spec or not has_placeholders(spec):
        raise OptionError(
            f"the parts of a model are joined for its text with placeholders, without {PAST}: give the spec of such a task, or validate "
            "each file alone."
        )
    return JoinedParts(spec, opened, specs)
