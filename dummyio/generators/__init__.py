"""Generators: descriptions of inputs by name."""

from dummyio.generators import registry
from dummyio.generators.registry import *  # noqa: F403

__all__: list[str] = []
__all__ += registry.__all__
