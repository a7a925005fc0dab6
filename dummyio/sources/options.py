"""The options of all readers of models, and the sizes that a caller gives by name."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from dummyio.errors import OptionError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value
from dummyio.spec.values import PaddingMask

READER_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "padding_side": ("left", "right"),
    "mask_policy": ("ragged", "full", "shortest"),
}
"""Option of every reader → its choices; the defaults are in `make_padding_mask`."""


_TYPES: Mapping[str, tuple[type, str]] = {
    **dict.fromkeys(("optional_inputs", "fused", "latent", "integer_timestep"), (bool, "True or False")),
    **dict.fromkeys(("cache", "key_layout", "value_layout", "last_token"), (str, "a text")),
    "seed": (int, "a whole number"),
}
"""Option → its type, and the type in words."""
_LONGEST = 200


def check_keywords(task: object, given: Mapping[str, Any]) -> None:
    """Raise `OptionError` if a task or an option has a value of a wrong type, or a name is too long to be one.

    The values of sizes are checked where they become dims.
    """
    if task is not None and not isinstance(task, str):
        raise OptionError(f"task={shorten_value(task)}: a task is a string, such as 'text-generation'.")
    for name in (task or "", *given):
        if len(name) > _LONGEST:
            raise OptionError(
                f"{shorten_value(name)} is not the name of a task, a size or an option: names are shorter."
            )
    for name, (kind, text) in _TYPES.items():
        value = given.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise OptionError(f"{name}={shorten_value(value)}: {text} is needed.")


def check_choice(name: str, value: object) -> None:
    """Raise `OptionError` if an option of every reader has another value than its choices; other options have none."""
    choices = READER_OPTIONS.get(name)
    if choices is not None and not (isinstance(value, str) and value in choices):
        text = value if isinstance(value, str) else ""
        raise OptionError(f"{name}={shorten_value(value)} is unknown. {suggest_names(text, choices)}")


def check_options(given: Mapping[str, Any] | None, own: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the keywords that a caller gives a reader into options and sizes.

    Parameters
    ----------
    given
        Sizes and options by name.
    own
        The options that this reader has in addition to `READER_OPTIONS`.

    Returns
    -------
    chosen, sizes
        The options that are given, each valid, and all other names.

    Raises
    ------
    OptionError
        If an option has a value of a wrong kind; the message names the choices or shows an example.
    """
    sizes = dict(given or {})
    chosen = {name: sizes.pop(name) for name in (*READER_OPTIONS, *own) if name in sizes}
    for name, value in chosen.items():
        check_choice(name, value)
        if name == "shapes" and not (isinstance(value, Mapping) and all(map(_is_shape, value.values()))):
            raise OptionError(
                f"shapes={shorten_value(value)} is not a mapping of inputs to shapes: give lists of sizes, names and None, "
                "such as {'x': ('batch_size', 3)}."
            )
        if name in ("kwargs", "dynamic") and not isinstance(value, Mapping):
            raise OptionError(
                f"{name}={shorten_value(value)} is not a mapping of names: give one, such as {name}={{'x': ...}}."
            )
        if name == "args" and not isinstance(value, (tuple, list)):
            raise OptionError(f"args is a {type(value).__name__}: give a tuple of example arguments, args=(x,).")
    return chosen, sizes


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, (list, tuple)) and all(
        axis is None or isinstance(axis, str) or (type(axis) is int and axis >= 0) for axis in shape
    )


def make_padding_mask(
    chosen: Mapping[str, Any], side: Literal["left", "right"] = "right", pad: Literal[0, 1] = 0
) -> PaddingMask:
    """Return the rule of a padding mask.

    Parameters
    ----------
    chosen
        The options that the caller gives.
    side
        The side that is padded unless the caller chooses one.
    pad
        The value of a place that is padding.
    """
    return PaddingMask(chosen.get("padding_side", side), chosen.get("mask_policy", "ragged"), pad=pad)


def apply_sizes(spec: InputSpec, sizes: Mapping[str, Any], others: Iterable[str], what: str) -> InputSpec:
    """Return a spec with the sizes that the caller gives as defaults.

    Parameters
    ----------
    spec, sizes
        The description, and the sizes by name.
    others
        Names that the caller could have meant instead: the reader's own options and arguments.
    what
        The kind of model, for the message.

    Raises
    ------
    OptionError
        If a name is not a dim of the spec.
    """
    unknown = next((name for name in sizes if name not in spec.dims), None)
    if unknown is not None:
        known = suggest_names(unknown, [*spec.dims, *READER_OPTIONS, *others])
        raise OptionError(
            f"{unknown}={shorten_value(sizes[unknown])}: no dim or option of this {what} has that name. {known}"
        )
    return spec.with_dims(**sizes) if sizes else spec
