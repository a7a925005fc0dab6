"""Clears the source-text caches when a file of the installed library has changed since it was read.

What is read from source files is kept, in many small caches that build on each other. So when one file changes, all are
emptied. Files are looked at no more than once a second, since a look at hundreds takes longer than a description.
"""

import os
import sys
import time
from pathlib import Path

_SECONDS = 1.0
_MOST = 4096
"""Files to keep in mind; a library has fewer that are ever read."""
_PACKAGE = "dummyio.huggingface"

_stamps: dict[Path, tuple[int, int] | None] = {}
_looked = 0.0


def track_file(path: Path) -> None:
    """Keep in mind what a file is like that is about to be read."""
    if len(_stamps) >= _MOST:
        _empty()
    _stamps[path] = _stamp(path)


def clear_stale_caches() -> None:
    """Empty the caches of this package where a file is no longer what it was when it was read."""
    global _looked  # noqa: PLW0603 - one clock for all descriptions
    now = time.monotonic()
    if now - _looked < _SECONDS:
        return
    _looked = now
    if any(_stamp(path) != stamp for path, stamp in list(_stamps.items())):
        _empty()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - `Path.stat` takes twice as long
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _empty() -> None:
    # Every cache of the package, by itself: one that had to enter itself in a list could be forgotten, and stay old unseen.
    _stamps.clear()
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{_PACKAGE}."):
            for value in list(vars(module).values()):
                clear = getattr(value, "cache_clear", None)
                if callable(clear):
                    clear()
