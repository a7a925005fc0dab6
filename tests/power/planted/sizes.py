"""Defects at some sizes only: around windows, powers of two, the ends of a range, and at some batches."""

from __future__ import annotations

from collections.abc import Callable

import torch

from planted.hooks import change_input, change_masks, change_output
from planted.registry import rewritten, rewritten_as

_WRONG: dict[str, tuple[int, str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "batch of one": (0, "baked batch_size", lambda n: n == 1),
    "batch of two": (0, "baked batch_size", lambda n: n == 2),
    "batch above four": (0, "baked batch_size", lambda n: n > 4),
    "batch of five": (0, "baked batch_size", lambda n: n == 5),
    "batch of eight": (0, "baked batch_size", lambda n: n >= 8),
    "batch that is odd": (0, "baked batch_size", lambda n: n % 2 == 1),
    "length of one": (1, "baked sequence_length", lambda n: n == 1),
    "length from 32": (1, "baked sequence_length", lambda n: n >= 32),
    "length above 32": (1, "baked sequence_length", lambda n: n > 32),
    "length of 31": (1, "baked sequence_length", lambda n: n == 31),
    "length at the maximum": (1, "baked sequence_length", lambda n: n == 64),
    "length below the maximum": (1, "baked sequence_length", lambda n: n == 63),
    "length no multiple of 16": (1, "baked sequence_length", lambda n: n % 16 != 0),
    "length that is odd": (1, "baked sequence_length", lambda n: n % 2 == 1),
    "length above the one of the trace": (1, "baked sequence_length", lambda n: n > 16),
}


def _double(is_wrong: Callable[[torch.Tensor], torch.Tensor], axis: int) -> Callable[[torch.nn.Module], None]:
    """Return a change of `Pooler`: its tokens count twice where `is_wrong` of a size is true, in the graph too."""

    def rewrite(module: torch.nn.Module) -> None:
        def change(hidden: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            size = torch._shape_as_tensor(hidden)[axis]
            return torch.where(is_wrong(size), 2 * hidden, hidden), mask

        change_input(module.total, change)

    return rewrite


for _title, (_axis, _finds, _is_wrong) in _WRONG.items():
    rewritten_as(_title, "pooler", f"another result at a {_title}", _finds, _double(_is_wrong, _axis))


def _steps(hidden: torch.Tensor) -> torch.Tensor:
    """Return the positions of tokens, ``[1, tokens, 1]``."""
    return torch.arange(hidden.shape[1])[None, :, None]


@rewritten("pooler", "noise in what comes after the 48th token", "values sentence_embedding")
def noise_past_a_length(module):
    change_input(module.total, lambda hidden, mask: (torch.where(_steps(hidden) > 48, hidden * 1.01, hidden), mask))


@rewritten("pooler", "the last position is left out", "values sentence_embedding")
def last_position_left_out(module):
    change_input(module.total, lambda hidden, mask: (hidden * (_steps(hidden) < hidden.shape[1] - 1), mask))


@rewritten("pooler", "the first position is left out", "values sentence_embedding")
def first_position_left_out(module):
    change_input(module.total, lambda hidden, mask: (hidden * (_steps(hidden) > 0), mask))


@rewritten("pooler", "only the first 40 tokens count", "baked sequence_length")
def tokens_after_the_fortieth_left_out(module):
    change_input(module.total, lambda hidden, mask: (hidden * (_steps(hidden) < 40), mask))


def _window(mask: torch.Tensor, size: int) -> torch.Tensor:
    """Return a causal mask of this window, where the model's own allows more or fewer keys."""
    queries, keys = torch.arange(mask.shape[-2])[:, None], torch.arange(mask.shape[-1])[None, :]
    shown = mask.any(-2, keepdim=True)
    return shown & (keys <= queries) & (queries - keys < size)


@rewritten("mistral", "the window of attention is wider by one", "values logits")
def window_wider_by_one(module):
    change_masks(module, lambda mask: _window(mask, 13))


@rewritten("mistral", "the window of attention is narrower by one", "values logits")
def window_narrower_by_one(module):
    change_masks(module, lambda mask: _window(mask, 11))


@rewritten("projection", "more than 128 steps take another branch", "baked steps")
def branch_above_128(module):
    def change(found):
        wrong = torch._shape_as_tensor(found["projected"])[1] > 128
        return {**found, "projected": torch.where(wrong, found["projected"] + 1, found["projected"])}

    change_output(module, change)


@rewritten("convolutional", "the largest image is wrong", "baked width")
def largest_width(module):
    def change(found):
        wrong = torch._shape_as_tensor(found["map"])[3] >= 64
        return {**found, "map": torch.where(wrong, found["map"] + 1, found["map"])}

    change_output(module, change)


@rewritten("llama", "without a past each token sees itself alone", "baked past_sequence_length")
def empty_past(module):
    def change(mask):
        is_empty = torch._shape_as_tensor(mask)[-1] == torch._shape_as_tensor(mask)[-2]
        own = torch.arange(mask.shape[-2])[:, None] == torch.arange(mask.shape[-1])[None, :]
        return mask & (own | ~is_empty)

    change_masks(module, change)
