"""The generators that the class of a configuration states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dummyio.errors import OptionError, suggest_names
from dummyio.generators.own_classes import check_generator
from dummyio.model_config.attribute_types import shorten_value

_STATED = "DUMMY_INPUT_GENERATOR_CLASSES"


def list_generator_classes(owner: Any, task: str | None = None, *more: str) -> tuple[type, ...]:
    """Return the generators of a configuration's class, the first to be asked first.

    Parameters
    ----------
    owner
        The class; its attribute is a tuple of classes.
    task
        The task for which an entry that is a dict of tasks has a class; None if entries are classes only.
    more
        Further attributes, of one class each.

    Raises
    ------
    OptionError
        if the attribute is of another form, or a dict has no class for the task.
    """
    stated = getattr(owner, _STATED)
    if not isinstance(stated, (tuple, list)):
        raise OptionError(
            f"{owner.__name__}.{_STATED}={shorten_value(stated)}: give a tuple of generator classes, such as (MyGenerator,)."
        )
    found: list[type] = []
    for entry in (*stated, *(getattr(owner, name, None) for name in more)):
        kind: Any = _choose_for_task(owner, entry, task) if isinstance(entry, Mapping) and task is not None else entry
        if kind is not None:
            check_generator(kind)
            found.append(kind)
    return tuple(dict.fromkeys(found))


def _choose_for_task(owner: Any, entry: Mapping[Any, Any], task: str) -> Any:
    kind = entry.get(task, entry.get("default"))
    if kind is None:
        raise OptionError(
            f"{owner.__name__}: {_STATED} has no generator for task={task!r} and no 'default'. "
            f"{suggest_names(task, map(str, entry))}"
        )
    return kind
