"""What a configuration holds where its file says nothing, read from the source of the configuration class.

The library writes these defaults in two ways: as annotated class attributes (`vocab_size: int = 30522`) and, in older
releases and in many private configurations, as keyword defaults of `__init__`. Both are read, through all base classes.
What only running the class can tell stays out: values that `__post_init__` or the body of `__init__` computes from
others. `computed_attributes` names those, so that a default of None is not taken for the last word.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from dummyio.huggingface.source.auto_tables import class_source, configuration_class
from dummyio.huggingface.source.class_lookup import ClassSource, base_classes, resolve_class
from dummyio.huggingface.source.evaluator import evaluate_constant
from dummyio.huggingface.source.statements import find_method, without_methods

__all__ = [
    "attribute_map",
    "class_defaults",
    "computed_attributes",
    "configuration_defaults",
    "sub_config_defaults",
    "sub_configs",
]

# The second is the name in older releases, where the values are classes only.
_SUB_CONFIGURATIONS = frozenset({"sub_configs_defaults", "sub_configs"})
_ASSIGNED = re.compile(r"\n +self\.(\w+)(?:: [^=\n]+)? = ")
_UNKNOWN = object()


class _Default(NamedTuple):
    """A default as the body of a class states it."""

    name: str
    value: ast.expr | None
    of_instances: bool


@lru_cache(maxsize=512)
def configuration_defaults(kind: str) -> Mapping[str, object] | None:
    """Read the default attributes of a model type's configuration, or of a configuration class, None for neither.

    A default that is not a constant is left out. The values are shared between calls: copy a list before changing it.
    """
    source = _configuration(kind)
    return class_defaults(source) if source else None


@lru_cache(maxsize=512)
def computed_attributes(kind: str) -> frozenset[str]:
    """Name the attributes that the code of a configuration class may set from others: their defaults may not stay."""
    source = _configuration(kind)
    owners = base_classes(source) if source else ()
    bodies = (find_method(owner.text, name) or "" for owner in owners for name in ("__post_init__", "__init__"))
    return frozenset(name for body in bodies for name in _ASSIGNED.findall(body) if not name.startswith("_"))


@lru_cache(maxsize=512)
def attribute_map(kind: str) -> Mapping[str, str]:
    """Read which standard attributes a configuration keeps under names of its own: standard name → own name."""
    entries = _entries(kind, frozenset({"attribute_map"}))
    return MappingProxyType({name: str(evaluate_constant(value, otherwise=name)) for name, value, _ in entries})


@lru_cache(maxsize=512)
def sub_configs(kind: str) -> Mapping[str, str]:
    """Name the configurations inside a configuration: attribute → model type, or class where no type leads there.

    Either is a `kind` that can be asked for here. Where any model may stand it is the library's default one, and where
    the library has no default the attribute is left out.
    """
    named = {name: _kind_of(value, owner) for name, value, owner in _entries(kind, _SUB_CONFIGURATIONS)}
    return MappingProxyType({name: sub_kind for name, sub_kind in named.items() if sub_kind})


@lru_cache(maxsize=512)
def sub_config_defaults(kind: str) -> Mapping[str, Mapping[str, object]]:
    """Read the defaults of the configurations inside a configuration, with what the outer one gives them."""
    given = {name: _given(value) for name, value, _ in _entries(kind, _SUB_CONFIGURATIONS)}
    found = {name: configuration_defaults(sub_kind) or {} for name, sub_kind in sub_configs(kind).items()}
    return MappingProxyType({name: MappingProxyType({**own, **given[name]}) for name, own in found.items()})


@lru_cache(maxsize=512)
def class_defaults(source: ClassSource) -> Mapping[str, object]:
    """Read the default attributes of a configuration class, whichever file it stands in, and of its base classes."""
    stated = [default for owner in reversed(base_classes(source)) for default in _defaults(owner)]
    # Instances come last: an assignment without annotation in a derived class does not change the default of a
    # dataclass field that it inherits.
    ordered = sorted(stated, key=lambda default: default.of_instances)
    merged = {name: evaluate_constant(value, otherwise=_UNKNOWN) if value else _UNKNOWN for name, value, _ in ordered}
    return MappingProxyType({name: value for name, value in merged.items() if value is not _UNKNOWN})


def _configuration(kind: str) -> ClassSource | None:
    return class_source(configuration_class(kind) or kind, kind, "configuration")


@lru_cache(maxsize=1024)
def _defaults(source: ClassSource) -> tuple[_Default, ...]:
    """List the defaults that a class itself states."""
    node = ast.parse(without_methods(source.text)).body[0]
    body = node.body if isinstance(node, ast.ClassDef) else ()
    return tuple(chain.from_iterable(_stated(statement) for statement in body))


def _stated(statement: ast.stmt) -> Iterator[_Default]:
    """List the defaults in one statement of a class body."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield _Default(name, value, of_instances=False)
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            is_field = "ClassVar" not in ast.unparse(annotation)
            yield _Default(name, _inside_factory(value) if value else None, of_instances=is_field)
        case ast.FunctionDef(name="__init__", args=arguments):
            yield from _keywords(arguments)
        case _:
            pass


def _keywords(arguments: ast.arguments) -> Iterator[_Default]:
    """List the keyword defaults of an `__init__`, which by custom become attributes of the same names."""
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    pairs = zip([*with_default, *arguments.kwonlyargs], [*arguments.defaults, *arguments.kw_defaults], strict=True)
    return (_Default(argument.arg, value, of_instances=True) for argument, value in pairs)


def _inside_factory(value: ast.expr) -> ast.expr:
    """Look into the makers of fields: `interval(min=0.0)(default=0.02)`, `field(default_factory=list)`."""
    words = _words(value)
    factory = words.get("default_factory")
    if isinstance(factory, ast.Lambda):
        return factory.body
    return ast.Call(func=factory, args=[], keywords=[]) if factory else words.get("default", value)


def _words(value: ast.expr) -> Mapping[str, ast.expr]:
    """Give the keyword arguments of a call, none where it is no call."""
    words = value.keywords if isinstance(value, ast.Call) else []
    return {word.arg: word.value for word in words if word.arg}


def _entries(kind: str, names: frozenset[str]) -> list[tuple[str, ast.expr, ClassSource]]:
    """List the entries of a class attribute that is a dict, with the class: the nearest one in the lineage."""
    source = _configuration(kind)
    stated = ((default, owner) for owner in (base_classes(source) if source else ()) for default in _defaults(owner))
    tables = ((default.value, owner) for default, owner in stated if default.name in names)
    table, owner = next(tables, (None, None))
    if owner is None or not isinstance(table, ast.Dict):
        return []
    pairs = zip(table.keys, table.values, strict=True)
    return [(str(key.value), value, owner) for key, value in pairs if isinstance(key, ast.Constant)]


def _kind_of(value: ast.expr, owner: ClassSource) -> str | None:
    """Read what `SomeConfig` or `Specification(config_class=SomeConfig, model_type="some")` leads to."""
    words = _words(value)
    if "model_type" in words:
        stated = str(evaluate_constant(words["model_type"], otherwise=""))
        return stated if configuration_class(stated) else None
    named = words.get("config_class", value)
    source = resolve_class(owner.path, named.id) if isinstance(named, ast.Name) else None
    model_type = class_defaults(source).get("model_type") if source else None
    if source is None or model_type is None:  # the class that stands for any configuration has no model type
        return None
    # Some classes have an empty model type, or one that the library's table does not list or gives to another class.
    return str(model_type) if configuration_class(str(model_type)) == source.name else source.name


def _given(value: ast.expr) -> Mapping[str, object]:
    """Read what an outer configuration gives to one inside it, as far as it is constant."""
    given = _words(value).get("init_kwargs")
    if not isinstance(given, ast.Dict):
        return {}
    pairs = zip(given.keys, given.values, strict=True)
    known = {
        str(key.value): evaluate_constant(item, otherwise=_UNKNOWN)
        for key, item in pairs
        if isinstance(key, ast.Constant)
    }
    return {name: item for name, item in known.items() if item is not _UNKNOWN}
