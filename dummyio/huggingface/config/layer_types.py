"""The kinds of layers that a configuration class computes if a configuration states none.

Mostly that is arithmetic over attributes, which is worked out. Where it is more, the kinds that there can be stand in it as text,
and that is enough to refuse a past where one of them keeps something else than keys and values.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dummyio.errors import SourceError
from dummyio.huggingface.config.computed_attributes import computed_attribute
from dummyio.huggingface.source.auto_tables import class_source, configuration_class
from dummyio.huggingface.source.class_lookup import base_classes, read_text
from dummyio.huggingface.source.evaluator import evaluate_constant
from dummyio.huggingface.source.installed import transformers_root
from dummyio.huggingface.source.statements import find_statements, parse_value
from dummyio.model_config.layer_geometry import ATTENTION_LAYER_TYPES
from dummyio.model_config.normalized_config import ALIASES, NormalizedConfig

_OF_EACH = ("layer_types", "indexer_types")
_TABLE = "_LEGACY_LAYER_TYPE_REMAP = "

_ASSIGNED = re.compile(r"self\.(?:layer_types|layers_block_type) = (\[.*?\]|[^\n]*)(?: \*[^\n]*)?\n", re.DOTALL)
_KIND = re.compile(r'(?<!\w\[)"([a-z0-9_]+)"')


@lru_cache(maxsize=256)
def computed_layer_types(kind: str) -> frozenset[str]:
    """Name the kinds of layers that stand in what a model type's configuration class assigns by itself."""
    source = class_source(configuration_class(kind) or kind, kind, "configuration")
    texts = [owner.text for owner in base_classes(source)] if source else []
    return frozenset(name for text in texts for body in _ASSIGNED.findall(text) for name in _KIND.findall(body))


@lru_cache(maxsize=4)
def _renamed(root: Path | None) -> Mapping[str, str]:
    """Read which kinds had other names in older configurations, from the library's own table: old name → new name."""
    path = root / "configuration_utils.py" if root else None
    for text in find_statements(read_text(path) if path and path.is_file() else "", _TABLE):
        value = parse_value(text)
        if value:
            return MappingProxyType(dict(evaluate_constant(value, otherwise={})))
    return MappingProxyType({})


def rename_layer_types(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a configuration's values, and those inside it, with the names that kinds of layers have today."""
    table = _renamed(transformers_root())
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name in ALIASES["layer_types"] and isinstance(value, (list, tuple)):
            renamed = [table.get(kind, kind) if isinstance(kind, str) else kind for kind in value]
            changed |= {} if renamed == list(value) else {name: renamed}
        elif isinstance(value, Mapping) and isinstance(name, str) and name.endswith("_config"):
            inner = rename_layer_types(value)
            changed |= {} if inner is value else {name: inner}
    return {**values, **changed} if changed else values


def compute_layer_types(kind: str, config: NormalizedConfig) -> dict[str, tuple[str, ...]]:
    """Return the kinds of each layer, and of its indexer, that the class makes of a configuration which does not say them."""
    found: dict[str, tuple[str, ...]] = {}
    for name in (name for name in _OF_EACH if not config.has(name)):
        made = computed_attribute(kind, config.raw, name)
        # What does not go with the number of layers was worked out of something else.
        listed = isinstance(made, (list, tuple)) and config.get("num_layers") in (None, len(made))
        if listed and all(isinstance(each, str) for each in made):
            found[name] = tuple(made)
    return found


def check_layer_types(config: NormalizedConfig) -> None:
    """Raise `SourceError` where layers may keep something else than keys and values, and the configuration does not say which."""
    decoder = config.part("decoder")
    kind = decoder.raw("model_type")
    if decoder.has("layer_types") or not isinstance(kind, str):
        return
    other = sorted(computed_layer_types(kind) - set(ATTENTION_LAYER_TYPES))
    if other:
        raise SourceError(
            f"the configuration leaves out layer_types, and its class makes layers of type {', '.join(other)}, whose state is not "
            "keys and values. Give layer_types, or describe the model without its past (a task without '-with-past')."
        )
