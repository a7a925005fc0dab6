"""Defects of how inputs are used: masks, positions, pasts, rows, ids, pixels."""

from __future__ import annotations

import numpy as np
import onnx
import torch

from planted.graphs import after, nodes_of, set_attribute
from planted.hooks import change_input, change_masks, change_output, parts
from planted.registry import edited, rewritten

# Masks.


@edited("bert", "the mask is taken, and has no effect", "padding start_logits")
def mask_ignored(model):
    after(model, "attention_mask", ("Mul", np.int64(0)), ("Add", np.int64(1)))


@edited("bert", "the mask is read from the other end", "padding start_logits")
def wrong_padding_side(model):
    after(model, "attention_mask", ("Slice", np.array([-1]), np.array([-(2**62)]), np.array([1]), np.array([-1])))


@edited("bert", "padding is attended to, and what is kept is not", "padding start_logits")
def mask_inverted(model):
    after(model, "attention_mask", ("Sub", np.int64(1)), ("Neg",))


@rewritten("bert", "padding is made unlikely by 4, not impossible", "padding start_logits")
def mask_too_weak(module):
    change_masks(module, lambda mask: torch.where(mask, 0.0, -4.0))


@rewritten("llama", "tokens see those that come after them", "prefill and decode logits")
def causal_mask_dropped(module):
    change_masks(module, lambda mask: mask[..., -1:, :].expand_as(mask))


@rewritten("llama", "each token sees the one after it", "prefill and decode logits")
def causal_mask_off_by_one(module):
    change_masks(module, lambda mask: torch.cat([mask[..., 1:, :], mask[..., -1:, :]], -2))


@rewritten("mistral", "the window of attention is not kept: only texts longer than it show that", "values logits")
def window_ignored(module):
    def widen(mask):
        size = mask.shape[-1]
        causal = torch.arange(size)[None, :] <= torch.arange(size)[:, None]
        return mask[..., -1:, :].logical_or(mask.any(-2, keepdim=True)) & causal

    change_masks(module, widen)


@rewritten("bart", "the decoder looks at padding of what it translates", "padding logits")
def cross_attention_mask_ignored(module):
    change_masks(module.model.decoder, torch.ones_like, only="encoder_attn")


@rewritten("pooler", "the mean is taken over padding too", "padding sentence_embedding")
def padding_in_the_mean(module):
    change_input(module.total, lambda hidden, mask: (hidden, torch.ones_like(mask)))


@rewritten("pooler", "a text of nothing but padding is divided by its length, 0", "nonfinite sentence_embedding")
def nan_for_padded_rows(module):
    module.at_least = lambda count: count


@rewritten("ratio", "a result of NaN is replaced by 0", "nonfinite sentence_embedding")
def nan_replaced(module):
    change_output(module, lambda found: {name: value.nan_to_num() for name, value in found.items()})


# Positions and pasts.


@rewritten("gpt2", "positions count from 1", "values logits")
def positions_off_by_one(module):
    change_input(module.transformer.wpe, lambda ids: (ids + 1).clamp(max=63))


@rewritten(
    "llama",
    "positions that are given have no effect: they are counted anew, over padding too",
    "prefill and decode logits",
)
def positions_counted_anew(module):
    def count(hidden, position_ids):
        return hidden, torch.arange(position_ids.shape[1]).expand_as(position_ids)

    change_input(module.model.rotary_emb, count)


@edited("llama", "positions go on from the past's length in the trace", "prefill and decode logits")
def positions_after_a_constant(model):
    after(
        model, "position_ids", ("Mul", np.int64(0)), ("Add", np.int64(1)), ("CumSum", np.int64(1)), ("Add", np.int64(7))
    )


@rewritten("llama", "the first token of the past is never looked at", "values logits")
def past_shorter_by_one(module):
    change_masks(module, lambda mask: torch.cat([torch.zeros_like(mask[..., :1]), mask[..., 1:]], -1))


@edited("llama", "heads and tokens of the past have changed places", "values logits")
def transposed_past(model):
    name = "past_key_values.0.key"
    shape = "planted_shape"
    after(model, name, ("Transpose", {"perm": [0, 2, 1, 3]}), ("Reshape", shape))
    model.graph.node.insert(0, onnx.helper.make_node("Shape", [name], [shape]))


# Rows.


@rewritten("bert", "each row is moved towards the mean of the batch", "alone and in a batch start_logits")
def rows_mixed(module):
    change_output(module.bert.embeddings, lambda found: found + 0.05 * found.mean(0, keepdim=True))


@rewritten("bert", "only the first row is right", "permuted rows start_logits")
def right_for_the_first_row_only(module):
    def dim(found):
        first = (torch.arange(found.shape[0]) == 0).reshape(-1, 1, 1)
        return torch.where(first, found, found * 0.99)

    change_output(module.qa_outputs, dim)


@rewritten(
    "convolutional", "the norm takes the batch's own mean and deviation, as in training", "alone and in a batch logits"
)
def norm_still_in_training(module):
    def normalized(found):
        mean, var = (f(found, (0, 2, 3), keepdim=True) for f in (torch.mean, torch.var))
        scale, shift = (v.reshape(1, -1, 1, 1) for v in (module.norm.weight, module.norm.bias))
        return (found - mean) / (var + 1e-5).sqrt() * scale + shift

    module.norm.forward = normalized


# Ids.


@edited("bert", "the vocabulary is one id short: the last one reads the one before", "values start_logits")
def vocabulary_short_by_one(model):
    after(model, "input_ids", ("Min", np.int64(97)))


@edited("bert", "the first ordinary id is read as the unknown one", "values start_logits")
def first_id_unknown(model):
    after(model, "input_ids", ("Max", np.int64(2)))


@edited("bert", "token types have no effect", "values start_logits")
def token_types_ignored(model):
    after(model, "token_type_ids", ("Mul", np.int64(0)))


@edited("clock", "milliseconds are kept in 32 bits: later times wrap around", "values second")
def int32_overflow(model):
    after(model, "time", ("Cast", {"to": onnx.TensorProto.INT32}), ("Cast", {"to": onnx.TensorProto.INT64}))


@edited("clock", "milliseconds go through a float: they are rounded to a quarter of a second", "values second")
def integer_through_float(model):
    # Between the casts stands what keeps an optimizer from leaving both out.
    cast = [("Cast", {"to": kind}) for kind in (onnx.TensorProto.FLOAT, onnx.TensorProto.INT64)]
    after(model, "time", cast[0], ("Floor",), cast[1])


@rewritten("clock", "whole numbers are divided as floats: as PyTorch's newer exporter does by itself", "values second")
def integers_divided_as_floats(module):
    def forward(time):
        second = (time.float() / 1000).floor().long()
        hour = (second.float() / 3600).floor().long().remainder(24)
        return {"second": second, "hour": hour, "vector": module.embed(hour)}

    module.forward = forward


@edited("picker", "of several largest the last one is taken", "values place")
def last_of_several(model):
    set_attribute(nodes_of(model, "ArgMax")[0], "select_last_index", 1)


@edited("picker", "places count from 1", "values place")
def places_off_by_one(model):
    after(model, "place", ("Add", np.int64(1)))


# Pixels and sound.


@rewritten("vit", "red and blue have changed places", "values logits")
def channels_swapped(module):
    change_input(module.vit.embeddings, lambda pixels: pixels[:, [2, 1, 0]])


@rewritten("vit", "channels are read from the last axis, from an image that has them first", "values logits")
def layouts_mixed(module):
    change_input(module.vit.embeddings, lambda x: x.reshape(-1, 30, 30, 3).permute(0, 3, 1, 2))


@rewritten("vit", "rows and columns of the image have changed places", "values logits")
def image_transposed(module):
    change_input(module.vit.embeddings, lambda pixels: pixels.transpose(2, 3))


@rewritten("vit", "pixels are rounded to 8 bits", "values logits")
def pixels_in_8_bits(module):
    change_input(module.vit.embeddings, lambda pixels: (pixels * 127).round() / 127)


@rewritten("wav2vec2", "the last samples of a sound are cut off", "values logits")
def sound_cut_off(module):
    first = next(part for _, part in parts(module, "Conv1d"))
    change_input(first, lambda sound: torch.nn.functional.pad(sound[..., :-1], (0, 1)))
