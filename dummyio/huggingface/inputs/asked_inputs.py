"""Checks of what a caller of `describe` asks for: inputs to add or to leave out, and sizes."""

from collections.abc import Collection, Mapping
from typing import Any

from dummyio.errors import OptionError, suggest_names
from dummyio.generators.base.context import Context
from dummyio.model_config.attribute_types import shorten_value
from dummyio.spec.tensor_spec import Node

FEED, LEAVE_OUT = "feed", "leave_out"
"""Options of a description: arguments to feed that would not be, and the other way round."""


def pop_asked_inputs(
    options: dict[str, Any], offered: Collection[str], required: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take both options out of `options`; return the arguments to feed, and those not to feed.

    Raises `OptionError` if a value is not a list of names, no argument (`offered`) has a name, one is in both, or nothing is fed and the model
    does not run without (`required`) an argument that is left out.
    """
    feed, leave_out = (_read_names(name, options.pop(name, ())) for name in (FEED, LEAVE_OUT))
    for option, names in ((FEED, feed), (LEAVE_OUT, leave_out)):
        unknown = next((name for name in names if name not in offered), None)
        if unknown is not None:
            raise OptionError(
                f"{option}: the model has no argument {unknown[:60]!r}. {suggest_names(unknown[:60], offered)}"
            )
    # What is fed may take the place of a required argument: features, of the image that they are made from.
    both = next((name for name in leave_out if name in feed or (name in required and not feed)), None)
    if both is not None:
        why = f"{FEED} asks for it" if both in feed else "the model does not run without it"
        raise OptionError(f"{LEAVE_OUT}: {both!r} cannot be left out, for {why}. Remove it from {LEAVE_OUT}.")
    return feed, leave_out


def _read_names(option: str, value: Any) -> tuple[str, ...]:
    """Return the names in an option: a sequence of texts, or one text with commas, as the command line has it."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise OptionError(f"{option}={shorten_value(value)}: give names of inputs, such as ('position_ids',).")
    return tuple(dict.fromkeys(name.strip() for name in names))


def check_fed(feed: Collection[str], inputs: Mapping[str, Any], class_name: str) -> None:
    """Raise `OptionError` if an argument that a caller asks for is not among the inputs, as nothing describes it."""
    missing = next((name for name in feed if name not in inputs), None)
    if missing is not None:
        raise OptionError(
            f"{FEED}: no generator describes {missing!r} of {class_name}. Give one of your own (generators=), or leave it out."
        )


def check_rest(names: Collection[str], leave_out: Collection[str]) -> None:
    """Raise `OptionError` if no input remains, as a caller leaves all of them out."""
    if leave_out and not names:
        raise OptionError(f"{LEAVE_OUT}={', '.join(leave_out)}: no input remains. Keep at least one.")


def check_sizes(context: Context, inputs: Mapping[str, Node]) -> None:
    """Raise `OptionError` for a size that the caller gives and no input has."""
    unused = context.sizes.unused()
    if unused:
        known = [*context.sizes.dims]
        raise OptionError(
            f"{unused[0]}={context.sizes.given[unused[0]]}: no dim of {', '.join(inputs)} has that name. "
            f"{suggest_names(unused[0], known)} Dims: {', '.join(known)}."
        )
