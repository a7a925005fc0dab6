"""Arguments that a `forward` takes under no name, but hands on: `self.model(input_ids, **kwargs)` takes what that model takes.

The call that `**kwargs` goes into is looked for in the text of `forward`, and what is called in that of `__init__`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from dummyio.errors import SourceError
from dummyio.generators.base.model_facts import ArgumentFacts
from dummyio.huggingface.facts.argument_docs import read_documented_arguments
from dummyio.huggingface.inputs.media_conditions import MEDIA_CONDITIONS
from dummyio.huggingface.source.auto_tables import class_for, class_source
from dummyio.huggingface.source.class_lookup import ClassSource, base_classes, resolve_class
from dummyio.huggingface.source.forward_signatures import Parameter, forward_parameters, forward_source
from dummyio.huggingface.source.statements import find_method
from dummyio.model_config.normalized_config import NormalizedConfig

__all__ = ["find_forwarded_arguments"]

_DEPTH = 3
"""Models inside models: none of the library's nests deeper."""
_TABLE = re.compile(r"_model_mapping = (MODEL_\w+)")


_HANDED = frozenset(MEDIA_CONDITIONS) | {"token_type_ids", "input_features", "input_values"}
"""Data that an inner model may be handed so; pasts, positions and what an encoder made it is not."""


def find_forwarded_arguments(class_name: str, config: NormalizedConfig) -> Mapping[str, ArgumentFacts]:
    """Return the data that a class's `forward` takes by further keywords alone, with what the inner model's text says of them."""
    found: dict[str, ArgumentFacts] = {}
    name, inner = class_name, config
    known = _names(class_name, config.raw("model_type"))
    for _ in range(_DEPTH):
        step = _next(name, inner)
        if step is None:
            break
        name, inner, given = step
        model_type = inner.raw("model_type")
        own = _names(name, model_type)
        stated = read_documented_arguments(name, model_type)
        # What the outer model gives by name cannot be given again.
        found |= {
            argument: stated.get(argument, ArgumentFacts())
            for argument in sorted(own - known - given)
            if argument in _HANDED
        }
        known |= given | own
    return MappingProxyType(found)


def _names(class_name: str, model_type: str | None) -> frozenset[str]:
    return frozenset(p.name for p in _parameters(class_name, model_type))


def _parameters(class_name: str, model_type: str | None) -> tuple[Parameter, ...]:
    try:
        return forward_parameters(class_name, model_type)
    except SourceError:  # remote code
        return ()


def _next(class_name: str, config: NormalizedConfig) -> tuple[str, NormalizedConfig, frozenset[str]] | None:
    """Return the class that keywords are handed on to, its configuration, and what it is given by name."""
    call = _handing(class_name, config.raw("model_type"))
    if call is None:
        return None
    given = frozenset(word.arg for word in call.keywords if word.arg)
    if "inputs_embeds" in given and "input_ids" not in given and not call.args:
        return None  # ready-made embeddings: what else belongs to the text has no place any more
    inner = _called(call.func, class_name, config)
    if inner is None:
        return None
    positional = [p.name for p in _parameters(inner[0], inner[1].raw("model_type"))][: len(call.args)]
    return *inner, given | frozenset(positional)


@lru_cache(maxsize=512)
def _handing(class_name: str, model_type: str | None) -> ast.Call | None:
    """Return the call of a module that gets all keywords which `forward` has no name for."""
    try:
        text = forward_source(class_name, model_type)
    except SourceError:
        return None
    if "**" not in text:
        return None
    outer = ast.parse(f"class _:\n{text}").body[0]
    body = outer.body[0] if isinstance(outer, ast.ClassDef) else None
    if not isinstance(body, ast.FunctionDef) or body.args.kwarg is None:
        return None
    rest = body.args.kwarg.arg
    calls = (node for node in ast.walk(body) if isinstance(node, ast.Call) and _attribute(node.func) is not None)
    return next((call for call in calls if any(_is_rest(word, rest) for word in call.keywords)), None)


def _is_rest(word: ast.keyword, rest: str) -> bool:
    return word.arg is None and isinstance(word.value, ast.Name) and word.value.id == rest


def _attribute(function: ast.expr) -> str | None:
    """Return the attribute of the model that is called: empty for the one that the class names as its base model."""
    match function:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name
        case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id="self"), ast.Attribute(attr="base_model_prefix")]):
            return ""
        case _:
            return None


def _called(function: ast.expr, class_name: str, config: NormalizedConfig) -> tuple[str, NormalizedConfig] | None:
    """Return the class of what is called, and its configuration."""
    model_type, name = config.raw("model_type"), _attribute(function)
    if not name:
        found = class_for(model_type, "MODEL_MAPPING_NAMES") if name == "" and model_type else None
        return (found, config) if found else None
    source = class_source(class_name, model_type)
    makers = ((owner, value) for owner in (base_classes(source) if source else ()) for value in _makers(owner, name))
    return next((made for owner, value in makers if (made := _made(owner, value, config))), None)


def _makers(owner: ClassSource, name: str) -> Iterator[ast.Call]:
    """Yield the calls that `__init__` assigns to an attribute."""
    text = find_method(owner.text, "__init__")
    for node in ast.walk(ast.parse(f"class _:\n{text}")) if text and f"self.{name} = " in text else ():
        match node:
            case ast.Assign(targets=[ast.Attribute(attr=attribute)], value=ast.Call() as value) if attribute == name:
                yield value
            case _:
                pass


def _made(owner: ClassSource, call: ast.Call, config: NormalizedConfig) -> tuple[str, NormalizedConfig] | None:
    """Return the class that a call makes a model of: itself, or what a table has for a configuration."""
    part = _part(call.args[0], config) if call.args else None
    match call.func:
        case ast.Name(id=name) if part is not None and (source := resolve_class(owner.path, name)):
            return source.name, part
        case ast.Attribute(value=ast.Name(id=name), attr="from_config" | "_from_config") if part is not None:
            source = resolve_class(owner.path, name)
            table = _TABLE.search(source.text) if source else None
            kind = part.raw("model_type")
            found = class_for(kind, f"{table.group(1)}_NAMES") if table and isinstance(kind, str) else None
            return (found, part) if found else None
        case _:
            return None


def _part(node: ast.expr, config: NormalizedConfig) -> NormalizedConfig | None:
    """Return the configuration that an argument is: the whole, or a part of it."""
    match node:
        case ast.Name(id="config") | ast.Attribute(value=ast.Name(id="self"), attr="config"):
            return config
        case ast.Attribute(value=ast.Name(id="config"), attr=name):
            found = config.raw(name)
            return None if found is None or isinstance(found, str | int) else NormalizedConfig.of(found)
        case _:
            return None
