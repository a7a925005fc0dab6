"""Finds and loads backends.

A backend is a package with an entry point in the group ``dummyio.backends``: the entry point's name is the framework's
short name, its object has the members of `Backend`. It is imported on first use. Backends of third parties register in
the same way; two backends that claim one name are an error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from dummyio.backend.frameworks import ALIASES, FRAMEWORKS
from dummyio.backend.protocol import Backend
from dummyio.errors import BrokenBackendError, FrameworkError, NotInstalledError, format_error_line, suggest_names
from dummyio.signals import hold_signals
from dummyio.spec.plain_values import show_value

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


GROUP = "dummyio.backends"


@lru_cache(maxsize=1)
def _found() -> dict[str, tuple[EntryPoint, ...]]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - lazy: slow to import

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=GROUP):
        if point not in found.get(point.name, ()):
            found[point.name] = (*found.get(point.name, ()), point)
    return found


def available_backends() -> tuple[str, ...]:
    """Return the short names of all registered backends, whether their framework is installed or not.

    Examples
    --------
    >>> "np" in dummyio.available_backends()
    True
    """
    return tuple(sorted(_found()))


def framework_name(name: object) -> str:
    """Return the short name for a short name or an alias; raise `FrameworkError` for anything else."""
    if not isinstance(name, str):
        raise FrameworkError(f"framework={show_value(name)} is not a string: use one of {', '.join(_found())}.")
    known = ALIASES.get(name, name)
    if known not in _found():
        raise FrameworkError(f"framework={show_value(name)} is unknown. {suggest_names(name, [*_found(), *ALIASES])}")
    return known


_LOADED: dict[str, Backend] = {}


def load_backend(name: str) -> Backend:
    """Return the backend of a framework, imported on first use.

    Parameters
    ----------
    name
        The short name or an alias of the framework.

    Raises
    ------
    FrameworkError
        if the name is unknown, or two packages claim it.
    NotInstalledError
        if the framework is not installed; the message has the command that installs it.
    BrokenBackendError
        if the backend or its framework is installed but cannot be imported; the cause is chained.

    Examples
    --------
    >>> backend = dummyio.load_backend("numpy")
    >>> backend.name, backend.is_tensor(np.zeros(3))
    ('np', True)
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
        with hold_signals():  # an interrupt in the import of a framework would abort the process
            backend = point.load()
    except ModuleNotFoundError as error:
        if not _is_requirement(error.name or "", point):
            raise BrokenBackendError(f"the backend {name!r} ({point.value}) cannot be imported: {error}.") from error
        raise NotInstalledError(
            f"framework={name!r} needs {error.name}, which is not installed. "
            f"Install it: pip install '{_requirement(point, name)}'"
        ) from error
    except Exception as error:
        raise BrokenBackendError(
            f"the backend {name!r} ({point.value}) is installed but cannot be imported: {format_error_line(error)}"
        ) from error
    if not isinstance(backend, Backend):
        raise BrokenBackendError(f"{point.value} is not a backend: it lacks members of dummyio.backend.Backend.")
    return backend


def _is_requirement(missing: str, point: EntryPoint) -> bool:
    """Whether a missing module is a framework, and not a part of a backend or of a damaged framework."""
    from importlib.util import find_spec  # noqa: PLC0415 - lazy: used after a failure only

    own = point.module.split(".")[0]
    if missing in ("", own, "dummyio") or "." in missing:
        return False
    try:
        return find_spec(missing) is None
    except ImportError:  # an import hook refuses it
        return True


def _requirement(point: EntryPoint, name: str) -> str:
    if point.dist is not None and point.dist.name != "dummyio":
        return point.dist.name
    return f"dummyio[{FRAMEWORKS[name].extra if name in FRAMEWORKS else 'all'}]"
