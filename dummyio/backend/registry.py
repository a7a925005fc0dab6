"""What a backend is, and how one is found.

A backend is a package with an entry point in the group ``dummyio.backends``: its name there is the framework's name, its
object has the members of `Backend`. It is imported when it is first used. A third party's backend comes in by the same
door; two that claim one name are an error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from dummyio.backend.protocol import Backend
from dummyio.errors import BrokenBackendError, FrameworkError, NotInstalledError, suggest_names

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


__all__ = ["ALIASES", "GROUP", "available_backends", "framework_name", "load_backend"]

GROUP = "dummyio.backends"

ALIASES = {
    "numpy": "np",
    "torch": "pt",
    "pytorch": "pt",
    "tensorflow": "tf",
    "flax": "jax",
    "onnxruntime": "ort",
    "onnx": "ort",
}


@lru_cache(maxsize=1)
def _found() -> dict[str, tuple[EntryPoint, ...]]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and the core alone does not need it

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=GROUP):
        if point not in found.get(point.name, ()):
            found[point.name] = (*found.get(point.name, ()), point)
    return found


def available_backends() -> tuple[str, ...]:
    """Return the names of all backends that are declared, installed framework or not."""
    return tuple(sorted(_found()))


def framework_name(name: object) -> str:
    """Return the short name for a name or alias; raise `FrameworkError` for any other."""
    if not isinstance(name, str):
        raise FrameworkError(f"framework={name!r}: use a name, one of {', '.join(_found())}.")
    known = ALIASES.get(name, name)
    if known not in _found():
        raise FrameworkError(f"framework={name!r} is unknown. {suggest_names(name, [*_found(), *ALIASES])}")
    return known


_LOADED: dict[str, Backend] = {}


def load_backend(name: str) -> Backend:
    """Return the backend of that framework, importing it on first use.

    Raises
    ------
    FrameworkError
        for an unknown name, and for one that two packages claim.
    NotInstalledError
        where the framework is missing; the message says how to install it.
    BrokenBackendError
        where it is there and does not import; the cause is chained.
    """
    loaded = _LOADED.get(name) if isinstance(name, str) else None
    if loaded is None:
        loaded = _LOADED[name] = _load(framework_name(name))
    return loaded


def _load(name: str) -> Backend:
    points = _found()[name]
    if len(points) != 1:
        owners = ", ".join(f"{point.value} of {point.dist.name if point.dist else '?'}" for point in points)
        raise FrameworkError(f"framework={name!r} is claimed by {owners}: uninstall all but one.")
    point = points[0]
    try:
        backend = point.load()
    except ModuleNotFoundError as error:
        missing = error.name or ""
        own = point.module.split(".")[0]
        if missing.split(".")[0] in (own, "dummyio") or not _is_requirement(missing, point):
            raise BrokenBackendError(f"the backend {name!r} ({point.value}) does not import: {error}.") from error
        raise NotInstalledError(
            f"framework={name!r} needs {missing}, which is not installed. Install it: pip install '{_extra(point, name)}'"
        ) from error
    except Exception as error:
        raise BrokenBackendError(
            f"the backend {name!r} ({point.value}) is installed and does not import: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(backend, Backend):
        raise BrokenBackendError(f"{point.value} is no backend: it lacks members of dummyio.backend.Backend.")
    return backend


def _is_requirement(missing: str, point: EntryPoint) -> bool:
    """Whether a missing module is what the backend is for, and not a part that a broken framework lost."""
    from importlib.util import find_spec  # noqa: PLC0415 - after a failure only

    root = missing.split(".", maxsplit=1)[0]
    del point
    return bool(root) and "." not in missing and find_spec(root) is None


def _extra(point: EntryPoint, name: str) -> str:
    extras = {"pt": "torch", "tf": "tensorflow", "jax": "jax", "ort": "onnx"}
    if point.dist is not None and point.dist.name != "dummyio":
        return point.dist.name
    return f"dummyio[{extras.get(name, 'all')}]"
