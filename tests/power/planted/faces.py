"""Defects of what an artifact shows: names, order, dtypes, and sizes that are declared, or kept, wrongly."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from planted.bases import base
from planted.graphs import after, declare, declare_free, nodes_of, rename, reorder, swap, value
from planted.hooks import change_masks
from planted.registry import edited, rewritten

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUTS = ("start_logits", "end_logits")
ALL = (*INPUTS, *OUTPUTS)


# Sizes.


@edited("bert", "the batch of the trace is kept, and declared so", "baked batch_size", fixed=("batch_size",))
def batch_fixed_and_declared(model):
    del model


@edited(
    "bert",
    "the batch of the trace is kept in the graph, and declared free",
    "baked batch_size",
    fixed=("batch_size",),
    exporter="dynamo",
)
def baked_batch(model):
    declare_free(model, {2: "batch_size"})


@edited(
    "bert",
    "the length of the trace is kept in the graph, and declared free",
    "baked sequence_length",
    fixed=("sequence_length",),
    exporter="dynamo",
)
def baked_length(model):
    declare_free(model, {16: "sequence_length"})


@rewritten(
    "llama", "the past's length in the trace is where new tokens begin to see each other", "baked past_sequence_length"
)
def baked_past_length(module):
    def cut(mask):
        queries, keys = mask.shape[-2:]
        begins = int(keys) - int(queries)  # a tracer makes a number of it
        columns = torch.arange(keys)[None, :] <= torch.arange(queries)[:, None] + begins
        return mask[..., -1:, :] & columns

    change_masks(module, cut)


@edited(
    "convolutional",
    "the image's size is kept in the graph, and declared free",
    "baked width",
    fixed=("height", "width"),
)
def baked_image_size(model):
    # What a tracer makes of it: the map's sizes as numbers, not as twice the image's.
    (resize,) = nodes_of(model, "Resize")
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 8, 20, 20]), "sizes"))
    del resize.input[2:]
    resize.input.extend(["", "sizes"])
    for item in (*model.graph.input, *model.graph.output):
        for axis, name in ((2, "height"), (3, "width")):
            if len(item.type.tensor_type.shape.dim) == 4:
                declare(model, item.name, axis, name)


@edited("bert", "positions are cut off after the 40th: longer texts get the last one again", "baked sequence_length")
def longest_length_from_the_example(model):
    after(model, "attention_mask", ("Slice", np.array([0]), np.array([40]), np.array([1])))


@edited(
    "bert",
    "axes of size 1 are squeezed out of a result: at a batch of 1 its axis is gone",
    "alone and in a batch start_logits",
)
def squeezed_batch(model):
    after(model, "start_logits", ("Squeeze",))


@edited("bart", "encoder and decoder are declared to be as long as each other", "symbols encoder_sequence_length")
def one_symbol_for_two_sizes(model):
    declare(model, "decoder_input_ids", 1, "encoder_sequence_length")


@edited("llama", "the scores are declared to be as many as the past's tokens", "symbols logits")
def wrong_symbol_in_an_output(model):
    declare(model, "logits", 1, "past_sequence_length")


@edited(
    "llama",
    "a present state is declared to be as long as the new tokens: the past is forgotten",
    "symbols present.0.key",
)
def past_forgotten_in_a_declaration(model):
    declare(model, "present.0.key", 2, "sequence_length")


@edited("convolutional", "both sides of a result have one name, as of a square", "symbols map")
def one_symbol_for_two_sides(model):
    declare(model, "map", 2, "side")
    declare(model, "map", 3, "side")


# Names and dtypes.


@edited("bert", "an output has the exporter's name", "names end_logits")
def renamed_output(model):
    rename(model, end_logits="split_1")


@edited("bert", "an input has the exporter's name", "names onnx::Gather_2")
def renamed_input(model):
    rename(model, token_type_ids="onnx::Gather_2")


@edited(
    "bert",
    "an input that the trace took for a constant, other than the model's default, is gone",
    "values start_logits",
)
def dropped_input(model):
    after(model, "token_type_ids", ("Mul", np.int64(0)), ("Add", np.int64(1)))
    model.graph.node[0].input[0] = "input_ids"  # of the same shape: ones all the same
    model.graph.input.remove(value(model, "token_type_ids"))


@edited("bert", "an output is not there", "names end_logits")
def dropped_output(model):
    model.graph.output.remove(value(model, "end_logits"))


@edited("bert", "mask and token types have each other's names", "values start_logits")
def swapped_inputs(model):
    swap(model, "attention_mask", "token_type_ids")
    reorder(model, ALL)


@edited("bert", "starts and ends have each other's names", "values start_logits")
def swapped_outputs(model):
    swap(model, "start_logits", "end_logits")
    reorder(model, ALL)


@edited("llama", "keys and values of a present state have each other's names", "values present.0.key")
def swapped_present(model):
    swap(model, "present.0.key", "present.0.value")
    reorder(model, [path for path, _ in base("llama").spec.leaves] + [o.name for o in base("llama").spec.outputs])


@edited("llama", "keys and values of a past state have each other's names", "prefill and decode logits")
def swapped_past(model):
    swap(model, "past_key_values.0.key", "past_key_values.0.value")
    reorder(model, [path for path, _ in base("llama").spec.leaves] + [o.name for o in base("llama").spec.outputs])


@edited("llama", "the states of two layers have each other's names", "values present.0.key")
def swapped_layers(model):
    swap(model, "past_key_values.0.key", "past_key_values.1.key")
    reorder(model, [path for path, _ in base("llama").spec.leaves] + [o.name for o in base("llama").spec.outputs])


@edited("bert", "an output comes in double precision", "dtype start_logits")
def output_in_double_precision(model):
    after(model, "start_logits", ("Cast", {"to": onnx.TensorProto.DOUBLE}))
    value(model, "start_logits").type.tensor_type.elem_type = onnx.TensorProto.DOUBLE


@edited("clock", "an index comes as a float", "SourceError")
def integer_output_as_float(model):
    after(model, "hour", ("Cast", {"to": onnx.TensorProto.FLOAT}))
    value(model, "hour").type.tensor_type.elem_type = onnx.TensorProto.FLOAT


@edited("bert", "an input takes 32-bit ids, where callers have 64-bit ones", "dtype token_type_ids")
def input_in_32_bits(model):
    after(model, "token_type_ids", ("Cast", {"to": onnx.TensorProto.INT64}))
    value(model, "token_type_ids").type.tensor_type.elem_type = onnx.TensorProto.INT32


@edited("distilbert", "the result of the trace has become a constant", "values logits")
def constant_output(model):
    after(model, "logits", ("Mul", np.float32(0)), ("Add", np.array([[0.31, -0.2]], np.float32)))


@edited("distilbert", "the file is of a model with other weights: another epoch's", "values logits")
def another_checkpoint(model):
    generator = np.random.default_rng(0)
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype == np.float32 and values.ndim == 2:
            step = generator.normal(0, 2e-3, values.shape).astype(np.float32)
            weights.CopyFrom(numpy_helper.from_array(values + step, weights.name))


@edited("convolutional", "an output's axes stand in another order", "shape map")
def output_in_another_layout(model):
    after(model, "map", ("Transpose", {"perm": [0, 2, 3, 1]}))
    output = value(model, "map")
    output.type.tensor_type.CopyFrom(helper.make_tensor_type_proto(1, ["batch_size", "h", "w", 8]).tensor_type)
