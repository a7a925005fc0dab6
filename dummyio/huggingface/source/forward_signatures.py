"""The methods of a class, own or inherited, with their parameters; above all the `forward` of a model class."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from types import MappingProxyType

from dummyio.huggingface.source.auto_tables import class_source
from dummyio.huggingface.source.class_lookup import ClassSource, base_classes, class_in_file, class_names
from dummyio.huggingface.source.evaluator import Function, evaluate_constant
from dummyio.huggingface.source.statements import find_method, parse_header, parse_method


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


@dataclass(frozen=True)
class ClassMethods:
    """The methods that a class defines or inherits inside its package."""

    source: ClassSource

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.source.name

    def text(self, method: str) -> str:
        """Return the text of a method; empty if there is none of that name."""
        # A class that has its own, as most do, is answered without a look at its base classes.
        own = find_method(self.source.text, method)
        inherited = (find_method(base.text, method) for base in base_classes(self.source)[1:]) if own is None else ()
        return own or next((text for text in inherited if text), "")

    def has(self, method: str) -> bool:
        """Return whether there is a method of that name."""
        return bool(self.text(method))

    def body(self, method: str) -> Function | None:
        """Return a method, parsed; None if there is none of that name."""
        return parse_method(self.text(method), method)

    def parameters(self, method: str) -> tuple[Parameter, ...]:
        """Return the parameters of a method after the first, which is the instance; none without such a method."""
        body = self.body(method)
        return parameters_of(body)[1:] if body else ()


@lru_cache(maxsize=1024)
def forward_parameters(class_name: str, model_type: str | None = None) -> tuple[Parameter, ...]:
    """Return the parameters of the `forward` of a model class, without `self`, `*args` and `**kwargs`; none if it is not installed."""
    text = forward_source(class_name, model_type)
    header = parse_header(text) if text else None
    return parameters_of(header)[1:] if isinstance(header, ast.FunctionDef) else ()


@lru_cache(maxsize=1024)
def forward_source(class_name: str, model_type: str | None = None) -> str:
    """Return the text of the `forward` of a model class, own or inherited; empty if it is not installed, or has none."""
    found = class_source(class_name, model_type)
    return ClassMethods(found).text("forward") if found else ""


@lru_cache(maxsize=128)
def module_source(class_name: str, model_type: str | None = None) -> Mapping[str, str]:
    """Return the text of every class in the file of a model class, in the file's order; none if the class is not installed."""
    owner = class_source(class_name, model_type)
    found = {name: class_in_file(owner.path, name) for name in class_names(owner.path)} if owner else {}
    return MappingProxyType({name: source.text for name, source in found.items() if source})


def parameters_of(function: Function) -> tuple[Parameter, ...]:
    """Return the parameters of a function, without `*args` and `**kwargs`."""
    arguments = function.args
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    stated = [*arguments.defaults, *arguments.kw_defaults]
    defaults = chain(repeat(None, len(listed) - len(stated)), stated)
    return tuple(_parameter(argument, default) for argument, default in zip(listed, defaults, strict=True))


def _parameter(argument: ast.arg, default: ast.expr | None) -> Parameter:
    annotation = ast.unparse(argument.annotation) if argument.annotation else ""
    value = evaluate_constant(default, otherwise=...) if default else None
    return Parameter(argument.arg, annotation, default is not None, value)
