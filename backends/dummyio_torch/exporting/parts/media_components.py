"""The parts by which a model of text and images, or sounds, runs, each as a module with its own spec; see `media_parts`."""

import inspect
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dummyio.errors import ExportError
from dummyio.exporting.artifact_check import check_artifact, list_usual_sizes
from dummyio.exporting.parts.joined_parts import JoinedParts
from dummyio.huggingface.parts.media_parts import (
    DECODER,
    EMBEDDING,
    EMBEDS,
    ENCODERS,
    IDS,
    LOGITS,
    MASK,
    PAST,
    POSITIONS,
    features_name,
    has_grid_positions,
    list_fixed_inputs,
    list_media_inputs,
    split_media,
)
from dummyio.input_spec import InputSpec
from dummyio.running.runner import open_runner
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import TokenIds
from dummyio.typing import Array
from dummyio_torch.exporting.parts.known_values import KnownValues, make_known
from dummyio_torch.exporting.parts.optimum_components import Components
from dummyio_torch.running.module_runner import ModuleRunner

_TYPES = "token_type_ids"
_STEPS = 8
"""Steps of generation that are compared with the whole model."""
_WHOLE = "Its decoder may treat what comes from images or sounds in another way than text: export it whole, with layout='optimum'."


class MediaEncoder(nn.Module):
    """What a model makes of images or sounds: the features of all of them, one after the other, [places, width]."""

    def __init__(self, model: nn.Module, medium: str, fixed: Mapping[str, tuple[float, ...]]) -> None:
        super().__init__()
        self.whole = model
        self._medium = medium
        self._fixed = fixed

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the features; of one image if some of its inputs are fixed."""
        fixed = {name: make_known([list(values)]) for name, values in self._fixed.items()}
        with KnownValues() if fixed else nullcontext():
            made = getattr(self.whole, _getter_name(self._medium))(**inputs, **fixed)
        found = getattr(made, "pooler_output", made)
        rows = found if isinstance(found, torch.Tensor) else torch.cat(found, dim=0)
        return {features_name(self._medium): rows.reshape(-1, rows.shape[-1])}


class TextEmbedding(nn.Module):
    """The embeddings of token ids."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.embedding = model.get_input_embeddings()

    def forward(self, input_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the embeddings."""
        return {EMBEDS: self.embedding(input_ids)}


class EmbeddedDecoder(nn.Module):
    """The whole model from the embeddings on.

    Each token of a call sees all of the call and of the past, if `sees_prompt`; else the model's own rule holds.
    """

    def __init__(self, model: nn.Module, *, sees_prompt: bool = False) -> None:
        super().__init__()
        self.whole = model
        self._sees_prompt = sees_prompt

    def forward(
        self,
        inputs_embeds: torch.Tensor,
        attention_mask: torch.Tensor,
        past_key_values: Any,
        position_ids: torch.Tensor | None = None,
    ) -> Any:
        """Return logits and the caches."""
        if self._sees_prompt:
            least = torch.finfo(inputs_embeds.dtype).min
            hidden = (1 - attention_mask.to(inputs_embeds.dtype)) * least
            attention_mask = hidden[:, None, None, :].expand(-1, 1, inputs_embeds.shape[1], -1)
        return self.whole(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=True,
        )


def split_into_media_components(model: Any, plain: InputSpec, with_past: InputSpec) -> Components:
    """Return part → module and its spec, for a model whose text has placeholders for images or sounds.

    Raises
    ------
    ExportError
        if the model does not state how it makes features of its other inputs.
    """
    media = list_media_inputs(plain)
    medium = next((each for each in ENCODERS if _encodes(model, each, media)), None)
    if medium is None:
        names = ", ".join(_getter_name(each) for each in ENCODERS)
        raise ExportError(
            f"{type(model).__name__} has no {names} that takes {', '.join(media)}: its parts are not known. Export it whole, with "
            "layout='optimum' or to one file."
        )
    weights = model.get_input_embeddings().weight
    specs = split_media(plain, with_past, medium, weights.shape[-1])
    modules = {
        ENCODERS[medium]: MediaEncoder(model, medium, list_fixed_inputs(plain)),
        EMBEDDING: TextEmbedding(model),
        DECODER: EmbeddedDecoder(model, sees_prompt=sees_prompt(model)),
    }
    return {name: (modules[name], spec) for name, spec in specs.items()}


def list_fed_inputs(model: nn.Module, plain: InputSpec) -> list[str]:
    """Return optional inputs without which the whole model is not its parts: positions on a grid, and which tokens are a prompt."""
    return [POSITIONS] * has_grid_positions(plain) + [_TYPES] * sees_prompt(model)


def sees_prompt(model: nn.Module) -> bool:
    """Return whether the tokens of a prompt, whose types are 0, see each other in both directions."""
    config: Any = getattr(model, "config", None)
    text = config.get_text_config() if callable(getattr(config, "get_text_config", None)) else None
    return bool(getattr(text, "use_bidirectional_attention", False)) and _TYPES in _list_arguments(model.forward)


def _list_arguments(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def _getter_name(medium: str) -> str:
    return f"get_{medium}_features"


def _encodes(model: Any, medium: str, inputs: tuple[str, ...]) -> bool:
    getter = getattr(model, _getter_name(medium), None)
    return callable(getter) and set(inputs) <= _list_arguments(getter)


def check_joined_parts(
    model: nn.Module,
    plain: InputSpec,
    files: Mapping[str, Path],
    specs: Mapping[str, InputSpec],
    tolerance: float | None,
) -> tuple[str, ...]:
    """Compare the parts, run one after the other, with the whole model: logits at several sizes, and tokens step by step.

    `tolerance` is that of `check_artifact`; None compares shapes only.

    Raises
    ------
    ExportError
        if they differ, or do not run together.
    """
    reference = ModuleRunner(model, plain)
    joined = JoinedParts(plain, {name: open_runner(file, specs[name]) for name, file in files.items()}, specs)
    try:
        notes = check_artifact(
            files[DECODER],
            plain,
            (LOGITS,),
            reference=lambda feeds: {LOGITS: reference(feeds)[LOGITS]},
            sizes=[*list_usual_sizes(plain), *plain.probes()[1:3]],
            tolerance=tolerance,
            opener=lambda _path, _spec: joined,
        )
    except ExportError as error:
        raise ExportError(f"the parts, run one after the other, are not the whole model: {error} {_WHOLE}") from error
    if tolerance is not None:
        _compare_steps(reference, joined, plain, tolerance)
    return notes


def _compare_steps(reference: ModuleRunner, joined: JoinedParts, plain: InputSpec, tolerance: float) -> None:
    """Generate some tokens by the parts, and compare each step with the whole model on the whole text."""
    feeds = dict(plain.feeds())
    feeds[MASK] = np.ones_like(feeds[MASK])
    if POSITIONS in feeds:
        feeds[POSITIONS] = np.cumsum(feeds[MASK], axis=-1) - 1
    ids = plain[IDS]
    assert isinstance(ids, TensorSpec)
    reserved = list(ids.values.reserved) if isinstance(ids.values, TokenIds) else []
    beside = [name for name in plain if name not in (IDS, MASK, POSITIONS, *list_media_inputs(plain))]
    made = joined.begin(feeds)
    for step in range(_STEPS):
        expected = reference(feeds)[LOGITS][:, -1]
        found = made[LOGITS][:, -1]
        error, scale = float(np.abs(found - expected).max()), float(np.abs(expected).max())
        if not error <= tolerance * scale:  # NaN is not within it
            raise ExportError(
                f"the parts, run one after the other, are not the whole model at step {step} of generation: logits are off by {error:.2g}, "
                f"where the largest is {scale:.2g}. {_WHOLE}"
            )
        # A placeholder that is generated would ask the whole model for one more image.
        allowed = np.delete(np.arange(expected.shape[-1]), reserved)
        tokens = allowed[expected[:, allowed].argmax(-1)][:, None].astype(feeds[IDS].dtype)
        feeds = {**feeds, IDS: _append(feeds[IDS], tokens), MASK: _append(feeds[MASK], np.ones_like(tokens))}
        # What is generated is text, and no part of a prompt.
        feeds |= {name: _append(feeds[name], np.full_like(tokens, name == _TYPES)) for name in beside}
        if POSITIONS in feeds:
            feeds[POSITIONS] = _append(feeds[POSITIONS], feeds[POSITIONS][:, -1:] + 1)
        past = {name: values for name, values in made.items() if name.startswith(PAST)}
        made = joined.step(tokens, feeds[MASK], past, feeds[POSITIONS][:, -1:] if POSITIONS in feeds else None)


def _append(values: Array, more: Array) -> Array:
    return np.concatenate([values, more.astype(values.dtype)], axis=1)
