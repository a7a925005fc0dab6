"""The defaults that the body of a configuration class states, and the parts of the expressions that state them."""

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from dummyio.huggingface.source.class_lookup import ClassSource, resolve_class
from dummyio.huggingface.source.evaluator import Expression
from dummyio.huggingface.source.statements import parse_class, without_methods


class Default(NamedTuple):
    """A default as the body of a class states it."""

    name: str
    value: Expression | None
    of_instances: bool


@lru_cache(maxsize=1024)
def stated_defaults(source: ClassSource) -> tuple[Default, ...]:
    """Return the defaults that a class itself states."""
    node = parse_class(without_methods(source.text))
    return tuple(chain.from_iterable(_stated(statement) for statement in node.body)) if node else ()


def _stated(statement: ast.stmt) -> Iterator[Default]:
    """Return the defaults in one statement of a class body."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield Default(name, value, of_instances=False)
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            is_field = "ClassVar" not in ast.unparse(annotation)
            yield Default(name, _inside_factory(value) if value else None, of_instances=is_field)
        case ast.FunctionDef(name="__init__", args=arguments):
            yield from _keyword_defaults(arguments)
        case _:
            pass


def _keyword_defaults(arguments: ast.arguments) -> Iterator[Default]:
    """Return the keyword defaults of an `__init__`, which by custom become attributes of the same names."""
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    pairs = zip([*with_default, *arguments.kwonlyargs], [*arguments.defaults, *arguments.kw_defaults], strict=True)
    return (Default(argument.arg, value, of_instances=True) for argument, value in pairs)


def _inside_factory(value: Expression) -> Expression:
    """Return the default inside the maker of a field: `interval(min=0.0)(default=0.02)`, `field(default_factory=list)`."""
    words = call_keywords(value)
    factory = words.get("default_factory")
    if isinstance(factory, ast.Lambda):
        return factory.body
    return ast.Call(func=factory, args=[], keywords=[]) if factory else words.get("default", value)


def call_keywords(value: Expression | None) -> Mapping[str, Expression]:
    """Return the keyword arguments of a call; an empty mapping for another expression."""
    words = value.keywords if isinstance(value, ast.Call) else []
    return {word.arg: word.value for word in words if word.arg}


def dict_entries(table: Expression | None) -> Mapping[str, Expression]:
    """Return the entries of a dict display that have constant keys; an empty mapping for another expression."""
    pairs = zip(table.keys, table.values, strict=True) if isinstance(table, ast.Dict) else ()
    return {str(key.value): value for key, value in pairs if isinstance(key, ast.Constant)}


def named_class(value: Expression, owner: ClassSource) -> ClassSource | None:
    """Return the class that a name means in the file of another class; None for another expression."""
    return resolve_class(owner.path, value.id) if isinstance(value, ast.Name) else None
