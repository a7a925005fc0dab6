"""The Transformers library that is installed: where its files lie and which version it is, without importing it."""

import importlib.util
from functools import lru_cache
from pathlib import Path

__all__ = ["transformers_root", "transformers_version"]


@lru_cache(maxsize=1)
def transformers_root() -> Path | None:
    """Give the folder of the installed `transformers` package, or None where there is none."""
    try:
        spec = importlib.util.find_spec("transformers")
    except ValueError:  # a stand-in module without a spec sits in sys.modules
        return None
    return Path(spec.origin).parent if spec and spec.origin else None


@lru_cache(maxsize=1)
def transformers_version() -> str | None:
    """Give the version of the installed Transformers, or None where there is none."""
    # Loads email, zipfile and csv, 20 ms in all: only error texts and provenance want the version.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("transformers")
    except PackageNotFoundError:
        return None
