"""The kinds of layers that a configuration class computes where a configuration names none.

Which layer is of which kind is code that is not run here. But which kinds there can be stands in it as text, and that is enough
to refuse a past where one of them keeps something else than keys and values.
"""

from __future__ import annotations

import re
from functools import lru_cache

from dummyio.errors import SourceError
from dummyio.generators.geometry import KEPT
from dummyio.huggingface.auto import class_source, configuration_class
from dummyio.huggingface.sources import lineage
from dummyio.normalized import NormalizedConfig

__all__ = ["check_layer_types", "computed_layer_types"]

_ASSIGNED = re.compile(r"self\.(?:layer_types|layers_block_type) = (\[.*?\]|[^\n]*)(?: \*[^\n]*)?\n", re.DOTALL)
_KIND = re.compile(r'(?<!\w\[)"([a-z0-9_]+)"')


@lru_cache(maxsize=256)
def computed_layer_types(kind: str) -> frozenset[str]:
    """Name the kinds of layers that stand in what a model type's configuration class assigns by itself."""
    source = class_source(configuration_class(kind) or kind, kind, "configuration")
    texts = [owner.text for owner in lineage(source)] if source else []
    return frozenset(name for text in texts for body in _ASSIGNED.findall(text) for name in _KIND.findall(body))


def check_layer_types(config: NormalizedConfig) -> None:
    """Raise `SourceError` where layers may keep something else than keys and values, and the configuration does not say which."""
    decoder = config.part("decoder")
    kind = decoder.raw("model_type")
    if decoder.has("layer_types") or not isinstance(kind, str):
        return
    other = sorted(computed_layer_types(kind) - set(KEPT))
    if other:
        raise SourceError(
            f"the configuration leaves out layer_types, and its class makes layers of type {', '.join(other)}, whose state is not "
            "keys and values. Give layer_types, or describe the model without its past (a task without '-with-past')."
        )
