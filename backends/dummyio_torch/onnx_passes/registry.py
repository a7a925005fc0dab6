"""All corrections of what exporters and runtimes do wrong: each with its defect, and the test that the defect is still there.

To remove a correction: where its test in ``test_still_needed.py`` fails because the defect is gone, delete the entry with its
function and its test.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import onnx_ir as ir
import torch
from onnxscript.function_libs.torch_lib.ops import core

from dummyio.input_spec import InputSpec
from dummyio_torch.onnx_passes.declare_spec import declare_spec
from dummyio_torch.onnx_passes.empty_products import multiply_matrices
from dummyio_torch.onnx_passes.exact_constants import cast_fused_weights, match_constants_exactly
from dummyio_torch.onnx_passes.explicit_pad_axes import add_pad_axes
from dummyio_torch.onnx_passes.infinite_masks import use_infinite_mask_fill
from dummyio_torch.onnx_passes.recurrent_shapes import infer_recurrent_shapes
from dummyio_torch.onnx_passes.translations import (
    attention,
    distances,
    elementwise,
    exact_integers,
    numbers,
    prefixes,
    recurrent_layers,
    resizing,
    scattering,
    sorting,
)
from dummyio_torch.onnx_passes.unwrap_names import remove_wrapper_names


@dataclass(frozen=True, slots=True)
class GraphPass:
    """One correction."""

    name: str
    run: Callable[..., Any]
    """Of a ``"graph"`` pass, a function of the model, the spec and the output names, which changes the model and may return
    notes for the user. Of a ``"translation"``, the function that translates the operator. Of a ``"patch"``, a context in which
    the library is patched."""
    defect: str
    """What is wrong without it."""
    upstream: str
    """The address of the issue, or "not reported"."""
    versions: str
    """The versions with the defect, of those that were tested."""
    test: str
    """The test in ``test_still_needed.py``."""
    kind: Literal["graph", "translation", "patch"] = "graph"
    replaces: str = ""
    """The operator of ``torch.ops`` that is translated, or the attribute of another library that is replaced."""
    below_opset: int | None = None
    """The first opset that does not need it: from 23 on, attention is one operator."""


_SYMBOLIC_NUMBER = {
    "mul.Scalar": (core.aten_mul_scalar, core.aten_mul),
    "pow.Tensor_Scalar": (core.aten_pow_tensor_scalar, core.aten_pow),
    "remainder.Scalar": (core.aten_remainder_scalar, core.aten_remainder),
}
"""Operator → its translations with a constant and with a tensor."""
_RECURRENT: dict[str, Callable[..., Any]] = {
    "rnn_tanh": recurrent_layers.make_rnn_translation("Tanh"),
    "rnn_relu": recurrent_layers.make_rnn_translation("Relu"),
    "lstm": recurrent_layers.translate_lstm,
}

_RESIZES = ("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d")

_ABSENT: dict[str, tuple[str, Callable[..., Any]]] = {
    "sort.stable": ("sorting", sorting.sort),
    "median.dim": ("sorting", sorting.find_median),
    "median.default": ("sorting", sorting.find_median_of_all),
    "kthvalue.default": ("sorting", sorting.find_kth_value),
    "searchsorted.Tensor": ("sorting", sorting.find_places),
    "cumprod.default": ("prefixes", prefixes.multiply_prefixes),
    "cummax.default": ("prefixes", prefixes.find_largest_of_prefixes),
    "cummin.default": ("prefixes", prefixes.find_smallest_of_prefixes),
    "hypot.default": ("elementwise", elementwise.measure_hypotenuse),
    "fmax.default": ("elementwise", elementwise.find_larger),
    "fmin.default": ("elementwise", elementwise.find_smaller),
    "copysign.Tensor": ("elementwise", elementwise.copy_sign),
    "_cdist_forward.default": ("distances", distances.measure_distances),
}
"""Operator → the module of its translation, and the translation."""

# fmt: off
PASSES: tuple[GraphPass, ...] = (
    GraphPass("declare_spec", declare_spec,
        "The exporter drops unused inputs, renames outputs, and names dims after its own symbols.",
        "not reported", "torch<=2.13.0", "test_inputs_and_dims_are_declared_as_in_the_spec"),
    GraphPass("unwrap_names", remove_wrapper_names,
        "Weights and scopes have the prefix of the module that is wrapped around the model, and notes name files of the machine.",
        "not reported", "torch<=2.13.0", "test_weights_and_scopes_have_the_names_of_the_model"),
    GraphPass("infinite_masks", use_infinite_mask_fill,
        "Attention of a row that a boolean mask hides completely returns a mean over all positions instead of zeros.",
        "not reported", "onnxscript<=0.7.2", "test_a_row_that_a_boolean_mask_hides_attends_to_nothing"),
    GraphPass("explicit_pad_axes", add_pad_axes,
        "ONNX Runtime fuses a padding with zeros into MaxPool, whose own padding is minus infinity.",
        "not reported", "onnxruntime<=1.31.1", "test_a_pad_before_a_maximum_counts"),
    GraphPass("empty_products", multiply_matrices,
        "ONNX Runtime refuses the product of a matrix without rows and a vector.",
        "not reported", "onnxruntime<=1.31.1", "test_a_matrix_without_rows_is_multiplied_by_a_vector"),
    GraphPass("exact_constants.cast_fused_weights", cast_fused_weights,
        "A norm in bfloat16 that the optimizer fuses into a convolution leaves its weights in float32, which is not a valid node.",
        "not reported", "onnxscript<=0.7.2", "test_a_norm_in_bfloat16_is_fused"),
    GraphPass("exact_constants", match_constants_exactly,
        "The optimizer takes constants of at most 1e-8 for 0 and removes them, such as the epsilon of a norm.",
        "not reported", "onnxscript<=0.7.2", "test_a_small_epsilon_stays",
        kind="patch", replaces="onnxscript.rewriter._matcher.math"),
    GraphPass("recurrent_shapes", infer_recurrent_shapes,
        "The length of a sequence becomes a constant, declared or refused, where a recurrent layer runs over it.",
        "not reported", "torch<=2.13.0", "test_a_recurrent_layer_keeps_the_length_of_its_sequence",
        kind="patch", replaces="torch.export._patches.lstm_while_loop_impl"),
    GraphPass("exact_integers.divide_with_mode", exact_integers.divide_with_mode,
        "Integers are divided in float32, so quotients of integers above 2**24 are wrong.",
        "not reported", "onnxscript<=0.7.2", "test_integers_are_divided_as_integers",
        kind="translation", replaces="aten.div.Tensor_mode"),
    GraphPass("exact_integers.raise_to_power", exact_integers.raise_to_power,
        "ONNX Runtime raises integers to powers in double, so results above 2**53 are wrong.",
        "not reported", "onnxruntime<=1.31.1", "test_integers_are_raised_as_integers",
        kind="translation", replaces="aten.pow.Tensor_Tensor"),
    GraphPass("exact_integers.sum_integers", exact_integers.sum_integers,
        "ONNX Runtime sums products of integers in double, so sums above 2**53 are wrong.",
        "not reported", "onnxruntime<=1.31.1", "test_products_of_integers_are_summed_as_integers",
        kind="translation", replaces="aten.sum.dim_IntList"),
    *(GraphPass(f"recurrent_layers.{operator}", translation,
        "The exporter has no translation of nn.RNN, and of an LSTM that projects its state one that ignores the projection.",
        "not reported", "onnxscript<=0.7.2", "test_all_recurrent_layers_are_translated",
        kind="translation", replaces=f"aten.{operator}.input") for operator, translation in _RECURRENT.items()),
    *(GraphPass(f"numbers.{operator}", numbers.accept_symbolic_number(*functions),
        "The exporter fails on a number that is computed from sizes, because it makes a constant of each number.",
        "not reported", "onnxscript<=0.7.2", "test_numbers_can_be_computed_from_sizes",
        kind="translation", replaces=f"aten.{operator}") for operator, functions in _SYMBOLIC_NUMBER.items()),
    GraphPass("numbers.are_all_true", numbers.are_all_true,
        "The exporter has no translation of torch._is_all_true, with which models check their inputs.",
        "not reported", "onnxscript<=0.7.2", "test_a_model_can_check_its_inputs",
        kind="translation", replaces="aten._is_all_true.default"),
    GraphPass("scattering.scatter", scattering.scatter,
        "Of several values that scatter_reduce averages in one place, the exported graph keeps the last.",
        "https://github.com/onnx/onnx/issues/5100", "onnxscript<=0.7.2", "test_a_mean_of_the_values_scattered_to_one_place",
        kind="translation", replaces="aten.scatter_reduce.two"),
    *(GraphPass(f"resizing.{operator}", resizing.resize_to_nearest,
        "ONNX Runtime resizes to the nearest element by a rounded quotient of the sizes: from 14 to 8 it takes an element too early.",
        "not reported", "onnxruntime<=1.31.1", "test_a_resize_to_a_constant_size_takes_the_nearest_elements",
        kind="translation", replaces=f"aten.{operator}.vec") for operator in _RESIZES),
    GraphPass("resizing.repeat_elements", resizing.repeat_elements,
        "A number of repetitions that is computed from sizes repeats the axis itself, or an axis before it, instead of its elements.",
        "https://github.com/microsoft/onnxscript/pull/2548", "onnxscript<=0.7.2", "test_elements_are_repeated_as_often_as_a_size_says",
        kind="translation", replaces="aten.repeat_interleave.self_int"),
    GraphPass("attention.attend", attention.attend,
        "Attention of a row that a float mask hides completely returns NaN instead of zeros, and 3-D attention is not translated.",
        "not reported", "onnxscript<=0.7.2", "test_a_row_that_a_float_mask_hides_attends_to_nothing",
        kind="translation", replaces="aten.scaled_dot_product_attention.default", below_opset=23),
    *(GraphPass(f"{module}.{operator}", translation,
        "The exporter has no translation of some operators that sort, compare all pairs, accumulate, or look at signs and NaN.",
        "not reported", "onnxscript<=0.7.2", "test_operators_without_a_translation",
        kind="translation", replaces=f"aten.{operator}") for operator, (module, translation) in _ABSENT.items()),
)
# fmt: on
"""In the order in which the graph passes run."""


def make_translation_table(
    passes: Sequence[GraphPass], opset: int | None
) -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return operator → translation, for ``torch.onnx.export(custom_translation_table=...)``."""
    return {
        attrgetter(each.replaces)(torch.ops): each.run
        for each in passes
        if each.kind == "translation" and (each.below_opset is None or opset is None or opset < each.below_opset)
    }


@contextmanager
def patch_libraries(passes: Sequence[GraphPass]) -> Generator[None]:
    """Replace the attributes of other libraries, while this context is open: the exporter runs in it."""
    with ExitStack() as stack:
        for each in passes:
            if each.kind == "patch":
                stack.enter_context(each.run())
        yield


def run_graph_passes(
    passes: Sequence[GraphPass], model: ir.Model, spec: InputSpec, outputs: Sequence[str]
) -> tuple[str, ...]:
    """Change an exported model by each of the graph passes, and return their notes for the user."""
    return tuple(note for each in passes if each.kind == "graph" for note in each.run(model, spec, outputs) or ())
