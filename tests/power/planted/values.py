"""Defects at some values only: special ids, ties, magnitudes, lengths; and inputs without an effect, or without a check."""

from __future__ import annotations

import torch

from planted.graphs import after
from planted.hooks import change_input, change_output
from planted.registry import edited, rewritten

# Special ids.


def _embed(module, change):
    """Let the embedding of `Pooler` see other ids."""
    change_input(module.embed, change)


@rewritten("tagger", "each pad id is taken for padding", "values sentence_embedding")
def pad_ids_taken_for_padding(module):
    _zero_where(module, lambda ids: ids == 0)


@rewritten("tagger", "the id of a start is read as unknown inside of a text too", "values sentence_embedding")
def starts_inside_read_as_another(module):
    _embed(module, lambda ids: torch.where((ids == 1) & (torch.arange(ids.shape[1]) > 0), 3, ids))


@rewritten("tagger", "the unknown id has no vector", "values sentence_embedding")
def unknown_id_without_a_vector(module):
    _zero_where(module, lambda ids: ids == 3)


@rewritten("tagger", "an id that comes twice in a row counts once", "values sentence_embedding")
def repeated_ids_count_once(module):
    _zero_where(module, lambda ids: torch.nn.functional.pad(ids[:, 1:] == ids[:, :-1], (1, 0)))


@rewritten("tagger", "the highest id is read as the one before", "values sentence_embedding")
def highest_id_missing(module):
    _embed(module, lambda ids: ids.clamp(max=58))


@rewritten("tagger", "the lowest ordinary id is read as unknown", "values sentence_embedding")
def lowest_id_unknown(module):
    _embed(module, lambda ids: torch.where(ids == 4, 3, ids))


@rewritten("tagger", "ids above 50 start again at 0", "values sentence_embedding")
def ids_wrap_around(module):
    _embed(module, lambda ids: ids % 51)


@rewritten("tagger", "a text of special ids alone gives NaN", "nonfinite sentence_embedding")
def nan_for_texts_of_special_ids(module):
    def change(hidden):
        ids = seen[0]
        ordinary = (ids > 3).any(1)[:, None, None]
        return torch.where(ordinary, hidden, hidden / 0.0 * 0.0)

    seen = []
    _embed(module, lambda ids: (seen.clear(), seen.append(ids), ids)[-1])
    change_output(module.embed, change)


def _zero_where(module, is_wrong):
    """Let tokens have a vector of zeros where `is_wrong` of their ids is true."""
    seen = []
    _embed(module, lambda ids: (seen.clear(), seen.append(ids), ids)[-1])
    change_output(module.embed, lambda found: torch.where(is_wrong(seen[0])[..., None], 0.0, found))


# Ties and magnitudes.


def _project(module, change):
    change_output(module.dense, change)


@rewritten("projection", "of several largest features the last one is taken", "values place")
def last_of_tied_features(module):
    def change(found, features):
        flipped = features.flip(-1).argmax(-1)
        return {**found, "place": features.shape[-1] - 1 - flipped}

    module.register_forward_hook(
        lambda _, args, kwargs, found: change(found, *args, *kwargs.values()), with_kwargs=True
    )


@rewritten("projection", "results are cut off at 6", "values projected")
def cut_off_at_6(module):
    _project(module, lambda found: found.clamp(max=6))


@rewritten("projection", "results are cut off at 20", "values projected")
def cut_off_at_20(module):
    _project(module, lambda found: found.clamp(-20, 20))


@rewritten("projection", "features are cut off at 8", "values projected")
def outliers_cut_off(module):
    change_input(module.dense, lambda features: features.clamp(-8, 8))


@rewritten("projection", "features near zero are zero", "values projected")
def small_features_flushed(module):
    change_input(module.dense, lambda features: torch.where(features.abs() < 2e-3, 0.0, features))


@rewritten("projection", "features are rounded to a grid", "values projected")
def features_on_a_grid(module):
    change_input(module.dense, lambda features: (features * 4096).round() / 4096)


@rewritten("projection", "negative results are a tenth too small", "values projected")
def negative_results_too_small(module):
    _project(module, lambda found: torch.where(found < 0, found * 0.9, found))


# Lengths.


def _count(module, change):
    module.count = change


@rewritten("series", "lengths have no effect", "values mean")
def lengths_ignored(module):
    change_input(module.total, lambda values, kept: (values, torch.ones_like(kept)))


@rewritten("series", "lengths are one too long", "values mean")
def lengths_off_by_one(module):
    _count(module, lambda lengths: lengths + 1)


@rewritten("series", "a length is at least 3", "values mean")
def lengths_at_least_3(module):
    _count(module, lambda lengths: lengths.clamp(min=3))


@rewritten("series", "a length is at most 16", "values mean")
def lengths_at_most_16(module):
    _count(module, lambda lengths: lengths.clamp(max=16))


@rewritten("series", "all rows have the length of the longest", "values mean")
def lengths_of_the_longest(module):
    _count(module, lambda lengths: lengths.max().expand_as(lengths))


@rewritten("series", "all rows have the length of the first", "values mean")
def lengths_of_the_first(module):
    _count(module, lambda lengths: lengths[:1].expand_as(lengths))


# Effects below a wide tolerance.


@rewritten("pair", "a small input has no effect, which a tolerance for 8 bits covers", "effect hints", tolerance="int8")
def small_input_ignored(module):
    module.share = lambda hints: 0.0 * hints


@rewritten("pair", "a small input has the opposite effect", "effect hints", tolerance="int8")
def small_input_turned_round(module):
    module.share = lambda hints: -0.2 * hints


@rewritten("pair", "a small input has an eighth of its effect", "effect hints", tolerance="int8")
def small_input_too_small(module):
    module.share = lambda hints: 0.2 / 8 * hints


# Inputs that must be refused.


@edited(
    "tagger", "an id beyond the vocabulary gets the vector of the last one", "accepts illegal input_ids", strict=True
)
def illegal_ids_clipped(model):
    after(model, "input_ids", ("Clip", torch.tensor(0).numpy(), torch.tensor(59).numpy()))


@edited("tagger", "an id beyond the vocabulary starts again at 0", "accepts illegal input_ids", strict=True)
def illegal_ids_wrapped(model):
    after(model, "input_ids", ("Mod", torch.tensor(60).numpy()))


@rewritten(
    "bert", "a text longer than the table gets its last position again", "accepts illegal sequence_length", strict=True
)
def illegal_lengths_clipped(module):
    change_input(module.bert.embeddings.position_embeddings, lambda ids: ids.clamp(max=63))
    module.bert.embeddings.register_buffer("position_ids", torch.arange(128)[None], persistent=False)
    module.bert.embeddings.register_buffer("token_type_ids", torch.zeros(1, 128, dtype=torch.long), persistent=False)
