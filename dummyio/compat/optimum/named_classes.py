"""Optimum's names of generators and of normalized configurations, each with the class that it stands for."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from dummyio.compat.optimum.normalized_names import NAMES
from dummyio.generators import registry
from dummyio.generators.optimum_names import OPTIMUM_NAMES
from dummyio.model_config import normalized_classes
from dummyio.model_config.normalized_config import NormalizedConfig

_BASES = ("DummyInputGenerator", "NormalizedConfig")
_OPTIONS: Mapping[str, Mapping[str, Any]] = {"BartDummyTextInputGenerator": {"last_token": "eos"}}
"""Optimum's name → options without which our class makes the inputs of another one of Optimum's."""


def _list_classes() -> Iterator[tuple[str, Any]]:
    """Yield Optimum's name and our class."""
    yield "NormalizedConfig", NormalizedConfig
    for name in vars(normalized_classes):
        if name.startswith("Normalized") and name not in _BASES:
            yield name, getattr(normalized_classes, name)
    yield from NAMES.items()
    for name in registry.__all__:
        if name.startswith("Dummy") or name.endswith("Generator"):
            yield name, getattr(registry, name)
    for name, own in OPTIMUM_NAMES.items():
        found = getattr(registry, own)
        yield name, partial(found, **_OPTIONS[name]) if name in _OPTIONS else found


CLASSES: Mapping[str, Any] = dict(_list_classes())
"""Name → class, or a function that makes an object of it with the options of that name."""
