"""Functions that are replaced during an export: the ``PATCHING_SPECS`` of a configuration, as Optimum's users write them.

A spec is an object with the attributes ``o`` (a module, class or object), ``name`` (of the function in it), ``custom_op`` (what it is
during the export) and, if they are wanted, ``op_wrapper`` (what `custom_op` is passed through) and ``orig_op`` (what it is afterwards,
by default what it was before).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import Any

from dummyio.errors import OptionError
from dummyio.model_config.attribute_types import shorten_value


@contextmanager
def apply_patching_specs(label: str, specs: Any) -> Generator[None]:
    """Replace what specs list for the time of a ``with`` block.

    Parameters
    ----------
    label
        The class of the configuration, for messages.
    specs
        An iterable of specs; None for none.

    Raises
    ------
    OptionError
        if it is not such an iterable, or an object does not have the function that is to be replaced.
    """
    with ExitStack() as stack:
        for target, name, made, old in _read_specs(label, specs):
            setattr(target, name, made)
            stack.callback(setattr, target, name, old)
        yield


def _read_specs(label: str, specs: Any) -> list[tuple[Any, str, Callable[..., Any], Any]]:
    if specs is None:
        return []
    if isinstance(specs, (str, bytes, dict)) or not isinstance(specs, Iterable):
        raise OptionError(f"{label}.PATCHING_SPECS={shorten_value(specs)}: give a list of specs, or None.")
    return [_read_spec(label, spec) for spec in specs]


def _read_spec(label: str, spec: Any) -> tuple[Any, str, Callable[..., Any], Any]:
    target, name, made = (getattr(spec, each, None) for each in ("o", "name", "custom_op"))
    if target is None or not isinstance(name, str) or not callable(made):
        raise OptionError(
            f"{label}.PATCHING_SPECS has {shorten_value(spec)}: a spec has the attributes o, name and custom_op, which is a function. "
            "Give such an object."
        )
    if not hasattr(target, name):
        raise OptionError(
            f"{label}.PATCHING_SPECS: {getattr(target, '__name__', type(target).__name__)} has no {name!r} to replace. Correct the name."
        )
    wrap, old = getattr(spec, "op_wrapper", None), getattr(spec, "orig_op", None)
    return target, name, made if wrap is None else wrap(made), getattr(target, name) if old is None else old
