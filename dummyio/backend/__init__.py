"""What a backend is, and how one is found."""

from dummyio.backend.protocol import Backend
from dummyio.backend.registry import ALIASES, GROUP, available_backends, framework_name, load_backend

__all__ = ["ALIASES", "GROUP", "Backend", "available_backends", "framework_name", "load_backend"]
