"""The versions of the packages that a source is run with."""

from functools import cache
from importlib.metadata import version

find_version = cache(version)
"""Returns the version of an installed package, as `importlib.metadata.version` does; reading one takes milliseconds."""
