"""Finds arguments that `forward` accepts only through ``**kwargs`` and forwards to an inner model: `self.model(ids, **kwargs)`."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from dummyio.generators.base.model_facts import ArgumentFacts
from dummyio.huggingface.facts.argument_docs import read_documented_arguments
from dummyio.huggingface.inputs.conditions import MEDIA_CONDITIONS
from dummyio.huggingface.source.auto_tables import class_for, class_source
from dummyio.huggingface.source.class_lookup import base_classes, resolve_class
from dummyio.huggingface.source.forward_signatures import forward_parameters, forward_source
from dummyio.huggingface.source.functions import Forwarding, find_makers, read_forwarding
from dummyio.model_config.normalized_config import NormalizedConfig

_DEPTH = 3
"""Models inside models: none of the library's nests deeper."""
_TABLE = re.compile(r"_model_mapping = (MODEL_\w+)")
_FORWARDED = frozenset(MEDIA_CONDITIONS) | {"token_type_ids", "input_features", "input_values"}
"""Data that an inner model may get this way; a past, positions and the output of an encoder are not among them."""


def find_forwarded_arguments(class_name: str, config: NormalizedConfig) -> Mapping[str, ArgumentFacts]:
    """Return the data that the `forward` of a class accepts only as further keywords, with what is documented of them."""
    found: dict[str, ArgumentFacts] = {}
    name, inner = class_name, config
    known = frozenset(_names(class_name, config.raw("model_type")))
    for _ in range(_DEPTH):
        step = _next(name, inner)
        if step is None:
            break
        name, inner, given = step
        model_type = inner.raw("model_type")
        own = frozenset(_names(name, model_type))
        stated = read_documented_arguments(name, model_type)
        # What the outer model gives by name cannot be given again.
        found |= {
            argument: stated.get(argument, ArgumentFacts()) for argument in sorted((own - known - given) & _FORWARDED)
        }
        known |= given | own
    return MappingProxyType(found)


def _names(class_name: str, model_type: str | None) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in forward_parameters(class_name, model_type))


def _next(class_name: str, config: NormalizedConfig) -> tuple[str, NormalizedConfig, frozenset[str]] | None:
    """Return the class to which keywords are forwarded, its configuration, and the arguments that it gets by name."""
    call = _forwarding(class_name, config.raw("model_type"))
    if call is None:
        return None
    if "inputs_embeds" in call.keywords and "input_ids" not in call.keywords and not call.positional:
        return None  # ready-made embeddings: other data of the text have no place any more
    inner = _inner_model(call.attribute, class_name, config)
    if inner is None:
        return None
    return *inner, call.keywords | frozenset(_names(inner[0], inner[1].raw("model_type"))[: call.positional])


@lru_cache(maxsize=512)
def _forwarding(class_name: str, model_type: str | None) -> Forwarding | None:
    return read_forwarding(forward_source(class_name, model_type), "forward")


def _inner_model(attribute: str, class_name: str, config: NormalizedConfig) -> tuple[str, NormalizedConfig] | None:
    """Return the class of a part of a model, and its configuration."""
    model_type = config.raw("model_type")
    if not attribute:
        found = class_for(model_type, "MODEL_MAPPING_NAMES") if model_type else None
        return (found, config) if found else None
    source = class_source(class_name, model_type)
    for owner in base_classes(source) if source else ():
        for maker in find_makers(owner.text, attribute):
            part = _part(maker.part, config)
            made = resolve_class(owner.path, maker.class_name) if part else None
            if part is None or made is None:
                continue
            name = _class_from_table(made.text, part.raw("model_type")) if maker.from_table else made.name
            if name:
                return name, part
    return None


def _class_from_table(text: str, model_type: object) -> str | None:
    """Return the class that the table of an automatic class lists for a model type."""
    table = _TABLE.search(text)
    return class_for(model_type, f"{table.group(1)}_NAMES") if table and isinstance(model_type, str) else None


def _part(name: str | None, config: NormalizedConfig) -> NormalizedConfig | None:
    """Return the whole configuration, or a part of it."""
    found = config if name is None else config.raw(name)
    return None if found is None or isinstance(found, str | int) else NormalizedConfig.of(found)
