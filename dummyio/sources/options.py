"""The options that all readers of models share, and the sizes that a caller gives to any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dummyio.errors import OptionError, suggest_names
from dummyio.input_spec import InputSpec

__all__ = ["READER_OPTIONS", "apply_sizes", "check_choices"]

READER_OPTIONS = {"padding_side": ("left", "right"), "mask_policy": ("ragged", "full", "shortest")}
"""Option → what it can be."""


def check_choices(chosen: Mapping[str, Any]) -> None:
    """Raise `OptionError` for an option of `READER_OPTIONS` that is none of its choices."""
    for name, choices in READER_OPTIONS.items():
        if name in chosen and chosen[name] not in choices:
            raise OptionError(f"{name}={chosen[name]!r} is unknown. {suggest_names(str(chosen[name]), choices)}")


def apply_sizes(spec: InputSpec, given: Mapping[str, Any], others: Iterable[str], what: str) -> InputSpec:
    """Return the spec at the sizes given; raise `OptionError` for a name that is no dim of it.

    Parameters
    ----------
    spec, given
        The description, and the sizes by name.
    others
        What else could have been meant: the reader's options.
    what
        What was described, for the message.
    """
    unknown = next((name for name in given if name not in spec.dims), None)
    if unknown is not None:
        known = suggest_names(unknown, [*spec.dims, *others])
        raise OptionError(f"{unknown}={given[unknown]!r}: no dim or option of this {what} has that name. {known}")
    return spec.with_dims(**given) if given else spec
