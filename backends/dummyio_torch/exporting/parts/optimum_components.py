"""The parts by which Optimum runs a Transformers model, each as a module with its own spec.

==================================  ==================================================================
``model.onnx``                      a whole model; one that generates text takes its past
``encoder_model.onnx``              the encoder of an encoder-decoder, which runs once for each input
``decoder_model.onnx``              the first step of the decoder, which creates the caches
``decoder_with_past_model.onnx``    each further step
==================================  ==================================================================
"""

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import ExportError, SourceError
from dummyio.generators.base.context import PAST
from dummyio.huggingface.parts.encoder_decoder import STATES, find_states, split_encoder_decoder
from dummyio.input_spec import InputSpec
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import Node, build_nested
from dummyio_torch.dtypes import from_native

MODEL = "model.onnx"
ENCODER = "encoder_model.onnx"
DECODER = "decoder_model.onnx"
DECODER_WITH_PAST = "decoder_with_past_model.onnx"

_COMPUTED = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
"""Dtypes in which a model computes; others are those of stored weights."""

Components = dict[str, tuple[nn.Module, InputSpec]]


class DecoderStep(nn.Module):
    """The decoder of an encoder-decoder with its head, with the argument names of decoders in Optimum.

    `states` is the argument in which the whole model takes the results of its encoder.
    """

    def __init__(self, model: nn.Module, states: Node) -> None:
        super().__init__()
        self.whole = model
        self._states = states

    def forward(
        self,
        input_ids: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        encoder_attention_mask: torch.Tensor | None = None,
        past_key_values: Any = None,
    ) -> Any:
        """Return logits and the caches."""
        given = {"attention_mask": encoder_attention_mask, "past_key_values": past_key_values}
        leaves = {f"{STATES}.last_hidden_state": encoder_hidden_states}
        return self.whole(
            decoder_input_ids=input_ids,
            encoder_outputs=build_nested(self._states, leaves, STATES),
            use_cache=True,
            **{name: value for name, value in given.items() if value is not None},
        )


def split_into_components(model: nn.Module, spec: InputSpec, *, past: bool = True) -> Components:
    """Return file name → module and its spec, for the parts of a Transformers model.

    Parameters
    ----------
    model
        The model.
    spec
        The spec of the whole model; the parts get its sizes.
    past
        Whether a model that generates text takes its past; if not, `spec` is the spec of the only part.

    Raises
    ------
    ExportError
        for a module that is not a Transformers model, and for an encoder-decoder whose parts are not known.
    """
    if not hasattr(model, "config"):
        raise ExportError(
            f"a {qualified_name(model)} is not a Transformers model, and only these are exported to folders: export it to one "
            "file, such as model.onnx."
        )
    can_generate = getattr(model, "can_generate", None)
    if not past or not callable(can_generate) or not can_generate():
        return {MODEL: (model, spec)}
    task = (spec.task or "").removesuffix(PAST)
    with_past = describe_task(model, f"{task}{PAST}", spec)
    if not getattr(model.config, "is_encoder_decoder", False):
        return {MODEL: (model, with_past or spec)}
    plain = describe_task(model, task, spec)
    if plain is None or with_past is None or STATES not in with_past:
        raise ExportError(
            f"task={task!r}: the inputs of the decoder are not known for {type(model).__name__}. Export the model whole, to one "
            "file or with past=False."
        )
    return dict(_split_encoder_decoder(model, plain, with_past))


def describe_task(model: nn.Module, task: str, spec: InputSpec, **options: Any) -> InputSpec | None:
    """Return the inputs of a task, at the sizes and dtypes of `spec`; None if the model does not support the task.

    `spec` itself may have more inputs, which Optimum never feeds. `options` are those of `dummyio.describe`.
    """
    from dummyio.describing import describe  # noqa: PLC0415 - lazy: loads all readers

    try:
        found = describe(model, task, **_choose_dtypes(model, spec), **options)
    except SourceError:
        return None
    sizes = {
        name: dim.size for name, dim in spec.dims.items() if name in found.dims and found.dims[name].takes(dim.size)
    }
    return found.with_dims(**sizes)


def _choose_dtypes(model: nn.Module, spec: InputSpec) -> dict[str, Any]:
    """Return the dtypes of inputs that `spec` does not have, such as a cache: those of its own, else that of the weights."""
    own = {leaf.dtype for _, leaf in spec.leaves}
    weights = {parameter.dtype for parameter in model.parameters()} & _COMPUTED
    found = {
        "float_dtype": {dtype for dtype in own if dtype.kind == "float"} or set(map(from_native, weights)),
        "int_dtype": own & {DType.INT64, DType.INT32},
    }
    return {name: dtypes.pop().value for name, dtypes in found.items() if len(dtypes) == 1}


def _split_encoder_decoder(
    model: Any, plain: InputSpec, with_past: InputSpec
) -> Iterator[tuple[str, tuple[nn.Module, InputSpec]]]:
    try:
        parts = split_encoder_decoder(plain, with_past)
    except SourceError as error:
        raise ExportError(str(error)) from None
    step = DecoderStep(model, find_states(with_past))
    encoder = model.get_encoder()
    _check_encoder(model, encoder, parts["encoder"])
    yield ENCODER, (encoder, parts["encoder"])
    yield DECODER, (step, parts["decoder"])
    yield DECODER_WITH_PAST, (step, parts["decoder_with_past"])


def _check_encoder(model: nn.Module, encoder: nn.Module, spec: InputSpec) -> None:
    """Raise `ExportError` if the encoder ignores inputs of the model: the model itself puts these into its text first."""
    names = inspect.signature(encoder.forward).parameters
    ignored = [name for name in spec if name not in names]
    if ignored:
        raise ExportError(
            f"the encoder of {type(model).__name__} takes no {', '.join(ignored)}: the model prepares them before its encoder runs, and a "
            "file of the encoder alone would ignore them. Export the model whole, to one file or with past=False."
        )
