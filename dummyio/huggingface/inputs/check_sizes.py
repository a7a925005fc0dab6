"""Checks that each size that the caller gives belongs to some input."""

from collections.abc import Mapping

from dummyio.errors import OptionError, suggest_names
from dummyio.generators.base.context import Context
from dummyio.spec.tensor_spec import Node


def check_sizes(context: Context, inputs: Mapping[str, Node]) -> None:
    """Raise `OptionError` for a size that the caller gives and no input has."""
    unused = context.sizes.unused()
    if unused:
        known = [*context.sizes.dims]
        raise OptionError(
            f"{unused[0]}={context.sizes.given[unused[0]]}: no dim of {', '.join(inputs)} has that name. "
            f"{suggest_names(unused[0], known)} Dims: {', '.join(known)}."
        )
