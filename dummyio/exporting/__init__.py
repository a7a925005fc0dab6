"""Exporting: from a model and its spec to a checked artifact with its files next to it."""
