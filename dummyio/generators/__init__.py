"""Generators: descriptions of inputs by name. `DummyInputGenerator` is their base; `register_generator` adds those of the user."""

from functools import partial

from dummyio.errors import get_renamed
from dummyio.generators import registry
from dummyio.generators.registry import *  # noqa: F403

__all__: list[str] = []
__all__ += registry.__all__

__getattr__ = partial(get_renamed, __name__, renamed={"Sizes": "DimSizes", "make_context": "build_context"})
