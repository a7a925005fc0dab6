"""Defects of the computation itself: weights, precision, operators and their attributes, layers."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from torch import nn

from planted.graphs import after, nodes_of, set_attribute
from planted.hooks import change_input, change_output, parts
from planted.registry import edited, rewritten

# Precision.


@edited("meter", "squares are taken in half precision: loud signals are infinite", "nonfinite loudness")
def fp16_overflow(model):
    # Between the casts stands what keeps an optimizer from leaving both out.
    square = nodes_of(model, "Mul")[0].output[0]
    half, single = (("Cast", {"to": kind}) for kind in (onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT))
    after(model, square, half, ("Unsqueeze", np.array([0])), single, ("Squeeze", np.array([0])))


@rewritten("bert", "the values between two layers go through half precision", "values start_logits")
def half_precision_inside(module):
    change_output(module.bert.encoder.layer[0], lambda found: _first(found, lambda x: x.half().float()))


@rewritten("bert", "the values between two layers go through bfloat16", "values start_logits")
def bfloat16_inside(module):
    change_output(module.bert.encoder.layer[0], lambda found: _first(found, lambda x: x.bfloat16().float()))


@rewritten("bert", "the weights are rounded to 8 bits, which nobody asked for", "values start_logits")
def weights_in_8_bits(module):
    _round_weights(module, 127)


@rewritten("bert", "the weights of one layer are rounded to 3 bits", "values start_logits")
def weights_in_3_bits(module):
    _round_weights(module.bert.encoder.layer[0].intermediate, 3)


@rewritten("bert", "a layer's weights are read with another's scale", "values start_logits")
def weights_with_a_wrong_scale(module):
    module.bert.encoder.layer[1].output.dense.weight.data *= 1.07


# Weights.


@rewritten("bert", "one weight matrix is that of an earlier step", "values start_logits")
def stale_weight(module):
    weight = module.bert.encoder.layer[0].attention.self.query.weight
    weight.data += 0.002 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))


@rewritten("bert", "one weight of thousands is 0", "values start_logits")
def one_weight_zeroed(module):
    module.bert.encoder.layer[0].intermediate.dense.weight.data[5, 7] = 0


@rewritten("bert", "a bias is left out", "values start_logits")
def bias_dropped(module):
    nn.init.zeros_(module.bert.encoder.layer[0].attention.self.value.bias)


@rewritten("bert", "a square weight matrix is transposed", "values start_logits")
def weight_transposed(module):
    weight = module.bert.encoder.layer[0].attention.output.dense.weight
    weight.data = weight.data.t().contiguous()


@rewritten("distilbert", "two rows of the embedding have changed places", "values logits")
def embedding_rows_swapped(module):
    module.distilbert.embeddings.word_embeddings.weight.data[[7, 8]] = (
        module.distilbert.embeddings.word_embeddings.weight.data[[8, 7]]
    )


# Operators.


@edited("bert", "the norms have an epsilon of 1e-5, not of 1e-12", "values start_logits")
def larger_epsilon(model):
    for node in nodes_of(model, "LayerNormalization"):
        set_attribute(node, "epsilon", 1e-5)


@edited("gpt2", "the norms have an epsilon of 1e-3, not of 1e-5", "values logits")
def much_larger_epsilon(model):
    for node in nodes_of(model, "LayerNormalization"):
        set_attribute(node, "epsilon", 1e-3)


@rewritten("bert", "values are dropped at random, as in training", "nondeterministic start_logits")
def dropout_left_on(module):
    change_output(module.bert.embeddings, lambda found: found * (torch.rand_like(found) > 0.1) / 0.9)


@edited("bert", "GELU is approximated by tanh", "values start_logits")
def gelu_by_tanh(model):
    for node in nodes_of(model, "Gelu"):
        set_attribute(node, "approximate", "tanh")


@edited("bert", "ReLU stands where GELU was", "values start_logits")
def relu_for_gelu(model):
    for node in nodes_of(model, "Gelu"):
        node.op_type, node.domain = "Relu", ""
        del node.attribute[:]


@edited("bert", "attention is shared out over queries, not over keys", "padding start_logits")
def softmax_over_the_wrong_axis(model):
    for node in nodes_of(model, "Softmax"):
        set_attribute(node, "axis", 2)


@rewritten("llama", "scores of attention are not divided by the root of the width", "values logits")
def softmax_without_scaling(module):
    for _, part in parts(module, "Attention"):
        part.scaling = 1.0


@rewritten("llama", "the angles of positions have another base", "values logits")
def other_rotary_base(module):
    module.model.rotary_emb.inv_freq *= 0.9


@rewritten("llama", "heads that share keys are paired in another order", "values logits")
def heads_paired_wrongly(module):
    for _, part in parts(module, "Attention"):
        change_output(part.q_proj, lambda q: q.unflatten(-1, (2, 2, 8)).transpose(-2, -3).flatten(-3))


@edited("convolutional", "an image is padded on two sides, not on four", "values logits")
def padded_on_two_sides(model):
    set_attribute(nodes_of(model, "Conv")[0], "pads", [0, 0, 2, 2])


@edited("convolutional", "an image is enlarged from its corners, not from its pixels' centres", "values map")
def corners_aligned(model):
    set_attribute(nodes_of(model, "Resize")[0], "coordinate_transformation_mode", "align_corners")


@edited("convolutional", "the largest value is taken, not the mean", "values logits")
def pooled_by_maximum(model):
    nodes_of(model, "GlobalAveragePool")[0].op_type = "GlobalMaxPool"


@edited("distilbert", "scores come as logarithms of probabilities", "values logits")
def scores_normalized(model):
    after(model, "logits", ("LogSoftmax", {"axis": -1}))


@edited("llama", "scores are cut off at 3", "values logits")
def scores_clipped(model):
    after(model, "logits", ("Clip", np.float32(-3), np.float32(3)))


# Layers.


@rewritten("bert", "the last layer is missing", "values start_logits")
def layer_missing(module):
    del module.bert.encoder.layer[-1]


@rewritten("bert", "two layers have changed places", "values start_logits")
def layers_in_another_order(module):
    layers = module.bert.encoder.layer
    module.bert.encoder.layer = nn.ModuleList([layers[1], layers[0]])


@rewritten("bert", "an addition around a layer is left out", "values start_logits")
def residual_dropped(module):
    change_input(module.bert.encoder.layer[0].output, lambda found, before: (found, 0 * before))


@rewritten("t5", "distances between tokens are counted the wrong way round", "values logits")
def distances_reversed(module):
    for _, part in parts(module.encoder, "T5Attention"):
        if part.has_relative_attention_bias:
            change_output(part.relative_attention_bias, lambda bias: bias.transpose(0, 1))


@rewritten("wav2vec2", "the position of sounds is left out", "values logits")
def no_positions_of_sounds(module):
    change_output(module.wav2vec2.encoder.pos_conv_embed, lambda found: 0 * found)


def _first(found, change):
    return (change(found[0]), *found[1:]) if isinstance(found, tuple) else change(found)


def _round_weights(module, levels):
    for part in module.modules():
        if isinstance(part, nn.Linear):
            step = part.weight.data.abs().max() / levels
            part.weight.data = (part.weight.data / step).round() * step
