"""Runs of a search: what a run may allocate, and how it ends."""
