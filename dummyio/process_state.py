"""Changes of the process's own state, one thread at a time: attributes of other packages, streams, loggers, file descriptors.

Exporters print, log and warn, and some accept no option where one is needed, so their process-wide state is changed while they
run. Two threads that save, change and restore the same state restore it wrongly, for the rest of the process. Every such
change is made through this module, under one lock: a second thread waits.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

_LOCK = threading.RLock()


@contextmanager
def hold_process_state() -> Generator[None]:
    """Let no other thread change the state of the process until the context ends. It may be nested."""
    with _LOCK:
        yield


@contextmanager
def replace_attributes(owner: Any, **values: Any) -> Generator[None]:
    """Replace attributes of an object, a class or a module until the context ends; the lock is held meanwhile."""
    missing = object()
    with _LOCK:
        before = {name: vars(owner).get(name, missing) for name in values}
        try:
            for name, value in values.items():
                setattr(owner, name, value)
            yield
        finally:
            for name, value in before.items():
                if value is missing:
                    delattr(owner, name)
                else:
                    setattr(owner, name, value)
