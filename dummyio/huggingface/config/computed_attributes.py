"""Attributes that a configuration class computes: by a property, or in ``__post_init__`` and ``__init__``."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from dummyio.huggingface.config.class_defaults import attribute_map
from dummyio.huggingface.source.auto_tables import class_source, configuration_class
from dummyio.huggingface.source.class_lookup import base_classes
from dummyio.huggingface.source.evaluator import Evaluator, Function, attributes_of
from dummyio.huggingface.source.functions import assigned_attributes
from dummyio.huggingface.source.statements import parse_method

_PREPARES = ("__post_init__", "__init__")
_DEEPEST = 4
"""The longest chain of properties that are computed from each other."""
_OWNERS = ("config", "self.config", "self")


def attribute_of(kind: str, known: Callable[[str], Any], name: str) -> Any:
    """Return a configuration attribute: the stated value, else the value that the configuration class computes, else None.

    `known` reads what the configuration itself states, and the constant defaults of its class.
    """
    given = _given(kind, known, name)
    return computed_attribute(kind, known, name) if given is None else given


def computed_attribute(kind: str, known: Callable[[str], Any], name: str) -> Any:
    """Return the value that the class of a configuration computes for an attribute; None if it is not known."""
    found = _by_property(kind, known, name)
    if found is not None:
        return found
    names = _names(kind, name)
    for method in _preparing(kind):
        if not assigned_attributes(method).intersection(names):
            continue
        # While a method prepares attributes, those that it has not reached yet are as they were given.
        evaluator = Evaluator(attribute=attributes_of(lambda other: _prepared(kind, known, other), *_OWNERS))
        evaluator.run(method.body)
        for each in names:
            if evaluator.names.get(f"self.{each}") is not None:
                return evaluator.names[f"self.{each}"]
    return None


def _names(kind: str, name: str) -> tuple[str, ...]:
    return (name, attribute_map(kind).get(name, name))


def _given(kind: str, known: Callable[[str], Any], name: str) -> Any:
    return next((value for each in _names(kind, name) if (value := known(each)) is not None), None)


def _prepared(kind: str, known: Callable[[str], Any], name: str) -> Any:
    given = _given(kind, known, name)
    return _by_property(kind, known, name) if given is None else given


def _by_property(kind: str, known: Callable[[str], Any], name: str, depth: int = 0) -> Any:
    """Return the value of a property; others that it reads are computed first."""

    def attribute(other: str) -> Any:
        given = _given(kind, known, other)
        return given if given is not None or depth >= _DEEPEST else _by_property(kind, known, other, depth + 1)

    method = next((found for each in _names(kind, name) if (found := _property(kind, each))), None)
    return Evaluator(attribute=attributes_of(attribute, *_OWNERS)).run(method.body) if method else None


@lru_cache(maxsize=1024)
def _property(kind: str, name: str) -> Function | None:
    """Return the nearest property of that name: a method without arguments."""
    methods = (method for text in _texts(kind) if (method := parse_method(text, name)))
    return next((method for method in methods if len(method.args.args) == 1), None)


@lru_cache(maxsize=1024)
def _preparing(kind: str) -> tuple[Function, ...]:
    """Return the methods that make attributes, those of the nearest class first."""
    return tuple(method for text in _texts(kind) for name in _PREPARES if (method := parse_method(text, name)))


def _texts(kind: str) -> Iterator[str]:
    source = class_source(configuration_class(kind) or kind, kind, "configuration")
    return (owner.text for owner in base_classes(source)) if source else iter(())
