"""Options with a declared type: each value is checked and converted by the annotation of its parameter.

Exporters, readers and public functions take options from Python and, as words, from the command line. Without a check,
``external_data="false"`` would be true.
"""

import inspect
import operator
import os
import types
import typing
from collections import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from dummyio.errors import BrokenBackendError, OptionError, format_error_line


class _Mismatch(Exception):  # noqa: N818 - internal, always caught
    """A value is not of the declared type."""


def list_options(function: Callable[..., Any]) -> list[str]:
    """Return the names of the keyword-only parameters of a function: its options."""
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


def convert_options(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a function, each converted to the type that the function declares for it.

    Parameters
    ----------
    function
        Its parameters have annotations: ``bool``, ``int``, ``float``, ``str``, ``None``, a path, a class, ``Literal``, sequences,
        mappings, functions, unions of these, and ``Annotated`` numbers with the bounds of a ``msgspec.Meta``. Other annotations
        take any value.
    given
        The options by name; all are parameters of `function`.

    Raises
    ------
    OptionError
        if a value is not of the declared type; the message has the choices.
    """
    try:
        declared = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise BrokenBackendError(
            f"the annotations of {function.__qualname__} cannot be read ({format_error_line(error)}): import their names at "
            "the top of its module."
        ) from error
    return {name: convert_option(name, value, declared.get(name, Any)) for name, value in given.items()}


def convert_option(name: str, value: Any, declared: Any) -> Any:
    """Return a value as the declared type; see `convert_options`."""
    try:
        return _convert(value, declared)
    except _Mismatch:
        hint = " On the command line: true or false." if bool in (declared, *get_args(declared)) else ""
        raise OptionError(f"{name}={value!r}: give {describe_type(declared)}.{hint}") from None


def _convert(value: Any, declared: Any) -> Any:  # noqa: PLR0911 - a case for each kind of type
    arguments = get_args(declared)
    match get_origin(declared) or declared:
        case typing.Any:
            return value
        case typing.Union | types.UnionType:
            return _convert_first(value, arguments)
        case typing.Annotated:
            return _check_bounds(_convert(value, arguments[0]), arguments[1:])
        case typing.Literal:
            return _require(value, any(type(value) is type(choice) and value == choice for choice in arguments))
        case abc.Callable:
            return _require(value, callable(value))
        case type() as kind if issubclass(kind, Mapping):
            keys, values = arguments or (Any, Any)
            items = _require(value, isinstance(value, Mapping)).items()
            return {_convert(key, keys): _convert(one, values) for key, one in items}
        case type() as kind if issubclass(kind, Iterable) and arguments:
            return _convert_items(value, kind, arguments)
        case type() as kind:
            return _convert_one(value, kind)
        case None:
            return _require(value, value is None)
        case _:
            return value


def _convert_one(value: Any, kind: type) -> Any:
    is_truth = isinstance(value, (bool, np.bool_))
    if kind is bool:
        return bool(_require(value, is_truth))
    if kind is int:
        return operator.index(_require(value, isinstance(value, Integral) and not is_truth))
    if kind is float:
        return float(_require(value, isinstance(value, Real) and not is_truth))
    if issubclass(kind, os.PathLike):  # pyright: ignore[reportGeneralTypeIssues]
        return _require(value, isinstance(value, (str, os.PathLike)))
    return _require(value, isinstance(value, kind))


def _convert_first(value: Any, choices: Iterable[Any]) -> Any:
    """Return the value as the first of these types that takes it."""
    for choice in choices:
        try:
            return _convert(value, choice)
        except _Mismatch:
            continue
    raise _Mismatch


def _convert_items(value: Any, kind: type, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the elements of a list, a tuple, or any iterable if one is declared; a string is not a list of letters."""
    able = (list, tuple) if issubclass(kind, Sequence) else Iterable
    _require(value, isinstance(value, able) and not isinstance(value, (str, bytes, Mapping)))
    return tuple(_convert(one, arguments[0]) for one in value)


def _check_bounds(value: Any, metadata: Iterable[Any]) -> Any:
    for bounds in metadata:
        if isinstance(bounds, msgspec.Meta):
            _require(value, bounds.ge is None or value >= bounds.ge)
            _require(value, bounds.le is None or value <= bounds.le)
    return value


def _require(value: Any, condition: bool) -> Any:
    if not condition:
        raise _Mismatch
    return value


_NOUNS: Mapping[Any, str] = {
    None: "None",
    types.NoneType: "None",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a string",
    Path: "a path",
}


def describe_type(declared: Any) -> str:
    """Return the values that a declared type has, as a phrase: "True, False or None"."""
    if get_origin(declared) in (typing.Union, types.UnionType, typing.Literal):
        phrases = dict.fromkeys(phrase for choice in get_args(declared) for phrase in _list_phrases(declared, choice))
        *first, last = phrases
        return f"{', '.join(first)} or {last}" if first else last
    return _describe_one(declared)


def _list_phrases(declared: Any, choice: Any) -> list[str]:
    if get_origin(declared) is typing.Literal:
        return [repr(choice)]
    if get_origin(choice) is typing.Literal:
        return [*map(repr, get_args(choice))]
    return ["True", "False"] if choice is bool else [_describe_one(choice)]


def _describe_one(declared: Any) -> str:
    origin, arguments = get_origin(declared) or declared, get_args(declared)
    if origin is typing.Annotated:
        low, high = next(((meta.ge, meta.le) for meta in arguments[1:] if isinstance(meta, msgspec.Meta)), (None, None))
        ends = f" from {low} to {high}" if high is not None else f" of at least {low}" if low is not None else ""
        return f"{describe_type(arguments[0])}{ends}"
    if origin in _NOUNS:
        return _NOUNS[origin]
    if origin is abc.Callable:
        return "a function"
    if isinstance(origin, type) and arguments and issubclass(origin, Mapping):
        return f"a mapping (each key {describe_type(arguments[0])}, each value {describe_type(arguments[1])})"
    if isinstance(origin, type) and arguments and issubclass(origin, Iterable):
        return f"a list (each element {describe_type(arguments[0])})"
    return f"a {getattr(origin, '__name__', origin)}"
