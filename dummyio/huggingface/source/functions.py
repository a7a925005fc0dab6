"""Facts from the syntax trees of functions and classes: what they call, what they assign, how they unpack a shape."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from dummyio.huggingface.source.evaluator import Expression, Function
from dummyio.huggingface.source.statements import find_method, find_statements, parse_class, parse_method

ClassTree: TypeAlias = ast.ClassDef
Call: TypeAlias = ast.Call


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A call of a part of a model that gets all keywords for which a method has no name of its own."""

    attribute: str
    """The attribute of the model that is called; empty for the base model that the class names by a prefix."""
    keywords: frozenset[str]
    positional: int


@dataclass(frozen=True, slots=True)
class Maker:
    """A call that makes a part of a model: ``Name(config.part)`` or ``Name.from_config(config.part)``."""

    class_name: str
    from_table: bool
    part: str | None
    """The attribute of the configuration that is given; None for the whole configuration."""


@lru_cache(maxsize=64)
def find_classes_with(text: str, *marks: str) -> tuple[ClassTree, ...]:
    """Parse the classes of a file whose text has one of these marks."""
    texts = (found for found in find_statements(text, "class ") if any(mark in found for mark in marks))
    return tuple(node for found in texts if (node := parse_class(found)))


def method_of(owner: ClassTree, name: str) -> Function | None:
    """Return a method of a parsed class; None if it has none of that name."""
    return next((part for part in owner.body if isinstance(part, ast.FunctionDef) and part.name == name), None)


def takes_argument(function: Function, name: str) -> bool:
    """Return whether a function has a parameter of that name."""
    return name in {argument.arg for argument in function.args.args}


def find_calls(owner: ClassTree, attribute: str) -> list[Call]:
    """Return the calls of an attribute of anything, such as a method or a class of a module."""
    nodes = (node for node in ast.walk(owner) if isinstance(node, ast.Call))
    return [node for node in nodes if isinstance(node.func, ast.Attribute) and node.func.attr == attribute]


def call_argument(call: Call, name: str, place: int | None = None) -> Expression | None:
    """Return the argument of a call under a keyword, else at a place; None if it is not given."""
    found = next((word.value for word in call.keywords if word.arg == name), None)
    return call.args[place] if found is None and place is not None and place < len(call.args) else found


@lru_cache(maxsize=1024)
def assigned_attributes(function: Function) -> frozenset[str]:
    """Return the attributes that a function may set."""
    nodes = (node for node in ast.walk(function) if isinstance(node, ast.Attribute))
    return frozenset(node.attr for node in nodes if isinstance(node.ctx, ast.Store))


def shape_unpackings(function: Function, argument: str) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Yield the names that parts of the shape of an argument are assigned to, with the index that takes the part."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign):
            continue
        part = node.value if isinstance(node.value, ast.Subscript) else None
        match part.value if part else node.value:
            case ast.Attribute(value=ast.Name(id=name), attr="shape") if name == argument:
                target = node.targets[0]
                items = target.elts if isinstance(target, ast.Tuple) else [target]
                names = tuple(item.id if isinstance(item, ast.Name) else "_" for item in items)
                yield names, ast.unparse(part.slice) if part else None
            case _:
                pass


def read_forwarding(method_text: str, name: str) -> Forwarding | None:
    """Return the call of a part of a model that gets all further keywords of a method; None without one."""
    body = parse_method(method_text, name) if "**" in method_text else None
    if body is None or body.args.kwarg is None:
        return None
    rest = body.args.kwarg.arg
    for call in ast.walk(body):
        attribute = _called_attribute(call.func) if isinstance(call, ast.Call) else None
        if isinstance(call, ast.Call) and attribute is not None and any(_is_rest(word, rest) for word in call.keywords):
            keywords = frozenset(word.arg for word in call.keywords if word.arg)
            return Forwarding(attribute, keywords, len(call.args))
    return None


def _is_rest(word: ast.keyword, rest: str) -> bool:
    return word.arg is None and isinstance(word.value, ast.Name) and word.value.id == rest


def _called_attribute(function: Expression) -> str | None:
    match function:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name
        case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id="self"), ast.Attribute(attr="base_model_prefix")]):
            return ""
        case _:
            return None


@lru_cache(maxsize=512)
def find_makers(class_text: str, attribute: str) -> tuple[Maker, ...]:
    """Return the calls on a configuration whose results the `__init__` of a class assigns to an attribute."""
    assigned = f"self.{attribute} = " in (find_method(class_text, "__init__") or "")
    init = parse_method(class_text, "__init__") if assigned else None
    values = (
        node.value
        for node in (ast.walk(init) if init else ())
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Attribute)
        and len(node.targets) == 1
        and node.targets[0].attr == attribute
    )
    return tuple(maker for value in values if (maker := _maker(value)))


def _maker(value: Expression) -> Maker | None:
    match value:
        case ast.Call(func=ast.Name(id=name), args=[argument, *_]):
            from_table = False
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=name), attr="from_config" | "_from_config"), args=[argument, *_]
        ):
            from_table = True
        case _:
            return None
    match argument:
        case ast.Name(id="config") | ast.Attribute(value=ast.Name(id="self"), attr="config"):
            return Maker(name, from_table, None)
        case ast.Attribute(value=ast.Name(id="config"), attr=part):
            return Maker(name, from_table, part)
        case _:
            return None
