"""Changes of the process's own state, one thread at a time: attributes of other packages, streams, loggers, warnings.

Exporters print, log and warn, and some accept no option where one is needed, so their process-wide state is changed while they
run. Two threads that save, change and restore the same state restore it wrongly, for the rest of the process. Every such
change is made through this module, under one lock: a second thread waits. Where it is possible, a change takes effect in the
thread that made it only: other threads, which may run a model or print meanwhile, do not see it.
"""

import functools
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Literal

_LOCK = threading.RLock()
_MISSING: Any = object()
_OUTPUTS = {"stdout": 1, "stderr": 2}
_STREAMS: Sequence[Literal["stdout", "stderr"]] = ("stderr",)


@contextmanager
def hold_process_state() -> Generator[None]:
    """Let no other thread change the state of the process until the context ends. It may be nested."""
    with _LOCK:
        yield


@contextmanager
def undo_at_end(undo: Callable[[], None]) -> Generator[None]:
    """Hold the lock, and call `undo` when the context ends; a second time if an interrupt stops the first call.

    Enter it before the change is made: `undo` restores what was saved, so it may be called without a change, and twice.
    """
    with _LOCK:
        try:
            yield
        finally:
            try:
                undo()
            except BaseException:  # an interrupt that arrives in it: finish first
                undo()
                raise


@contextmanager
def replace_attributes(owner: Any, **values: Any) -> Generator[None]:
    """Replace attributes of an object, a class or a module until the context ends; the lock is held meanwhile."""
    with _LOCK:
        before = {name: vars(owner).get(name, _MISSING) for name in values}

        def restore() -> None:
            for name, value in before.items():
                if value is not _MISSING:
                    setattr(owner, name, value)
                elif name in vars(owner):
                    delattr(owner, name)

        with undo_at_end(restore):
            for name, value in values.items():
                setattr(owner, name, value)
            yield


@contextmanager
def replace_functions(owner: Any, **functions: Callable[..., Any]) -> Generator[None]:
    """Replace functions of a module, or methods of a class, in this thread only; other threads call the original ones."""
    with _LOCK:
        dispatchers = {name: _dispatch(function, getattr(owner, name)) for name, function in functions.items()}
        with replace_attributes(owner, **dispatchers):
            yield


@contextmanager
def hide_state(
    owner: Any, *names: str, decorate: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda function: function
) -> Generator[None]:
    """Make functions without arguments return to all other threads what they return now, until the context ends.

    They report a state of the process, such as that a model is being exported, which is true of this thread only.
    `decorate` is applied to each function that takes their place.
    """
    with _LOCK:
        now = {name: getattr(owner, name)() for name in names}
        dispatchers = {
            name: decorate(_dispatch(getattr(owner, name), functools.partial(_return, value)))
            for name, value in now.items()
        }
        with replace_attributes(owner, **dispatchers):
            yield


def _return(value: Any) -> Any:
    return value


def _dispatch(function: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    owner = threading.get_ident()

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return (function if threading.get_ident() == owner else original)(*args, **kwargs)

    return call


@contextmanager
def silence_thread(
    loggers: Iterable[str] = (), *, streams: Sequence[Literal["stdout", "stderr"]] = _STREAMS
) -> Generator[list[logging.LogRecord]]:
    """Drop what this thread prints, warns and logs until the context ends.

    Parameters
    ----------
    loggers
        The names of the loggers whose messages, and those of their children, are dropped.
    streams
        The streams of ``sys`` that nothing is printed to.

    Yields
    ------
    list
        The messages that were logged meanwhile.
    """
    with ExitStack() as stack:
        records = stack.enter_context(_drop_logs(tuple(loggers)))
        stack.enter_context(ignore_warnings())
        for name in streams:
            stack.enter_context(_drop_output(name))
        yield records


@contextmanager
def _drop_logs(names: tuple[str, ...]) -> Generator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []
    handle = logging.Logger.callHandlers
    prefixes = tuple(f"{name}." for name in names)

    def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
        if record.name in names or record.name.startswith(prefixes):
            records.append(record)
        else:
            handle(logger, record)

    with replace_functions(logging.Logger, callHandlers=call_handlers):
        yield records


class _Stream:
    """A stream that drops what one thread writes, while it is active; other threads write to another stream."""

    def __init__(self, others: Any, original: Any) -> None:
        self._others, self.original = others, original
        self._owner: int | None = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._others, name)

    def end(self) -> None:
        """Let all threads write to the original."""
        self._owner, self._others = None, self.original

    def write(self, text: str) -> int:
        """Write a text, unless the thread is the one whose output is dropped."""
        return len(text) if threading.get_ident() == self._owner else self._others.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)


@contextmanager
def _drop_output(name: str) -> Generator[None]:
    with _LOCK:
        original = getattr(sys, name)
        if original is None:  # a process without output
            yield
            return
        stream = _Stream(original, original)
        with undo_at_end(functools.partial(_put_back, name, stream)):
            setattr(sys, name, stream)
            yield


def _put_back(name: str, stream: _Stream) -> None:
    stream.end()
    if getattr(sys, name) is stream:  # else another thread has replaced it meanwhile, for itself
        setattr(sys, name, stream.original)


@contextmanager
def redirect_other_threads(name: str, number: int, kept: int) -> Generator[None]:
    """Let other threads print to the file descriptor `kept` while `number` is redirected, for a stream of ``sys`` that writes there."""
    with _LOCK:
        original = getattr(sys, name)
        try:
            writes_there = original.fileno() == number
        except (AttributeError, OSError, ValueError):  # none, or one in memory
            writes_there = False
        if not writes_there:
            yield
            return
        encoding = original.encoding or "utf-8"
        with open(kept, "w", encoding=encoding, errors="replace", buffering=1, closefd=False) as outside:
            stream = _Stream(outside, original)
            with undo_at_end(functools.partial(_put_back, name, stream)):
                setattr(sys, name, stream)
                yield


@contextmanager
def drop_native_output() -> Generator[None]:
    """Send the process's standard output and error to a temporary file; what other threads print goes where it went before."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # there is none, or it is closed
            stream.flush()
    with ExitStack() as stack:
        try:
            kept = {number: os.dup(number) for number in _OUTPUTS.values()}
        except OSError:  # a process without output
            yield
            return
        for copy in kept.values():
            stack.callback(os.close, copy)

        def restore() -> None:
            for number, copy in kept.items():
                os.dup2(copy, number)

        with tempfile.TemporaryFile() as sink, undo_at_end(restore):
            for number in kept:
                os.dup2(sink.fileno(), number)
            for name, number in _OUTPUTS.items():
                stack.enter_context(redirect_other_threads(name, number, kept[number]))
            yield


class _ThreadPattern:
    """A pattern of a warning filter that matches each message of one thread, while it is active."""

    def __init__(self) -> None:
        self.owner: int | None = threading.get_ident()

    def match(self, _: str) -> bool:
        """Whether the filter applies: the module `warnings` calls this with the message."""
        return threading.get_ident() == self.owner


@contextmanager
def ignore_warnings() -> Generator[None]:
    """Ignore the warnings of this thread until the context ends."""
    with _filter_warnings("ignore", Warning):
        yield


@contextmanager
def record_warnings(category: type[Warning]) -> Generator[list[warnings.WarningMessage]]:
    """Yield the list of the warnings of a category that this thread raises until the context ends; they are not shown."""
    records: list[warnings.WarningMessage] = []
    show = warnings.showwarning

    def record(message: Any, kind: type[Warning], filename: str, line: int, *rest: Any, **options: Any) -> None:
        if issubclass(kind, category):
            records.append(warnings.WarningMessage(message, kind, filename, line))
        else:
            show(message, kind, filename, line, *rest, **options)

    with replace_functions(warnings, showwarning=record), _filter_warnings("always", category):
        yield records


@contextmanager
def _filter_warnings(action: str, category: type[Warning]) -> Generator[None]:
    # `warnings.catch_warnings` replaces the filters of the whole process, so other threads would lose their warnings.
    with _LOCK:
        pattern = _ThreadPattern()
        entry: Any = (action, pattern, category, None, 0)
        filters: Any = warnings.filters

        def restore() -> None:
            pattern.owner = None
            # Another thread may be in `catch_warnings`, which works on a copy of the list.
            current: Any = warnings.filters
            for entries in (filters, current):
                if entry in entries:
                    entries.remove(entry)

        with undo_at_end(restore):
            filters.insert(0, entry)
            yield
