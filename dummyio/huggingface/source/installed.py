"""Files and versions of installed libraries, found without importing them."""

import importlib.util
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def transformers_root() -> Path | None:
    """Give the folder of the installed `transformers` package, or None where there is none."""
    return package_root("transformers")


@lru_cache(maxsize=1)
def transformers_version() -> str | None:
    """Give the version of the installed Transformers, or None where there is none."""
    return package_version("transformers")


@lru_cache(maxsize=8)
def package_root(name: str) -> Path | None:
    """Give the folder of an installed package, or None where there is none."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a stand-in module without a spec sits in sys.modules
        return None
    return Path(spec.origin).parent if spec and spec.origin else None


@lru_cache(maxsize=32)
def package_version(name: str) -> str | None:
    """Give the version of an installed package, or None where there is none."""
    # Loads email, zipfile and csv, 20 ms in all: only error texts and provenance want the version.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version(name)
    except PackageNotFoundError:
        return None
