"""The errors of dummyio, as one tree, and texts for their messages.

::

    DummyioError
    ├── DimError             a size or a bound is invalid, or a dim is defined twice     (ValueError)
    ├── DTypeError           a dtype is unknown, or the framework lacks it               (ValueError)
    ├── SpecError            a spec contradicts itself, or its file is not valid         (ValueError)
    ├── SourceError          a model, file or configuration cannot be read or described  (ValueError)
    │   └── TrustError       a file would run code or touch files, and is not trusted     (ValueError)
    ├── OptionError          a keyword or a choice is unknown                            (ValueError)
    ├── FrameworkError       no backend has this name                                    (LookupError)
    ├── NotInstalledError    the backend's framework is not installed                    (ImportError)
    ├── BrokenBackendError   a backend or its framework is installed but does not import (ImportError)
    ├── MemoryBudgetError    the tensors exceed the memory budget                        (MemoryError)
    ├── ExportError          a model could not be exported to this format                (RuntimeError)
    ├── RunError             a model or an artifact could not be run on its feeds        (RuntimeError)
    └── OutputError          a result could not be written                               (OSError)

A message states the value given, the rule and the remedy. Parts of it come from files: it has at most `MAX_MESSAGE` characters,
and none that would control a terminal or reverse the direction of text.
"""

import difflib
import re
import sys
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

MAX_MESSAGE = 2000
_GAP = " ... "
_MAX_DANGERS = 10
_MAX_COMPARED = 200


class DummyioError(Exception):
    """The base class of all errors that dummyio raises on purpose."""

    def __str__(self) -> str:
        return escape_and_shorten(super().__str__(), MAX_MESSAGE - len(_GAP))


class DimError(DummyioError, ValueError):
    """A size or a bound is invalid, or a dim is defined twice."""


class DTypeError(DummyioError, ValueError):
    """A dtype is unknown, or the framework lacks it."""


class SpecError(DummyioError, ValueError):
    """A spec contradicts itself, or its file is not valid."""


class SourceError(DummyioError, ValueError):
    """A model, file or configuration cannot be read or described."""


class TrustError(SourceError):
    """A file would run code or touch files when it is opened or run, and the caller does not trust it."""


class OptionError(DummyioError, ValueError):
    """A keyword or a choice is unknown."""


class FrameworkError(DummyioError, LookupError):
    """No backend has this name."""


class NotInstalledError(DummyioError, ImportError):
    """The backend's framework is not installed."""


class BrokenBackendError(DummyioError, ImportError):
    """A backend or its framework is installed but does not import."""


class MemoryBudgetError(DummyioError, MemoryError):
    """The tensors exceed the memory budget."""


class ExportError(DummyioError, RuntimeError):
    """A model could not be exported to this format."""


class RunError(DummyioError, RuntimeError):
    """A model or an artifact could not be run on its feeds."""


class OutputError(DummyioError, OSError):
    """A result could not be written."""


_MAX_SHOWN = 60
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
    text = escape_and_shorten(" ".join(_COLOURS.sub("", str(error)).split()), limit)
    if text and isinstance(error, DummyioError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def escape_controls(text: str) -> str:
    r"""Return a text as one line, with each character that cannot be printed as its escape sequence, such as ``\x1b``.

    Names, messages and other texts from files may contain what moves the cursor of a terminal, erases lines, or shows text
    in another order than it has: control and format characters, line breaks, half of a surrogate pair.
    """
    if text.isprintable():
        return text
    return "".join(character if _is_printable(character) else _escape(character) for character in text)


def _is_printable(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def escape_and_shorten(text: str, limit: int) -> str:
    """Return the first and last characters of `escape_controls(text)`, `limit` of them, with a gap between if there are more."""
    return _leave_out_middle(escape_controls(_leave_out_middle(text, limit)), limit)  # first: texts may have gigabytes


def _leave_out_middle(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit * 3 // 4]}{_GAP}{text[-limit // 4 :]}"


def to_path(path: str | PathLike[str]) -> Path:
    """Return the path that a caller gives; raise `OptionError` if it is of another type."""
    try:
        return Path(path)
    except TypeError:
        raise OptionError(f"{path!r:.100} is not a path: give a str, or an os.PathLike of a str.") from None


def build_trust_error(path: object, dangers: Iterable[str]) -> TrustError:
    """Return the error for a file that is not trusted; `dangers` states what it contains: ``"operator WriteFile"``."""
    found = [*dangers]
    more = f" and {len(found) - _MAX_DANGERS} more" if len(found) > _MAX_DANGERS else ""
    return TrustError(
        f"{path}: it contains {', '.join(found[:_MAX_DANGERS])}{more}, which can run code or touch files. "
        "If you trust the origin of this file: trust=True, or --trust on the command line."
    )


def suggest_names(name: str, known: Iterable[str]) -> str:
    """Return a sentence for error messages: the names of `known` that are similar to `name`, else all of them."""
    names, name = sorted(set(known)), str(name)
    # Names come from files too: comparing one of a million characters would take minutes.
    matches = difflib.get_close_matches(name, names, n=3, cutoff=0.6) if len(name) <= _MAX_COMPARED else []
    if matches:
        return f"Did you mean {' or '.join(repr(m) for m in matches)}?"
    if not names:
        return "None are known here."
    more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    return f"Known: {', '.join(names[:_MAX_SHOWN])}{more}."


def get_renamed(module: str, name: str, renamed: Mapping[str, str]) -> Any:
    """Return an attribute of a module by its former name, with a warning: `renamed` maps former names to present ones."""
    if name not in renamed:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    warnings.warn(f"{module}.{name} is now {renamed[name]}.", DeprecationWarning, stacklevel=2)
    return getattr(sys.modules[module], renamed[name])
