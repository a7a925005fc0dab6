"""Samples saved to files and loaded from them."""

from dummyio.feeds.file_formats import FORMATS
from dummyio.feeds.save_load import load_feeds, save_samples

__all__ = ["FORMATS", "load_feeds", "save_samples"]
