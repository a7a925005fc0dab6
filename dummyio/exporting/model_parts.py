"""The parts by which a Transformers model runs, each with its own spec, without building the model.

========================  ==========================================================================
part                      inputs
========================  ==========================================================================
``encoder``               the data that an encoder-decoder reads, once for each of them
``decoder``               the first step of its decoder, which creates the caches
``decoder_with_past``     each further step, with the caches
``text_model``            the texts of a model that compares texts with images, each in a batch of its own
``vision_model``          the images of such a model
========================  ==========================================================================

The names of the first three, and of their inputs, are those of Optimum's exporters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dummyio.describing import describe
from dummyio.errors import OptionError, SourceError, suggest_names
from dummyio.generators.base.context import PAST
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value
from dummyio.sources.input_names import present_name
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.dims import Size, collect_dims
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec, iterate_leaves
from dummyio.spec.values import Rule, get_mask_path

ENCODER, DECODER, DECODER_WITH_PAST = "encoder", "decoder", "decoder_with_past"
TEXT_MODEL, VISION_MODEL = "text_model", "vision_model"

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
_WHOLE = "feature-extraction"
"""The task of the class that has all parts of a model."""


@dataclass(frozen=True)
class _Descriptions:
    """A model under one task, at its default sizes."""

    plain: InputSpec
    """The whole model without its past."""
    with_past: InputSpec | None
    """The same with its past; None if it takes none."""
    around: InputSpec | None
    """The encoder-decoder of which the class of the task is the decoder alone; None for any other class."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts."""
        if self.around is not None:
            return (ENCODER, DECODER, *(() if self.with_past is None else (DECODER_WITH_PAST,)))
        if has_decoder(self.plain):
            known = self.with_past is not None and STATES in self.with_past
            return (ENCODER, *((DECODER, DECODER_WITH_PAST) if known else ()))
        return tuple(split_by_batch(self.plain))


def list_parts(source: Any, task: str) -> tuple[str, ...]:
    """Return the names of the parts by which a model runs; none for a model that runs whole.

    Parameters
    ----------
    source, task
        As in `describe_part`.

    Examples
    --------
    >>> list_parts("examples/bert-base/config.json", "fill-mask")
    ()
    """
    return _describe_all(source, task, {}).parts


def describe_part(source: Any, task: str, part: str, keywords: Mapping[str, Any]) -> InputSpec:
    """Return the spec of one part of a model.

    Parameters
    ----------
    source
        A configuration, or a live model, of Transformers; or anything else that `dummyio.describe` takes with a task.
    task
        The task of the whole model; with or without ``-with-past`` its parts are the same.
    part
        ``"encoder"``, ``"decoder"``, ``"decoder_with_past"``, ``"text_model"`` or ``"vision_model"``.
    keywords
        Sizes and options, as `dummyio.describe` takes them.

    Raises
    ------
    OptionError
        if the model has no such part, where the message lists those that it has; or if the part has no dim of a given name.
    SourceError
        if the model cannot be described for this task.
    """
    found = _describe_all(source, task, {name: value for name, value in keywords.items() if not _is_size(name)})
    if part not in found.parts:
        raise _build_unknown_error(task, part, found.parts)
    plain, with_past = task.removesuffix(PAST), task.removesuffix(PAST) + PAST
    if found.around is not None and part == ENCODER:
        return describe_part(source, _WHOLE, ENCODER, keywords)
    if found.around is not None:
        return describe(source, plain if part == DECODER else with_past, **keywords)
    if found.with_past is None or STATES not in found.with_past:
        whole = describe(source, plain, **keywords)
        return split_encoder(whole) if part == ENCODER else split_by_batch(whole)[part]
    if part == ENCODER:
        whole = describe(source, plain, **keywords)
        return split_encoder_decoder(whole, _take_sizes(found.with_past, whole))[part]
    if part == DECODER:
        _check_no_past(keywords)
    step = describe(source, with_past, **keywords)
    return split_encoder_decoder(_take_sizes(found.plain, step), step)[part]


def _take_sizes(spec: InputSpec, other: InputSpec) -> InputSpec:
    """Return a spec at the sizes of another, as far as it has these dims and they can take them."""
    sizes = {name: dim.size for name, dim in other.dims.items() if name in spec.dims}
    return spec.with_dims(**{name: size for name, size in sizes.items() if spec.dims[name].takes(size)})


def _is_size(name: str) -> bool:
    """Whether a keyword is a size, or the range of one."""
    return name in DEFAULT_DUMMY_SHAPES or (name.startswith("random_") and name.endswith("_range"))


def _check_no_past(keywords: Mapping[str, Any]) -> None:
    for name, value in keywords.items():
        if _is_size(name) and name.removeprefix("random_").startswith("past_"):
            raise OptionError(
                f"{name}={shorten_value(value)}: the first step of a decoder has no past. Give this size for part={DECODER_WITH_PAST!r}."
            )


def _build_unknown_error(task: str, part: object, parts: Sequence[str]) -> OptionError:
    """Return the error for a part that a model does not have."""
    has = f"its parts are {', '.join(parts)}" if parts else "it runs whole"
    remedy = suggest_names(str(part), parts) if parts else "Leave part out."
    return OptionError(f"part={shorten_value(part)}: the model has no such part for task={task!r}; {has}. {remedy}")


def _describe_all(source: Any, task: str, options: Mapping[str, Any]) -> _Descriptions:
    base = task.removesuffix(PAST)
    plain = describe(source, base, **options)
    around = _describe_if_able(source, _WHOLE, options) if base != _WHOLE and _is_lone_decoder(plain) else None
    with_past = _describe_if_able(source, base + PAST, options)
    return _Descriptions(plain, with_past, around if around is not None and has_decoder(around) else None)


def _describe_if_able(source: Any, task: str, options: Mapping[str, Any]) -> InputSpec | None:
    """Return the description for a task; None if the model does not do it."""
    try:
        return describe(source, task, **options)
    except SourceError:
        return None


def _is_lone_decoder(plain: InputSpec) -> bool:
    """Whether a spec may be that of the decoder of a larger model: text goes in, and no text of a decoder beside it."""
    return "input_ids" in plain and not has_decoder(plain)


def has_decoder(plain: InputSpec) -> bool:
    """Whether a spec has inputs of a decoder beside those of an encoder."""
    return any(_is_decoder_input(name) for name in plain)


def _is_decoder_input(name: str) -> bool:
    return name.startswith("decoder_")


def split_encoder(plain: InputSpec) -> InputSpec:
    """Return the spec of the encoder of an encoder-decoder, from that of the whole model without its past."""
    inputs = {name: node for name, node in plain.items() if not _is_decoder_input(name)}
    return InputSpec(inputs, task=_WHOLE, provenance=plain.provenance)


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
    parts = {ENCODER: InputSpec(encoder, task=_WHOLE, outputs=outputs, provenance=plain.provenance)}
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


def split_by_batch(plain: InputSpec) -> dict[str, InputSpec]:
    """Return the parts of a model whose texts and images share no dim, so that each can run without the other."""
    texts = {name: node for name, node in plain.items() if name in ("input_ids", "attention_mask", "token_type_ids")}
    images = {name: node for name, node in plain.items() if name.startswith("pixel_")}
    if not texts or not images or len(texts) + len(images) < len(plain):
        return {}
    if _find_dims(texts) & _find_dims(images):
        return {}
    return {
        name: InputSpec(
            nodes,
            task=plain.task,
            outputs=tuple(output for output in plain.outputs if _is_made_of(output, nodes)),
            provenance=plain.provenance,
        )
        for name, nodes in ((TEXT_MODEL, texts), (VISION_MODEL, images))
    }


def _find_dims(nodes: Mapping[str, Node]) -> set[str]:
    return set(collect_dims([size for _, leaf in iterate_leaves(nodes.items()) for size in leaf.shape]))


def _is_made_of(output: OutputSpec, nodes: Mapping[str, Node]) -> bool:
    """Whether all dims of an output are those of some inputs."""
    return output.shape is not None and set(collect_dims(output.shape)) <= _find_dims(nodes)


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
