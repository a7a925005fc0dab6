"""The parts by which a Transformers model runs, each with its own spec, without building the model; see `dummyio.huggingface.parts`."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from dummyio.describing import describe
from dummyio.errors import OptionError, suggest_names
from dummyio.generators.base.context import PAST
from dummyio.huggingface.parts.encoder_decoder import (
    DECODER,
    DECODER_WITH_PAST,
    ENCODER,
    STATES,
    WHOLE_TASK,
    split_encoder,
    split_encoder_decoder,
)
from dummyio.huggingface.parts.find_parts import TaskSpecs, describe_tasks, take_sizes
from dummyio.huggingface.parts.towers import split_by_batch
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value
from dummyio.spec.default_sizes import is_size_keyword


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
    return _describe_tasks(source, task, {}).parts


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
    found = _describe_tasks(
        source, task, {name: value for name, value in keywords.items() if not is_size_keyword(name)}
    )
    if part not in found.parts:
        raise _build_unknown_error(task, part, found.parts)
    plain, with_past = task.removesuffix(PAST), task.removesuffix(PAST) + PAST
    if found.around is not None and part == ENCODER:
        return describe_part(source, WHOLE_TASK, ENCODER, keywords)
    if found.around is not None:
        return describe(source, plain if part == DECODER else with_past, **keywords)
    if found.with_past is None or STATES not in found.with_past:
        whole = describe(source, plain, **keywords)
        return split_encoder(whole) if part == ENCODER else split_by_batch(whole)[part]
    if part == ENCODER:
        whole = describe(source, plain, **keywords)
        return split_encoder_decoder(whole, take_sizes(found.with_past, whole))[part]
    if part == DECODER:
        _check_no_past(keywords)
    step = describe(source, with_past, **keywords)
    return split_encoder_decoder(take_sizes(found.plain, step), step)[part]


def _check_no_past(keywords: Mapping[str, Any]) -> None:
    for name, value in keywords.items():
        if is_size_keyword(name) and name.removeprefix("random_").startswith("past_"):
            raise OptionError(
                f"{name}={shorten_value(value)}: the first step of a decoder has no past. Give this size for part={DECODER_WITH_PAST!r}."
            )


def _build_unknown_error(task: str, part: object, parts: Sequence[str]) -> OptionError:
    """Return the error for a part that a model does not have."""
    has = f"its parts are {', '.join(parts)}" if parts else "it runs whole"
    remedy = suggest_names(str(part), parts) if parts else "Leave part out."
    return OptionError(f"part={shorten_value(part)}: the model has no such part for task={task!r}; {has}. {remedy}")


def _describe_tasks(source: Any, task: str, options: Mapping[str, Any]) -> TaskSpecs:
    return describe_tasks(partial(describe, source, **options), task)
