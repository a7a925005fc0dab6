"""Finds tasks: by name, by model class, and the class of a model type for a task.

A class is looked for in the library's tables first. Where no table lists one, by how the names of the classes end that stand
in the model type's own files: a table lists only what a pipeline uses.
"""

from collections.abc import Iterator
from functools import lru_cache

from dummyio.errors import OptionError, SourceError, suggest_names
from dummyio.generators.base.context import PAST
from dummyio.huggingface.source.auto_tables import class_for, classes_of, tables_of
from dummyio.huggingface.source.forward_signatures import forward_parameters
from dummyio.huggingface.tasks.task_table import ALIASES, TASKS, Task

_FEATURES = "feature-extraction"


def find_task(name: str) -> Task:
    """Return the task of that name or alias, with or without ``-with-past``; raise `OptionError` for any other.

    Its ``name`` is the one that a spec has, its ``family`` what its data are, ``takes_past`` whether ``-with-past`` makes sense.
    """
    base = name.removesuffix(PAST)
    base = ALIASES.get(base, base)
    for task in TASKS:
        if task.name == base:
            return task
    raise OptionError(f"task={name!r} is unknown. {suggest_names(base, [*(t.name for t in TASKS), *ALIASES])}")


def canonical_task(name: str) -> str:
    """Return the task's own name for a name or alias, ``-with-past`` kept; errors as `find_task`."""
    return find_task(name).name + (PAST if name.endswith(PAST) else "")


@lru_cache(maxsize=1024)
def task_of_class(class_name: str) -> str | None:
    """Return the task that a class is for: by the tables that list it, else by how its name ends."""
    listed = set(tables_of(class_name))
    for task in TASKS:
        if listed.intersection(_table(name) for name in task.tables):
            return task.name
    for task in TASKS:
        if task.endings and class_name.endswith(task.endings):
            return task.name
    return None


def class_supports_task(class_name: str, name: str) -> bool:
    """Whether a class does a task: some table of it lists the class, or its name ends so."""
    listed = set(tables_of(class_name))
    return any(
        listed.intersection(_table(table) for table in task.tables)
        or (task.endings and class_name.endswith(task.endings))
        for task in _rows(name)
    )


def class_of_task(model_type: str, name: str) -> str:
    """Return the class that does a task for a model type; raise `SourceError`, with the tasks that it can do, for none."""
    for task in _rows(name):
        found = _class(model_type, task)
        if found is not None:
            return found
    able = tasks_of(model_type)
    # Features are the hidden states of any class, so a type with one class has no other to take them from.
    only = {_class(model_type, task) for task in TASKS if task.name in able} - {None}
    if find_task(name).name == _FEATURES and len(only) == 1:
        return str(only.pop())
    raise SourceError(
        f"task={name!r}: no class of model type {model_type!r} does it. "
        + (f"It can do {', '.join(able)}." if able else "Transformers lists no class of that type.")
    )


def tasks_of(model_type: str) -> tuple[str, ...]:
    """Name the tasks that some class of a model type does."""
    return tuple(dict.fromkeys(task.name for task in TASKS if _class(model_type, task) is not None))


def _rows(name: str) -> Iterator[Task]:
    wanted = find_task(name).name
    return (task for task in TASKS if task.name == wanted)


def _class(model_type: str, task: Task) -> str | None:
    """Name the class of a model type for a task: listed, else by its ending, else by the argument that the task needs."""
    for table in task.tables:
        found = class_for(model_type, _table(table))
        if found is not None:
            return found
    for ending in task.endings:
        for name in classes_of(model_type):
            if name.endswith(ending) and not name.endswith("PreTrainedModel"):
                return name
    main = class_for(model_type, _table("MAPPING_NAMES")) if task.needs else None
    takes = any(p.name == task.needs for p in forward_parameters(main, model_type)) if main is not None else False
    return main if takes else None


def _table(name: str) -> str:
    if name == "MAPPING_NAMES":
        return "MODEL_MAPPING_NAMES"
    return f"MODEL_{name}" if name.endswith("_NAMES") else f"MODEL_{name}_MAPPING_NAMES"
