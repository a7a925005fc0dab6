"""The defaults of configuration classes, read from their source, for what a configuration file leaves out.

The library writes these defaults in two ways: as annotated class attributes (`vocab_size: int = 30522`) and, in older
releases and in many private configurations, as keyword defaults of `__init__`. Both are read, through all base classes.
Values that `__post_init__` or the body of `__init__` computes from others stay out: only running the class gives them.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from dummyio.huggingface.source.auto_tables import class_source, configuration_class
from dummyio.huggingface.source.class_body import call_keywords, dict_entries, named_class, stated_defaults
from dummyio.huggingface.source.class_lookup import ClassSource, base_classes
from dummyio.huggingface.source.evaluator import Expression, evaluate_constant

# The second is the name in older releases, where the values are classes only.
_SUB_CONFIGURATIONS = frozenset({"sub_configs_defaults", "sub_configs"})
_UNKNOWN = object()


@lru_cache(maxsize=512)
def configuration_defaults(kind: str) -> Mapping[str, object] | None:
    """Read the default attributes of a model type's configuration, or of a configuration class, None for neither.

    A default that is not a constant is left out. The values are shared between calls: copy a list before changing it.
    """
    source = _configuration(kind)
    return class_defaults(source) if source else None


@lru_cache(maxsize=512)
def attribute_map(kind: str) -> Mapping[str, str]:
    """Read the names under which a configuration keeps standard attributes: standard name → own name."""
    entries, _ = _entries(kind, frozenset({"attribute_map"}))
    return MappingProxyType({name: str(evaluate_constant(value, otherwise=name)) for name, value in entries.items()})


@lru_cache(maxsize=512)
def sub_configs(kind: str) -> Mapping[str, str]:
    """Name the configurations inside a configuration: attribute → model type, or class where no type leads there.

    Either is a `kind` that can be asked for here. Where any model may stand it is the library's default one, and where
    the library has no default the attribute is left out.
    """
    entries, owner = _entries(kind, _SUB_CONFIGURATIONS)
    named = {name: _kind_of(value, owner) for name, value in entries.items() if owner}
    return MappingProxyType({name: sub_kind for name, sub_kind in named.items() if sub_kind})


@lru_cache(maxsize=512)
def sub_config_defaults(kind: str) -> Mapping[str, Mapping[str, object]]:
    """Read the defaults of the configurations inside a configuration, with what the outer one gives them."""
    entries, _ = _entries(kind, _SUB_CONFIGURATIONS)
    given = {name: _constants(dict_entries(call_keywords(value).get("init_kwargs"))) for name, value in entries.items()}
    found = {name: configuration_defaults(sub_kind) or {} for name, sub_kind in sub_configs(kind).items()}
    return MappingProxyType({name: MappingProxyType({**own, **given[name]}) for name, own in found.items()})


@lru_cache(maxsize=512)
def class_defaults(source: ClassSource) -> Mapping[str, object]:
    """Read the default attributes of a configuration class, whichever file it stands in, and of its base classes."""
    stated = [default for owner in reversed(base_classes(source)) for default in stated_defaults(owner)]
    # Instances come last: an assignment without annotation in a derived class does not change the default of a
    # dataclass field that it inherits.
    ordered = sorted(stated, key=lambda default: default.of_instances)
    return MappingProxyType(_constants({name: value for name, value, _ in ordered}))


def _configuration(kind: str) -> ClassSource | None:
    return class_source(configuration_class(kind) or kind, kind, "configuration")


def _constants(values: Mapping[str, Expression | None]) -> dict[str, object]:
    """Return the values that are constants."""
    found = {
        name: evaluate_constant(value, otherwise=_UNKNOWN) if value else _UNKNOWN for name, value in values.items()
    }
    return {name: value for name, value in found.items() if value is not _UNKNOWN}


def _entries(kind: str, names: frozenset[str]) -> tuple[Mapping[str, Expression], ClassSource | None]:
    """Return the entries of a class attribute that is a dict, with the class: the nearest one in the lineage."""
    source = _configuration(kind)
    for owner in base_classes(source) if source else ():
        for default in stated_defaults(owner):
            if default.name in names:
                return dict_entries(default.value), owner
    return {}, None


def _kind_of(value: Expression, owner: ClassSource) -> str | None:
    """Read what `SomeConfig` or `Specification(config_class=SomeConfig, model_type="some")` leads to."""
    words = call_keywords(value)
    if "model_type" in words:
        stated = str(evaluate_constant(words["model_type"], otherwise=""))
        return stated if configuration_class(stated) else None
    source = named_class(words.get("config_class", value), owner)
    model_type = class_defaults(source).get("model_type") if source else None
    if source is None or model_type is None:  # the class that stands for any configuration has no model type
        return None
    # Some classes have an empty model type, or one that the library's table does not list or gives to another class.
    return str(model_type) if configuration_class(str(model_type)) == source.name else source.name
