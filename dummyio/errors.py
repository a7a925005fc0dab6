"""What can go wrong, as one tree.

::

    DummyioError
    ├── DimError             a size, a bound or two definitions of a symbol do not fit   (ValueError)
    ├── DTypeError           a dtype is unknown, or a framework does not have it         (ValueError)
    ├── SpecError            a description contradicts itself, or its file is not valid  (ValueError)
    ├── SourceError          what should be described cannot be read or understood       (ValueError)
    ├── OptionError          a keyword or a choice that nothing here knows               (ValueError)
    ├── FrameworkError       no backend of that name                                     (LookupError)
    ├── NotInstalledError    the backend is known, its framework is missing              (ImportError)
    ├── BrokenBackendError   the backend or its framework is there and does not import   (ImportError)
    ├── MemoryBudgetError    the tensors asked for do not fit the memory budget          (MemoryError)
    ├── ExportError          a model could not be exported on the route that was asked   (RuntimeError)
    ├── RunError             a model or an artifact could not be run on the feeds given  (RuntimeError)
    └── OutputError          a result could not be written                               (OSError)

Messages say what came, what the rule is and what to do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

__all__ = [
    "BrokenBackendError",
    "DTypeError",
    "DimError",
    "DummyioError",
    "ExportError",
    "FrameworkError",
    "MemoryBudgetError",
    "NotInstalledError",
    "OptionError",
    "OutputError",
    "RunError",
    "SourceError",
    "SpecError",
    "format_error_line",
    "suggest_names",
]


class DummyioError(Exception):
    """The root of every error that dummyio raises on purpose."""


class DimError(DummyioError, ValueError):
    """A size, a bound or two definitions of one symbol do not fit together."""


class DTypeError(DummyioError, ValueError):
    """A dtype is unknown, or a framework does not have it."""


class SpecError(DummyioError, ValueError):
    """A description contradicts itself, or a file of one is not valid."""


class SourceError(DummyioError, ValueError):
    """What should be described cannot be read or understood."""


class OptionError(DummyioError, ValueError):
    """A keyword or a choice that nothing here knows."""


class FrameworkError(DummyioError, LookupError):
    """No backend has that name."""


class NotInstalledError(DummyioError, ImportError):
    """A known backend's framework is not installed."""


class BrokenBackendError(DummyioError, ImportError):
    """A backend or its framework is installed and does not import."""


class MemoryBudgetError(DummyioError, MemoryError):
    """The tensors asked for do not fit the memory budget."""


class ExportError(DummyioError, RuntimeError):
    """A model could not be exported on the route that was asked for."""


class RunError(DummyioError, RuntimeError):
    """A model or an artifact could not be run on the feeds that it was given."""


class OutputError(DummyioError, OSError):
    """A result could not be written."""


_LONG = 200
_SHOWN = 60
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def format_error_line(error: BaseException, limit: int = 400) -> str:
    """Return an exception's root cause as one line: its type and its message, without line breaks and colours.

    Parameters
    ----------
    error
        The exception. Its causes are followed (``raise ... from cause``), up to an error of dummyio: that has a
        message of its own, which is returned without the type.
    limit
        The largest number of characters of the message. In a longer one, the middle is left out: the reason is at the
        start, or at the end of a traceback.
    """
    while error.__cause__ is not None and not isinstance(error, DummyioError):
        if str(error.__cause__).startswith(f"{type(error).__name__}: {error}"):  # JAX chains a printed stack trace
            break
        error = error.__cause__
    text = " ".join(_COLOURS.sub("", str(error)).split())
    if len(text) > limit:
        text = f"{text[: limit * 3 // 4]} ... {text[-limit // 4 :]}"
    if text and isinstance(error, DummyioError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def suggest_names(name: str, known: Iterable[str]) -> str:
    """Return a sentence for error messages: the near names, else all that are known."""
    names = sorted(set(known))
    # Names come from files too: one of a million characters is near to nothing, and comparing it would take minutes.
    matches = difflib.get_close_matches(name, names, n=3, cutoff=0.6) if len(name) <= _LONG else []
    if matches:
        return f"Did you mean {' or '.join(repr(m) for m in matches)}?"
    if not names:
        return "None are known here."
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"Known: {', '.join(names[:_SHOWN])}{more}."
