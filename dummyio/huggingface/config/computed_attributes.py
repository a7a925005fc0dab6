"""Attributes that a configuration's class computes: by a property, or in ``__post_init__`` and ``__init__``."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from dummyio.huggingface.config.class_defaults import attribute_map
from dummyio.huggingface.source.auto_tables import class_source, configuration_class
from dummyio.huggingface.source.class_lookup import base_classes
from dummyio.huggingface.source.evaluator import Interpreter
from dummyio.huggingface.source.statements import find_method

__all__ = ["attribute_of", "computed_attribute"]

_PREPARES = ("__post_init__", "__init__")
_DEEPEST = 4
"""As many properties can be worked out of each other."""


def attribute_of(kind: str, known: Callable[[str], Any], name: str) -> Any:
    """Return what a configuration of a kind says under a name, or what its class makes of what it says; None for neither.

    `known` gives what stands in the configuration itself and among the constant defaults of its class.
    """
    given = _given(kind, known, name)
    return computed_attribute(kind, known, name) if given is None else given


def computed_attribute(kind: str, known: Callable[[str], Any], name: str) -> Any:
    """Return what the class of a configuration computes for an attribute; None where it does not, or that is not known here."""
    found = _by_property(kind, known, name)
    if found is not None:
        return found
    for body in _preparing(kind):
        if not _assigned(body) & set(_names(kind, name)):
            continue
        # While a method prepares attributes, those that it has not reached yet are as they were given.
        interpreter = Interpreter(lambda other: _prepared(kind, known, other), of_self=True)
        interpreter.run(body)
        for each in _names(kind, name):
            if interpreter.names.get(f"self.{each}") is not None:
                return interpreter.names[f"self.{each}"]
    return None


def _names(kind: str, name: str) -> tuple[str, ...]:
    return (name, attribute_map(kind).get(name, name))


def _given(kind: str, known: Callable[[str], Any], name: str) -> Any:
    return next((value for each in _names(kind, name) if (value := known(each)) is not None), None)


def _prepared(kind: str, known: Callable[[str], Any], name: str) -> Any:
    given = _given(kind, known, name)
    return _by_property(kind, known, name) if given is None else given


def _by_property(kind: str, known: Callable[[str], Any], name: str, depth: int = 0) -> Any:
    """Return the value of a property; others that it asks for are worked out first."""

    def attribute(other: str) -> Any:
        given = _given(kind, known, other)
        return given if given is not None or depth >= _DEEPEST else _by_property(kind, known, other, depth + 1)

    bodies = (body for each in _names(kind, name) for body in _property(kind, each))
    return next((Interpreter(attribute, of_self=True).run(body) for body in bodies), None)


@lru_cache(maxsize=1024)
def _property(kind: str, name: str) -> tuple[tuple[ast.stmt, ...], ...]:
    """Return the body of the nearest property of that name, as the one item; none without one."""
    return tuple(body for text in _texts(kind) if (body := _body(text, name, 1)))[:1]


@lru_cache(maxsize=1024)
def _preparing(kind: str) -> tuple[tuple[ast.stmt, ...], ...]:
    """Return the bodies of the methods that make attributes, the nearest class first."""
    return tuple(body for text in _texts(kind) for name in _PREPARES if (body := _body(text, name, None)))


@lru_cache(maxsize=1024)
def _assigned(body: tuple[ast.stmt, ...]) -> frozenset[str]:
    """Name the attributes that a method may set: only for these it is run."""
    nodes = (node for statement in body for node in ast.walk(statement))
    return frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))


def _texts(kind: str) -> Iterator[str]:
    source = class_source(configuration_class(kind) or kind, kind, "configuration")
    return (owner.text for owner in base_classes(source)) if source else iter(())


def _body(text: str, name: str, arguments: int | None) -> tuple[ast.stmt, ...]:
    method = find_method(text, name)
    if method is None:
        return ()
    # Inside a class it may stay indented: text at the margin, such as a comment's, would stop a dedent.
    (owner,) = ast.parse(f"class _:\n{method}").body
    assert isinstance(owner, ast.ClassDef)
    node = owner.body[0]
    if not isinstance(node, ast.FunctionDef) or arguments not in (None, len(node.args.args)):
        return ()
    return tuple(node.body)
