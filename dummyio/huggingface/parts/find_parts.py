"""Which parts a model has under a task, by its descriptions for that task and its neighbours."""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from dummyio.errors import SourceError
from dummyio.generators.base.context import PAST
from dummyio.huggingface.parts.encoder_decoder import (
    DECODER,
    DECODER_WITH_PAST,
    ENCODER,
    STATES,
    WHOLE_TASK,
    has_decoder,
    split_encoder,
    split_encoder_decoder,
)
from dummyio.huggingface.parts.media_parts import connect_media_parts, find_medium, has_placeholders, split_media
from dummyio.huggingface.parts.towers import split_by_batch
from dummyio.huggingface.parts.wiring import connect_parts
from dummyio.input_spec import InputSpec
from dummyio.sources.prove_model import is_torch_module
from dummyio.spec.model_parts import ModelParts

DescribeTask = Callable[[str], InputSpec]
"""From a task to the description of the model for it; raises `SourceError` if the model does not do it."""


@dataclass(frozen=True)
class TaskSpecs:
    """A model under one task, at its default sizes."""

    plain: InputSpec
    """The whole model without its past."""
    with_past: InputSpec | None
    """The same with its past; None if it takes none."""
    around: InputSpec | None
    """The encoder-decoder of which the class of the task is the decoder alone; None for any other class."""

    @property
    def can_step(self) -> bool:
        """Whether the steps of a decoder are known, with what it takes of its encoder."""
        return self.with_past is not None and STATES in self.with_past

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts."""
        if self.around is not None:
            return (ENCODER, DECODER, *(() if self.with_past is None else (DECODER_WITH_PAST,)))
        if has_decoder(self.plain):
            return (ENCODER, *((DECODER, DECODER_WITH_PAST) if self.can_step else ()))
        return () if has_placeholders(self.plain) else tuple(split_by_batch(self.plain))


def describe_tasks(describe: DescribeTask, task: str) -> TaskSpecs:
    """Return the descriptions of a model for a task, which may have ``-with-past`` in its name or not."""
    base = task.removesuffix(PAST)
    plain = describe(base)
    around = _describe_if_able(describe, WHOLE_TASK) if base != WHOLE_TASK and _is_lone_decoder(plain) else None
    with_past = _describe_if_able(describe, base + PAST)
    return TaskSpecs(plain, with_past, around if around is not None and has_decoder(around) else None)


def make_finder(describe: Callable[[Any, str], InputSpec], source: Any) -> Callable[[InputSpec], ModelParts[InputSpec]]:
    """Return a function from a spec of a model to its parts; it does not keep a live model in memory.

    `describe` returns the description of the model for a task, without the caller's sizes.
    """
    find_source: Callable[[], Any] = weakref.ref(source) if is_torch_module(source) else lambda: source

    def find(spec: InputSpec) -> ModelParts[InputSpec]:
        model = find_source()
        if model is None:
            raise SourceError("the model of this spec was deleted: keep it as long as its parts are asked for.")
        return find_parts(partial(describe, model), spec)

    return find


def find_parts(describe: DescribeTask, spec: InputSpec) -> ModelParts[InputSpec]:
    """Return the parts of a model, and their wires, at the sizes of its spec.

    Raises
    ------
    SourceError
        if the inputs of a part are not known.
    """
    specs = _split_model(describe, spec.task) if spec.task else {}
    if not specs:
        return ModelParts({"model": spec})
    found = {name: take_sizes(own, spec) for name, own in specs.items()}
    plain = describe(str(spec.task).removesuffix(PAST))
    return ModelParts(found, connect_media_parts(plain, found) or connect_parts(plain, found))


def take_sizes(spec: InputSpec, other: InputSpec) -> InputSpec:
    """Return a spec at the sizes of another, as far as it has these dims and they can take them."""
    sizes = {name: dim.size for name, dim in other.dims.items() if name in spec.dims}
    return spec.with_dims(**{name: size for name, size in sizes.items() if spec.dims[name].takes(size)})


def _split_model(describe: DescribeTask, task: str) -> Mapping[str, InputSpec]:
    """Return part → its spec, of a model under a task; empty for a model that runs whole."""
    found = describe_tasks(describe, task)
    if found.around is not None:
        parts = {ENCODER: split_encoder(found.around), DECODER: found.plain}
        return parts if found.with_past is None else {**parts, DECODER_WITH_PAST: found.with_past}
    if has_decoder(found.plain):
        if found.with_past is None or not found.can_step:
            return {ENCODER: split_encoder(found.plain)}
        return split_encoder_decoder(found.plain, found.with_past)
    if has_placeholders(found.plain) and found.with_past is not None:
        return split_media(found.plain, found.with_past, find_medium(found.plain), _find_width(describe))
    return split_by_batch(found.plain)


def _find_width(describe: DescribeTask) -> int:
    """Return the size of an embedding: that of the hidden states."""
    outputs = {output.name: output.shape for output in describe(WHOLE_TASK).outputs}
    width = (outputs.get("last_hidden_state") or (None,))[-1]
    if not isinstance(width, int):
        raise SourceError(
            "the size of the hidden states is not known, so that of the embeddings is not: give a live model."
        )
    return width


def _describe_if_able(describe: DescribeTask, task: str) -> InputSpec | None:
    """Return the description for a task; None if the model does not do it."""
    try:
        return describe(task)
    except SourceError:
        return None


def _is_lone_decoder(plain: InputSpec) -> bool:
    """Whether a spec may be that of the decoder of a larger model: text goes in, and no text of a decoder beside it."""
    return "input_ids" in plain and not has_decoder(plain)
