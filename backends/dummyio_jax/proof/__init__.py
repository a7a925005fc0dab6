"""Runs the description of a function or module: it is confirmed, corrected or refused by what JAX says."""
