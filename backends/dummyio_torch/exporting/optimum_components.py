"""The parts that Optimum's loaders run a model of Transformers' by, each as a module with a spec of its own.

==========================  ==============================================================================
``model.onnx``              a whole model; one that generates text takes its past
``encoder_model.onnx``      of a model of an encoder and a decoder: once for each text or sound
``decoder_model.onnx``      its first step, which makes the caches
``decoder_with_past_model.onnx``  each further step
==========================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import torch
from torch import nn

from dummyio.errors import ExportError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Size
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec, build_nested, iterate_leaves
from dummyio.spec.values import Rule, get_mask_path

__all__ = ["DECODER", "DECODER_WITH_PAST", "ENCODER", "MODEL", "DecoderStep", "components"]

MODEL = "model.onnx"
ENCODER = "encoder_model.onnx"
DECODER = "decoder_model.onnx"
DECODER_WITH_PAST = "decoder_with_past_model.onnx"

_PAST = "-with-past"
_STATES = "encoder_outputs"
_NAMES = {
    "attention_mask": "encoder_attention_mask",
    "decoder_input_ids": "input_ids",
    "last_hidden_state": "encoder_hidden_states",
}
"""Argument of the whole model → input of its decoder."""

Parts = dict[str, tuple[nn.Module, InputSpec]]


class DecoderStep(nn.Module):
    """The decoder of a model of an encoder and a decoder with its head, under the names that Optimum's decoders have."""

    def __init__(self, model: nn.Module, states: Node) -> None:
        """Hold the whole model; `states` is how it takes what its encoder returned."""
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
        return self.whole(
            decoder_input_ids=input_ids,
            encoder_outputs=build_nested(
                self._states, {f"{_STATES}.last_hidden_state": encoder_hidden_states}, _STATES
            ),
            use_cache=True,
            **{name: value for name, value in given.items() if value is not None},
        )


def components(model: nn.Module, spec: InputSpec, *, past: bool = True) -> Parts:
    """Return file name → module and its spec, for a model of Transformers'.

    Parameters
    ----------
    model
        A live model.
    spec
        Of the whole model; its sizes are the parts' too.
    past
        Whether a model that generates gets its past; without, `spec` is taken as it is.

    Raises
    ------
    ExportError
        for a module that is no model of Transformers', and for a model of an encoder and a decoder whose parts cannot be told.
    """
    if not hasattr(model, "config"):
        raise ExportError(
            f"a {type(model).__module__}.{type(model).__qualname__} is no model of Transformers', of which a folder is "
            "made: export it to one file, such as model.onnx."
        )
    can_generate = getattr(model, "can_generate", None)
    if not past or not callable(can_generate) or not can_generate():
        return {MODEL: (model, spec)}
    task = (spec.task or "").removesuffix(_PAST)
    with_past = _described(model, f"{task}{_PAST}", spec)
    if getattr(model.config, "is_encoder_decoder", False):
        plain = _described(model, task, spec)
        if plain is None or with_past is None or _STATES not in with_past:
            raise ExportError(
                f"task={task!r}: the decoder's inputs are not known for {type(model).__name__}. Export it whole, to one file "
                "or with past=False."
            )
        return dict(_encoder_decoder(model, plain, with_past))
    return {MODEL: (model, with_past or spec)}


def _described(model: nn.Module, task: str, spec: InputSpec) -> InputSpec | None:
    """Return what an export of a task needs, at the sizes of `spec`; None where the model does not do that task.

    `spec` itself may have more, which the loaders never give.
    """
    from dummyio.describing import describe  # noqa: PLC0415 - describing is the core's, and asks for backends itself

    try:
        found = describe(model, task)
    except SourceError:
        return None
    sizes = {
        name: dim.size for name, dim in spec.dims.items() if name in found.dims and found.dims[name].takes(dim.size)
    }
    return found.with_dims(**sizes)


def _encoder_decoder(
    model: Any, plain: InputSpec, with_past: InputSpec
) -> Iterator[tuple[str, tuple[nn.Module, InputSpec]]]:
    states = with_past[_STATES]
    if not isinstance(states, Nest):
        raise ExportError(f"{_STATES} is a {states} in this spec, where a container was expected.")
    hidden = states["last_hidden_state"]
    inputs = {name: node for name, node in plain.items() if not name.startswith("decoder_")}
    lengths = {dim for _, leaf in iterate_leaves(inputs.items()) for dim in leaf.shape}
    shape = hidden.shape if isinstance(hidden, TensorSpec) and set(hidden.shape[1:2]) <= lengths else None
    encoded = OutputSpec("last_hidden_state", shape, hidden.dtype if isinstance(hidden, TensorSpec) else None)
    yield ENCODER, (model.get_encoder(), InputSpec(inputs, task="feature-extraction", outputs=(encoded,)))

    shared = {name: node for name, node in with_past.items() if name == "attention_mask"}
    first = _renamed({**shared, "decoder_input_ids": plain["decoder_input_ids"], "last_hidden_state": hidden})
    outputs = (*_logits(plain), *_presents(with_past, plain))
    step = DecoderStep(model, states)
    yield DECODER, (step, InputSpec(first, task=plain.task, outputs=outputs))

    own = {"decoder_input_ids": with_past["decoder_input_ids"], "last_hidden_state": hidden}
    later = {**_renamed({**shared, **own}), "past_key_values": with_past["past_key_values"]}
    yield DECODER_WITH_PAST, (step, InputSpec(later, task=with_past.task, outputs=with_past.outputs))


def _logits(spec: InputSpec) -> Iterable[OutputSpec]:
    return (output for output in spec.outputs if output.name == "logits")


def _presents(with_past: InputSpec, plain: InputSpec) -> Iterator[OutputSpec]:
    """Yield what the first step makes of each part of the past: as long as its own tokens, or as the encoder's states."""
    (new,) = (size for size in _tensor(plain["decoder_input_ids"]).shape[-1:])
    for path, leaf in with_past.leaves:
        root, _, rest = path.partition(".")
        if root == "past_key_values":
            yield OutputSpec(f"present.{rest}", tuple(_first_length(leaf.shape, new)), leaf.dtype)


def _first_length(shape: Iterable[Size], new: Size) -> Iterator[Size]:
    for size in shape:
        yield new if str(size).startswith("past_") else size


def _tensor(node: Node) -> TensorSpec:
    if not isinstance(node, TensorSpec):
        raise ExportError("decoder_input_ids is a container in this spec, where a tensor was expected.")
    return node


def _renamed(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Return tensors under the decoder's names, with rules that follow a mask under its new name, or none that is gone."""
    return {
        _NAMES[name]: _tensor(node).replace(values=_rule(_tensor(node).values, nodes)) for name, node in nodes.items()
    }


def _rule(rule: Rule, nodes: Mapping[str, Node]) -> Rule:
    mask = get_mask_path(rule)
    if mask is None:
        return rule
    renamed: Rule = msgspec.structs.replace(rule, mask=_NAMES[mask] if mask in nodes else None)
    return renamed
