"""The parts of an encoder-decoder.

========================  ==========================================================================
part                      inputs
========================  ==========================================================================
``encoder``               the data that an encoder-decoder reads, once for each of them
``decoder``               the first step of its decoder, which creates the caches
``decoder_with_past``     each further step, with the caches
========================  ==========================================================================

The names, and those of their inputs, are the ones of Optimum's exporters.
"""

from collections.abc import Iterator, Mapping

import msgspec

from dummyio.errors import SourceError
from dummyio.input_spec import InputSpec
from dummyio.sources.input_names import present_name
from dummyio.spec.dims import Size
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio.spec.values import Rule, get_mask_path

ENCODER, DECODER, DECODER_WITH_PAST = "encoder", "decoder", "decoder_with_past"
WHOLE_TASK = "feature-extraction"
"""The task of the class that has all parts of a model."""

STATES = "encoder_outputs"
"""The argument in which a whole model takes what its encoder returned."""

_HIDDEN = "last_hidden_state"
_DECODER_INPUTS = {
    "attention_mask": "encoder_attention_mask",
    "decoder_input_ids": "input_ids",
    _HIDDEN: "encoder_hidden_states",
}
"""Argument of the whole model → input of its decoder."""
_RESULTS = ("logits", _HIDDEN)
"""Outputs of a whole model that are its decoder's."""


def has_decoder(plain: InputSpec) -> bool:
    """Whether a spec has inputs of a decoder beside those of an encoder."""
    return any(_is_decoder_input(name) for name in plain)


def _is_decoder_input(name: str) -> bool:
    return name.startswith("decoder_")


def split_encoder(plain: InputSpec) -> InputSpec:
    """Return the spec of the encoder of an encoder-decoder, from that of the whole model without its past."""
    inputs = {name: node for name, node in plain.items() if not _is_decoder_input(name)}
    return InputSpec(inputs, task=WHOLE_TASK, provenance=plain.provenance)


def split_encoder_decoder(plain: InputSpec, with_past: InputSpec) -> dict[str, InputSpec]:
    """Return the specs of all parts of an encoder-decoder.

    Parameters
    ----------
    plain, with_past
        The specs of the whole model, without and with its past, at the same sizes.

    Raises
    ------
    SourceError
        if the decoder takes the states of the encoder, or its own data, in a form that has no name of its own.
    """
    hidden = find_states(with_past)[_HIDDEN]
    if not isinstance(hidden, TensorSpec) or "decoder_input_ids" not in with_past:
        raise SourceError(
            f"the inputs of the decoder are {', '.join(with_past)}: its parts are known only for token ids and the hidden states "
            "of an encoder. Use the model whole."
        )
    encoder = split_encoder(plain)
    shape = hidden.shape if set(hidden.shape[1:2]) <= _find_sizes(encoder) else None
    outputs: tuple[OutputSpec, ...] = (OutputSpec(_HIDDEN, shape, hidden.dtype),)
    parts = {ENCODER: InputSpec(encoder, task=WHOLE_TASK, outputs=outputs, provenance=plain.provenance)}
    shared = {name: node for name, node in with_past.items() if name == "attention_mask"}
    first, later = (
        _rename_inputs({**shared, "decoder_input_ids": each["decoder_input_ids"], _HIDDEN: hidden})
        for each in (plain, with_past)
    )
    results = (output for output in plain.outputs if output.name in _RESULTS)
    outputs = (*results, *_describe_presents(with_past, first["input_ids"]))
    parts[DECODER] = InputSpec(first, task=plain.task, outputs=outputs, provenance=plain.provenance)
    inputs = {**later, "past_key_values": with_past["past_key_values"]}
    parts[DECODER_WITH_PAST] = InputSpec(
        inputs, task=with_past.task, outputs=with_past.outputs, provenance=with_past.provenance
    )
    return parts


def _find_sizes(spec: InputSpec) -> set[Size]:
    return {size for _, leaf in spec.leaves for size in leaf.shape}


def find_states(with_past: InputSpec) -> Nest:
    """Return the argument in which a whole model takes what its encoder returned."""
    states = with_past[STATES]
    if not isinstance(states, Nest):
        raise SourceError(f"{STATES} is {states} in this spec, and must be a container.")
    return states


def _describe_presents(with_past: InputSpec, ids: TensorSpec) -> Iterator[OutputSpec]:
    """Yield the caches that the first step creates: as long as its own tokens, or as the states of the encoder."""
    for path, leaf in with_past.leaves:
        name = present_name(path)
        if name is not None:
            shape = tuple(ids.shape[-1] if str(size).startswith("past_") else size for size in leaf.shape)
            yield OutputSpec(name, shape, leaf.dtype)


def _rename_inputs(nodes: Mapping[str, Node]) -> dict[str, TensorSpec]:
    """Return tensors under the names of the decoder, with rules that follow a mask under its new name if it is among them."""
    renamed = {}
    for name, node in nodes.items():
        if not isinstance(node, TensorSpec):
            raise SourceError(f"{name} is a container in this spec, and must be a tensor.")
        renamed[_DECODER_INPUTS[name]] = node.replace(values=_rename_mask(node.values, nodes))
    return renamed


def _rename_mask(rule: Rule, nodes: Mapping[str, Node]) -> Rule:
    mask = get_mask_path(rule)
    if mask is None:
        return rule
    renamed: Rule = msgspec.structs.replace(rule, mask=_DECODER_INPUTS[mask] if mask in nodes else None)
    return renamed
