"""Backends: their interface, their registry, and the tables of frameworks and formats."""

from dummyio.backend.frameworks import ALIASES
from dummyio.backend.protocol import Backend
from dummyio.backend.registry import GROUP, available_backends, framework_name, load_backend

__all__ = ["ALIASES", "GROUP", "Backend", "available_backends", "framework_name", "load_backend"]
