"""Signals that end the program: SIGINT, SIGTERM and SIGHUP take effect where it is safe, and only once.

Frameworks abort the process if an exception of a signal's handler is raised while they are being imported: their C++ code calls
Python and does not expect one. So a signal that arrives during an import takes effect after it. `hold_signals` does this for the
imports of a backend in any program; `handle_signals` for all imports of the program ``dummyio``.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_HANDLED = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # Windows has no SIGHUP
_IMPORT_SYSTEM = "<frozen importlib"
_LIBRARY_FOLDERS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_RETRY_SECONDS = 0.05
_LOST_SECONDS = 1.0
"""After this time, an exception that is not being handled has been dropped by a library."""
_REPEATED_SECONDS = 1.0
"""A second signal after this time ends the program at once: native code may not return."""


class Terminated(SystemExit):
    """SIGTERM or SIGHUP: the program ends. Its code is 128 plus the number of the signal."""


def is_main_thread() -> bool:
    """Whether signals are handled in this thread: the main thread of the main interpreter."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def hold_signals() -> Generator[None]:
    """Let no handler that is written in Python run until the context ends; then run those whose signals have arrived.

    In other threads than the main one, and while `handle_signals` is active, it does nothing: no handler runs there, or it
    waits for the end of imports itself.
    """
    if not is_main_thread() or is_handling_signals():
        yield
        return
    arrived: list[int] = []
    held: dict[Any, Any] = {}
    try:
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                held[number] = handler
                signal.signal(number, lambda number, _: arrived.append(number))
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for late in dict.fromkeys(arrived):
            signal.raise_signal(late)


def is_handling_signals() -> bool:
    """Whether the handlers of `handle_signals` are active."""
    return bool(_ACTIVE)


class SignalWatch:
    """Raises `KeyboardInterrupt` or `Terminated` in the main thread for a signal, at the first safe moment.

    A thread repeats the signal while the moment is not safe, and if the exception was lost: Python drops exceptions in callbacks
    of the garbage collector, and libraries catch some. It also ends the program at a second signal, since no handler runs
    while native code does not return.
    """

    def __init__(self, *, held: bool = False) -> None:
        self.held = held
        """Whether signals take no effect yet."""
        self.received = 0
        """The first signal; 0 if there is none."""
        self.code: int | None = None
        """The exit code once it is certain: from then on, a signal ends the process at once."""
        self._raised: BaseException | None = None
        self._raised_at = 0.0
        self._main = threading.get_ident()
        self._reader = self._writer = -1
        self._first = 0.0  # when the first signal arrived
        self._own = 0  # signals of the thread itself, which are noted in the pipe too
        self._stopped = False
        self._thread = threading.Thread(target=self._repeat, name="dummyio-signals", daemon=True)
        self.before: dict[int, Any] = {}
        """The handlers that were there before."""
        self._wakeup = -1
        self._hook = sys.unraisablehook

    def start(self) -> None:
        """Install the handlers, except for signals that are ignored: ``nohup`` and shells ask for this."""
        self._reader, self._writer = os.pipe()
        for descriptor in (self._reader, self._writer):
            os.set_blocking(descriptor, False)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._hook, sys.unraisablehook = sys.unraisablehook, self._note_lost
        self._thread.start()
        _ACTIVE.append(self)
        for number in _HANDLED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self.before[number] = signal.signal(number, self._handle)

    def stop(self) -> None:
        """Restore the handlers that were there before."""
        _ACTIVE.remove(self)
        sys.unraisablehook = self._hook
        for number, handler in self.before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.write(self._writer, b"\0")
        self._thread.join()
        os.close(self._reader)
        os.close(self._writer)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.code is not None:
            os._exit(self.code)
        self.received = self.received or number
        if self.held or _is_importing(frame) or self._is_unwinding():
            return
        code = 128 + self.received
        self._raised = KeyboardInterrupt() if self.received == signal.SIGINT else Terminated(code)
        self._raised_at = time.monotonic()
        raise self._raised

    def _note_lost(self, lost: Any) -> None:
        """Be called for an exception that Python drops, and would print: ours is raised again."""
        if self._raised is not None and lost.exc_value is self._raised:
            self._raised = None
        else:
            self._hook(lost)

    def _is_unwinding(self) -> bool:
        """Whether the exception is being handled: clean-up is running, which must not be interrupted."""
        if self._raised is None:
            return False
        error, seen = sys.exception(), set[int]()
        while error is not None and id(error) not in seen:
            if error is self._raised:
                return True
            seen.add(id(error))
            error = error.__cause__ or error.__context__
        return False

    def _is_due(self) -> bool:
        """Whether to send the signal to the main thread again."""
        if not self.received or self.held or self.code is not None:
            return False
        if time.monotonic() - self._raised_at < (_LOST_SECONDS if self._raised else 0):
            return False
        return not _is_importing(sys._current_frames().get(self._main))  # noqa: SLF001 - public despite its name

    def _repeat(self) -> None:
        """Run in the thread: read the signals that the C part of Python notes in the pipe, also while native code runs."""
        while not self._stopped:
            try:
                self._read_or_send()
            except Exception:  # noqa: BLE001 - the frames of the main thread change meanwhile; the thread must not end
                time.sleep(_RETRY_SECONDS)

    def _read_or_send(self) -> None:
        ready, _, _ = select.select([self._reader], [], [], _RETRY_SECONDS if self._first else None)
        if not ready and self._is_due():
            self._own += 1
            signal.pthread_kill(self._main, self.received)  # it also ends a call that waits
        for number in os.read(self._reader, 1 << 10) if ready else b"":
            if number == 0:
                self._stopped = True
            elif self._own:
                self._own -= 1
            elif number in self.before:
                if self._first and time.monotonic() - self._first > _REPEATED_SECONDS:
                    os._exit(128 + number)
                self._first = self._first or time.monotonic()


_ACTIVE: list[SignalWatch] = []


def _forget_after_fork() -> None:
    """Restore the handlers in a forked process: the pipe is that of its parent."""
    for watch in _ACTIVE:
        for number, handler in watch.before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
    _ACTIVE.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


@contextmanager
def handle_signals(*, held: bool = False) -> Generator[SignalWatch]:
    """Raise `KeyboardInterrupt` for SIGINT and `Terminated` for SIGTERM and SIGHUP in this context, outside of imports.

    In a thread other than the main one, signals are left as they are. With `held`, they take effect once the watch that is
    returned is no longer `held`: where the exception is caught.
    """
    watch = SignalWatch(held=held)
    if not is_main_thread() or not hasattr(signal, "pthread_kill"):  # Windows
        yield watch
        return
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def _is_importing(frame: FrameType | None) -> bool:
    """Whether the interrupted code runs because a library is being imported.

    The user's own modules are interrupted at once: they may compute for hours when they are imported.
    """
    inner: FrameType | None = None
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_IMPORT_SYSTEM):
            inner = frame
        elif inner is None or inner.f_code.co_name != "<module>" or _is_library(inner):
            return True
        frame = frame.f_back
    return False


def _is_library(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    return (
        path.startswith(("<frozen", os.path.dirname(os.__file__)))  # noqa: PTH120 - pathlib is slow to import
        or any(folder in path for folder in _LIBRARY_FOLDERS)
        or str(frame.f_globals.get("__name__")).startswith("dummyio")
    )
