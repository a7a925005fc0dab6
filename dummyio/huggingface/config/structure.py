"""Bounds of a configuration as a whole, checked before anything in it is interpreted: depth, number of values, names."""

from collections.abc import Iterator, Mapping
from typing import Any

from dummyio.errors import SourceError, format_error_line
from dummyio.model_config.attribute_types import check_attribute, is_name, shorten_value

_DEEPEST = 64
"""The deepest nesting: configurations nest about five levels. Deeper ones, and those that contain themselves, exceed the stack."""
_MOST_VALUES = 500_000
"""The largest number of values: a table of 21,841 labels, one of the largest, has 43,682 in both directions."""

_PLAIN = frozenset({str, int, float, bool, type(None)})


def check_structure(values: Mapping[Any, Any], label: str) -> None:
    """Raise `SourceError` if a configuration is nested too deeply, has too many values, or names that are not names."""
    pending: list[tuple[Any, int]] = [(values, 1)]
    count = 0
    while pending:
        container, depth = pending.pop()
        if depth > _DEEPEST:
            raise SourceError(
                f"{label}: nested more than {_DEEPEST} levels deep, or contains itself: not a configuration."
            )
        count += len(container)
        if count > _MOST_VALUES:
            raise SourceError(f"{label}: more than {_MOST_VALUES} values: not a configuration.")
        # Whether a number is a `Mapping` takes longer to ask than all else here.
        nested = (item for item in _items(container, label) if type(item) not in _PLAIN)
        pending += [(item, depth + 1) for item in nested if isinstance(item, (list, tuple, Mapping))]
    unnamed = next((name for name in values if not isinstance(name, str)), None)
    if unnamed is not None:
        raise SourceError(
            f"{label}: the name {shorten_value(unnamed)} is not a string: names of a configuration must be strings."
        )
    _check_names(values)


def _items(container: Any, label: str) -> Iterator[Any]:
    if not isinstance(container, Mapping):
        return iter(container)
    try:
        return iter([*container.values()])
    except Exception as error:  # a mapping that somebody else wrote
        raise SourceError(f"{label}: a part of it cannot be read: {format_error_line(error)}") from error


def _check_names(values: Mapping[str, Any]) -> None:
    """Raise `SourceError` if the model type or a class is named by something else than a name."""
    if values.get("model_type") is not None:
        check_attribute("model_type", values["model_type"], "")
    classes = values.get("architectures")
    if classes is None:
        return
    if not isinstance(classes, (list, tuple)):
        raise SourceError(
            f"the configuration has architectures={shorten_value(classes)}: a list of names of classes is needed. Correct the "
            "configuration."
        )
    wrong = next((place for place, name in enumerate(classes) if not is_name(name)), None)
    if wrong is not None:
        raise SourceError(
            f"the configuration has architectures[{wrong}]={shorten_value(classes[wrong])}: the name of a class is needed. Correct "
            "the configuration."
        )
