"""The parameters of a model class's `forward`, read from the source that defines or inherits it."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, repeat
from types import MappingProxyType
from typing import Literal, TypeAlias

from dummyio.huggingface.source.auto_tables import class_source
from dummyio.huggingface.source.class_lookup import ClassSource, base_classes, class_in_file, class_names, not_found
from dummyio.huggingface.source.evaluator import evaluate_constant
from dummyio.huggingface.source.statements import find_method, parse_header

__all__ = ["Kind", "Parameter", "forward_parameters", "forward_source", "module_source", "parameters_of"]

Kind: TypeAlias = Literal["positional_only", "positional_or_keyword", "keyword_only"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function, as it is written and without its meaning.

    `annotation` is source text, empty where there is none. `default` is the value of a literal, `...` where the default
    is another expression, and None where there is none, which `has_default` tells from a default of None.
    """

    name: str
    annotation: str
    has_default: bool
    default: object
    kind: Kind


@lru_cache(maxsize=1024)
def forward_parameters(class_name: str, model_type: str | None = None) -> tuple[Parameter, ...]:
    """Read the parameters of a model class's own or inherited `forward`, without `self`, `*args` and `**kwargs`."""
    header = parse_header(forward_source(class_name, model_type))
    return tuple(parameters_of(header.args)) if isinstance(header, ast.FunctionDef) else ()


@lru_cache(maxsize=1024)
def forward_source(class_name: str, model_type: str | None = None) -> str:
    """Give the text of a model class's own or inherited `forward`."""
    model = _model_class(class_name, model_type)
    # A class that has its own, as most do, is answered without a look at its base classes.
    own = find_method(model.text, "forward")
    found = own or next((text for base in base_classes(model)[1:] if (text := find_method(base.text, "forward"))), None)
    if found is None:
        raise not_found(f"class {class_name}: forward", "name a class that can be called on inputs.")
    return found


@lru_cache(maxsize=128)
def module_source(class_name: str, model_type: str | None = None) -> Mapping[str, str]:
    """Give the text of every class in the file that defines a model class: class name → text, in the file's order."""
    path = _model_class(class_name, model_type).path
    found = {name: class_in_file(path, name) for name in class_names(path)}
    return MappingProxyType({name: source.text for name, source in found.items() if source})


def _model_class(class_name: str, model_type: str | None) -> ClassSource:
    found = class_source(class_name, model_type)
    if found is None:
        raise not_found(
            f"class {class_name}", "check the spelling, or give the model itself instead of its configuration."
        )
    return found


def parameters_of(arguments: ast.arguments) -> Iterator[Parameter]:
    """List a method's parameters after the first, which is the instance."""
    groups: list[tuple[list[ast.arg], Kind]] = [
        (arguments.posonlyargs, "positional_only"),
        (arguments.args, "positional_or_keyword"),
        (arguments.kwonlyargs, "keyword_only"),
    ]
    listed: list[tuple[ast.arg, Kind]] = [(argument, kind) for group, kind in groups for argument in group]
    stated = [*arguments.defaults, *arguments.kw_defaults]
    pairs = zip(listed, [*repeat(None, len(listed) - len(stated)), *stated], strict=True)
    return (_parameter(argument, default, kind) for (argument, kind), default in islice(pairs, 1, None))


def _parameter(argument: ast.arg, default: ast.expr | None, kind: Kind) -> Parameter:
    annotation = ast.unparse(argument.annotation) if argument.annotation else ""
    value = evaluate_constant(default, otherwise=...) if default else None
    return Parameter(argument.arg, annotation, default is not None, value, kind)
